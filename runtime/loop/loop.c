/* loop.c - the loop itself: run, stop, wake, deferred calls and ticks.
 *
 * libuv handles are freed in their close callbacks, so every free function here
 * only asks for the close; loop_free runs the loop once more to let them happen.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/loop/loop_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/base/memory.h"

struct loop_tick {
    uv_prepare_t prepare;
    void (*fn)(void *ctx);
    void *ctx;
};

/* Runs what was deferred before this turn; what these calls defer waits for the next. */
static void run_deferred(uv_idle_t *idle)
{
    struct loop *l = idle->data;
    struct loop_deferred *d = l->first;

    l->first = l->last = NULL;
    while (d) {
        struct loop_deferred *next = d->next;
        d->fn(d->ctx);
        free(d);
        d = next;
    }
    if (!l->first)
        uv_idle_stop(idle);
}

static void woken(uv_async_t *async)
{
    (void)async; /* waking is all: prepare handles and boxes do the work */
}

/* libuv needs these for a loop, and ends the process where it cannot get them. */
static enum status check_descriptors(struct error *err)
{
    enum { NEEDED = 12 };
    int fd[NEEDED], n = 0, e = 0;

    while (n < NEEDED && e == 0) {
        fd[n] = eventfd(0, EFD_CLOEXEC);
        if (fd[n] < 0)
            e = errno;
        else
            n++;
    }
    while (n > 0)
        close(fd[--n]);
    if (e == 0)
        return STATUS_OK;
    (void)error_errno(err, e, "an event loop needs %d more file descriptors", NEEDED);
    error_hint(err, "`ulimit -n` shows the limit");
    return STATUS_LIMIT;
}

enum status loop_new(const struct seams *seams, struct loop **out, struct error *err)
{
    struct loop *l;
    enum status st = check_descriptors(err);
    int rc;

    if (st)
        return st;
    l = xcalloc(1, sizeof(*l));
    rc = uv_loop_init(&l->uv);
    if (rc) {
        free(l);
        return error_set(err, STATUS_FAILED, "cannot create an event loop: %s", uv_strerror(rc));
    }
    l->seams = seams ? seams : seams_real();
    l->uv.data = l;
    rc = uv_async_init(&l->uv, &l->wake, woken);
    if (rc) {
        uv_loop_close(&l->uv);
        free(l);
        return error_set(err, STATUS_FAILED, "cannot create a wake handle: %s", uv_strerror(rc));
    }
    uv_unref((uv_handle_t *)&l->wake);
    uv_idle_init(&l->uv, &l->idle);
    l->idle.data = l;
    *out = l;
    return STATUS_OK;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    while (l->first) {
        struct loop_deferred *d = l->first;
        l->first = d->next;
        free(d);
    }
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    /* A stop asked for outside of loop_run ends the first of these runs at once. */
    for (int i = 0; uv_loop_close(&l->uv) == UV_EBUSY && i < 3; i++)
        uv_run(&l->uv, UV_RUN_DEFAULT);
    free(l);
}

void loop_run(struct loop *l)
{
    l->running = true;
    uv_run(&l->uv, UV_RUN_DEFAULT);
    l->running = false;
}

bool loop_is_running(const struct loop *l)
{
    return l->running;
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

void loop_wake(struct loop *l)
{
    uv_async_send(&l->wake);
}

void loop_defer(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    struct loop_deferred *d = xcalloc(1, sizeof(*d));

    d->fn = fn;
    d->ctx = ctx;
    if (l->last)
        l->last->next = d;
    else
        l->first = d;
    l->last = d;
    uv_idle_start(&l->idle, run_deferred);
}

static void tick(uv_prepare_t *prepare)
{
    struct loop_tick *t = prepare->data;

    t->fn(t->ctx);
}

struct loop_tick *loop_tick_new(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    struct loop_tick *t = xcalloc(1, sizeof(*t));

    t->fn = fn;
    t->ctx = ctx;
    uv_prepare_init(&l->uv, &t->prepare);
    t->prepare.data = t;
    uv_prepare_start(&t->prepare, tick);
    uv_unref((uv_handle_t *)&t->prepare);
    return t;
}

static void free_tick(uv_handle_t *h)
{
    free(h->data);
}

void loop_tick_free(struct loop_tick *t)
{
    if (t)
        uv_close((uv_handle_t *)&t->prepare, free_tick);
}
