/* http_stream.c - streamed replies: chunks, back-pressure, the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <strings.h>

#include "runtime/base/memory.h"
#include "runtime/http/http_conn_internal.h"

/* A head and some comments: beside these a write may be of any length. */
#define LITTLE_BYTES ((size_t)2 << 10)

static struct http_conn *conn_of(struct http_call *c)
{
    return CONTAINER_OF(c, struct http_conn, call);
}

bool http_call_stream(struct http_call *call, const struct http_reply *r)
{
    static const char events[] = "text/event-stream";
    struct http_conn *c = conn_of(call);
    bool was_empty = http_unsent_bytes(c) == 0;

    c->subject = http_subject_take(c->shared, c->q->subject);
    if (!c->subject) {
        http_call_fail(call, 429, "this token has too many streams open");
        return false;
    }
    c->is_events = !c->is_head && r->type && strncasecmp(r->type, events, sizeof(events) - 1) == 0;
    if (c->state == CONN_DONE)
        return true; /* on_gone follows */
    c->is_chunked = !c->q->is_1_0;
    if (http_conn_has_more(c)) {
        c->keep_alive = false;
        c->how = HTTP_CLOSE_LINGER;
    }
    if (!c->is_chunked || c->shared->is_draining)
        c->keep_alive = false;
    http_reply_head(c, r, -1);
    c->state = CONN_STREAM;
    http_conn_drop_request(c);
    str_deinit(&c->in);
    c->in_off = 0;
    if (c->is_paused) {
        c->is_paused = false;
        c->link.pause(c->link.ctx, false);
    }
    http_conn_wrote(c, was_empty);
    return true;
}

/* RFC 9112, 7.1 */
static void put_chunk(struct str *out, const char *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char size[18];
    size_t at = sizeof(size);

    size[--at] = '\n';
    size[--at] = '\r';
    for (size_t k = n; k > 0; k >>= 4)
        size[--at] = digits[k & 15];
    str_append(out, size + at, sizeof(size) - at);
    str_append(out, bytes, n);
    str_append(out, "\r\n", 2);
}

bool http_call_write(struct http_call *call, const char *bytes, size_t n)
{
    struct http_conn *c = conn_of(call);
    size_t unsent = http_unsent_bytes(c);

    if (c->state == CONN_DONE || c->is_head || n == 0)
        return true;
    if (unsent > LITTLE_BYTES && unsent + n > (size_t)c->shared->limits.backlog_bytes) {
        c->write_refused = true;
        return false;
    }
    if (c->is_chunked)
        put_chunk(&c->out, bytes, n);
    else
        str_append(&c->out, bytes, n);
    c->reply_bytes += (int64_t)(http_unsent_bytes(c) - unsent);
    http_conn_wrote(c, unsent == 0);
    return true;
}

size_t http_call_backlog(const struct http_call *call)
{
    return http_unsent_bytes(CONTAINER_OF(call, const struct http_conn, call));
}

void http_call_on_drain(struct http_call *call, void (*fn)(void *ctx), void *ctx)
{
    call->on_drain = fn;
    call->drain_ctx = ctx;
}

void http_call_end(struct http_call *call)
{
    struct http_conn *c = conn_of(call);
    bool was_empty = http_unsent_bytes(c) == 0;

    if (c->state != CONN_DONE && c->is_chunked && !c->is_head) {
        str_append(&c->out, "0\r\n\r\n", 5);
        http_conn_wrote(c, was_empty);
    }
    http_conn_replied(c);
}

void http_call_abort(struct http_call *call)
{
    struct http_conn *c = conn_of(call);

    http_conn_ended(c, true);
    http_conn_end_call(c);
    http_conn_cut(c, HTTP_CLOSE_RESET);
}
