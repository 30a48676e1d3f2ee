/*
 * taker SPOOL JOBTMP: a task-taker of the calls alone. It waits with inotify, claims, unpacks plain tars, runs the steps
 * with their output through labels, makes the same files durable in the same order, and archives. It has no heartbeat,
 * no isolation, no limit, and nothing that would mend what is left after a crash.
 */

#include "floor.h"
#include <sys/inotify.h>

static void label(char *text) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    sprintf(text, "@%016llx%08lx ", 4611686018427387914ULL + now.tv_sec, now.tv_nsec);
}

/* Regular files of a ustar archive, which has no long names. */
static void unpack(const char *archive, const char *into) {
    static char bytes[1 << 20];
    int fd = TRY(open(archive, O_RDONLY));
    long length = TRY(read(fd, bytes, sizeof bytes));
    close(fd);
    TRY(mkdir(into, 0777));
    for (char *at = bytes; at + 512 <= bytes + length && *at;) {
        long size = strtol(at + 124, NULL, 8);
        if (at[156] == '0') {
            int file = TRY(open(path(into, at), O_WRONLY | O_CREAT | O_EXCL, strtol(at + 100, NULL, 8)));
            TRY(write(file, at + 512, size));
            close(file);
        }
        at += 512 + (size + 511) / 512 * 512;
    }
}

/* The lines of one read are labelled with the instant of the read. */
static void copy_labelled(int from, int to) {
    static char input[65536], output[1 << 22];
    char text[27];
    int at_start = 1;
    for (long length; (length = TRY(read(from, input, sizeof input))) > 0;) {
        char *end = output;
        label(text);
        for (long i = 0; i < length; i++) {
            if (at_start) end = mempcpy(end, text, 26);
            *end++ = input[i];
            at_start = input[i] == '\n';
        }
        TRY(write(to, output, end - output));
    }
}

static int run_step(const char *name, const char *work, const char *job) {
    char text[28], code[16], step[4096], log[4096];
    int out[2], status;
    snprintf(step, sizeof step, "%s/steps/%s", work, name);
    snprintf(log, sizeof log, "%s/steps/%s", job, name);
    TRY(mkdir(log, 0777));
    int to = TRY(open(path(log, "stdout.txt"), O_WRONLY | O_CREAT, 0666));
    int errors = TRY(open(path(log, "stderr.txt"), O_WRONLY | O_CREAT, 0666));
    label(text);
    put(path(log, "started"), text, 0666, 0);
    TRY(pipe2(out, O_CLOEXEC));
    pid_t child = TRY(vfork());
    if (child == 0) {
        if (setsid() < 0 || dup2(out[1], 1) < 0 || dup2(errors, 2) < 0 || chdir(path(work, "code")) < 0) _exit(126);
        execl(step, step, NULL);
        _exit(127);
    }
    close(out[1]);
    copy_labelled(out[0], to);
    TRY(waitpid(child, &status, 0));
    snprintf(code, sizeof code, "%d\n", WEXITSTATUS(status));
    put(path(log, ".exitcode.txt"), code, 0666, 0);
    TRY(rename(path(log, ".exitcode.txt"), path(log, "exitcode.txt")));
    label(text);
    put(path(log, "ended"), text, 0666, 0);
    TRY(fsync(to));
    TRY(fsync(errors));
    for (const char **file = (const char *[]){"started", "exitcode.txt", "ended", NULL}; *file; file++)
        sync_path(path(log, *file));
    sync_path(log);
    close(out[0]), close(to), close(errors);
    return status;
}

static void run_job(const char *task, const char *jobtmp) {
    char job[4096], work[4096];
    setenv("BASS_TASK", task, 1);
    snprintf(job, sizeof job, "%s/%s", jobs_cur, task);
    snprintf(work, sizeof work, "%s/%s", jobtmp, task);
    TRY(mkdir(work, 0700));
    put(path(job, "host.txt"), "host\n", 0666, 0);
    put(path(job, "tmp-path.txt"), work, 0666, 0);
    unpack(path(path(tasks_cur, task), "code.tar"), path(work, "code"));
    unpack(path(path(tasks_cur, task), "steps.tar"), path(work, "steps"));
    put(path(job, "env.txt"), "KEY=VALUE\n", 0666, 0);
    TRY(mkdir(path(job, "steps"), 0777));
    char **steps;
    int count = list(path(work, "steps"), &steps), failed = 0;
    for (int i = 0; i < count && !failed; i++)
        failed = run_step(steps[i], work, job);
    forget(steps, count);
    put(path(job, "pkg.txt"), "", 0666, 0);
    for (const char **file = (const char *[]){"env.txt", "pkg.txt", "steps", NULL}; *file; file++)
        sync_path(path(job, *file));
    put(path(job, ".result"), failed ? "failure\n" : "success\n", 0666, 1);
    TRY(link(path(job, ".result"), path(job, "result.txt")));
    TRY(unlink(path(job, ".result")));
    for (const char **directory = (const char *[]){job, jobs_cur, jobs_tmp, NULL}; *directory; directory++)
        sync_path(*directory);
    TRY(rename(path(tasks_cur, task), path(tasks_old, task)));
    sync_path(tasks_old);
    sync_path(tasks_cur);
    for (const char **part = (const char *[]){"code", "steps", NULL}; *part; part++) {
        char **files;
        int left = list(path(work, *part), &files);
        for (int i = 0; i < left; i++) TRY(unlink(path(path(work, *part), files[i])));
        forget(files, left);
        TRY(rmdir(path(work, *part)));
    }
    TRY(rmdir(work));
}

int main(int argc, char **argv) {
    if (argc != 3) errx(100, "usage: taker SPOOL JOBTMP");
    static char events[65536];
    open_spool(argv[1]);
    srandom(getpid());
    int fd = TRY(inotify_init());
    TRY(inotify_add_watch(fd, tasks_cur, IN_MOVED_TO));
    for (;;) {
        char **names;
        int count = list(tasks_cur, &names);
        for (char *name; (name = claim_any(names, &count));) {
            run_job(name, argv[2]);
            free(name);
        }
        free(names);
        TRY(read(fd, events, sizeof events));
    }
}
