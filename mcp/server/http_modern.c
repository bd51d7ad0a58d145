/* http_modern.c - POST of a modern client: one request, and its answer as JSON or as a stream.
 *
 * The answer is plain JSON unless a notification comes before it. A client that closes the
 * connection has cancelled.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "mcp/server/header_check.h"
#include "mcp/server/http_endpoint.h"
#include "mcp/server/http_session.h"
#include "mcp/server/mcp_modern.h"
#include "mcp/server/param_check.h"
#include "mcp/server/sse_out.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"

struct modern_post {
    struct mcp_server *server;
    struct modern_post *previous, *next; /* of the server */
    struct http_call *http;              /* NULL: it is a stream, or gone */
    struct sse_out *out;
    struct mcp_call *call;       /* once it is started */
    struct param_check *waiting; /* before that */
    struct rpc_message message;  /* lent from the request, until the call is started */
    struct request_meta meta;
    enum mcp_method method;
    struct mcp_caller *caller;
    struct loop_timer *drop; /* the client has too many streams: the call ends with the next turn */
    bool is_checked;         /* an error is now the handler's */
};

static void post_free(struct modern_post *p)
{
    if (p->previous)
        p->previous->next = p->next;
    else
        p->server->posts = p->next;
    if (p->next)
        p->next->previous = p->previous;
    param_check_cancel(p->waiting);
    loop_timer_free(p->drop);
    mcp_caller_unref(p->caller);
    free(p);
}

static void on_gone(void *ctx)
{
    struct modern_post *p = ctx;

    if (p->call)
        mcp_call_abandon(p->call);
    post_free(p);
}

void http_post_abandon_all(struct mcp_server *s)
{
    while (s->posts) {
        struct modern_post *p = s->posts;

        sse_out_abort(p->out);
        if (p->http) {
            http_call_on_gone(p->http, NULL, NULL);
            http_call_abort(p->http);
        }
        on_gone(p);
    }
}

/* ---- the sink */

static void write_event(struct modern_post *p, struct json_view message, bool may_drop)
{
    struct str text;

    str_init(&text, STR_MAX_DEFAULT);
    sse_out_put_event(&text, NULL, message);
    if (str_ok(&text))
        sse_out_write(p->out, str_cstr(&text), text.len, may_drop);
    str_deinit(&text);
}

static void on_message(void *ctx, struct json_view message, bool may_drop)
{
    struct modern_post *p = ctx;

    if (!p->out && p->http) {
        p->out = sse_out_open(p->server, p->http, on_gone, p);
        p->http = NULL;
        if (!p->out)
            p->drop = loop_timer_new(p->server->loop, 0, on_gone, p);
    }
    if (p->out)
        write_event(p, message, may_drop);
}

static int status_of(const struct modern_post *p, int64_t code)
{
    switch (code) {
    case 0:
        return 200;
    case RPC_METHOD_NOT_FOUND:
        return 404;
    case RPC_HEADER_MISMATCH:
    case RPC_MISSING_CAPABILITY:
    case RPC_UNSUPPORTED_VERSION:
        return 400;
    default:
        return p->is_checked ? 200 : 400;
    }
}

static void on_answer(void *ctx, struct json_view message, int64_t code)
{
    struct modern_post *p = ctx;

    p->call = NULL;
    if (p->out) {
        write_event(p, message, false);
        sse_out_end(p->out);
    } else if (p->http) {
        endpoint_message(p->http, status_of(p, code), message, NULL);
    }
    post_free(p);
}

static struct mcp_sink sink_of(struct modern_post *p)
{
    return (struct mcp_sink){.ctx = p, .message = on_message, .answer = on_answer};
}

void http_post_fail_waiting(struct mcp_server *s, const char *message)
{
    for (struct modern_post *p = s->posts, *next; p; p = next) {
        const struct mcp_sink sink = sink_of(p);

        next = p->next;
        if (p->waiting)
            mcp_sink_error(&sink, p->message.id, RPC_INTERNAL_ERROR, message, JSON_VIEW_NONE);
    }
}

/* ---- a request */

static void start(struct modern_post *p)
{
    const struct modern_request q = {.server = p->server,
                                     .message = &p->message,
                                     .meta = p->meta,
                                     .method = p->method,
                                     .caller = p->caller,
                                     .sink = sink_of(p)};
    struct mcp_call *call;

    p->is_checked = true;
    call = mcp_modern_call(&q);
    if (!call)
        return; /* p is gone */
    p->call = call;
    mcp_call_start(call);
}

static void on_headers_checked(void *ctx, const char *fault)
{
    struct modern_post *p = ctx;
    const struct mcp_sink sink = sink_of(p);

    p->waiting = NULL;
    if (fault)
        mcp_sink_error(&sink, p->message.id, RPC_HEADER_MISMATCH, fault, JSON_VIEW_NONE);
    else
        start(p);
}

static void serve_request(struct modern_post *p, const struct endpoint_request *r)
{
    const struct mcp_sink sink = sink_of(p);
    struct error err = ERROR_INIT;
    struct param_check *waiting;

    if (!mcp_modern_read(p->server, &p->message, &sink, &p->meta))
        return;
    if (!header_check_agrees(r->q, &p->message, p->meta.version, &err)) {
        mcp_sink_error(&sink, p->message.id, RPC_HEADER_MISMATCH, err.message, JSON_VIEW_NONE);
        return;
    }
    if (!mcp_modern_check(p->server, &p->message, &p->meta, &sink, &p->method))
        return;
    p->caller = mcp_modern_caller(r->principal, "", r->view, &p->meta);
    if (p->method != MCP_TOOLS_CALL) {
        start(p);
        return;
    }
    waiting = param_check(p->server->param_lists, p->caller, r->q, p->message.params,
                          on_headers_checked, p);
    if (waiting) /* otherwise p may be gone */
        p->waiting = waiting;
}

void http_modern_post(const struct endpoint_request *r)
{
    struct mcp_server *s = r->server;
    struct modern_post *p;

    if (r->message->kind == RPC_NOTIFICATION) {
        endpoint_empty(r->http, 202); /* there is none that means something here */
        return;
    }
    if (r->message->kind != RPC_REQUEST) {
        endpoint_error(r->http, 400, JSON_VIEW_NONE, RPC_INVALID_REQUEST,
                       "a client answers nothing in this revision");
        return;
    }
    p = mem_alloc(1, sizeof(*p));
    if (!p) {
        endpoint_error(r->http, 503, r->message->id, RPC_INTERNAL_ERROR, "out of memory");
        return;
    }
    p->server = s;
    p->http = r->http;
    p->message = *r->message;
    p->next = s->posts;
    if (p->next)
        p->next->previous = p;
    s->posts = p;
    http_call_on_gone(p->http, on_gone, p);
    serve_request(p, r);
}
