/* server_stdio.c - see server_stdio.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/server_stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mcp/server/mcp_modern.h"
#include "mcp/server/mcp_session.h"
#include "mcp/server/message_text.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"

#define CHUNK      ((size_t)64 << 10)
#define HIGH_WATER ((size_t)1 << 20) /* unsent bytes from which on nothing more is read */

struct mcp_stdio {
    struct mcp_server *server;
    int in, out, in_flags, out_flags;
    char *principal, *view;
    char id[37]; /* of this connection: mcp_caller.session */
    struct loop_fd *reader, *writer;
    struct str input; /* from `taken` on; the line that is not complete, and what waits */
    size_t taken;
    bool skips;       /* the rest of a line that was too long */
    struct str queue; /* lines to send, from `written` on */
    size_t written;
    bool is_corked;        /* more is about to be queued */
    struct map *in_flight; /* modern calls by the text of their id */
    struct mcp_session *legacy;
    struct mcp_caller *caller; /* of the last modern request */
    struct loop_timer *drain, *end, *broken;
    bool has_ended_input, is_broken; /* is_broken: nobody reads the output */
    void (*ended)(void *ctx);
    void *ctx;
};

static void flush(struct mcp_stdio *c);

/* ---- the end */

static void on_end(void *ctx)
{
    struct mcp_stdio *c = ctx;

    loop_timer_free(c->end);
    c->end = NULL;
    c->ended(c->ctx); /* c may be gone */
}

static bool is_idle(const struct mcp_stdio *c)
{
    return map_size(c->in_flight) == 0 && (!c->legacy || map_size(c->legacy->calls) == 0) &&
           (c->is_broken || (c->written == c->queue.len && c->taken == c->input.len));
}

static void check_end(struct mcp_stdio *c)
{
    if (!c->has_ended_input || !c->ended || c->end || !is_idle(c))
        return;
    c->end = loop_timer_new(c->server->loop, 0, on_end, c);
}

static void cancel_calls(struct map *calls, bool all)
{
    void *value;
    size_t i = 0;

    while (map_next(calls, &i, NULL, &value)) {
        struct mcp_call *call = value;

        if (all || call->method == MCP_LISTEN || call->round)
            mcp_call_cancel(call);
    }
}

static void on_drained(void *ctx)
{
    struct mcp_stdio *c = ctx;

    cancel_calls(c->in_flight, true);
    if (c->legacy)
        cancel_calls(c->legacy->calls, true);
    check_end(c);
}

/* No more requests come. What can end by itself may do so. */
static void end_input(struct mcp_stdio *c)
{
    if (c->has_ended_input)
        return;
    c->has_ended_input = true;
    loop_fd_free(c->reader);
    c->reader = NULL;
    cancel_calls(c->in_flight, c->is_broken);
    if (c->legacy)
        cancel_calls(c->legacy->calls, c->is_broken);
    c->drain = loop_timer_new(c->server->loop, c->server->limits.drain_ms, on_drained, c);
    check_end(c);
}

/* ---- output */

static size_t unsent(const struct mcp_stdio *c)
{
    return c->queue.len - c->written;
}

static void want_input(struct mcp_stdio *c)
{
    if (c->reader)
        loop_fd_want(c->reader, unsent(c) > HIGH_WATER ? 0 : LOOP_READ);
}

static void on_broken_later(void *ctx)
{
    end_input(ctx);
}

/* This may be inside a note of a handler: calls are cancelled with the next turn. */
static void on_broken(struct mcp_stdio *c)
{
    if (c->is_broken)
        return;
    c->is_broken = true;
    str_clear(&c->queue);
    c->written = 0;
    c->broken = loop_timer_new(c->server->loop, 0, on_broken_later, c);
}

static void on_writable(void *ctx, int ready)
{
    (void)ready;
    flush(ctx);
}

/* The descriptor takes no more for now. */
static void wait_writable(struct mcp_stdio *c)
{
    if (!c->writer &&
        loop_fd_new(c->server->loop, c->out, on_writable, c, &c->writer, NULL) != STATUS_OK) {
        on_broken(c);
        return;
    }
    loop_fd_want(c->writer, LOOP_WRITE);
}

static void take_input(struct mcp_stdio *c);

/* false: not all could be written. */
static bool write_queue(struct mcp_stdio *c)
{
    while (unsent(c) > 0) {
        ssize_t n = write(c->out, str_cstr(&c->queue) + c->written, unsent(c));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            message_queue_drop(&c->queue, &c->written);
            wait_writable(c);
            return false;
        }
        if (n < 0) {
            on_broken(c);
            return false;
        }
        c->written += (size_t)n;
    }
    str_clear(&c->queue);
    c->written = 0;
    if (c->writer)
        loop_fd_want(c->writer, 0);
    return true;
}

static void flush(struct mcp_stdio *c)
{
    do {
        if (!write_queue(c))
            return;
        take_input(c); /* lines that waited for room */
    } while (unsent(c) > 0);
    check_end(c);
}

static void send_line(struct mcp_stdio *c, struct json_view message)
{
    if (c->is_broken)
        return;
    json_view_put_line(&c->queue, message);
    str_putc(&c->queue, '\n');
    if (!str_ok(&c->queue)) {
        log_write(c->server->log, LOG_WARN, "a client over stdio does not read: it is left");
        on_broken(c);
        return;
    }
    if (!c->is_corked)
        flush(c);
}

static void on_message(void *ctx, struct json_view message, bool may_drop)
{
    struct mcp_stdio *c = ctx;
    size_t max = c->server->limits.queue_bytes;

    if (unsent(c) <= (may_drop ? max / 4 : max))
        send_line(c, message);
}

static void on_answer(void *ctx, struct json_view message, int64_t code)
{
    struct mcp_stdio *c = ctx;

    (void)code;
    if (message.at)
        send_line(c, message);
    check_end(c);
}

static void on_push(void *ctx, struct json_view message)
{
    on_message(ctx, message, false);
}

/* ---- messages of the client */

static struct mcp_sink sink_of(struct mcp_stdio *c)
{
    return (struct mcp_sink){.ctx = c, .message = on_message, .answer = on_answer};
}

static void serve_modern(struct mcp_stdio *c, const struct rpc_message *m)
{
    struct modern_request q = {
        .server = c->server, .message = m, .in_flight = c->in_flight, .sink = sink_of(c)};
    struct mcp_call *call;

    if (!mcp_modern_read(c->server, m, &q.sink, &q.meta) ||
        !mcp_modern_check(c->server, m, &q.meta, &q.sink, &q.method))
        return;
    if (map_get_n(c->in_flight, m->id.at, m->id.n) ||
        map_size(c->in_flight) >= (size_t)c->server->limits.calls) {
        mcp_sink_error(&q.sink, m->id, RPC_INVALID_REQUEST,
                       "a request with this id is in flight, or too many are", JSON_VIEW_NONE);
        return;
    }
    mcp_caller_unref(c->caller);
    c->caller = q.caller = mcp_modern_caller(c->principal, c->id, c->view, &q.meta);
    call = mcp_modern_call(&q);
    if (call)
        mcp_call_start(call);
}

static void begin_session(struct mcp_stdio *c, const struct rpc_message *m)
{
    const struct mcp_sink sink = sink_of(c);
    const struct mcp_session_spec spec = {.server = c->server,
                                          .principal = c->principal,
                                          .view = c->view,
                                          .id = c->id,
                                          .push = on_push,
                                          .ctx = c};
    struct error err = ERROR_INIT;
    struct mcp_call *call;

    if (c->legacy) {
        mcp_sink_error(&sink, m->id, RPC_INVALID_REQUEST, "the session has begun already",
                       JSON_VIEW_NONE);
        return;
    }
    if (mcp_session_new(&spec, m->params, &c->legacy, &err)) {
        mcp_sink_error(&sink, m->id, RPC_INVALID_PARAMS, err.message, JSON_VIEW_NONE);
        return;
    }
    call = mcp_call_new(&(struct mcp_call_spec){.server = c->server,
                                                .session = c->legacy,
                                                .caller = c->legacy->caller,
                                                .method = MCP_INITIALIZE,
                                                .id = m->id,
                                                .in_flight = c->legacy->calls,
                                                .sink = sink});
    if (call)
        mcp_call_start(call);
    else
        mcp_sink_error(&sink, m->id, RPC_INTERNAL_ERROR, "out of memory", JSON_VIEW_NONE);
}

static void serve_request(struct mcp_stdio *c, const struct rpc_message *m)
{
    enum mcp_method method = mcp_method_find(m->method);
    const struct mcp_sink sink = sink_of(c);
    bool modern = request_meta_is_modern(m->params) ||
                  (method < MCP_METHOD_N && mcp_method_facts(method)->eras == MCP_ERA_MODERN);
    struct mcp_call *call;

    if (!mcp_server_has_era(c->server, MCP_ERA_MODERN))
        modern = false;
    if (!mcp_server_has_era(c->server, MCP_ERA_LEGACY))
        modern = true;
    if (!modern && method == MCP_INITIALIZE) {
        begin_session(c, m);
    } else if (!modern && c->legacy) {
        call = mcp_session_request(c->legacy, m, &sink);
        if (call)
            mcp_call_start(call);
    } else if (!modern && !mcp_server_has_era(c->server, MCP_ERA_MODERN)) {
        mcp_sink_error(&sink, m->id, RPC_INVALID_REQUEST, "begin a session with initialize",
                       JSON_VIEW_NONE);
    } else {
        serve_modern(c, m); /* without metadata that is an error which says what is missing */
    }
}

static void serve_notification(struct mcp_stdio *c, const struct rpc_message *m)
{
    enum mcp_method method = mcp_method_find(m->method);
    struct json_view id = json_view_get(m->params, "requestId");
    struct mcp_call *call = id.at ? map_get_n(c->in_flight, id.at, id.n) : NULL;

    if (method == MCP_CANCELLED && call)
        mcp_call_cancel(call);
    else if (method == MCP_INITIALIZED && c->legacy)
        mcp_session_listen(c->legacy, true);
    else if (c->legacy)
        mcp_session_take(c->legacy, m);
}

static void serve_line(struct mcp_stdio *c, const char *bytes, size_t n)
{
    const struct mcp_sink sink = sink_of(c);
    struct error err = ERROR_INIT;
    struct rpc_message m;
    enum rpc_code code;

    while (n > 0 && (bytes[n - 1] == '\r' || bytes[n - 1] == ' '))
        n--;
    if (n == 0)
        return;
    if (rpc_read(bytes, n, c->server->limits.message_bytes, &m, &code, &err)) {
        mcp_sink_error(&sink, m.id, code, err.message, JSON_VIEW_NONE);
        return;
    }
    if (m.kind == RPC_REQUEST)
        serve_request(c, &m);
    else if (m.kind == RPC_NOTIFICATION)
        serve_notification(c, &m);
    else if (c->legacy)
        mcp_session_take(c->legacy, &m);
}

/* ---- input */

/* The line that begins at `taken` is longer than a message may be. */
static void refuse_long_line(struct mcp_stdio *c)
{
    const struct mcp_sink sink = sink_of(c);

    if (!c->skips)
        mcp_sink_error(&sink, JSON_VIEW_NONE, RPC_INVALID_REQUEST,
                       "this line is longer than a message may be", JSON_VIEW_NONE);
    c->skips = true;
    c->taken = c->input.len;
}

static void drop_taken(struct mcp_stdio *c)
{
    size_t rest = c->input.len - c->taken;

    if (c->taken == 0)
        return;
    memmove(c->input.data, c->input.data + c->taken, rest);
    c->input.len = rest;
    c->input.data[rest] = '\0';
    c->taken = 0;
    if (rest == 0 && c->input.cap > 4 * CHUNK) {
        size_t max = c->input.max;

        str_deinit(&c->input);
        str_init(&c->input, max);
    }
}

/* The complete lines, as long as the client reads the answers. */
static void take_lines(struct mcp_stdio *c)
{
    while (c->taken < c->input.len && unsent(c) <= HIGH_WATER && !c->is_broken) {
        const char *from = c->input.data + c->taken;
        size_t n = c->input.len - c->taken;
        const char *end = memchr(from, '\n', n);

        if (!end) {
            if (c->skips || n > c->server->limits.message_bytes)
                refuse_long_line(c);
            break;
        }
        c->taken += (size_t)(end - from) + 1;
        if (!c->skips)
            serve_line(c, from, (size_t)(end - from));
        c->skips = false;
    }
}

static void take_input(struct mcp_stdio *c)
{
    bool outer = c->is_corked;

    c->is_corked = true;
    take_lines(c);
    drop_taken(c);
    c->is_corked = outer;
    want_input(c);
}

static void on_readable(void *ctx, int ready)
{
    struct mcp_stdio *c = ctx;
    char chunk[CHUNK];
    ssize_t n = read(c->in, chunk, sizeof(chunk));

    (void)ready;
    if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (n <= 0) {
        if (c->input.len > 0)
            str_putc(&c->input, '\n'); /* the last line may be without its end */
        take_input(c);
        end_input(c);
    } else {
        str_append(&c->input, chunk, (size_t)n);
        take_input(c);
    }
    flush(c);
}

/* ---- life */

enum status mcp_stdio_new(struct mcp_server *s, const struct mcp_stdio_options *o,
                          struct mcp_stdio **out, struct error *err)
{
    struct mcp_stdio *c = xcalloc(1, sizeof(*c));
    enum status st;

    c->server = s;
    c->in = o->in;
    c->out = o->out;
    c->ended = o->ended;
    c->ctx = o->ctx;
    c->in_flags = fcntl(o->in, F_GETFL);
    c->out_flags = fcntl(o->out, F_GETFL);
    st = loop_fd_new(s->loop, o->in, on_readable, c, &c->reader, err);
    if (st) {
        error_hint(err, "the input must be a pipe, a socket or a terminal");
        free(c);
        return st;
    }
    (void)fcntl(o->in, F_SETFL, c->in_flags | O_NONBLOCK);
    (void)fcntl(o->out, F_SETFL, c->out_flags | O_NONBLOCK);
    c->principal = xstrdup(o->principal ? o->principal : "stdio");
    c->view = xstrdup(o->view ? o->view : "");
    seams_uuid7(s->seams, c->id);
    str_init(&c->input, s->limits.message_bytes + 2 * CHUNK);
    str_init(&c->queue, s->limits.queue_bytes + STR_MAX_DEFAULT);
    c->in_flight = map_new();
    loop_fd_want(c->reader, LOOP_READ);
    *out = c;
    return STATUS_OK;
}

void mcp_stdio_free(struct mcp_stdio *c)
{
    const struct mcp_handler *h;
    void *value;
    size_t i = 0;

    if (!c)
        return;
    h = c->server->handler;
    while (map_next(c->in_flight, &i, NULL, &value))
        mcp_call_abandon(value);
    mcp_session_free(c->legacy);
    if (c->caller && h->caller_gone)
        h->caller_gone(h->ctx, c->caller);
    mcp_caller_unref(c->caller);
    loop_fd_free(c->reader);
    loop_fd_free(c->writer);
    loop_timer_free(c->drain);
    loop_timer_free(c->end);
    loop_timer_free(c->broken);
    (void)fcntl(c->in, F_SETFL, c->in_flags);
    (void)fcntl(c->out, F_SETFL, c->out_flags);
    map_free(c->in_flight, NULL);
    str_deinit(&c->input);
    str_deinit(&c->queue);
    free(c->principal);
    free(c->view);
    free(c);
}
