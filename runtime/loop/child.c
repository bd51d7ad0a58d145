/* child.c - child processes with pipes.
 *
 * A descriptor of the process (pidfd_open) reports its end; on systems without one, the end is
 * polled every few milliseconds. By then all output is in the pipes, so they are drained and
 * closed: a grandchild that holds them open causes no delay.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/loop/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/base/str.h"

#define ASK_MS     5
#define READ_BYTES 65536

enum { IN, OUT, ERR, N_PIPES };

struct child {
    struct loop *loop;
    struct child_spec spec; /* callbacks and ctx */
    pid_t pid;              /* 0: reaped */
    int pid_fd;             /* -1: none */
    int fd[N_PIPES];        /* our ends; -1: closed */
    struct loop_fd *watch[N_PIPES], *end;
    struct loop_timer *ask, *grace;
    struct str input; /* not written yet */
    bool input_ends;
};

/* ---- the new process, up to its program: nothing here allocates or locks */

struct new_process {
    const struct child_spec *spec;
    int pipe[N_PIPES][2];
    int fault[2]; /* carries the errno of a failure */
    char *const *argv, *const *env;
};

static _Noreturn void die(int fault_fd)
{
    int e = errno;

    _exit(write(fault_fd, &e, sizeof(e)) < 0 ? 126 : 127);
}

static void close_the_rest(void)
{
    if (syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) == 0)
        return;
    for (int fd = 3; fd < 65536; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static _Noreturn void become(const struct new_process *p)
{
    sigset_t none;

    (void)setpgid(0, 0);
    for (int signo = 1; signo < NSIG; signo++)
        (void)signal(signo, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 0; i < N_PIPES; i++)
        if (dup2(p->pipe[i][i == IN ? 0 : 1], i) < 0)
            die(p->fault[1]);
    if (p->spec->folder && chdir(p->spec->folder))
        die(p->fault[1]);
    close_the_rest();
    execvpe(p->argv[0], p->argv, p->env);
    die(p->fault[1]);
}

/* ---- pipes */

static void close_pair(int fd[2])
{
    for (int i = 0; i < 2; i++) {
        if (fd[i] >= 0)
            close(fd[i]);
        fd[i] = -1;
    }
}

/* Numbers from 3 on: those below are what the child makes of them. */
static enum status new_pipe(int fd[2], struct error *err)
{
    if (pipe2(fd, O_CLOEXEC)) {
        fd[0] = fd[1] = -1;
        return error_errno(err, errno, "making a pipe");
    }
    for (int i = 0; i < 2; i++) {
        int high = fd[i] < N_PIPES ? fcntl(fd[i], F_DUPFD_CLOEXEC, N_PIPES) : fd[i];

        if (high < 0)
            return error_errno(err, errno, "making a pipe");
        if (high != fd[i])
            close(fd[i]);
        fd[i] = high;
    }
    return STATUS_OK;
}

static void drop(struct child *c, int i)
{
    loop_fd_free(c->watch[i]);
    c->watch[i] = NULL;
    if (c->fd[i] >= 0)
        close(c->fd[i]);
    c->fd[i] = -1;
}

/* Reads once; false when there is nothing (more) to read now. */
static bool read_some(struct child *c, int i)
{
    char bytes[READ_BYTES];
    ssize_t n = c->fd[i] < 0 ? 0 : read(c->fd[i], bytes, sizeof(bytes));

    if (n > 0) {
        if (c->spec.on_output)
            c->spec.on_output(c->spec.ctx, i == ERR, bytes, (size_t)n);
        return true;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        drop(c, i);
    return false;
}

static void on_out(void *ctx, int ready)
{
    (void)ready;
    (void)read_some(ctx, OUT);
}

static void on_err(void *ctx, int ready)
{
    (void)ready;
    (void)read_some(ctx, ERR);
}

static void write_input(struct child *c)
{
    ssize_t n = 0;

    if (c->fd[IN] < 0)
        return;
    if (c->input.len > 0)
        n = write(c->fd[IN], str_cstr(&c->input), c->input.len);
    if (n < 0 && errno != EAGAIN && errno != EINTR) { /* it reads no more */
        str_clear(&c->input);
        drop(c, IN);
        return;
    }
    if (n > 0) {
        memmove(c->input.data, c->input.data + n, c->input.len - (size_t)n);
        c->input.len -= (size_t)n;
    }
    if (c->input.len == 0 && c->input_ends)
        drop(c, IN);
    else
        loop_fd_want(c->watch[IN], c->input.len > 0 ? LOOP_WRITE : 0);
}

static void on_in(void *ctx, int ready)
{
    (void)ready;
    write_input(ctx);
}

bool child_write(struct child *c, const char *bytes, size_t n)
{
    if (c->fd[IN] < 0 || c->input_ends || c->input.len + n > CHILD_INPUT_MAX)
        return false;
    str_append(&c->input, bytes, n);
    if (!str_ok(&c->input))
        return false;
    write_input(c);
    return true;
}

void child_end_input(struct child *c)
{
    c->input_ends = true;
    write_input(c);
}

/* ---- the end */

static void stop_watching(struct child *c)
{
    for (int i = 0; i < N_PIPES; i++)
        drop(c, i);
    loop_fd_free(c->end);
    loop_timer_free(c->ask);
    loop_timer_free(c->grace);
    c->end = NULL;
    c->ask = c->grace = NULL;
    if (c->pid_fd >= 0)
        close(c->pid_fd);
    c->pid_fd = -1;
}

static void look_for_end(struct child *c)
{
    int status = 0;
    pid_t pid = waitpid(c->pid, &status, WNOHANG);

    if (pid == 0 || (pid < 0 && errno == EINTR))
        return;
    (void)kill(-c->pid, SIGKILL); /* what it left behind */
    c->pid = 0;
    while (read_some(c, OUT))
        ;
    while (read_some(c, ERR))
        ;
    stop_watching(c);
    c->spec.on_exit(c->spec.ctx, WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static void on_end(void *ctx, int ready)
{
    (void)ready;
    look_for_end(ctx);
}

static void on_ask(void *ctx)
{
    look_for_end(ctx);
}

static void on_grace(void *ctx)
{
    struct child *c = ctx;

    if (c->pid)
        (void)kill(-c->pid, SIGKILL);
}

void child_stop(struct child *c, int64_t grace_ms)
{
    if (!c->pid || c->grace)
        return;
    (void)kill(-c->pid, SIGTERM);
    c->grace = loop_timer_new(c->loop, grace_ms, on_grace, c);
}

int child_pid(const struct child *c)
{
    return c->pid;
}

void child_free(struct child *c)
{
    if (!c)
        return;
    stop_watching(c);
    if (c->pid) {
        (void)kill(-c->pid, SIGKILL);
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    str_deinit(&c->input);
    free(c);
}

/* ---- the beginning */

static enum status watch(struct child *c, struct error *err)
{
    static void (*const ready[N_PIPES])(void *ctx, int ready) = {on_in, on_out, on_err};
    enum status st = STATUS_OK;

    for (int i = 0; i < N_PIPES && st == STATUS_OK; i++) {
        (void)fcntl(c->fd[i], F_SETFL, O_NONBLOCK);
        st = loop_fd_new(c->loop, c->fd[i], ready[i], c, &c->watch[i], err);
        if (st == STATUS_OK && i != IN)
            loop_fd_want(c->watch[i], LOOP_READ);
    }
    if (st)
        return st;
    c->pid_fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (c->pid_fd < 0 || loop_fd_new(c->loop, c->pid_fd, on_end, c, &c->end, NULL))
        c->ask = loop_timer_every(c->loop, ASK_MS, on_ask, c);
    else
        loop_fd_want(c->end, LOOP_READ);
    return STATUS_OK;
}

/* Starts the process and waits until its program runs, or says why not. */
static enum status start(struct new_process *p, pid_t *out, struct error *err)
{
    int e = 0;
    pid_t pid = fork();
    ssize_t n;

    if (pid < 0)
        return error_errno(err, errno, "starting %s", p->argv[0]);
    if (pid == 0)
        become(p);
    (void)setpgid(pid, pid);
    close(p->fault[1]);
    p->fault[1] = -1;
    do {
        n = read(p->fault[0], &e, sizeof(e));
    } while (n < 0 && errno == EINTR);
    if (n == 0) {
        *out = pid;
        return STATUS_OK;
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return error_errno(err, n == sizeof(e) ? e : EIO, "starting %s", p->argv[0]);
}

enum status child_spawn(struct loop *l, const struct child_spec *spec, struct child **out,
                        struct error *err)
{
    extern char **environ;
    struct new_process p = {.spec = spec,
                            .pipe = {{-1, -1}, {-1, -1}, {-1, -1}},
                            .fault = {-1, -1},
                            .argv = (char *const *)(const void *)spec->argv,
                            .env = spec->env ? (char *const *)(const void *)spec->env : environ};
    struct child *c = xcalloc(1, sizeof(*c));
    enum status st = new_pipe(p.fault, err);

    c->loop = l;
    c->spec = *spec;
    c->pid_fd = -1;
    str_init(&c->input, CHILD_INPUT_MAX + 1);
    for (int i = 0; i < N_PIPES; i++) {
        c->fd[i] = -1;
        if (st == STATUS_OK)
            st = new_pipe(p.pipe[i], err);
    }
    if (st == STATUS_OK)
        st = start(&p, &c->pid, err);
    for (int i = 0; i < N_PIPES && st == STATUS_OK; i++) {
        c->fd[i] = p.pipe[i][i == IN ? 1 : 0];
        p.pipe[i][i == IN ? 1 : 0] = -1;
    }
    close_pair(p.fault);
    for (int i = 0; i < N_PIPES; i++)
        close_pair(p.pipe[i]);
    if (st == STATUS_OK)
        st = watch(c, err);
    if (st) {
        child_free(c);
        return st;
    }
    *out = c;
    return STATUS_OK;
}
