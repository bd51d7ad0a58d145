/* client_probe.c - finds out which era the server speaks, and which revision.
 *
 *   server/discover   a result, or an error that only a modern server sends: modern
 *                     any other error, or no answer in time: legacy
 *   initialize        on the same connection, once; the late answer of discover is dropped
 *                     (first, if the client prefers legacy: then an error means discover, above)
 *   HTTP+SSE          if initialize was refused with a 4xx code, over HTTP
 *
 * Source: MCP 2026-07-28, "Versioning", fallback; 2025-11-25, "Lifecycle", "Backwards
 * compatibility". SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/client/client_envelope.h"
#include "mcp/client/client_internal.h"
#include "mcp/rpc/rpc.h"

static void fail(struct mcp_client *c, enum status st, const char *what)
{
    struct error err = ERROR_INIT;

    (void)error_set(&err, st, "%s: %s", c->spec.name, what);
    client_set_down(c, &err);
}

/* ---- initialize */

static void on_initialize(void *ctx, const struct client_reply *reply);

static void start_sse(struct mcp_client *c);
static void discover(struct mcp_client *c, enum mcp_revision r);

static void initialize(struct mcp_client *c)
{
    struct str params = STR_INIT;
    struct client_request_spec spec = {.method = MCP_INITIALIZE,
                                       .limit_ms = c->spec.limits.initialize_ms,
                                       .ctx = c,
                                       .done = on_initialize};
    struct error err = ERROR_INIT;
    enum status st;

    client_link_use(c->link, MCP_NEWEST_LEGACY);
    str_printf(&params, "{\"protocolVersion\":\"%s\",\"capabilities\":",
               mcp_revision_name(MCP_NEWEST_LEGACY));
    envelope_abilities(&params, c->spec.abilities);
    str_puts(&params, ",\"clientInfo\":");
    str_puts(&params, str_cstr(&c->info));
    str_putc(&params, '}');
    spec.params = json_view_str(&params);
    st = client_request_send(c, &spec, &c->probe, &err);
    str_deinit(&params);
    if (st)
        client_set_down(c, &err);
}

static void on_initialized(struct mcp_client *c, struct json_view result)
{
    struct json_view version = json_view_get(result, "protocolVersion");
    enum mcp_revision r = mcp_revision_find(version);
    struct str text = STR_INIT;

    if (r == MCP_REVISION_N || mcp_is_modern(r)) {
        struct error err = ERROR_INIT;

        (void)error_set(&err, STATUS_UNSUPPORTED,
                        "%s answers initialize with the revision %.*s, which is not a known one",
                        c->spec.name, (int)(version.n < 64 ? version.n : 64),
                        version.at ? version.at : "(none)");
        client_set_down(c, &err);
        return;
    }
    client_agree(c, r, result);
    rpc_write_notification(&text, mcp_method_facts(MCP_INITIALIZED)->name, JSON_VIEW_NONE);
    client_send_text(c, MCP_INITIALIZED, &text);
    str_deinit(&text);
    if (!client_link_listen(c->link))
        client_set_ready(c);
}

static void on_initialize(void *ctx, const struct client_reply *reply)
{
    struct mcp_client *c = ctx;
    int code = reply->http_code;

    c->probe = NULL;
    if (c->state != MCP_CLIENT_STARTING)
        return;
    if (reply->message && reply->message->kind == RPC_RESULT) {
        on_initialized(c, reply->message->result);
        return;
    }
    if (c->may_be_modern && (reply->message || (code >= 400 && code != 401 && code != 403))) {
        c->may_be_modern = false;
        discover(c, MCP_NEWEST);
        return;
    }
    if (c->transport == MCP_OVER_HTTP && code >= 400 && code < 500 && code != 401 && code != 403) {
        start_sse(c);
        return;
    }
    if (reply->message) {
        struct str text = STR_INIT;

        (void)json_view_text(reply->message->message, &text);
        fail(c, STATUS_FAILED, str_cstr(&text));
        str_deinit(&text);
    } else {
        client_set_down(c, reply->err);
    }
}

static void start_sse(struct mcp_client *c)
{
    struct error err = ERROR_INIT;

    client_leave_link(c);
    if (client_open_link(c, MCP_OVER_HTTP_SSE, &err))
        client_set_down(c, &err);
    else
        initialize(c);
}

/* ---- server/discover */

/* The newest modern revision of the list that is known here; MCP_REVISION_N: none. */
static enum mcp_revision newest_of(struct json_view list)
{
    enum mcp_revision best = MCP_REVISION_N;

    for (struct json_walk w = json_walk(list); json_walk_next(&w);) {
        enum mcp_revision r = mcp_revision_find(w.value);

        if (mcp_is_modern(r) && (best == MCP_REVISION_N || r > best))
            best = r;
    }
    return best;
}

static void on_discover(void *ctx, const struct client_reply *reply);

static void discover(struct mcp_client *c, enum mcp_revision r)
{
    struct str params = STR_INIT;
    struct envelope e = {.revision = r, .client_info = json_view_str(&c->info)};
    struct client_request_spec spec = {
        .method = MCP_DISCOVER, .limit_ms = c->spec.limits.probe_ms, .ctx = c, .done = on_discover};
    struct error err = ERROR_INIT;
    enum status st;

    client_link_use(c->link, r);
    envelope_modern(&params, JSON_VIEW_NONE, &e);
    spec.params = json_view_str(&params);
    st = client_request_send(c, &spec, &c->probe, &err);
    str_deinit(&params);
    if (st)
        client_set_down(c, &err);
}

static void fall_back(struct mcp_client *c, const struct client_reply *reply)
{
    if (c->spec.eras & MCP_ERA_LEGACY)
        initialize(c);
    else if (reply->err)
        client_set_down(c, reply->err);
    else
        fail(c, STATUS_UNSUPPORTED, "the server does not speak a modern revision of MCP");
}

static void on_discovered(struct mcp_client *c, const struct client_reply *reply)
{
    struct json_view result = reply->message->result;
    enum mcp_revision r = newest_of(json_view_get(result, "supportedVersions"));

    if (r == MCP_REVISION_N) {
        fall_back(c, reply);
        return;
    }
    client_agree(c, r, result);
    client_set_ready(c);
}

static void on_discover_error(struct mcp_client *c, const struct client_reply *reply)
{
    const struct rpc_message *m = reply->message;
    enum mcp_revision r;

    if (m->code == RPC_UNSUPPORTED_VERSION) {
        r = newest_of(json_view_get(m->data, "supported"));
        if (r != MCP_REVISION_N && !c->has_retried) {
            c->has_retried = true;
            discover(c, r);
            return;
        }
        fall_back(c, reply);
        return;
    }
    if (m->code == RPC_HEADER_MISMATCH || m->code == RPC_MISSING_CAPABILITY) {
        struct str text = STR_INIT;

        (void)json_view_text(m->message, &text);
        fail(c, STATUS_FAILED, str_cstr(&text));
        str_deinit(&text);
        return;
    }
    fall_back(c, reply);
}

static void on_discover(void *ctx, const struct client_reply *reply)
{
    struct mcp_client *c = ctx;
    bool is_refused = reply->http_code == 401 || reply->http_code == 403;

    c->probe = NULL;
    if (c->state != MCP_CLIENT_STARTING)
        return;
    if (reply->message && reply->message->kind == RPC_RESULT)
        on_discovered(c, reply);
    else if (reply->message && !is_refused)
        on_discover_error(c, reply);
    else if (reply->err && (is_refused || (c->transport != MCP_OVER_STDIO && !reply->http_code &&
                                           reply->err->status != STATUS_TIMEOUT)))
        client_set_down(c, reply->err); /* it says nothing about the era */
    else
        fall_back(c, reply);
}

/* ---- */

static void ask(struct mcp_client *c)
{
    bool legacy_first = !(c->spec.eras & MCP_ERA_MODERN) ||
                        (c->transport != MCP_OVER_STDIO && c->eras_known == MCP_ERA_LEGACY &&
                         (c->spec.eras & MCP_ERA_LEGACY));

    c->has_retried = false;
    c->may_be_modern = c->spec.prefers_legacy && c->spec.eras == MCP_ERA_BOTH &&
                       c->eras_known != MCP_ERA_MODERN && !legacy_first;
    if (c->may_be_modern || legacy_first || c->transport == MCP_OVER_HTTP_SSE)
        initialize(c);
    else
        discover(c, MCP_NEWEST);
}

void client_probe(struct mcp_client *c)
{
    enum mcp_transport t = c->eras_known ? c->transport : c->spec.transport;
    struct error err = ERROR_INIT;

    if (client_open_link(c, t, &err))
        client_set_down(c, &err);
    else
        ask(c);
}

void client_probe_again(struct mcp_client *c)
{
    if (c->state != MCP_CLIENT_READY)
        return;
    client_line(c, "the server has ended the session; a new one begins");
    c->has_reinitialized = true;
    c->state = MCP_CLIENT_STARTING;
    client_listen_lost(c);
    if (c->spec.events.state)
        c->spec.events.state(c->spec.events.ctx, c->state);
    if (c->state == MCP_CLIENT_STARTING)
        initialize(c);
}
