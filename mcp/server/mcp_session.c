/* mcp_session.c - see mcp_session.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/mcp_session.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/server/mcp_round.h"
#include "mcp/server/mcp_watch.h"
#include "mcp/server/request_meta.h"
#include "runtime/base/memory.h"

/* ---- life */

/* The client's revision if we have it, else our newest: the client decides whether that will do. */
static enum mcp_revision negotiate(struct json_view wanted)
{
    enum mcp_revision r = mcp_revision_find(wanted);

    return r < MCP_REVISION_N && !mcp_is_modern(r) ? r : MCP_NEWEST_LEGACY;
}

enum status mcp_session_new(const struct mcp_session_spec *spec, struct json_view params,
                            struct mcp_session **out, struct error *err)
{
    struct json_view version = json_view_get(params, "protocolVersion"),
                     capabilities = json_view_get(params, "capabilities"),
                     info = json_view_get(params, "clientInfo");
    struct mcp_session *s;

    if (json_view_kind(version) != JV_STRING || json_view_kind(capabilities) != JV_OBJECT)
        return error_set(err, STATUS_INVALID,
                         "initialize needs \"protocolVersion\", a string, and \"capabilities\", an "
                         "object");
    if (info.at && json_view_kind(info) != JV_OBJECT)
        return error_set(err, STATUS_INVALID, "\"clientInfo\" must be an object");
    s = xcalloc(1, sizeof(*s));
    s->server = spec->server;
    s->push = spec->push;
    s->ctx = spec->ctx;
    s->log_level = MCP_LOG_INFO; /* a client that never asked gets some */
    s->calls = map_new();
    s->asked = map_new();
    s->watches = map_new();
    s->caller = mcp_caller_new(&(struct mcp_caller_spec){.principal = spec->principal,
                                                         .session = spec->id,
                                                         .view = spec->view,
                                                         .revision = negotiate(version),
                                                         .capabilities = capabilities,
                                                         .client_info = info});
    s->caller->can &= ~(unsigned)MCP_CAN_TASKS; /* those of 2025-11-25 are others */
    *out = s;
    return STATUS_OK;
}

void mcp_session_free(struct mcp_session *s)
{
    struct mcp_call *c;
    void *value;
    size_t i = 0;

    if (!s)
        return;
    while (map_next(s->calls, &i, NULL, &value)) {
        c = value;
        c->in_flight = NULL; /* the map does not change while it is walked */
        mcp_call_abandon(c);
    }
    mcp_watch_end_all(s);
    mcp_session_listen(s, false);
    if (s->server->handler->caller_gone)
        s->server->handler->caller_gone(s->server->handler->ctx, s->caller);
    map_free(s->calls, NULL);
    map_free(s->asked, NULL);
    map_free(s->watches, NULL);
    mcp_caller_unref(s->caller);
    free(s);
}

/* ---- requests */

static void answer_empty(const struct mcp_sink *sink, struct json_view id)
{
    struct str text = STR_INIT;

    rpc_write_result(&text, id, JSON_VIEW_NONE);
    sink->answer(sink->ctx, message_text(&text), 0);
    str_deinit(&text);
}

static void set_level(struct mcp_session *s, const struct rpc_message *m,
                      const struct mcp_sink *sink)
{
    enum mcp_log_level level = mcp_log_level_find(json_view_get(m->params, "level"));

    if (level == MCP_LOG_NONE) {
        mcp_sink_error(sink, m->id, RPC_INVALID_PARAMS,
                       "\"level\" must be one of debug, info, notice, warning, error, critical, "
                       "alert, emergency",
                       JSON_VIEW_NONE);
        return;
    }
    s->log_level = level;
    answer_empty(sink, m->id);
}

/* The requests that the session answers itself. */
static bool answer_here(struct mcp_session *s, enum mcp_method method, const struct rpc_message *m,
                        const struct mcp_sink *sink)
{
    switch (method) {
    case MCP_PING:
        answer_empty(sink, m->id);
        return true;
    case MCP_LOGGING_SET_LEVEL:
        set_level(s, m, sink);
        return true;
    case MCP_RESOURCES_SUBSCRIBE:
        mcp_watch_begin(s, m, sink);
        return true;
    case MCP_RESOURCES_UNSUBSCRIBE:
        mcp_watch_end(s, json_view_get(m->params, "uri"));
        answer_empty(sink, m->id);
        return true;
    default:
        return false;
    }
}

static const char *fault_of(const struct mcp_session *s, enum mcp_method method,
                            const struct rpc_message *m, int64_t *code)
{
    const struct mcp_method_facts *facts = method < MCP_METHOD_N ? mcp_method_facts(method) : NULL;

    *code = RPC_INVALID_REQUEST;
    if (map_get_n(s->calls, m->id.at, m->id.n))
        return "a request with this id is in flight";
    if (map_size(s->calls) >= (size_t)s->server->limits.calls)
        return "too many requests of this client are in flight";
    *code = RPC_METHOD_NOT_FOUND;
    if (!facts || facts->kind != MCP_OF_CLIENT || !(facts->eras & MCP_ERA_LEGACY))
        return "there is no such method";
    return NULL;
}

struct mcp_call *mcp_session_request(struct mcp_session *s, const struct rpc_message *m,
                                     const struct mcp_sink *sink)
{
    enum mcp_method method = mcp_method_find(m->method);
    int64_t code;
    const char *fault = fault_of(s, method, m, &code);
    struct mcp_call *c;

    if (fault) {
        mcp_sink_error(sink, m->id, code, fault, JSON_VIEW_NONE);
        return NULL;
    }
    if (answer_here(s, method, m, sink))
        return NULL;
    c = mcp_call_new(&(struct mcp_call_spec){.server = s->server,
                                             .session = s,
                                             .caller = s->caller,
                                             .method = method,
                                             .id = m->id,
                                             .params = m->params,
                                             .token = request_meta_token(m->params),
                                             .log_level = s->log_level,
                                             .in_flight = s->calls,
                                             .sink = *sink});
    if (!c)
        mcp_sink_error(sink, m->id, RPC_INTERNAL_ERROR, "out of memory", JSON_VIEW_NONE);
    return c;
}

/* ---- what needs no answer */

static void cancel(struct mcp_session *s, struct json_view id)
{
    struct mcp_call *c = id.at ? map_get_n(s->calls, id.at, id.n) : NULL;

    if (c && c->method != MCP_INITIALIZE)
        mcp_call_cancel(c);
}

void mcp_session_take(struct mcp_session *s, const struct rpc_message *m)
{
    const struct mcp_handler *h = s->server->handler;

    if (m->kind == RPC_RESULT || m->kind == RPC_ERROR) {
        mcp_round_answer(s, m);
        return;
    }
    switch (mcp_method_find(m->method)) {
    case MCP_CANCELLED:
        cancel(s, json_view_get(m->params, "requestId"));
        break;
    case MCP_ROOTS_CHANGED:
        if (h->roots_changed)
            h->roots_changed(h->ctx, s->caller);
        break;
    default: /* notifications that are not known are ignored */
        break;
    }
}

/* ---- lists */

static void on_list_note(void *ctx, struct mcp_exchange *x, enum mcp_method note,
                         struct json_view params)
{
    (void)x;
    if (note != MCP_ACKNOWLEDGED && note != MCP_TASK_CHANGED)
        mcp_watch_push(ctx, note, params);
}

static void on_list_done(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct mcp_session *s = ctx;

    (void)a; /* a handler without subscriptions: nothing will change */
    s->listen = NULL;
    mcp_exchange_unref(x);
}

void mcp_session_listen(struct mcp_session *s, bool yes)
{
    static const char all[] = "{\"notifications\":{\"toolsListChanged\":true,"
                              "\"promptsListChanged\":true,\"resourcesListChanged\":true}}";

    if (yes == (s->listen != NULL))
        return;
    if (!yes) {
        mcp_exchange_abandon(s->listen);
        mcp_exchange_unref(s->listen);
        s->listen = NULL;
        return;
    }
    s->listen =
        mcp_exchange_new(&(struct mcp_exchange_spec){.method = MCP_LISTEN,
                                                     .caller = s->caller,
                                                     .params = json_view_of(all, sizeof(all) - 1),
                                                     .events = {on_list_note, on_list_done, s}});
    if (s->listen)
        mcp_exchange_start(s->listen, s->server->handler);
}
