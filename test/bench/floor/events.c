/*
 * events SPOOL COUNT: makes two tasks of each of so many events by the calls of E0 to E4 alone, with archives that are
 * there already: no git, no compressor. Prints how many events that are in a second.
 */

#include "floor.h"

static void clone(const char *from, const char *to) {
    char **files;
    int count = list(from, &files);
    TRY(mkdir(to, 0777));
    for (int i = 0; i < count; i++) TRY(link(path(from, files[i]), path(to, files[i])));
    forget(files, count);
    sync_path(to);
}

static void make_tasks(const char *event, const char *revs, const char *making, const char *archive, int num) {
    char record[4096], batch[4096], first[4096], second[4096], name[64];
    snprintf(record, sizeof record, "%s/%d", making, num);
    snprintf(batch, sizeof batch, "%s/../tmp/.hello.%d", tasks_cur, num);
    snprintf(first, sizeof first, "%s/%d:hello:v1:testarch", batch, num);
    snprintf(second, sizeof second, "%s/%d:hello:v1:otherarch", batch, num + 1);
    TRY(mkdir(record, 0777));
    sync_path(record);
    sync_path(making);
    TRY(rename(path(revs, event), path(record, event)));
    TRY(mkdir(batch, 0777));
    TRY(mkdir(first, 0777));
    for (const char **tar = (const char *[]){"code.tar", "steps.tar", NULL}; *tar; tar++)
        TRY(link(archive, path(first, *tar)));
    for (const char **text = (const char *[]){"code-revision.txt", "code-version.txt", "ref.txt", NULL}; *text; text++)
        put(path(first, *text), *text, 0666, 1);
    TRY(link(path(first, "code-revision.txt"), path(first, "steps-revision.txt")));
    TRY(link(path(first, "code-version.txt"), path(first, "steps-version.txt")));
    sync_path(first);
    clone(first, second);
    for (const char **seen = (const char *[]){batch, record, revs, NULL}; *seen; seen++) sync_path(*seen);
    put(path(record, ".names"), "names\n", 0666, 1);
    TRY(link(path(record, ".names"), path(record, "names")));
    TRY(unlink(path(record, ".names")));
    sync_path(record);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%d:hello:v1:%s", num + i, i ? "otherarch" : "testarch");
        TRY(rename(i ? second : first, path(tasks_cur, name)));
    }
    sync_path(tasks_cur);
    TRY(rmdir(batch));
    TRY(rename(record, path(making, ".done")));
    sync_path(making);
    TRY(unlink(path(path(making, ".done"), "names")));
    TRY(unlink(path(path(making, ".done"), event)));
    TRY(rmdir(path(making, ".done")));
}

int main(int argc, char **argv) {
    if (argc != 3) errx(100, "usage: events SPOOL COUNT");
    char revs[4096], making[4096], archive[4096], event[41];
    static char bytes[3000];
    struct timespec began, ended;
    int count = atoi(argv[2]), first = time(NULL);
    open_spool(argv[1]);
    snprintf(revs, sizeof revs, "%s/revs/hello", argv[1]);
    snprintf(making, sizeof making, "%s/revs/.making", argv[1]);
    snprintf(archive, sizeof archive, "%s/archive", argv[1]);
    mkdir(making, 0777);
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (int i = 0; i < count; i++) {
        snprintf(event, sizeof event, "%040d", i);
        put(path(revs, event), "", 0666, 0);
    }
    for (int i = 0; i < count; i++) {
        /* One archive for each event, as each has its own code. */
        unlink(archive);
        memset(bytes, 'x', sizeof bytes - 1);
        put(archive, bytes, 0666, 1);
        snprintf(event, sizeof event, "%040d", i);
        make_tasks(event, revs, making, archive, first + 2 * i);
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("%f\n", count / (ended.tv_sec - began.tv_sec + (ended.tv_nsec - began.tv_nsec) / 1e9));
    return 0;
}
