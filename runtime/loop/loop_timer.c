/* loop_timer.c - one-shot and repeating timers.
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

static void fire(uv_timer_t *timer)
{
    struct loop_timer *t = timer->data;

    t->fn(t->ctx); /* may free t */
}

static struct loop_timer *start(struct loop *l, int64_t first_ms, int64_t every_ms,
                                void (*fn)(void *ctx), void *ctx)
{
    struct loop_timer *t = xcalloc(1, sizeof(*t));

    t->fn = fn;
    t->ctx = ctx;
    uv_timer_init(&l->uv, &t->timer);
    t->timer.data = t;
    uv_update_time(&l->uv);
    uv_timer_start(&t->timer, fire, first_ms < 0 ? 0 : (uint64_t)first_ms, (uint64_t)every_ms);
    return t;
}

struct loop_timer *loop_timer_new(struct loop *l, int64_t delay_ms, void (*fn)(void *ctx),
                                  void *ctx)
{
    return start(l, delay_ms, 0, fn, ctx);
}

struct loop_timer *loop_timer_every(struct loop *l, int64_t every_ms, void (*fn)(void *ctx),
                                    void *ctx)
{
    int64_t ms = every_ms < 1 ? 1 : every_ms;

    return start(l, ms, ms, fn, ctx);
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
