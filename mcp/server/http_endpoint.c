/* http_endpoint.c - the Streamable HTTP endpoint: which method, which media types, which era.
 *
 * Source: MCP 2026-07-28 and 2025-11-25, "Transports", Streamable HTTP.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/http_endpoint.h"

#include <string.h>
#include <strings.h>

#include "mcp/server/request_meta.h"
#include "runtime/base/memory.h"

static void reply_not_allowed(struct http_call *http, const char *allow)
{
    static const char message[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"
                                  "\"message\":\"this method is not allowed here\"}}";
    const struct http_field field = {"Allow", allow};

    http_call_reply(http, &(struct http_reply){.code = 405,
                                               .type = "application/json",
                                               .fields = &field,
                                               .n_fields = 1,
                                               .body = message,
                                               .body_bytes = sizeof(message) - 1});
}

static bool is_json(const struct http_request *q)
{
    const char *type = http_field_value(q->fields, q->n_fields, "content-type");
    size_t n = type ? strcspn(type, "; \t") : 0;

    return n == strlen("application/json") && strncasecmp(type, "application/json", n) == 0;
}

/* ---- POST */

/* A request that says nothing about its era is legacy, unless only modern has its method. */
static bool is_modern(const struct endpoint_request *r)
{
    const struct rpc_message *m = r->message;
    const char *version = http_field_value(r->q->fields, r->q->n_fields, "mcp-protocol-version");
    enum mcp_method method = mcp_method_find(m->method);

    if (!mcp_server_has_era(r->server, MCP_ERA_LEGACY))
        return true;
    if (!mcp_server_has_era(r->server, MCP_ERA_MODERN))
        return false;
    if (request_meta_is_modern(m->params))
        return true;
    if (version && mcp_is_modern(mcp_revision_named(version)))
        return true;
    return m->kind == RPC_REQUEST && method < MCP_METHOD_N &&
           mcp_method_facts(method)->eras == MCP_ERA_MODERN;
}

static void serve_post(struct endpoint_request *r)
{
    const struct http_request *q = r->q;
    struct error err = ERROR_INIT;
    struct rpc_message m;
    enum rpc_code code;

    if (!is_json(q)) {
        endpoint_error(r->http, 415, JSON_VIEW_NONE, RPC_INVALID_REQUEST,
                       "Content-Type must be application/json");
        return;
    }
    if (!http_accepts(q, "application/json") || !http_accepts(q, "text/event-stream")) {
        endpoint_error(r->http, 406, JSON_VIEW_NONE, RPC_INVALID_REQUEST,
                       "Accept must list application/json and text/event-stream");
        return;
    }
    if (rpc_read(q->body, (size_t)q->body_bytes, r->server->limits.message_bytes, &m, &code,
                 &err)) {
        endpoint_error(r->http, 400, m.id, code, err.message);
        return;
    }
    r->message = &m;
    if (is_modern(r))
        http_modern_post(r);
    else
        http_legacy_post(r);
}

void mcp_server_http(struct mcp_server *s, struct http_call *http, const char *principal,
                     const char *view)
{
    const struct http_request *q = http_call_request(http);
    const char *session = http_field_value(q->fields, q->n_fields, "mcp-session-id");
    bool legacy = mcp_server_has_era(s, MCP_ERA_LEGACY) && session;
    struct endpoint_request r = {.server = s,
                                 .http = http,
                                 .q = q,
                                 .principal = principal,
                                 .view = view,
                                 .session = session};

    if (q->method == HTTP_POST)
        serve_post(&r);
    else if (q->method == HTTP_GET && legacy)
        http_legacy_get(&r);
    else if (q->method == HTTP_DELETE && legacy)
        http_legacy_delete(&r);
    else
        reply_not_allowed(http, legacy ? "POST, GET, DELETE" : "POST");
}
