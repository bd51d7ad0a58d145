/* loop_fd.c - watched descriptors.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/loop/loop_internal.h"

struct loop_fd {
    uv_poll_t poll;
    void (*fn)(void *ctx, int ready);
    void *ctx;
    int wanted;
};

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct loop_fd *w = poll->data;
    int ready = (events & UV_READABLE ? LOOP_READ : 0) | (events & UV_WRITABLE ? LOOP_WRITE : 0);

    if (status < 0) { /* the next read or write reports the error; the handle has stopped */
        ready = w->wanted;
        w->wanted = 0;
    }
    w->fn(w->ctx, ready); /* may free w */
}

enum status loop_fd_new(struct loop *l, int fd, void (*fn)(void *ctx, int ready), void *ctx,
                        struct loop_fd **out, struct error *err)
{
    struct loop_fd *w = xcalloc(1, sizeof(*w));
    int rc = uv_poll_init(&l->uv, &w->poll, fd);

    if (rc) {
        free(w);
        return error_errno(err, -rc, "watching descriptor %d", fd);
    }
    w->fn = fn;
    w->ctx = ctx;
    w->poll.data = w;
    *out = w;
    return STATUS_OK;
}

void loop_fd_want(struct loop_fd *w, int ready)
{
    if (ready == w->wanted)
        return;
    w->wanted = ready;
    if (ready)
        uv_poll_start(
            &w->poll,
            (ready & LOOP_READ ? UV_READABLE : 0) | (ready & LOOP_WRITE ? UV_WRITABLE : 0),
            on_ready);
    else
        uv_poll_stop(&w->poll);
}

static void free_data(uv_handle_t *h)
{
    free(h->data);
}

void loop_fd_free(struct loop_fd *w)
{
    if (w)
        uv_close((uv_handle_t *)&w->poll, free_data);
}
