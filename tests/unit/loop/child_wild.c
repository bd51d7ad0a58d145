/* child_wild.c - programs that are hard to end, for the tests of child processes.
 *
 *   child_wild MARK MODE [N]
 *
 * MARK only marks the process and its descendants in /proc. "up" on standard output says that all
 * of them run. Built without sanitizers: tests start hundreds.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void be_deaf(void)
{
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
}

static _Noreturn void stay(void)
{
    for (;;)
        pause();
}

static void say_up(void)
{
    if (write(STDOUT_FILENO, "up\n", 3) != 3)
        _exit(9);
}

/* The classic double fork: a process in a session of its own, whose parent is gone. Returns when it
 * is deaf. */
static void leave_daemon(void)
{
    int ready[2];
    char byte;

    if (pipe(ready))
        _exit(9);
    if (fork() == 0) {
        (void)setsid();
        if (fork() != 0)
            _exit(0);
        be_deaf();
        close(ready[1]);
        close(ready[0]);
        stay();
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) < 0) /* ends when the daemon closed it */
        _exit(9);
    close(ready[0]);
}

/* n deaf descendants, each the child of another, every second one in a session of its own. */
static void chain(int n)
{
    be_deaf();
    for (int i = 1; i < n; i++) {
        if (fork() != 0)
            stay();
        if (i % 2)
            (void)setsid();
    }
    say_up();
    stay();
}

/* n deaf descendants at once, a tree. */
static void tree(int n)
{
    be_deaf();
    for (int i = 1; i < n; i++)
        if (fork() == 0) {
            if (i % 3 == 0)
                (void)setsid();
            (void)setpgid(0, 0);
            stay();
        }
    say_up();
    stay();
}

/* Forks and ends, n times, each time in a new session; the last one stays. */
static void comet(int n)
{
    be_deaf();
    say_up();
    if (fork() != 0)
        stay();
    for (int i = 0; i < n; i++) {
        if (fork() != 0)
            _exit(0);
        (void)setsid();
        (void)usleep(500);
    }
    stay();
}

static void flood(long n)
{
    static char bytes[65536];

    memset(bytes, 'x', sizeof(bytes));
    for (long left = n; n == 0 || left > 0;) {
        size_t take = n == 0 || left > (long)sizeof(bytes) ? sizeof(bytes) : (size_t)left;
        ssize_t written = write(STDOUT_FILENO, bytes, take);

        if (written <= 0)
            _exit(8);
        left -= written;
    }
}

static void flood_after_exit(void)
{
    if (fork() != 0)
        _exit(4);
    (void)setsid();
    flood(0);
}

static void print_errors(long n)
{
    for (long i = 0; i < n; i++)
        (void)fprintf(stderr, "line %ld of the log\n", i);
    _exit(3);
}

static _Noreturn void write_when_asked(const char *path)
{
    sigset_t set;
    int signo = 0, fd;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    say_up();
    (void)sigwait(&set, &signo);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    _exit(fd >= 0 && write(fd, "saved", 5) == 5 ? 0 : 1);
}

static void run(const char *mode, const char *arg)
{
    long n = strtol(arg, NULL, 10);

    if (strcmp(mode, "leave") == 0) {
        leave_daemon();
        _exit(0);
    } else if (strcmp(mode, "chain") == 0) {
        chain((int)n);
    } else if (strcmp(mode, "tree") == 0) {
        tree((int)n);
    } else if (strcmp(mode, "comet") == 0) {
        comet((int)n);
    } else if (strcmp(mode, "flood") == 0) {
        flood(n);
    } else if (strcmp(mode, "flood-after-exit") == 0) {
        flood_after_exit();
    } else if (strcmp(mode, "errors") == 0) {
        print_errors(n);
    } else if (strcmp(mode, "save") == 0) {
        write_when_asked(arg);
    } else {
        if (strcmp(mode, "daemon") == 0)
            leave_daemon();
        if (strcmp(mode, "stay") != 0) /* "deaf", "daemon" */
            be_deaf();
        say_up();
        stay();
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    run(argv[2], argc > 3 ? argv[3] : "0");
    return 0;
}
