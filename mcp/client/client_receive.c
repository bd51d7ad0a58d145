/* client_receive.c - what comes from the server: answers, notes, requests, garbage.
 *
 * Nothing of it is trusted. An answer counts if its id is one of ours that is open and, where the
 * stream is known, if it came on the stream of its request.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "mcp/client/client_call.h"
#include "mcp/client/client_envelope.h"
#include "mcp/client/client_internal.h"
#include "mcp/rpc/rpc.h"

#define GARBAGE_LINES 10 /* that are shown */

static void garbage(struct mcp_client *c, const char *why)
{
    if (++c->counts.garbage <= GARBAGE_LINES)
        client_line(c, "a message of the server was dropped: %s", why);
}

/* ---- answers */

static bool take_answer(struct mcp_client *c, int64_t from, const struct rpc_message *m)
{
    /* An error about a message that could not be read has no id: the stream says which. */
    int64_t id = m->id.at ? json_view_int(m->id, -1) : from;
    struct client_request *r = id > 0 ? client_request_find(c, id) : NULL;

    if (r && (from == 0 || from == id)) {
        client_request_end(r, &(struct client_reply){.message = m});
        return true;
    }
    if (id > 0 && id < c->next_id && !r)
        c->counts.late++;
    else
        c->counts.unknown++;
    return false;
}

/* ---- requests of the server */

static void list_roots(struct mcp_client *c, struct json_view id)
{
    struct str result = STR_INIT;

    str_puts(&result, "{\"roots\":");
    json_view_put(&result, c->spec.roots);
    str_putc(&result, '}');
    client_send_result(c, id, json_view_str(&result));
    str_deinit(&result);
}

static void take_request(struct mcp_client *c, int64_t from, const struct rpc_message *m)
{
    enum mcp_method method = mcp_method_find(m->method);
    bool is_ambiguous = false;
    struct client_call *call;

    if (client_is_modern(c)) { /* there is no such thing, and no way to answer over HTTP */
        c->counts.refused++;
        return;
    }
    if (method == MCP_PING) {
        client_send_result(c, m->id, JSON_VIEW_NONE);
        return;
    }
    if (method == MCP_METHOD_N || !mcp_ability_for(method, m->params)) {
        client_refuse(c, m->id, RPC_METHOD_NOT_FOUND, "this client has no such method");
        return;
    }
    call = client_call_of(c, from, &is_ambiguous);
    if (call && !client_call_can_ask(call))
        call = NULL;
    if (call && (call->caller->can & mcp_ability_for(method, m->params)))
        client_park_ask(call, m->id, method, m->params);
    else if (method == MCP_ROOTS_LIST && c->spec.roots.at)
        list_roots(c, m->id);
    else if (is_ambiguous)
        client_refuse(c, m->id, RPC_INVALID_REQUEST,
                      "calls of several users are open, and this request names none of them");
    else
        client_refuse(c, m->id, RPC_METHOD_NOT_FOUND,
                      call ? "the client that made this call does not offer this"
                           : "no call is open that this request could belong to");
}

/* ---- notes */

static void take_progress(struct mcp_client *c, int64_t from, struct json_view params)
{
    int64_t token = json_view_int(json_view_get(params, "progressToken"), -1);
    struct client_request *r = token > 0 ? client_request_find(c, token) : NULL;
    struct str text = STR_INIT;

    if (!r || (from != 0 && from != token)) {
        c->counts.late++;
        return;
    }
    if (r->timer)
        client_request_limit(r, true);
    envelope_note(&text, MCP_PROGRESS, params);
    if (r->note && str_ok(&text))
        r->note(r->ctx, MCP_PROGRESS, json_view_str(&text));
    str_deinit(&text);
}

static void take_log(struct mcp_client *c, int64_t from, struct json_view params)
{
    bool is_ambiguous;
    struct client_call *call = client_call_of(c, from, &is_ambiguous);

    if (call)
        client_call_note(call, MCP_MESSAGE, params);
    else if (c->spec.events.message)
        c->spec.events.message(c->spec.events.ctx, params);
}

/* Of a listen stream: which one, over stdio, says the subscription id. */
static void take_acknowledged(struct mcp_client *c, int64_t from, struct json_view params)
{
    struct json_view meta = json_view_get(params, "_meta");
    int64_t id = json_view_int(json_view_get(meta, MCP_META_SUBSCRIPTION), from);
    struct client_request *r = id > 0 ? client_request_find(c, id) : NULL;

    if (r && r->method == MCP_LISTEN && r->note)
        r->note(r->ctx, MCP_ACKNOWLEDGED, params);
    else
        c->counts.unknown++;
}

static void take_note(struct mcp_client *c, int64_t from, const struct rpc_message *m)
{
    enum mcp_method note = mcp_method_find(m->method);

    if (c->state != MCP_CLIENT_READY && note != MCP_MESSAGE)
        return;
    switch (note) {
    case MCP_PROGRESS:
        take_progress(c, from, m->params);
        break;
    case MCP_MESSAGE:
        take_log(c, from, m->params);
        break;
    case MCP_TOOLS_CHANGED:
    case MCP_PROMPTS_CHANGED:
    case MCP_RESOURCES_CHANGED:
        client_changed(c, note);
        break;
    case MCP_RESOURCE_UPDATED:
        client_updated(c, m->params);
        break;
    case MCP_ACKNOWLEDGED:
        take_acknowledged(c, from, m->params);
        break;
    case MCP_ELICIT_COMPLETE:
        client_park_completed(c, m->params);
        break;
    case MCP_CANCELLED:
        client_park_withdraw(c, json_view_get(m->params, "requestId"));
        break;
    default: /* of an extension, or of an older revision: nobody has asked for it */
        break;
    }
}

/* ---- from the link */

/* true: an answer to an open request. */
static bool take(struct mcp_client *c, int64_t from, const struct rpc_message *m)
{
    switch (m->kind) {
    case RPC_RESULT:
    case RPC_ERROR:
        return take_answer(c, from, m);
    case RPC_REQUEST:
        take_request(c, from, m);
        break;
    case RPC_NOTIFICATION:
        take_note(c, from, m);
        break;
    }
    return false;
}

/* A message that cannot be read; m has what could be. */
static void take_broken(struct mcp_client *c, int64_t from, const char *bytes, size_t n,
                        struct rpc_message *m, struct error *err)
{
    int64_t id = m->id.at ? json_view_int(m->id, -1) : rpc_peek_id(bytes, n);
    struct client_request *r = !m->method.at ? client_request_find(c, id) : NULL;
    bool is_answer = r && (from == 0 || from == r->id);
    char *rest = is_answer ? client_salvage(c, r, bytes, n) : NULL;
    enum rpc_code code;

    if (rest && !rpc_read(rest, n, c->spec.limits.message_bytes, m, &code, NULL)) {
        (void)take(c, from, m);
    } else {
        garbage(c, err->message);
        error_note(err, "the answer of %s is not valid", c->spec.name);
        if (is_answer)
            client_request_end(r, &(struct client_reply){.err = err});
    }
    free(rest);
}

bool client_receive(void *ctx, int64_t from, const char *bytes, size_t n)
{
    struct mcp_client *c = ctx;
    struct error err = ERROR_INIT;
    struct rpc_message m;
    enum rpc_code code;

    if (rpc_read(bytes, n, c->spec.limits.message_bytes, &m, &code, &err))
        take_broken(c, from, bytes, n, &m, &err);
    else
        return take(c, from, &m);
    return false;
}

/* A message that was too long: of the only request that is open, if there is one alone. */
static struct client_request *only_request(struct mcp_client *c)
{
    const char *key;
    void *value = NULL;
    size_t i = 0;

    if (map_size(c->requests) != 1 || !map_next(c->requests, &i, &key, &value))
        return NULL;
    return value;
}

void client_ended(void *ctx, int64_t id, const struct client_link_end *end)
{
    struct mcp_client *c = ctx;
    struct client_request *r = id ? client_request_find(c, id) : only_request(c);
    struct client_reply reply = {
        .http_code = end->http_code, .session_gone = end->session_gone, .err = end->err};
    struct rpc_message m;
    enum rpc_code code;

    if (id == 0)
        garbage(c, end->err->message);
    if (!r)
        return;
    if (end->n > 0 && !rpc_read(end->body, end->n, c->spec.limits.message_bytes, &m, &code, NULL) &&
        m.kind == RPC_ERROR && (!m.id.at || json_view_int(m.id, -1) == id))
        reply.message = &m;
    client_request_end(r, &reply);
}
