/* mailbox.c - a lock-free stack, turned round by the one taker.
 *
 * Posters push with compare-and-swap; the taker exchanges the whole stack for NULL, so
 * that no node is ever read while another thread might take it (no ABA).
 * Sleeping is Dekker's pattern: the taker raises `sleeping` and looks again; the poster
 * pushes and looks at `sleeping`. Both sides are sequentially consistent, so at
 * least one sees the other.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/mailbox.h"

#include <assert.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "runtime/base/futex.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"

struct mailbox {
    _Atomic(struct mail *) head; /* the newest */
    _Atomic uint32_t sleeping;   /* 1 while the taker is about to sleep or asleep */
    _Atomic uint32_t posting;    /* posters that still touch the box */
    void (*wake)(void *ctx);
    void *ctx;
};

struct mailbox *mailbox_new(void (*wake)(void *ctx), void *ctx)
{
    struct mailbox *box = xcalloc(1, sizeof(*box));

    atomic_init(&box->head, NULL);
    atomic_init(&box->sleeping, 0);
    atomic_init(&box->posting, 0);
    box->wake = wake;
    box->ctx = ctx;
    return box;
}

void mailbox_free(struct mailbox *box)
{
    if (!box)
        return;
    assert(atomic_load(&box->head) == NULL);
    /* The taker may have the last mail while its poster is still on the way out. */
    while (atomic_load_explicit(&box->posting, memory_order_acquire) > 0)
        sched_yield();
    free(box);
}

void mailbox_post(struct mailbox *box, struct mail *m)
{
    struct mail *old = atomic_load_explicit(&box->head, memory_order_relaxed);

    atomic_fetch_add_explicit(&box->posting, 1, memory_order_relaxed);
    do
        m->next = old;
    while (!atomic_compare_exchange_weak(&box->head, &old, m));
    /* From here on m may already be taken and freed. The thread that posted into the empty
     * queue wakes the taker for all that follows. */
    if (!old) {
        if (box->wake)
            box->wake(box->ctx);
        if (atomic_load(&box->sleeping) && atomic_exchange(&box->sleeping, 0))
            futex_wake(&box->sleeping, 1);
    }
    atomic_fetch_sub_explicit(&box->posting, 1, memory_order_release);
}

struct mail *mailbox_take(struct mailbox *box)
{
    struct mail *newest = atomic_exchange(&box->head, NULL);
    struct mail *oldest = NULL;

    while (newest) {
        struct mail *older = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = older;
    }
    return oldest;
}

struct mail *mailbox_wait(struct mailbox *box, int64_t timeout_ms)
{
    const struct seams *real = seams_real(); /* a real thread sleeps in real time */
    int64_t deadline_us = timeout_ms > 0 ? seams_mono_us(real) + timeout_ms * 1000 : 0;
    struct mail *m;

    while (!(m = mailbox_take(box)) && timeout_ms != 0) {
        int64_t left_us = -1;

        if (timeout_ms > 0) {
            left_us = deadline_us - seams_mono_us(real);
            if (left_us <= 0)
                break;
        }
        atomic_store(&box->sleeping, 1);
        if (!atomic_load(&box->head))
            futex_sleep(&box->sleeping, 1, left_us);
        atomic_store(&box->sleeping, 0);
    }
    return m;
}
