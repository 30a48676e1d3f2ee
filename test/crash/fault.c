/* Preloaded into a program, makes its k-th file operation the one at which it crashes, stops, or meets an error.
 *
 * The environment says what is to be done:
 *   FAULT_STATE    a directory for what this keeps: `count`, how many operations there were; `log`, for each a line
 *                  `K OPERATION PATH`, and `K failed` if it did; `fired`, there once the fault has happened. Without it
 *                  nothing is done.
 *   FAULT_DIR      only operations on paths below this directory count.
 *   FAULT_PROGRAM  only the process that has this word among its arguments counts, not its children, whom a crash leaves
 *                  alone. Unset: all processes count together, and a crash takes the whole process group.
 *   FAULT_LOOKS    What only looks counts as well: a listing, and an open of what is there.
 *   FAULT_ONLY     `OPERATION PART`: only operations of this kind count, on paths with this part in them.
 *   FAULT_RUMOURS  Once there is a file `rumour` in FAULT_STATE, with two paths, one a line: what is looked for below the
 *                  first is found below the second, as by a client that remembers where it was before it was renamed.
 *   FAULT          `K:ACTION`. The actions:
 *                    kill, kill-after   SIGKILL before the operation, or when it is done
 *                    stop, stop-after   SIGSTOP likewise
 *                    ERRNO              it is not done, and fails: `ENOSPC`
 *                    done-ERRNO         it is done, and reported as failed, as when a network loses the answer
 *                  `K+:ERRNO` fails the K-th and all later ones, until there is a file `mended` in FAULT_STATE.
 *
 * An operation, on a file or directory, is a rename, link, unlink, mkdir, rmdir, an open for creation, a write, an fsync, a close of a file that
 * was open for writing, or a setting of times. A close that fails has closed all the same. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(function) ((__typeof__(function) *)dlsym(RTLD_NEXT, #function))

static struct {
    char state[PATH_MAX], directory[PATH_MAX], action[64];
    long at;
    int from_then_on, whole_group;
    pid_t pid;
    int looks, rumours;
    char only_operation[16], only_part[256];
    atomic_long *count;
} fault;

/* ---- What is to happen at an operation ---- */

typedef struct {
    enum { GO, FAIL, LIE, KILL_AFTER, STOP_AFTER } what;
    int error;
    long k; /* 0: it does not count. */
} plan;

static int error_named(const char *name) {
    static const struct { const char *name; int error; } errors[] = {
        {"EACCES", EACCES}, {"EDQUOT", EDQUOT}, {"EEXIST", EEXIST}, {"EIO", EIO},       {"EMFILE", EMFILE},
        {"EMLINK", EMLINK}, {"ENOENT", ENOENT}, {"ENOMEM", ENOMEM}, {"ENOSPC", ENOSPC}, {"EROFS", EROFS},   {"ESTALE", ESTALE},
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(errors[i].name, name) == 0) return errors[i].error;
    }
    fprintf(stderr, "fault: unknown action %s\n", name);
    abort();
}

static void strike(int signal) {
    /* To this very thread: it does not go one instruction further, nor do the others. Once only, or we stop twice. */
    if (fault.whole_group) kill(0, signal);
    else tgkill(getpid(), gettid(), signal);
}

static int in_state(const char *name, int flags) {
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/%s", fault.state, name);
    return NEXT(open)(path, flags | O_CLOEXEC, 0644);
}

static void shut(int fd) {
    NEXT(syscall)(SYS_close, fd);
}

/* Only one process meets the fault, however many reach the K-th operation. */
static int fire(void) {
    int fd = in_state("fired", O_CREAT | O_EXCL | O_WRONLY);
    if (fd >= 0) shut(fd);
    return fd >= 0;
}

static int mended(void) {
    int fd = in_state("mended", O_RDONLY);
    if (fd >= 0) shut(fd);
    return fd >= 0;
}

static void record(long k, const char *what, const char *path, const char *other) {
    char line[2 * PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%ld %s%s%s%s%s\n", k, what, *path ? " " : "", path, *other ? "\t" : "", other);
    int fd = in_state("log", O_CREAT | O_APPEND | O_WRONLY);
    if (fd < 0) return;
    if (NEXT(syscall)(SYS_write, fd, line, length) != length) abort();
    shut(fd);
}

static plan consider(const char *operation, const char *path, const char *other) {
    size_t length = strlen(fault.directory);
    if (strncmp(path, fault.directory, length) != 0 && strncmp(other, fault.directory, length) != 0) return (plan){0};
    if (*fault.only_operation && (strcmp(operation, fault.only_operation) != 0 ||
                                  (!strstr(path, fault.only_part) && !strstr(other, fault.only_part)))) return (plan){0};
    long k = atomic_fetch_add(fault.count, 1) + 1;
    const plan go = {GO, 0, k};
    if (k == fault.at && strcmp(fault.action, "kill") == 0 && fire()) strike(SIGKILL);
    record(k, operation, path, other);
    if (fault.from_then_on) {
        if (k < fault.at || mended()) return go;
        fire();
        return (plan){FAIL, error_named(fault.action), k};
    }
    if (k != fault.at || !fire()) return go;
    if (strcmp(fault.action, "kill-after") == 0) return (plan){KILL_AFTER, 0, k};
    if (strcmp(fault.action, "stop-after") == 0) return (plan){STOP_AFTER, 0, k};
    if (strncmp(fault.action, "done-", 5) == 0) return (plan){LIE, error_named(fault.action + 5), k};
    if (strcmp(fault.action, "stop") != 0) return (plan){FAIL, error_named(fault.action), k};
    strike(SIGSTOP);
    return go;
}

static long failed(int error) {
    errno = error;
    return -1;
}

static long after(plan plan, long result) {
    int saved = errno;
    if (plan.k && result < 0) record(plan.k, "failed", "", "");
    errno = saved;
    if (plan.what == KILL_AFTER) strike(SIGKILL);
    if (plan.what == STOP_AFTER) strike(SIGSTOP);
    return plan.what == LIE && result >= 0 ? failed(plan.error) : result;
}

/* ---- Who and where ---- */

static int has_argument(const char *word) {
    char arguments[1 << 16];
    int fd = NEXT(open)("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t length = read(fd, arguments, sizeof arguments - 1);
    shut(fd);
    if (length < 0) return 0;
    arguments[length] = 0;
    for (char *argument = arguments; argument < arguments + length; argument += strlen(argument) + 1) {
        if (strcmp(argument, word) == 0) return 1;
    }
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *state = getenv("FAULT_STATE"), *program = getenv("FAULT_PROGRAM"), *what = getenv("FAULT");
    if (!state || (program && !has_argument(program))) return;
    snprintf(fault.state, sizeof fault.state, "%s", state);
    snprintf(fault.directory, sizeof fault.directory, "%s", getenv("FAULT_DIR") ? getenv("FAULT_DIR") : "/");
    if (what) {
        char *rest;
        fault.at = strtol(what, &rest, 10);
        fault.from_then_on = *rest == '+';
        snprintf(fault.action, sizeof fault.action, "%s", rest + fault.from_then_on + 1);
    }
    fault.whole_group = !program;
    fault.looks = getenv("FAULT_LOOKS") != NULL;
    fault.rumours = getenv("FAULT_RUMOURS") != NULL;
    const char *only = getenv("FAULT_ONLY");
    if (only && sscanf(only, "%15s %255s", fault.only_operation, fault.only_part) != 2) abort();
    if (program) {
        fault.pid = getpid();
        unsetenv("LD_PRELOAD");
    }
    int fd = in_state("count", O_CREAT | O_RDWR);
    if (fd < 0 || ftruncate(fd, sizeof *fault.count) < 0) abort();
    void *memory = mmap(NULL, sizeof *fault.count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) abort();
    fault.count = memory;
    shut(fd);
}

/* A child that has not yet become another program shares our memory, but is not us. */
static int counts(void) {
    return fault.count && (fault.pid == 0 || fault.pid == getpid());
}

/* What a disk has no part in, as a pipe, gives none of its errors. */
static int on_disk(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}

static const char *path_of(int fd, char *path) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
    return path;
}

static const char *absolute(int at, const char *path, char *buffer) {
    if (path[0] == '/') return path;
    char base[PATH_MAX];
    if (at == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) base[0] = 0;
    } else path_of(at, base);
    if (snprintf(buffer, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) abort();
    return buffer;
}


static plan on_paths(const char *operation, int from_at, const char *from, int to_at, const char *to) {
    char buffers[2][PATH_MAX];
    if (!counts()) return (plan){0};
    return consider(operation, absolute(from_at, from, buffers[0]), absolute(to_at, to, buffers[1]));
}

static plan on_file(const char *operation, int fd) {
    char path[PATH_MAX];
    if (!counts() || !on_disk(fd)) return (plan){0};
    return consider(operation, path_of(fd, path), "");
}

/* An fsync says how many bytes are on the disk when it is done. */
static plan on_fsync(int fd) {
    char path[PATH_MAX], size[32] = "";
    struct stat stat;
    if (!counts() || !on_disk(fd)) return (plan){0};
    if (fstat(fd, &stat) == 0) snprintf(size, sizeof size, "%lld", (long long)stat.st_size);
    return consider("fsync", path_of(fd, path), size);
}

/* Without a path the operation is on the open file, as some say to utimensat. */
static plan on_path(const char *operation, int at, const char *path) {
    char buffer[PATH_MAX];
    if (!path) return on_file(operation, at);
    if (!counts()) return (plan){0};
    return consider(operation, absolute(at, path, buffer), "");
}

/* Where a path is found: elsewhere, as long as there is a rumour. */
static const char *found(const char *path, char *buffer) {
    if (!fault.rumours || !path) return path;
    char text[2 * PATH_MAX];
    int fd = in_state("rumour", O_RDONLY);
    if (fd < 0) return path;
    ssize_t size = read(fd, text, sizeof text - 1);
    shut(fd);
    text[size > 0 ? size : 0] = 0;
    char *to = strchr(text, '\n'), *end = to ? strchr(to + 1, '\n') : NULL;
    if (!end || strncmp(path, text, to - text) != 0) return path;
    *end = 0;
    snprintf(buffer, PATH_MAX, "%s%s", to + 1, path + (to - text));
    return buffer;
}

/* ---- The operations ---- */

#define ON(considered, call) \
    plan plan = considered;  \
    return after(plan, plan.what == FAIL ? failed(plan.error) : call)

int rename(const char *from, const char *to) {
    ON(on_paths("rename", AT_FDCWD, from, AT_FDCWD, to), NEXT(rename)(from, to));
}
int renameat(int from_at, const char *from, int to_at, const char *to) {
    ON(on_paths("rename", from_at, from, to_at, to), NEXT(renameat)(from_at, from, to_at, to));
}
int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    ON(on_paths("rename", from_at, from, to_at, to), NEXT(renameat2)(from_at, from, to_at, to, flags));
}
int link(const char *from, const char *to) {
    char buffers[2][PATH_MAX];
    ON(on_paths("link", AT_FDCWD, from, AT_FDCWD, to), NEXT(link)(found(from, buffers[0]), found(to, buffers[1])));
}
int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    ON(on_paths("link", from_at, from, to_at, to), NEXT(linkat)(from_at, from, to_at, to, flags));
}
int unlink(const char *path) {
    char buffer[PATH_MAX];
    ON(on_path("unlink", AT_FDCWD, path), NEXT(unlink)(found(path, buffer)));
}
int unlinkat(int at, const char *path, int flags) {
    ON(on_path(flags & AT_REMOVEDIR ? "rmdir" : "unlink", at, path), NEXT(unlinkat)(at, path, flags));
}
int mkdir(const char *path, mode_t mode) {
    ON(on_path("mkdir", AT_FDCWD, path), NEXT(mkdir)(path, mode));
}
int mkdirat(int at, const char *path, mode_t mode) {
    ON(on_path("mkdir", at, path), NEXT(mkdirat)(at, path, mode));
}
int rmdir(const char *path) {
    ON(on_path("rmdir", AT_FDCWD, path), NEXT(rmdir)(path));
}
ssize_t write(int fd, const void *data, size_t size) {
    ON(on_file("write", fd), NEXT(write)(fd, data, size));
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    ON(on_file("write", fd), NEXT(writev)(fd, parts, count));
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    ON(on_file("write", fd), NEXT(pwrite)(fd, data, size, offset));
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    ON(on_file("write", fd), NEXT(pwrite64)(fd, data, size, offset));
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    ON(on_file("write", fd), NEXT(pwritev64)(fd, parts, count, offset));
}
int fsync(int fd) {
    ON(on_fsync(fd), NEXT(fsync)(fd));
}
int fdatasync(int fd) {
    ON(on_fsync(fd), NEXT(fdatasync)(fd));
}
int utimes(const char *path, const struct timeval times[2]) {
    ON(on_path("times", AT_FDCWD, path), NEXT(utimes)(path, times));
}
int utimensat(int at, const char *path, const struct timespec times[2], int flags) {
    ON(on_path("times", at, path), NEXT(utimensat)(at, path, times, flags));
}
int futimens(int fd, const struct timespec times[2]) {
    ON(on_file("times", fd), NEXT(futimens)(fd, times));
}

/* An open for creation says if what was there is emptied. */
static plan on_open(int flags, int at, const char *path) {
    char buffer[PATH_MAX];
    if (!counts()) return (plan){0};
    const int makes = flags & O_CREAT;
    return consider(makes ? "open" : "look", absolute(at, path, buffer), makes && flags & O_TRUNC ? "emptied" : "");
}

#define OPEN(name, at, call)                                                \
    mode_t mode = 0;                                                        \
    if (flags & (O_CREAT | __O_TMPFILE)) {                                  \
        va_list arguments;                                                  \
        va_start(arguments, flags);                                         \
        mode = va_arg(arguments, mode_t);                                   \
        va_end(arguments);                                                  \
    }                                                                       \
    char buffer[PATH_MAX];                                                  \
    path = found(path, buffer);                                             \
    if (!(flags & O_CREAT) && !fault.looks) return call;                    \
    ON(on_open(flags, at, path), call)

int open(const char *path, int flags, ...) {
    OPEN(open, AT_FDCWD, NEXT(open)(path, flags, mode));
}
int open64(const char *path, int flags, ...) {
    OPEN(open64, AT_FDCWD, NEXT(open64)(path, flags, mode));
}
int openat(int at, const char *path, int flags, ...) {
    OPEN(openat, at, NEXT(openat)(at, path, flags, mode));
}
int openat64(int at, const char *path, int flags, ...) {
    OPEN(openat64, at, NEXT(openat64)(at, path, flags, mode));
}

int scandir64(const char *path, struct dirent64 ***entries, int (*wanted)(const struct dirent64 *),
              int (*compare)(const struct dirent64 **, const struct dirent64 **)) {
    char buffer[PATH_MAX];
    path = found(path, buffer);
    if (!fault.looks) return NEXT(scandir64)(path, entries, wanted, compare);
    ON(on_path("list", AT_FDCWD, path), NEXT(scandir64)(path, entries, wanted, compare));
}

static plan on_close(int fd) {
    int saved = errno, flags = counts() ? fcntl(fd, F_GETFL) : -1;
    errno = saved;
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY ? on_file("close", fd) : (plan){0};
}

int close(int fd) {
    plan plan = on_close(fd);
    if (plan.what == FAIL) plan.what = LIE;
    return after(plan, NEXT(close)(fd));
}

/* libuv closes without the C library's wrapper, which may be a point of cancellation. */
long syscall(long number, ...) {
    va_list list;
    va_start(list, number);
    long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
    long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
    va_end(list);
    plan plan = {0};
    if (number == SYS_close) plan = on_close((int)a);
    if (plan.what == FAIL) plan.what = LIE;
    return after(plan, NEXT(syscall)(number, a, b, c, d, e, f));
}
