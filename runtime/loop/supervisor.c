/* supervisor.c - the hub's side: starts the supervisor, gives it jobs, notices its end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/loop/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/str.h"
#include "runtime/loop/supervisor_wire.h"

#define FREE_MS      2000
#define SPEC_MAX     ((size_t)2 << 20) /* what Linux takes as arguments and environment, roughly */
#define THIS_PROGRAM "/proc/self/exe"

struct supervisor {
    char *program;
    struct log *log;
    pid_t pid;   /* 0: none */
    int control; /* -1: none */
};

struct supervisor *supervisor_new(const char *program, struct log *log)
{
    struct supervisor *s = xcalloc(1, sizeof(*s));

    s->program = xstrdup(program ? program : THIS_PROGRAM);
    s->log = log;
    s->control = -1;
    return s;
}

pid_t supervisor_pid(const struct supervisor *s)
{
    return s->pid;
}

bool supervisor_is_asked(int argc, char **argv)
{
    return argc == 2 && strcmp(argv[1], SUPERVISOR_ARGUMENT) == 0;
}

/* ---- waiting, with an end */

static int64_t now_ms(void)
{
    return seams_mono_us(seams_real()) / 1000;
}

/* Waits for one packet of n bytes. */
static enum status receive(int fd, void *packet, size_t n, struct error *err)
{
    int64_t until_ms = now_ms() + SUPERVISOR_WAIT_MS;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left_ms = until_ms - now_ms();
        int rc = poll(&p, 1, left_ms > 0 ? (int)left_ms : 0);
        ssize_t got;

        if (rc < 0 && errno == EINTR)
            continue;
        if (rc == 0)
            return error_set(err, STATUS_TIMEOUT,
                             "the supervisor of child processes did not answer within %d s",
                             SUPERVISOR_WAIT_MS / 1000);
        got = recv(fd, packet, n, MSG_DONTWAIT);
        if (got == (ssize_t)n)
            return STATUS_OK;
        if (got >= 0 || (errno != EAGAIN && errno != EINTR))
            return error_set(err, STATUS_FAILED, "the supervisor of child processes ended");
    }
}

/* ---- the supervisor's process */

static void forget(struct supervisor *s)
{
    if (s->control >= 0)
        close(s->control);
    s->control = -1;
    s->pid = 0;
}

static void reap(struct supervisor *s, int options)
{
    int status = 0;
    pid_t pid;

    do {
        pid = waitpid(s->pid, &status, options);
    } while (pid < 0 && errno == EINTR);
    if (pid == 0)
        return;
    if (pid > 0 && WIFSIGNALED(status) && s->log)
        log_write(s->log, LOG_WARN,
                  "the supervisor of child processes was ended by signal %d (%s); all children end "
                  "with it, and the next one gets another supervisor",
                  WTERMSIG(status), strsignal(WTERMSIG(status)));
    forget(s);
}

/* Its end of the socket closes a little before it can be waited for. */
void supervisor_look(struct supervisor *s)
{
    struct pollfd p = {.fd = s->control};

    if (s->pid)
        reap(s, poll(&p, 1, 0) > 0 ? 0 : WNOHANG);
}

static void kill_and_reap(struct supervisor *s)
{
    if (s->pid) {
        (void)kill(s->pid, SIGKILL);
        reap(s, 0);
    }
    forget(s);
}

void supervisor_free(struct supervisor *s)
{
    if (!s)
        return;
    if (s->control >= 0)
        (void)shutdown(s->control, SHUT_WR); /* it ends, and then the socket ends */
    if (s->pid) {
        struct pollfd p = {.fd = s->control, .events = POLLIN};
        int64_t until_ms = now_ms() + FREE_MS;
        int rc;

        do {
            int64_t left_ms = until_ms - now_ms();

            rc = poll(&p, 1, left_ms > 0 ? (int)left_ms : 0);
        } while (rc < 0 && errno == EINTR);
        if (rc > 0)
            reap(s, 0);
    }
    kill_and_reap(s);
    free(s->program);
    free(s);
}

/* The environment of the hub may contain keys that no child may have: only PATH goes on. */
static int spawn(struct supervisor *s, int fd)
{
    const char *path = getenv("PATH");
    struct str assignment = STR_INIT;
    char *argv[] = {(char[]){"troupe-supervisor"}, (char[]){SUPERVISOR_ARGUMENT}, NULL};
    char *env[] = {NULL, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t all;
    int e;

    if (path) {
        str_printf(&assignment, "PATH=%s", path);
        env[0] = assignment.data;
    }
    sigfillset(&all);
    e = posix_spawn_file_actions_init(&actions);
    if (e == 0) {
        e = posix_spawn_file_actions_adddup2(&actions, fd, SUPERVISOR_FD);
        if (e == 0)
            e = posix_spawnattr_init(&attr);
        if (e == 0) {
            (void)posix_spawnattr_setsigmask(&attr, &all); /* it ends with us, not by Ctrl-C */
            (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
            e = posix_spawn(&s->pid, s->program, &actions, &attr, argv, env);
            (void)posix_spawnattr_destroy(&attr);
        }
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    str_deinit(&assignment);
    if (e)
        s->pid = 0;
    return e;
}

static enum status start(struct supervisor *s, struct error *err)
{
    enum status st;
    int fd[2], e;
    char ready;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd))
        return error_errno(err, errno, "making a socket for the supervisor of child processes");
    s->control = fd[0];
    e = spawn(s, fd[1]);
    close(fd[1]);
    if (e) {
        forget(s);
        return error_errno(err, e, "starting the supervisor of child processes, %s", s->program);
    }
    st = receive(s->control, &ready, 1, err);
    if (st)
        kill_and_reap(s);
    return st;
}

/* ---- jobs */

static enum status pack(const struct supervisor_job *job, struct str *out, struct error *err)
{
    struct job_spec spec = {0, 0};

    while (job->argv[spec.n_argv])
        spec.n_argv++;
    while (job->env[spec.n_env])
        spec.n_env++;
    str_append(out, (const char *)&spec, sizeof(spec));
    for (uint32_t i = 0; i < spec.n_argv; i++)
        str_append(out, job->argv[i], strlen(job->argv[i]) + 1);
    for (uint32_t i = 0; i < spec.n_env; i++)
        str_append(out, job->env[i], strlen(job->env[i]) + 1);
    if (str_ok(out))
        return STATUS_OK;
    return error_set(err, STATUS_LIMIT,
                     "the arguments and the environment of %s exceed %zu MiB; shorten them",
                     job->argv[0], SPEC_MAX >> 20);
}

/* A file in memory with the job's arguments and environment. */
static enum status write_spec(const struct supervisor_job *job, int *out, struct error *err)
{
    struct str packed;
    enum status st;
    int fd = -1;

    str_init(&packed, SPEC_MAX);
    st = pack(job, &packed, err);
    if (st == STATUS_OK) {
        fd = memfd_create("troupe-job", MFD_CLOEXEC);
        if (fd < 0 || write(fd, packed.data, packed.len) != (ssize_t)packed.len)
            st = error_errno(err, errno, "writing the arguments of %s", job->argv[0]);
    }
    if (packed.data)
        explicit_bzero(packed.data, packed.len); /* the environment may contain secrets */
    str_deinit(&packed);
    if (st == STATUS_OK)
        *out = fd;
    else if (fd >= 0)
        close(fd);
    return st;
}

/* Returns 0 or an errno. */
static int send_job(int control, const int fd[N_JOB_FDS])
{
    union {
        char bytes[CMSG_SPACE(N_JOB_FDS * sizeof(int))];
        struct cmsghdr align;
    } space;
    struct iovec one = {.iov_base = (char[]){'j'}, .iov_len = 1};
    struct msghdr m = {.msg_iov = &one,
                       .msg_iovlen = 1,
                       .msg_control = space.bytes,
                       .msg_controllen = sizeof(space.bytes)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    memset(&space, 0, sizeof(space));
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(N_JOB_FDS * sizeof(int));
    memcpy(CMSG_DATA(c), fd, N_JOB_FDS * sizeof(int));
    return sendmsg(control, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : errno;
}

/* Gives the job to the supervisor that runs, or to a new one. */
static enum status hand_over(struct supervisor *s, const int fd[N_JOB_FDS], struct error *err)
{
    int e = EPIPE;

    for (int i = 0; i < 2 && (e == EPIPE || e == ECONNRESET); i++) {
        enum status st = s->pid ? STATUS_OK : start(s, err);

        if (st)
            return st;
        e = send_job(s->control, fd);
        if (e == EPIPE || e == ECONNRESET)
            reap(s, 0); /* its end of the socket is closed: it is ending */
    }
    if (e == EAGAIN)
        return error_set(err, STATUS_BUSY,
                         "the supervisor of child processes takes no more of them now; try again");
    return e ? error_errno(err, e, "giving a job to the supervisor of child processes") : STATUS_OK;
}

static enum status await_start(int socket, const char *program, pid_t *pid, struct error *err)
{
    struct keeper_report r;
    enum status st = receive(socket, &r, sizeof(r), err);

    if (st) {
        error_note(err, "starting %s", program);
        return st;
    }
    if (r.event == KEEPER_FAILED)
        return error_errno(err, r.value, "starting %s", program);
    *pid = r.value;
    return STATUS_OK;
}

/* One try. Its own socket, so that the end of a try is known to the keeper. */
static enum status try_job(struct supervisor *s, const char *program, int fd[N_JOB_FDS],
                           int *socket, pid_t *pid, struct error *err)
{
    enum status st;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return error_errno(err, errno, "making a socket for %s", program);
    fd[JOB_SOCKET] = pair[1];
    st = hand_over(s, fd, err);
    close(pair[1]);
    if (st == STATUS_OK)
        st = await_start(pair[0], program, pid, err);
    if (st)
        close(pair[0]);
    else
        *socket = pair[0];
    return st;
}

enum status supervisor_start_job(struct supervisor *s, const struct supervisor_job *job,
                                 int *socket, pid_t *pid, struct error *err)
{
    int fd[N_JOB_FDS] = {[JOB_FOLDER] = job->folder_fd,
                         [JOB_STDIN] = job->std[0],
                         [JOB_STDOUT] = job->std[1],
                         [JOB_STDERR] = job->std[2]};
    enum status st = write_spec(job, &fd[JOB_SPEC], err);
    pid_t before;

    if (st)
        return st;
    supervisor_look(s);
    before = s->pid;
    st = try_job(s, job->argv[0], fd, socket, pid, err);
    if (st)
        supervisor_look(s);
    if (st == STATUS_FAILED && before && s->pid == 0) /* it was killed before it read the job */
        st = try_job(s, job->argv[0], fd, socket, pid, err);
    close(fd[JOB_SPEC]);
    return st;
}
