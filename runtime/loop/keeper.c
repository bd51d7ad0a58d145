/* keeper.c - starts one program and ends all that comes from it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/loop/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/seams.h"
#include "runtime/loop/child_start.h"
#include "runtime/loop/reaper.h"

#define FIRST_PAUSE_MS 1
#define LAST_PAUSE_MS  50
#define REPORT_MS      1000 /* a process in an uninterruptible call delays the report for so long */

struct keeper {
    int job, life, signals; /* job: -1 after the death of the hub */
    pid_t program;
    bool has_ended; /* the program */
    int status;     /* of the program, from waitpid */
    bool is_lost;   /* the supervisor ended */
    bool end_now;
    int64_t end_at_us; /* after the death of the hub; 0: not yet */
};

static void report(const struct keeper *k, enum keeper_event event, int value)
{
    struct keeper_report r = {.event = (int32_t)event, .value = value, .lost = k->is_lost};

    if (k->job >= 0)
        (void)send(k->job, &r, sizeof(r), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* False when there is no child any more. */
static bool reap(struct keeper *k)
{
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid > 0 && pid == k->program) {
            k->has_ended = true;
            k->status = status;
        }
        if (pid == 0)
            return true;
        if (pid < 0 && errno != EINTR)
            return false;
    }
}

/* Never returns while a descendant lives. */
static void end_all(struct keeper *k)
{
    int64_t report_at_us = seams_mono_us(seams_real()) + (int64_t)REPORT_MS * 1000;
    int pause_ms = FIRST_PAUSE_MS;
    bool reported = false;

    if (!k->has_ended) /* else its number may belong to others by now */
        (void)kill(-k->program, SIGKILL);
    while (reap(k)) {
        struct pollfd p = {.fd = k->signals, .events = POLLIN};

        if (poll(&p, 1, pause_ms) > 0) { /* most jobs end here: reading /proc costs more */
            reaper_signals_clear(k->signals);
            if (!reap(k))
                break;
        }
        (void)reaper_kill(NULL, 0);
        pause_ms = pause_ms * 2 < LAST_PAUSE_MS ? pause_ms * 2 : LAST_PAUSE_MS;
        if (!reported && k->has_ended && seams_mono_us(seams_real()) > report_at_us) {
            report(k, KEEPER_ENDED, k->status);
            reported = true;
        }
    }
    if (!reported)
        report(k, KEEPER_ENDED, k->status);
}

static void signal_program(const struct keeper *k, int signo)
{
    if (!k->has_ended)
        (void)kill(-k->program, signo);
}

static void on_job(struct keeper *k)
{
    struct keeper_order order;
    ssize_t n = recv(k->job, &order, sizeof(order), MSG_DONTWAIT);

    if (n == sizeof(order) && order.signo != KEEPER_END) {
        signal_program(k, order.signo);
    } else if (n == sizeof(order)) {
        k->end_now = true;
    } else if (n >= 0 || (errno != EAGAIN && errno != EINTR)) {
        close(k->job);
        k->job = -1;
        k->end_at_us = seams_mono_us(seams_real()) + (int64_t)KEEPER_GRACE_MS * 1000;
        signal_program(k, SIGTERM);
    }
}

static int wait_ms(const struct keeper *k)
{
    int64_t left_us = k->end_at_us - seams_mono_us(seams_real());

    if (!k->end_at_us)
        return -1;
    return left_us > 0 ? (int)(left_us / 1000) + 1 : 0;
}

static void keep(struct keeper *k)
{
    while (!k->has_ended && !k->end_now) {
        struct pollfd p[] = {{.fd = k->job, .events = POLLIN},
                             {.fd = k->life, .events = POLLIN},
                             {.fd = k->signals, .events = POLLIN}};

        if (poll(p, 3, wait_ms(k)) < 0)
            continue;
        if (p[2].revents) {
            reaper_signals_clear(k->signals);
            (void)reap(k);
        }
        if (p[1].revents)
            k->is_lost = k->end_now = true;
        if (p[0].revents && !k->end_now)
            on_job(k);
        if (k->end_at_us && seams_mono_us(seams_real()) >= k->end_at_us)
            k->end_now = true;
    }
}

/* ---- the beginning */

static bool hub_still_wants_it(int job)
{
    struct pollfd p = {.fd = job, .events = POLLIN};

    return poll(&p, 1, 0) == 0; /* it sends nothing before the start, and closes if it gave up */
}

/* argv and env as they came; the strings stay in `map`. false: not what the hub writes. */
static bool unpack(char *map, size_t size, char **strings, const struct job_spec *spec)
{
    char *at = map + sizeof(*spec), *end = map + size;

    for (uint32_t i = 0; i < spec->n_argv + spec->n_env + 2; i++) {
        char *nul;

        if (i == spec->n_argv || i == spec->n_argv + spec->n_env + 1) {
            strings[i] = NULL;
            continue;
        }
        nul = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;
        if (!nul)
            return false;
        strings[i] = at;
        at = nul + 1;
    }
    return true;
}

/* Returns 0 or an errno. */
static int start_mapped(struct keeper *k, char *map, size_t size, const int fd[N_JOB_FDS])
{
    struct child_start start = {.std = {fd[JOB_STDIN], fd[JOB_STDOUT], fd[JOB_STDERR]},
                                .folder_fd = fd[JOB_FOLDER],
                                .dies_with_parent = true};
    struct job_spec spec;
    char **strings;
    int e = EPROTO;

    memcpy(&spec, map, sizeof(spec));
    if (spec.n_argv == 0 || spec.n_argv > size || spec.n_env > size)
        return EPROTO;
    strings = calloc((size_t)spec.n_argv + spec.n_env + 2, sizeof(*strings));
    if (!strings)
        return ENOMEM;
    if (unpack(map, size, strings, &spec)) {
        start.argv = strings;
        start.env = strings + spec.n_argv + 1;
        e = child_start(&start, &k->program);
    }
    free(strings);
    return e;
}

static int start(struct keeper *k, const int fd[N_JOB_FDS])
{
    struct stat st;
    size_t size;
    char *map;
    int e;

    if (fstat(fd[JOB_SPEC], &st))
        return errno;
    size = (size_t)st.st_size;
    if (size < sizeof(struct job_spec))
        return EPROTO;
    map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd[JOB_SPEC], 0);
    if (map == MAP_FAILED)
        return errno;
    e = start_mapped(k, map, size, fd);
    (void)munmap(map, size); /* its environment may contain secrets */
    return e;
}

_Noreturn void keeper_main(const int fd[N_JOB_FDS], int life_fd)
{
    struct keeper k = {.job = fd[JOB_SOCKET], .life = life_fd, .signals = reaper_signals()};
    int e;

    if (!hub_still_wants_it(k.job))
        _exit(0);
    e = k.signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) ? errno : start(&k, fd);

    (void)prctl(PR_SET_NAME, "troupe-keeper");
    for (int i = JOB_SOCKET + 1; i < N_JOB_FDS; i++)
        close(fd[i]);
    if (e) {
        report(&k, KEEPER_FAILED, e);
        _exit(0);
    }
    report(&k, KEEPER_STARTED, k.program);
    keep(&k);
    end_all(&k);
    _exit(0);
}
