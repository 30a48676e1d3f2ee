/* claims SPOOL CLIENTS: so many processes claim all tasks that wait, and run none. Prints how many that are in a second. */

#include "floor.h"

int main(int argc, char **argv) {
    if (argc != 3) errx(100, "usage: claims SPOOL CLIENTS");
    open_spool(argv[1]);
    struct timespec began, ended;
    char **names;
    int waiting = list(tasks_cur, &names);
    forget(names, waiting);
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (int i = atoi(argv[2]); i > 0; i--) {
        if (TRY(fork()) > 0) continue;
        srandom(i);
        int count = list(tasks_cur, &names);
        for (char *name; (name = claim_any(names, &count));) free(name);
        _exit(0);
    }
    for (int status; wait(&status) > 0;)
        if (status) errx(1, "a client failed");
    clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("%f\n", waiting / (ended.tv_sec - began.tv_sec + (ended.tv_nsec - began.tv_nsec) / 1e9));
    return 0;
}
