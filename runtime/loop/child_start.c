/* child_start.c - fork, the settings of the new process, exec.
 *
 * The caller may have threads: between fork and exec nothing allocates or locks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/loop/child_start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FREE_FD 3

static _Noreturn void die(int fault_fd)
{
    int e = errno;

    _exit(write(fault_fd, &e, sizeof(e)) < 0 ? 126 : 127);
}

static void close_the_rest(void)
{
    if (syscall(SYS_close_range, (unsigned)FIRST_FREE_FD, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) == 0)
        return;
    for (int fd = FIRST_FREE_FD; fd < 65536; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* By system call: signal() refuses the two signals that the C library uses itself, and posix_spawn,
 * which started the supervisor, leaves these ignored. */
static void default_signals(void)
{
    static const unsigned long nothing[8] = {0}; /* SIG_DFL, no flags, an empty mask */
    sigset_t none;

    for (int signo = 1; signo < NSIG; signo++)
        (void)syscall(SYS_rt_sigaction, signo, nothing, NULL, (size_t)(NSIG - 1) / 8);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void become(const struct child_start *s, pid_t parent, int fault_fd)
{
    extern char **environ;

    (void)setsid();
    default_signals();
    if (s->dies_with_parent) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL))
            die(fault_fd);
        if (getppid() != parent) /* it had ended before */
            _exit(127);
    }
    for (int i = 0; i < FIRST_FREE_FD; i++)
        if (dup2(s->std[i], i) < 0)
            die(fault_fd);
    if (fchdir(s->folder_fd))
        die(fault_fd);
    close_the_rest();
    environ = (char **)(void *)s->env;
    execvp(s->argv[0], s->argv);
    die(fault_fd);
}

void child_close_pair(int fd[2])
{
    for (int i = 0; i < 2; i++) {
        if (fd[i] >= 0)
            close(fd[i]);
        fd[i] = -1;
    }
}

int child_pipe(int fd[2])
{
    if (pipe2(fd, O_CLOEXEC)) {
        fd[0] = fd[1] = -1;
        return errno;
    }
    for (int i = 0; i < 2; i++) {
        int high = fd[i] < FIRST_FREE_FD ? fcntl(fd[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD) : fd[i];
        int e = errno;

        if (high < 0) {
            child_close_pair(fd);
            return e;
        }
        if (high != fd[i])
            close(fd[i]);
        fd[i] = high;
    }
    return 0;
}

int child_start(const struct child_start *s, pid_t *out)
{
    const pid_t parent = getpid();
    int fault[2], e = child_pipe(fault), fork_error;
    ssize_t n;
    pid_t pid;

    if (e)
        return e;
    pid = fork();
    fork_error = errno;
    if (pid == 0)
        become(s, parent, fault[1]);
    close(fault[1]);
    fault[1] = -1;
    if (pid < 0) {
        child_close_pair(fault);
        return fork_error;
    }
    do {
        n = read(fault[0], &e, sizeof(e));
    } while (n < 0 && errno == EINTR);
    child_close_pair(fault);
    if (n == 0) {
        *out = pid;
        return 0;
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return n == sizeof(e) ? e : EIO;
}
