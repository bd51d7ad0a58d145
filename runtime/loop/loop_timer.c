/* loop_timer.c - one-shot timers and signals.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/loop/loop_internal.h"

struct loop_timer {
    uv_timer_t timer;
    void (*fn)(void *ctx);
    void *ctx;
};
struct loop_signal {
    uv_signal_t signal;
    void (*fn)(void *ctx, int signo);
    void *ctx;
};

static void fire(uv_timer_t *timer)
{
    struct loop_timer *t = timer->data;

    t->fn(t->ctx); /* may free t */
}

struct loop_timer *loop_timer_new(struct loop *l, int64_t delay_ms, void (*fn)(void *ctx),
                                  void *ctx)
{
    struct loop_timer *t = xcalloc(1, sizeof(*t));

    t->fn = fn;
    t->ctx = ctx;
    uv_timer_init(&l->uv, &t->timer);
    t->timer.data = t;
    uv_update_time(&l->uv);
    uv_timer_start(&t->timer, fire, delay_ms < 0 ? 0 : (uint64_t)delay_ms, 0);
    return t;
}

static void free_data(uv_handle_t *h)
{
    free(h->data);
}

void loop_timer_free(struct loop_timer *t)
{
    if (t)
        uv_close((uv_handle_t *)&t->timer, free_data);
}

static void caught(uv_signal_t *signal, int signo)
{
    struct loop_signal *s = signal->data;

    s->fn(s->ctx, signo);
}

struct loop_signal *loop_signal_new(struct loop *l, int signo, void (*fn)(void *ctx, int signo),
                                    void *ctx)
{
    struct loop_signal *s = xcalloc(1, sizeof(*s));

    s->fn = fn;
    s->ctx = ctx;
    uv_signal_init(&l->uv, &s->signal);
    s->signal.data = s;
    uv_signal_start(&s->signal, caught, signo);
    uv_unref((uv_handle_t *)&s->signal);
    return s;
}

void loop_signal_free(struct loop_signal *s)
{
    if (s)
        uv_close((uv_handle_t *)&s->signal, free_data);
}
