/* loop_timer.c - one-shot timers.
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
