/* http_legacy.c - requests of legacy clients: sessions, streams that outlive a connection.
 *
 * A POST is answered with plain JSON, or with a stream once something comes before the answer or it
 * takes long. A disconnect is not a cancel: the call goes on, and its stream can be resumed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "mcp/server/http_endpoint.h"
#include "mcp/server/http_session.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"

struct legacy_post {
    struct http_session *session;
    struct legacy_post *previous, *next; /* of the session */
    struct http_call *http;              /* NULL: it is a stream, or gone */
    struct session_stream stream;        /* number 0: it is none yet */
    struct loop_timer *timer;
    bool begins; /* it is `initialize` */
};

static void post_free(struct legacy_post *p)
{
    if (p->previous)
        p->previous->next = p->next;
    else
        p->session->posts = p->next;
    if (p->next)
        p->next->previous = p->previous;
    loop_timer_free(p->timer);
    free(p);
}

void legacy_post_cut_all(struct http_session *s)
{
    while (s->posts) {
        struct legacy_post *p = s->posts;

        session_stream_detach(&p->stream);
        if (p->http) {
            http_call_on_gone(p->http, NULL, NULL);
            http_call_abort(p->http);
        }
        post_free(p);
    }
}

static void on_gone(void *ctx)
{
    struct legacy_post *p = ctx;

    p->http = NULL;
    if (p->begins)
        http_session_end(p->session); /* nobody has its id */
}

/* ---- the sink */

static void open_stream(struct legacy_post *p)
{
    p->stream.number = ++p->session->last_stream;
    (void)session_stream_attach(&p->stream, p->http, -1);
    p->http = NULL;
}

static void on_message(void *ctx, struct json_view message, bool may_drop)
{
    struct legacy_post *p = ctx;

    if (p->http)
        open_stream(p);
    if (p->stream.number > 0)
        session_stream_send(&p->stream, message, may_drop);
}

static void on_answer(void *ctx, struct json_view message, int64_t code)
{
    struct legacy_post *p = ctx;
    struct http_session *s = p->session;
    bool fails = p->begins && code != 0;

    if (p->stream.number > 0) {
        if (message.at)
            session_stream_send(&p->stream, message, false);
        session_stream_detach(&p->stream);
    } else if (p->http && message.at) {
        endpoint_message(p->http, 200, message, p->begins && !fails ? s->id : NULL);
    } else if (p->http) {
        endpoint_empty(p->http, 202); /* it was cancelled: there is no answer */
    }
    post_free(p);
    if (fails)
        http_session_end(s);
    else
        http_session_touch(s);
}

/* ---- calls that take long */

static void on_silent(void *ctx)
{
    struct legacy_post *p = ctx;

    loop_timer_free(p->timer);
    p->timer = NULL;
    if (p->stream.n_events == 0)
        session_stream_detach(&p->stream); /* the client comes back for the answer */
}

static void on_slow(void *ctx)
{
    struct legacy_post *p = ctx;
    struct mcp_server *s = p->stream.server;

    loop_timer_free(p->timer);
    p->timer = NULL;
    if (!p->http)
        return;
    open_stream(p);
    if (s->limits.poll_after_ms > 0)
        p->timer = loop_timer_new(s->loop, s->limits.poll_after_ms, on_silent, p);
}

/* ---- POST */

/* NULL: no memory, replied. */
static struct legacy_post *post_new(struct http_session *s, struct http_call *http)
{
    struct mcp_server *server = s->core->server;
    struct legacy_post *p = mem_alloc(1, sizeof(*p));
    bool resumes = s->core->caller->revision >= MCP_2025_11_25;

    if (!p) {
        endpoint_error(http, 503, JSON_VIEW_NONE, RPC_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    p->session = s;
    p->http = http;
    p->stream =
        (struct session_stream){.server = server, .log = &s->events, .has_priming = resumes};
    p->next = s->posts;
    if (p->next)
        p->next->previous = p;
    s->posts = p;
    http_call_on_gone(http, on_gone, p);
    return p;
}

static void start(struct legacy_post *p, struct mcp_call *c)
{
    struct mcp_server *server = p->stream.server;

    if (p->stream.has_priming && !p->begins)
        p->timer = loop_timer_new(server->loop, server->limits.stream_after_ms, on_slow, p);
    mcp_call_start(c); /* p may be gone */
}

static int status_of(enum status st)
{
    return st == STATUS_LIMIT ? 429 : st == STATUS_NO_MEMORY ? 503 : 400;
}

static void begin_session(const struct endpoint_request *r)
{
    struct mcp_server *server = r->server;
    const struct rpc_message *m = r->message;
    struct error err = ERROR_INIT;
    struct http_session *s;
    struct legacy_post *p;
    struct mcp_call *c;
    enum status st =
        http_session_begin(server->sessions, r->principal, r->view, m->params, &s, &err);

    if (st) {
        endpoint_error(r->http, status_of(st), m->id,
                       st == STATUS_INVALID ? RPC_INVALID_PARAMS : RPC_INTERNAL_ERROR, err.message);
        return;
    }
    p = post_new(s, r->http);
    if (!p) {
        http_session_end(s);
        return;
    }
    p->begins = true;
    c = mcp_call_new(
        &(struct mcp_call_spec){.server = server,
                                .session = s->core,
                                .caller = s->core->caller,
                                .method = MCP_INITIALIZE,
                                .id = m->id,
                                .in_flight = s->core->calls,
                                .sink = {.ctx = p, .message = on_message, .answer = on_answer}});
    if (c) {
        start(p, c);
    } else {
        endpoint_error(p->http, 503, m->id, RPC_INTERNAL_ERROR, "out of memory");
        p->http = NULL;
        http_session_end(s);
    }
}

/* The session of a request that must have one; NULL: replied. */
static struct http_session *session_of(const struct endpoint_request *r)
{
    const char *version = http_field_value(r->q->fields, r->q->n_fields, "mcp-protocol-version");
    enum mcp_revision revision = version ? mcp_revision_named(version) : MCP_2025_03_26;
    struct json_view id = r->message ? r->message->id : JSON_VIEW_NONE;
    struct http_session *s;

    if (revision == MCP_REVISION_N || mcp_is_modern(revision)) {
        endpoint_error(r->http, 400, id, RPC_INVALID_REQUEST,
                       "MCP-Protocol-Version is not the revision of a session");
        return NULL;
    }
    if (!r->session) {
        endpoint_error(r->http, 400, id, RPC_INVALID_REQUEST,
                       "MCP-Session-Id is missing: begin a session with initialize, or send the "
                       "metadata of 2026-07-28 with each request");
        return NULL;
    }
    s = http_session_find(r->server->sessions, r->session, r->principal, r->view);
    if (!s)
        endpoint_error(r->http, 404, id, RPC_INVALID_REQUEST,
                       "there is no such session: begin one with initialize");
    return s;
}

void http_legacy_post(const struct endpoint_request *r)
{
    const struct rpc_message *m = r->message;
    struct http_session *s;
    struct legacy_post *p;
    struct mcp_call *c;
    struct mcp_sink sink;

    if (m->kind == RPC_REQUEST && mcp_method_find(m->method) == MCP_INITIALIZE) {
        begin_session(r);
        return;
    }
    s = session_of(r);
    if (!s)
        return;
    if (m->kind != RPC_REQUEST) {
        mcp_session_take(s->core, m);
        endpoint_empty(r->http, 202);
        return;
    }
    p = post_new(s, r->http);
    if (!p)
        return;
    sink = (struct mcp_sink){.ctx = p, .message = on_message, .answer = on_answer};
    c = mcp_session_request(s->core, m, &sink);
    if (c)
        start(p, c);
}

/* ---- GET and DELETE */

static struct session_stream *live_stream(struct http_session *s, int64_t number)
{
    if (number == 0)
        return &s->get;
    for (struct legacy_post *p = s->posts; p; p = p->next) {
        if (p->stream.number == number)
            return &p->stream;
    }
    return NULL;
}

static void resume(const struct endpoint_request *r, struct http_session *s, const char *last)
{
    int64_t number, after;
    struct session_stream *stream;

    if (!session_stream_read_id(last, &number, &after)) {
        endpoint_error(r->http, 400, JSON_VIEW_NONE, RPC_INVALID_REQUEST,
                       "Last-Event-ID is not the id of an event of this session");
        return;
    }
    stream = live_stream(s, number);
    if (stream)
        (void)session_stream_attach(stream, r->http, after);
    else
        session_stream_replay_ended(r->server, &s->events, r->http, number, after);
    if (number == 0 && s->get.out)
        mcp_session_listen(s->core, true);
}

void http_legacy_get(const struct endpoint_request *r)
{
    const char *last = http_field_value(r->q->fields, r->q->n_fields, "last-event-id");
    struct http_session *s;

    if (!http_accepts(r->q, "text/event-stream")) {
        endpoint_error(r->http, 406, JSON_VIEW_NONE, RPC_INVALID_REQUEST,
                       "Accept must list text/event-stream");
        return;
    }
    s = session_of(r);
    if (!s)
        return;
    if (last)
        resume(r, s, last);
    else if (session_stream_attach(&s->get, r->http, -1))
        mcp_session_listen(s->core, true);
}

void http_legacy_delete(const struct endpoint_request *r)
{
    struct http_session *s = session_of(r);

    if (!s)
        return;
    http_session_end(s);
    endpoint_empty(r->http, 204);
}
