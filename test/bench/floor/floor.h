/* What the floors share: the calls by which something is made durable, a claim, a listing. An error ends the program. */

#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRY(call) ({ long answer_ = (call); if (answer_ < 0) err(1, "%s", #call); answer_; })

/* A path in a buffer that is good until as many more were made. */
static const char *path(const char *directory, const char *name) {
    static char buffers[16][4096];
    static int last;
    char *buffer = buffers[last++ % 16];
    snprintf(buffer, 4096, "%s/%s", directory, name);
    return buffer;
}

static void sync_path(const char *name) {
    int fd = TRY(open(name, O_RDONLY));
    TRY(fsync(fd));
    close(fd);
}

static void put(const char *name, const char *text, int mode, int durable) {
    int fd = TRY(open(name, O_WRONLY | O_CREAT | O_EXCL, mode));
    if (*text) TRY(write(fd, text, strlen(text)));
    if (durable) TRY(fsync(fd));
    close(fd);
}

/* The names in a directory; answers how many. */
static int list(const char *directory, char ***names) {
    DIR *stream = opendir(directory);
    if (!stream) err(1, "%s", directory);
    int count = 0;
    *names = NULL;
    for (struct dirent *entry; (entry = readdir(stream));) {
        if (entry->d_name[0] == '.') continue;
        if (count % 1024 == 0) *names = realloc(*names, (count + 1024) * sizeof **names);
        (*names)[count++] = strdup(entry->d_name);
    }
    closedir(stream);
    return count;
}

static void forget(char **names, int count) {
    for (int i = 0; i < count; i++) free(names[i]);
    free(names);
}

static int holds(const char *directory, const char *wanted) {
    DIR *stream = opendir(directory);
    int found = 0;
    if (!stream) return 1; /* archived since it was listed: taken */
    for (struct dirent *entry; (entry = readdir(stream));) found |= !strcmp(entry->d_name, wanted);
    closedir(stream);
    return found;
}

/* The directories of a spool. */
static char tasks_cur[4000], tasks_old[4000], jobs_tmp[4000], jobs_cur[4000];

static void open_spool(const char *root) {
    snprintf(tasks_cur, sizeof tasks_cur, "%s/tasks/cur", root);
    snprintf(tasks_old, sizeof tasks_old, "%s/tasks/old", root);
    snprintf(jobs_tmp, sizeof jobs_tmp, "%s/jobs/tmp", root);
    snprintf(jobs_cur, sizeof jobs_cur, "%s/jobs/cur", root);
}

/* T1 to T3 of the design; 0 if somebody else has the task. */
static int claim(const char *task) {
    char private[4096], owner[300], job[512];
    snprintf(job, sizeof job, "%s.%016lx", task, random() ^ (long)getpid() << 32);
    snprintf(private, sizeof private, "%s/%s", jobs_tmp, job);
    snprintf(owner, sizeof owner, "host=%0150d\npid=%d\n", 0, getpid());
    TRY(mkdir(private, 0777));
    put(path(private, "alive"), "", 0666, 0);
    put(path(private, "owner.txt"), owner, 0666, 1);
    sync_path(private);
    sync_path(jobs_tmp);
    if (link(path(private, "owner.txt"), path(path(tasks_cur, task), "claim")) < 0) {
        if (errno != EEXIST && errno != ENOENT) err(1, "claim");
        unlink(path(private, "alive"));
        unlink(path(private, "owner.txt"));
        TRY(rmdir(private));
        return 0;
    }
    sync_path(path(tasks_cur, task));
    TRY(rename(private, path(jobs_cur, task)));
    return 1;
}

/* Claims one of the names, in any order, so that two seldom meet; NULL when none is left. Takes it from the list. */
static char *claim_any(char **names, int *count) {
    while (*count > 0) {
        int i = random() % *count;
        char *name = names[i];
        names[i] = names[--*count];
        if (!holds(path(tasks_cur, name), "claim") && claim(name)) return name;
        free(name);
    }
    return NULL;
}
