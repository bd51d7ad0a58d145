/* sse_out.c - see sse_out.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/sse_out.h"

#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"

#define SLICE ((size_t)32 << 10) /* of one write */

struct sse_out {
    struct mcp_server *server;
    struct http_call *http; /* NULL: cut, on_gone is still to come */
    struct str queue;       /* from `written` on */
    size_t written;
    struct loop_timer *cut;
    void (*on_gone)(void *ctx);
    void *ctx;
    bool has_ended; /* the owner has gone; server may have, too */
};

static void out_free(struct sse_out *o)
{
    loop_timer_free(o->cut);
    str_deinit(&o->queue);
    free(o);
}

static void on_http_gone(void *ctx)
{
    struct sse_out *o = ctx;
    void (*on_gone)(void *) = o->on_gone;
    void *owner = o->ctx;

    if (!o->has_ended) {
        o->server->n_streams--;
        out_free(o);
        on_gone(owner);
    } else {
        out_free(o);
    }
}

static void on_cut(void *ctx)
{
    on_http_gone(ctx);
}

static void flush(struct sse_out *o)
{
    while (o->written < o->queue.len) {
        size_t n = o->queue.len - o->written;

        n = n < SLICE ? n : SLICE;
        if (!http_call_write(o->http, str_cstr(&o->queue) + o->written, n)) {
            message_queue_drop(&o->queue, &o->written);
            return; /* on_drain follows */
        }
        o->written += n;
    }
    str_deinit(&o->queue); /* an idle stream keeps no memory */
    str_init(&o->queue, o->queue.max);
    o->written = 0;
    if (o->has_ended) {
        http_call_end(o->http);
        out_free(o);
    }
}

static void on_drain(void *ctx)
{
    flush(ctx);
}

struct sse_out *sse_out_open(struct mcp_server *s, struct http_call *http,
                             void (*on_gone)(void *ctx), void *ctx)
{
    static const struct http_field fields[] = {{"Cache-Control", "no-cache"},
                                               {"X-Accel-Buffering", "no"}};
    const struct http_reply reply = {
        .code = 200, .type = "text/event-stream", .fields = fields, .n_fields = ARRAY_LEN(fields)};
    struct sse_out *o = mem_alloc(1, sizeof(*o));

    if (!o) {
        http_call_on_gone(http, NULL, NULL);
        http_call_fail(http, 503, "out of memory");
        return NULL;
    }
    o->server = s;
    o->http = http;
    o->on_gone = on_gone;
    o->ctx = ctx;
    str_init(&o->queue, STR_MAX_DEFAULT + s->limits.queue_bytes);
    http_call_on_gone(http, NULL, NULL); /* a refusal is not a client that left */
    if (!http_call_stream(http, &reply)) {
        out_free(o);
        return NULL;
    }
    s->n_streams++;
    http_call_on_gone(http, on_http_gone, o);
    http_call_on_drain(http, on_drain, o);
    return o;
}

/* The owner hears of it later: this may be inside a note of a handler. */
static void cut(struct sse_out *o)
{
    struct http_call *http = o->http;

    o->http = NULL;
    http_call_on_gone(http, NULL, NULL);
    http_call_abort(http);
    o->cut = loop_timer_new(o->server->loop, 0, on_cut, o);
}

void sse_out_write(struct sse_out *o, const char *bytes, size_t n, bool may_drop)
{
    size_t queued = o->queue.len - o->written, max = o->server->limits.queue_bytes;

    if (!o->http || (may_drop && queued > max / 4))
        return;
    if (queued > max) {
        cut(o);
        return;
    }
    str_append(&o->queue, bytes, n);
    if (!str_ok(&o->queue))
        cut(o);
    else
        flush(o);
}

void sse_out_put_event(struct str *out, const char *id, struct json_view message)
{
    if (id)
        str_printf(out, "id: %s\n", id);
    str_puts(out, "data: ");
    json_view_put_line(out, message);
    str_puts(out, "\n\n");
}

void sse_out_end(struct sse_out *o)
{
    if (!o)
        return;
    o->server->n_streams--;
    o->has_ended = true;
    if (!o->http)
        out_free(o);
    else
        flush(o);
}

void sse_out_abort(struct sse_out *o)
{
    if (!o)
        return;
    o->server->n_streams--;
    if (o->http) {
        http_call_on_gone(o->http, NULL, NULL);
        http_call_abort(o->http);
    }
    out_free(o);
}
