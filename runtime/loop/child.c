/* child.c - child processes with pipes.
 *
 * The end of our own child is reported by a descriptor of the process (pidfd_open); on systems
 * without one it is polled every few milliseconds. The end of a supervised one comes from its
 * keeper. By then all output is in the pipes, so what they hold is delivered and they are closed: a
 * process that left the group and holds them open causes no delay.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/loop/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/loop/child_start.h"
#include "runtime/loop/loop_internal.h"
#include "runtime/loop/supervisor_wire.h"

#define ASK_MS     5
#define READ_BYTES 65536

enum { IN, OUT, ERR, N_PIPES };

struct child {
    struct loop *loop;
    struct child_spec spec; /* callbacks, ctx, limits */
    pid_t pid;              /* 0: ended */
    int end_fd;             /* pidfd, or the socket of the keeper; -1: none */
    int fd[N_PIPES];        /* our ends; -1: closed */
    struct loop_fd *watch[N_PIPES], *end;
    struct loop_timer *ask, *soft, *hard, *later;
    int64_t hard_at_us; /* when everything is ended; 0: never */
    struct str input;
    size_t n_sent; /* bytes of the input that are in the pipe */
    bool input_ends, is_paused, is_lost;
    int status;           /* from waitpid, after the end */
    size_t left[N_PIPES]; /* bytes to deliver after the end */
    struct str errors;    /* up to twice errors_max */
    bool errors_cut;      /* it begins inside a line */
};

/* ---- pipes */

static void drop(struct child *c, int i)
{
    loop_fd_free(c->watch[i]);
    c->watch[i] = NULL;
    if (c->fd[i] >= 0)
        close(c->fd[i]);
    c->fd[i] = -1;
}

static void keep_errors(struct child *c, const char *bytes, size_t n)
{
    const size_t max = c->spec.errors_max;
    struct str *s = &c->errors;

    c->errors_cut |= n > max || s->len + n > 2 * max;
    if (n >= max) {
        bytes += n - max;
        n = max;
    }
    if (s->len + n > 2 * max) {
        size_t keep = max - n;

        memmove(s->data, s->data + s->len - keep, keep);
        s->len = keep;
    }
    str_append(s, bytes, n);
}

const char *child_errors(const struct child *c, size_t *n)
{
    const char *text = str_cstr(&c->errors), *line;
    size_t len = c->errors.len, max = c->spec.errors_max;

    if (len > max || c->errors_cut) {
        size_t skip = len > max ? len - max : 0;

        text += skip;
        len -= skip;
        line = memchr(text, '\n', len);
        if (line) {
            len -= (size_t)(line + 1 - text);
            text = line + 1;
        }
    }
    *n = len;
    return text;
}

/* Reads once; 0 when there is nothing (more) to read now. */
static size_t read_some(struct child *c, int i, size_t max)
{
    char bytes[READ_BYTES];
    ssize_t n = c->fd[i] < 0 ? 0 : read(c->fd[i], bytes, max < READ_BYTES ? max : READ_BYTES);

    if (n > 0) {
        if (i == ERR && c->spec.errors_max > 0)
            keep_errors(c, bytes, (size_t)n);
        if (c->spec.on_output)
            c->spec.on_output(c->spec.ctx, i == ERR, bytes, (size_t)n);
        return (size_t)n;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        drop(c, i);
    return 0;
}

static void on_out(void *ctx, int ready)
{
    (void)ready;
    (void)read_some(ctx, OUT, READ_BYTES);
}

static void on_err(void *ctx, int ready)
{
    (void)ready;
    (void)read_some(ctx, ERR, READ_BYTES);
}

/* ---- input */

size_t child_unwritten(const struct child *c)
{
    return c->input.len - c->n_sent;
}

/* Moves the rest to the front when that costs less than what was sent. */
static void forget_sent(struct child *c)
{
    size_t rest = child_unwritten(c);

    if (rest > c->n_sent)
        return;
    if (rest > 0)
        memmove(c->input.data, c->input.data + c->n_sent, rest);
    c->input.len = rest;
    c->n_sent = 0;
}

/* True if all bytes are in the pipe now. */
static bool write_input(struct child *c)
{
    size_t rest = child_unwritten(c);
    ssize_t n = 0;

    if (c->fd[IN] < 0)
        return false;
    if (rest > 0)
        n = write(c->fd[IN], c->input.data + c->n_sent, rest);
    if (n < 0 && errno != EAGAIN && errno != EINTR) { /* it reads no more */
        str_clear(&c->input);
        c->n_sent = 0;
        drop(c, IN);
        return false;
    }
    if (n > 0) {
        c->n_sent += (size_t)n;
        forget_sent(c);
    }
    rest = child_unwritten(c);
    if (rest == 0 && c->input_ends)
        drop(c, IN);
    else
        loop_fd_want(c->watch[IN], rest > 0 ? LOOP_WRITE : 0);
    return rest == 0;
}

static void on_in(void *ctx, int ready)
{
    struct child *c = ctx;

    (void)ready;
    if (write_input(c) && c->spec.on_drained)
        c->spec.on_drained(c->spec.ctx);
}

bool child_write(struct child *c, const char *bytes, size_t n)
{
    if (c->fd[IN] < 0 || c->input_ends || n > CHILD_INPUT_MAX - child_unwritten(c))
        return false;
    str_append(&c->input, bytes, n);
    if (!str_ok(&c->input))
        return false;
    (void)write_input(c);
    return true;
}

void child_end_input(struct child *c)
{
    c->input_ends = true;
    (void)write_input(c);
}

/* ---- the end */

static void stop_watching_end(struct child *c)
{
    loop_fd_free(c->end);
    loop_timer_free(c->ask);
    loop_timer_free(c->soft);
    loop_timer_free(c->hard);
    c->end = NULL;
    c->ask = c->soft = c->hard = NULL;
    if (c->end_fd >= 0)
        close(c->end_fd);
    c->end_fd = -1;
}

static void stop_watching(struct child *c)
{
    for (int i = 0; i < N_PIPES; i++)
        drop(c, i);
    stop_watching_end(c);
    loop_timer_free(c->later);
    c->later = NULL;
}

/* After the end: delivers what the pipes held then, and reports the end. */
static void deliver(struct child *c)
{
    static const int order[] = {OUT, ERR};

    for (int k = 0; k < 2; k++) {
        int i = order[k];

        while (c->left[i] > 0) {
            size_t n = i == OUT && c->is_paused ? 0 : read_some(c, i, c->left[i]);

            if (n == 0)
                break;
            c->left[i] -= n;
        }
        if (i == OUT && c->is_paused)
            return; /* child_resume goes on */
    }
    stop_watching(c);
    c->spec.on_exit(c->spec.ctx, WIFEXITED(c->status) ? WEXITSTATUS(c->status) : 0,
                    WIFSIGNALED(c->status) ? WTERMSIG(c->status) : 0);
}

static void has_ended(struct child *c, int status)
{
    c->pid = 0;
    c->status = status;
    for (int i = OUT; i < N_PIPES; i++) {
        int size = c->fd[i] < 0 ? 0 : fcntl(c->fd[i], F_GETPIPE_SZ);

        c->left[i] = size > 0 ? (size_t)size : 0;
    }
    stop_watching_end(c);
    drop(c, IN);
    deliver(c);
}

static void look_for_end(struct child *c)
{
    int status = 0;
    pid_t pid = waitpid(c->pid, &status, WNOHANG);

    if (pid == 0 || (pid < 0 && errno == EINTR))
        return;
    (void)kill(-c->pid, SIGKILL); /* what it left behind */
    has_ended(c, status);
}

static void on_report(struct child *c)
{
    struct keeper_report r;
    ssize_t n = recv(c->end_fd, &r, sizeof(r), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    c->is_lost = n != (ssize_t)sizeof(r) || r.lost;
    if (c->is_lost)
        supervisor_look(c->spec.supervisor);
    has_ended(c, n == (ssize_t)sizeof(r) ? r.value : SIGKILL);
}

static void on_end(void *ctx, int ready)
{
    struct child *c = ctx;

    (void)ready;
    if (c->spec.supervisor)
        on_report(c);
    else
        look_for_end(c);
}

static void on_ask(void *ctx)
{
    look_for_end(ctx);
}

/* KEEPER_END or a signal to the group. */
static void send_signal(struct child *c, int signo)
{
    struct keeper_order order = {.signo = signo};

    if (c->spec.supervisor)
        (void)send(c->end_fd, &order, sizeof(order), MSG_NOSIGNAL | MSG_DONTWAIT);
    else
        (void)kill(-c->pid, signo == KEEPER_END ? SIGKILL : signo);
}

static void on_hard(void *ctx)
{
    struct child *c = ctx;

    send_signal(c, KEEPER_END);
}

/* Everything is ended in at most ms. */
static void limit(struct child *c, int64_t ms)
{
    int64_t at_us = seams_mono_us(c->loop->seams) + ms * 1000;

    if (c->hard_at_us && c->hard_at_us <= at_us)
        return;
    c->hard_at_us = at_us;
    loop_timer_free(c->hard);
    c->hard = loop_timer_new(c->loop, ms, on_hard, c);
}

static void ask_to_end(struct child *c)
{
    loop_timer_free(c->soft);
    c->soft = NULL;
    send_signal(c, SIGTERM);
}

static void on_soft(void *ctx)
{
    ask_to_end(ctx);
}

void child_stop(struct child *c, int64_t grace_ms)
{
    child_resume(c);
    if (!c->pid)
        return;
    limit(c, grace_ms);
    ask_to_end(c);
}

void child_shut_down(struct child *c, int64_t exit_ms, int64_t term_ms)
{
    child_resume(c);
    if (!c->pid)
        return;
    child_end_input(c);
    limit(c, exit_ms + term_ms);
    loop_timer_free(c->soft);
    c->soft = loop_timer_new(c->loop, exit_ms, on_soft, c);
}

void child_kill(struct child *c)
{
    child_resume(c);
    if (c->pid)
        send_signal(c, KEEPER_END);
}

int child_pid(const struct child *c)
{
    return c->pid;
}

bool child_is_lost(const struct child *c)
{
    return c->is_lost;
}

void child_put_end(const struct child *c, struct str *out)
{
    if (c->is_lost)
        str_puts(out, "was ended because the supervisor of child processes was killed");
    else if (WIFSIGNALED(c->status))
        str_printf(out, "was ended by signal %d (%s)", WTERMSIG(c->status),
                   strsignal(WTERMSIG(c->status)));
    else
        str_printf(out, "ended with exit code %d", WEXITSTATUS(c->status));
}

void child_free(struct child *c)
{
    if (!c)
        return;
    if (c->pid)
        send_signal(c, KEEPER_END);
    stop_watching(c);
    while (c->pid && !c->spec.supervisor && waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    str_deinit(&c->input);
    str_deinit(&c->errors);
    free(c);
}

/* ---- back-pressure */

void child_pause(struct child *c)
{
    c->is_paused = true;
    if (c->watch[OUT])
        loop_fd_want(c->watch[OUT], 0);
}

static void on_later(void *ctx)
{
    struct child *c = ctx;

    loop_timer_free(c->later);
    c->later = NULL;
    deliver(c);
}

void child_resume(struct child *c)
{
    if (!c->is_paused)
        return;
    c->is_paused = false;
    if (c->pid && c->watch[OUT])
        loop_fd_want(c->watch[OUT], LOOP_READ);
    if (!c->pid && !c->later) /* never from inside a call of the owner */
        c->later = loop_timer_new(c->loop, 0, on_later, c);
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
    if (!c->spec.supervisor)
        c->end_fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (c->end_fd >= 0)
        st = loop_fd_new(c->loop, c->end_fd, on_end, c, &c->end, err);
    if (c->end)
        loop_fd_want(c->end, LOOP_READ);
    else if (!c->spec.supervisor)
        c->ask = loop_timer_every(c->loop, ASK_MS, on_ask, c);
    return c->end || !c->spec.supervisor ? STATUS_OK : st;
}

static enum status start(struct child *c, const struct supervisor_job *job, struct error *err)
{
    struct child_start s = {.argv = (char *const *)(const void *)job->argv,
                            .env = (char *const *)(const void *)job->env,
                            .std = {job->std[IN], job->std[OUT], job->std[ERR]},
                            .folder_fd = job->folder_fd};
    int e;

    if (c->spec.supervisor)
        return supervisor_start_job(c->spec.supervisor, job, &c->end_fd, &c->pid, err);
    e = child_start(&s, &c->pid);
    return e ? error_errno(err, e, "starting %s", job->argv[0]) : STATUS_OK;
}

/* Makes the pipes and starts the program with its ends of them. */
static enum status start_with_pipes(struct child *c, struct supervisor_job *job, struct error *err)
{
    int pipe[N_PIPES][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    enum status st = STATUS_OK;

    for (int i = 0; i < N_PIPES && st == STATUS_OK; i++) {
        int e = child_pipe(pipe[i]);

        if (e)
            st = error_errno(err, e, "making a pipe for %s", job->argv[0]);
        job->std[i] = pipe[i][i == IN ? 0 : 1];
    }
    if (st == STATUS_OK)
        st = start(c, job, err);
    for (int i = 0; i < N_PIPES; i++) {
        int *ours = &pipe[i][i == IN ? 1 : 0];

        if (st == STATUS_OK) {
            c->fd[i] = *ours;
            *ours = -1;
        }
        child_close_pair(pipe[i]);
    }
    return st;
}

enum status child_spawn(struct loop *l, const struct child_spec *spec, struct child **out,
                        struct error *err)
{
    extern char **environ;
    const char *folder = spec->folder ? spec->folder : ".";
    struct supervisor_job job = {
        .argv = spec->argv,
        .env = spec->env ? spec->env : (const char *const *)(const void *)environ,
        .folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    struct child *c;
    enum status st;

    if (job.folder_fd < 0)
        return error_errno(err, errno, "starting %s in the folder %s", spec->argv[0], folder);
    c = xcalloc(1, sizeof(*c));
    c->loop = l;
    c->spec = *spec;
    c->end_fd = -1;
    for (int i = 0; i < N_PIPES; i++)
        c->fd[i] = -1;
    str_init(&c->input, 2 * CHILD_INPUT_MAX + 1); /* see forget_sent */
    str_init(&c->errors, 2 * spec->errors_max + 1);
    st = start_with_pipes(c, &job, err);
    close(job.folder_fd);
    if (st == STATUS_OK)
        st = watch(c, err);
    if (st) {
        child_free(c);
        return st;
    }
    *out = c;
    return STATUS_OK;
}
