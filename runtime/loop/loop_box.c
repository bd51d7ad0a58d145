/* loop_box.c - mailboxes whose mail is handled on the loop's thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/loop/loop_internal.h"

struct loop_box {
    uv_async_t async; /* coalesces: one wake may bring much mail */
    struct mailbox *mail;
    void (*handler)(void *ctx, struct mail *all);
    void *ctx;
    int held;
};

static void on_mail(uv_async_t *async)
{
    struct loop_box *b = async->data;
    struct mail *all = mailbox_take(b->mail);

    if (all)
        b->handler(b->ctx, all);
}

static void wake_box(void *ctx)
{
    struct loop_box *b = ctx;

    uv_async_send(&b->async);
}

struct loop_box *loop_box_new(struct loop *l, void (*handler)(void *ctx, struct mail *all),
                              void *ctx)
{
    struct loop_box *b = xcalloc(1, sizeof(*b));

    b->handler = handler;
    b->ctx = ctx;
    uv_async_init(&l->uv, &b->async, on_mail);
    b->async.data = b;
    uv_unref((uv_handle_t *)&b->async);
    b->mail = mailbox_new(wake_box, b);
    return b;
}

static void free_box(uv_handle_t *h)
{
    struct loop_box *b = h->data;

    mailbox_free(b->mail);
    free(b);
}

void loop_box_free(struct loop_box *b)
{
    if (b)
        uv_close((uv_handle_t *)&b->async, free_box);
}

struct mailbox *loop_box_mailbox(struct loop_box *b)
{
    return b->mail;
}

void loop_box_hold(struct loop_box *b, int delta)
{
    int before = b->held;

    b->held += delta;
    if (before == 0 && b->held > 0)
        uv_ref((uv_handle_t *)&b->async);
    if (before > 0 && b->held == 0)
        uv_unref((uv_handle_t *)&b->async);
}
