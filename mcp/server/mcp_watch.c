/* mcp_watch.c - see mcp_watch.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/mcp_watch.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"

#define URI_MAX 8192

struct watch {
    struct mcp_session *session;
    char *uri;
    struct mcp_exchange *x;
    struct mcp_sink sink;    /* of the request */
    char *id;                /* of the request; NULL: it is answered */
    struct loop_timer *drop; /* it ends with the next turn */
};

static void watch_free(struct watch *w)
{
    (void)map_remove(w->session->watches, w->uri);
    if (w->x) {
        mcp_exchange_abandon(w->x);
        mcp_exchange_unref(w->x);
    }
    loop_timer_free(w->drop);
    free(w->uri);
    free(w->id);
    free(w);
}

static void on_drop(void *ctx)
{
    watch_free(ctx);
}

void mcp_watch_push(struct mcp_session *s, enum mcp_method note, struct json_view params)
{
    struct str text = STR_INIT;

    rpc_write_notification(&text, mcp_method_facts(note)->name, params);
    if (str_ok(&text))
        s->push(s->ctx, json_view_str(&text));
    str_deinit(&text);
}

/* code 0: yes, it is watched. */
static void answer(struct watch *w, int64_t code, const char *message)
{
    struct json_view id;
    struct str text = STR_INIT;

    if (!w->id)
        return;
    id = json_view_of(w->id, strlen(w->id));
    if (code)
        rpc_write_error(&text, id, code, message, JSON_VIEW_NONE);
    else
        rpc_write_result(&text, id, JSON_VIEW_NONE);
    w->sink.answer(w->sink.ctx, message_text(&text), code);
    free(w->id);
    w->id = NULL;
    str_deinit(&text);
}

static bool honours(struct json_view acknowledged, const char *uri)
{
    struct json_view list =
        json_view_get(json_view_get(acknowledged, "notifications"), "resourceSubscriptions");

    for (struct json_walk w = json_walk(list); json_walk_next(&w);) {
        if (json_view_is(w.value, uri))
            return true;
    }
    return false;
}

static void on_note(void *ctx, struct mcp_exchange *x, enum mcp_method note,
                    struct json_view params)
{
    struct watch *w = ctx;

    (void)x;
    if (note == MCP_RESOURCE_UPDATED) {
        mcp_watch_push(w->session, note, params);
    } else if (note == MCP_ACKNOWLEDGED && honours(params, w->uri)) {
        answer(w, 0, NULL);
    } else if (note == MCP_ACKNOWLEDGED) {
        answer(w, RPC_INVALID_PARAMS, "the server cannot report changes of this resource");
        if (!w->drop) /* not inside a note of the handler */
            w->drop = loop_timer_new(w->session->server->loop, 0, on_drop, w);
    }
}

static void on_done(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct watch *w = ctx;

    w->x = NULL;
    answer(w, a->kind == MCP_ERROR ? a->code : RPC_INTERNAL_ERROR,
           a->kind == MCP_ERROR ? a->message : "the server does not report changes any more");
    watch_free(w);
    mcp_exchange_unref(x);
}

static struct watch *watch_new(struct mcp_session *s, const char *uri, const struct rpc_message *m,
                               const struct mcp_sink *sink)
{
    struct watch *w = xcalloc(1, sizeof(*w));

    w->session = s;
    w->uri = xstrdup(uri);
    w->sink = *sink;
    w->id = xstrndup(m->id.at, m->id.n);
    (void)map_put(s->watches, uri, w);
    return w;
}

static void start(struct watch *w, struct json_view uri)
{
    struct str params = STR_INIT;

    str_puts(&params, "{\"notifications\":{\"resourceSubscriptions\":[");
    json_view_put(&params, uri);
    str_puts(&params, "]}}");
    if (str_ok(&params))
        w->x = mcp_exchange_new(&(struct mcp_exchange_spec){.method = MCP_LISTEN,
                                                            .caller = w->session->caller,
                                                            .params = json_view_str(&params),
                                                            .events = {on_note, on_done, w}});
    str_deinit(&params);
    if (w->x) {
        mcp_exchange_start(w->x, w->session->server->handler); /* w may be gone */
    } else {
        answer(w, RPC_INTERNAL_ERROR, "out of memory");
        watch_free(w);
    }
}

void mcp_watch_begin(struct mcp_session *s, const struct rpc_message *m,
                     const struct mcp_sink *sink)
{
    struct json_view uri = json_view_get(m->params, "uri");
    struct str text;

    str_init(&text, URI_MAX);
    if (!json_view_text(uri, &text) || !str_ok(&text)) {
        mcp_sink_error(sink, m->id, RPC_INVALID_PARAMS, "\"uri\" must be a string", JSON_VIEW_NONE);
    } else if (map_get(s->watches, str_cstr(&text))) { /* it is watched: the old one goes */
        mcp_watch_end(s, uri);
        start(watch_new(s, str_cstr(&text), m, sink), uri);
    } else if (map_size(s->watches) >= (size_t)s->server->limits.subscriptions) {
        mcp_sink_error(sink, m->id, RPC_INVALID_PARAMS, "this client has too many subscriptions",
                       JSON_VIEW_NONE);
    } else {
        start(watch_new(s, str_cstr(&text), m, sink), uri);
    }
    str_deinit(&text);
}

void mcp_watch_end(struct mcp_session *s, struct json_view uri)
{
    struct str text;
    struct watch *w;

    str_init(&text, URI_MAX);
    if (json_view_text(uri, &text) && str_ok(&text)) {
        w = map_get(s->watches, str_cstr(&text));
        if (w) {
            answer(w, RPC_INTERNAL_ERROR, "the subscription was ended");
            watch_free(w);
        }
    }
    str_deinit(&text);
}

void mcp_watch_end_all(struct mcp_session *s)
{
    void *value;
    size_t i = 0;

    while (map_next(s->watches, &i, NULL, &value)) {
        struct watch *w = value;

        free(w->id); /* nobody is left to hear it */
        w->id = NULL;
        watch_free(w);
        i = 0;
    }
}
