/* loop_uv.c - the libuv loop for other libraries, and waiting for closed handles.
 *
 * libuv runs close callbacks in rounds: what a callback closes is closed in the next turn. A handle
 * that is closed again in its own close callback counts these rounds.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/loop/loop_uv.h"

#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/loop/loop_internal.h"

struct after_close {
    uv_idle_t handle;
    struct loop *loop;
    int rounds;
    void (*fn)(void *ctx);
    void *ctx;
};

struct uv_loop_s *loop_uv(struct loop *l)
{
    return &l->uv;
}

static void next_round(uv_handle_t *h)
{
    struct after_close *a = h->data;

    if (a->rounds-- > 0) {
        uv_idle_init(&a->loop->uv, &a->handle);
        a->handle.data = a;
        uv_close((uv_handle_t *)&a->handle, next_round);
        return;
    }
    a->fn(a->ctx);
    free(a);
}

void loop_after_close(struct loop *l, int rounds, void (*fn)(void *ctx), void *ctx)
{
    struct after_close *a = xcalloc(1, sizeof(*a));

    a->loop = l;
    a->rounds = rounds + 1; /* those that close now may be called after this one */
    a->fn = fn;
    a->ctx = ctx;
    uv_idle_init(&l->uv, &a->handle);
    a->handle.data = a;
    uv_close((uv_handle_t *)&a->handle, next_round);
}
