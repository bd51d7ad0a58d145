/* supervisor_main.c - the process of the supervisor: forks keepers, and ends what they cannot.
 *
 * It has one thread and keeps nothing of the hub: no descriptor, no memory, no environment. A
 * keeper that was killed leaves its descendants to the supervisor, which is a subreaper too: every
 * child that is not a keeper is ended.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/loop/child_start.h"
#include "runtime/loop/keeper.h"
#include "runtime/loop/reaper.h"
#include "runtime/loop/supervisor.h"
#include "runtime/loop/supervisor_wire.h"

#define SWEEP_MS 10
/* Keepers need KEEPER_GRACE_MS after the death of the hub; then they are ended too. */
#define LAST_MS        (KEEPER_GRACE_MS + 500)
#define BAD_USAGE      2
#define READY          'r'
#define LIFE_END_READ  0
#define LIFE_END_WRITE 1

struct supervisor_process {
    int signals;
    int hub;     /* pidfd; -1: the system has none, and the socket has to be enough */
    int life[2]; /* only the supervisor has the writing end */
    pid_t *keeper;
    int32_t n_keepers, max_keepers;
    bool has_strangers; /* a keeper was killed: there may be children that are not keepers */
};

static void forget_keeper(struct supervisor_process *s, pid_t pid, int status)
{
    for (int32_t i = 0; i < s->n_keepers; i++) {
        if (s->keeper[i] != pid)
            continue;
        s->keeper[i] = s->keeper[--s->n_keepers];
        s->has_strangers |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        return;
    }
}

/* False when there is no child any more. */
static bool reap(struct supervisor_process *s)
{
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid == 0)
            return true;
        if (pid > 0)
            forget_keeper(s, pid, status);
        else if (errno != EINTR)
            return false;
    }
}

static void close_all(const int *fd, int n)
{
    for (int i = 0; i < n; i++)
        close(fd[i]);
}

static void refuse(int socket, int e)
{
    struct keeper_report r = {.event = KEEPER_FAILED, .value = e};

    (void)send(socket, &r, sizeof(r), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void start_keeper(struct supervisor_process *s, const int fd[N_JOB_FDS])
{
    pid_t pid;

    if (s->n_keepers == s->max_keepers) {
        s->max_keepers = s->max_keepers ? 2 * s->max_keepers : 64;
        s->keeper = xrealloc(s->keeper, (size_t)s->max_keepers * sizeof(*s->keeper));
    }
    pid = fork();
    if (pid == 0) {
        close(SUPERVISOR_FD);
        close(s->life[LIFE_END_WRITE]);
        close(s->signals);
        if (s->hub >= 0)
            close(s->hub);
        keeper_main(fd, s->life[LIFE_END_READ]);
    }
    if (pid < 0)
        refuse(fd[JOB_SOCKET], errno);
    else
        s->keeper[s->n_keepers++] = pid;
    close_all(fd, N_JOB_FDS);
}

/* The descriptors of one packet; false: the hub is gone. */
static bool take_job(struct supervisor_process *s)
{
    union {
        char bytes[CMSG_SPACE(N_JOB_FDS * sizeof(int))];
        struct cmsghdr align;
    } space;
    char byte;
    struct iovec one = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {.msg_iov = &one,
                       .msg_iovlen = 1,
                       .msg_control = space.bytes,
                       .msg_controllen = sizeof(space.bytes)};
    ssize_t n = recvmsg(SUPERVISOR_FD, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    struct cmsghdr *c;
    int fd[N_JOB_FDS], n_fds;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (!c || c->cmsg_type != SCM_RIGHTS)
        return n > 0;
    n_fds = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(fd, CMSG_DATA(c), (size_t)n_fds * sizeof(int));
    if (n_fds == N_JOB_FDS)
        start_keeper(s, fd);
    else /* the limit of descriptors was reached: the hub sees its socket end */
        close_all(fd, n_fds);
    return true;
}

static void sweep(struct supervisor_process *s)
{
    if (s->has_strangers && reaper_kill(s->keeper, s->n_keepers) == 0)
        s->has_strangers = false;
}

static void serve(struct supervisor_process *s)
{
    for (;;) {
        struct pollfd p[] = {{.fd = SUPERVISOR_FD, .events = POLLIN},
                             {.fd = s->hub, .events = POLLIN},
                             {.fd = s->signals, .events = POLLIN}};

        if (poll(p, 3, s->has_strangers ? SWEEP_MS : -1) < 0)
            continue;
        if (p[2].revents) {
            reaper_signals_clear(s->signals);
            (void)reap(s);
        }
        sweep(s);
        if (p[1].revents || (p[0].revents && !take_job(s)))
            return;
    }
}

/* The hub is gone. The keepers notice by themselves; what is late is ended. `life` stays open until
 * then, because a keeper takes its end as an order to end at once. */
static void end_all(struct supervisor_process *s)
{
    int64_t late_us = seams_mono_us(seams_real()) + (int64_t)LAST_MS * 1000;

    while (reap(s)) {
        struct pollfd p = {.fd = s->signals, .events = POLLIN};

        if (seams_mono_us(seams_real()) >= late_us) {
            s->n_keepers = 0;
            s->has_strangers = true;
        }
        sweep(s);
        (void)poll(&p, 1, SWEEP_MS);
        reaper_signals_clear(s->signals);
    }
}

/* ---- the beginning */

static void leave_the_hub(void)
{
    int null;

    if (syscall(SYS_close_range, SUPERVISOR_FD + 1u, ~0u, 0u))
        for (int fd = SUPERVISOR_FD + 1; fd < 65536; fd++)
            close(fd);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 2 && null >= 0; fd++) /* standard error stays, for what nobody expects */
        (void)dup2(null, fd);
    if (null > SUPERVISOR_FD)
        close(null);
    (void)fcntl(SUPERVISOR_FD, F_SETFD, FD_CLOEXEC);
    if (chdir("/"))
        return; /* it only holds a folder busy */
}

int supervisor_main(void)
{
    struct supervisor_process s = {.hub = -1};
    socklen_t n_type = sizeof(int);
    char ready = READY;
    int type;

    if (getsockopt(SUPERVISOR_FD, SOL_SOCKET, SO_TYPE, &type, &n_type) || type != SOCK_SEQPACKET) {
        (void)fprintf(stderr, "troupe: %s is for the program itself; it needs no call by hand\n",
                      SUPERVISOR_ARGUMENT);
        return BAD_USAGE;
    }
    leave_the_hub();
    (void)prctl(PR_SET_NAME, "troupe-superv");
    s.signals = reaper_signals();
    if (s.signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) || child_pipe(s.life))
        _exit(1);
    s.hub = (int)syscall(SYS_pidfd_open, getppid(), 0);
    if (send(SUPERVISOR_FD, &ready, 1, MSG_NOSIGNAL) == 1)
        serve(&s);
    end_all(&s);
    _exit(0); /* the rest of the program has nothing to say */
}
