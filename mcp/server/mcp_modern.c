/* mcp_modern.c - see mcp_modern.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/mcp_modern.h"

static void answer_unsupported(struct mcp_server *s, const struct rpc_message *m,
                               struct json_view requested, const struct mcp_sink *sink)
{
    struct str data = STR_INIT;

    str_puts(&data, "{\"supported\":");
    mcp_server_put_revisions(s, &data);
    str_puts(&data, ",\"requested\":");
    json_view_put(&data, requested);
    str_putc(&data, '}');
    mcp_sink_error(sink, m->id, RPC_UNSUPPORTED_VERSION,
                   "this protocol version is not supported in this form", message_part(&data));
    str_deinit(&data);
}

bool mcp_modern_read(struct mcp_server *s, const struct rpc_message *m, const struct mcp_sink *sink,
                     struct request_meta *out)
{
    struct error err = ERROR_INIT;

    if (!request_meta_is_modern(m->params) && mcp_method_find(m->method) == MCP_INITIALIZE) {
        answer_unsupported(s, m, json_view_get(m->params, "protocolVersion"), sink);
        return false;
    }
    if (request_meta_read(m->params, out, &err)) {
        mcp_sink_error(sink, m->id, RPC_INVALID_PARAMS, err.message, JSON_VIEW_NONE);
        return false;
    }
    return true;
}

bool mcp_modern_check(struct mcp_server *s, const struct rpc_message *m,
                      const struct request_meta *meta, const struct mcp_sink *sink,
                      enum mcp_method *out)
{
    enum mcp_method method = mcp_method_find(m->method);
    const struct mcp_method_facts *facts = method < MCP_METHOD_N ? mcp_method_facts(method) : NULL;

    if (!mcp_is_modern(meta->revision)) {
        answer_unsupported(s, m, meta->version, sink);
        return false;
    }
    if (!facts || facts->kind != MCP_OF_CLIENT || !(facts->eras & MCP_ERA_MODERN)) {
        mcp_sink_error(sink, m->id, RPC_METHOD_NOT_FOUND, "there is no such method",
                       JSON_VIEW_NONE);
        return false;
    }
    *out = method;
    return true;
}

struct mcp_caller *mcp_modern_caller(const char *principal, const char *session, const char *view,
                                     const struct request_meta *meta)
{
    return mcp_caller_new(&(struct mcp_caller_spec){.principal = principal,
                                                    .session = session,
                                                    .view = view,
                                                    .revision = meta->revision,
                                                    .capabilities = meta->capabilities,
                                                    .client_info = meta->client_info});
}

struct mcp_call *mcp_modern_call(const struct modern_request *q)
{
    struct mcp_call *c = mcp_call_new(&(struct mcp_call_spec){.server = q->server,
                                                              .caller = q->caller,
                                                              .method = q->method,
                                                              .id = q->message->id,
                                                              .params = q->message->params,
                                                              .token = q->meta.token,
                                                              .log_level = q->meta.log_level,
                                                              .in_flight = q->in_flight,
                                                              .sink = q->sink});

    if (!c)
        mcp_sink_error(&q->sink, q->message->id, RPC_INTERNAL_ERROR, "out of memory",
                       JSON_VIEW_NONE);
    return c;
}
