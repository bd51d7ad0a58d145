/* client_site.c - see client_site.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client_site.h"

const char *site_field(const struct http_memory_request *q, const char *name)
{
    const char *v = http_field_value(q->fields, q->n_fields, name);

    return v ? v : "";
}

static void reply(struct site *s, const struct rpc_message *m, const char *result,
                  struct http_memory_reply *out)
{
    str_clear(&s->text);
    str_printf(&s->text, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%s}", (int)m->id.n, m->id.at,
               result);
    out->type = "application/json; charset=utf-8";
    out->body = str_cstr(&s->text);
}

static void discover(struct site *s, const struct rpc_message *m, struct http_memory_reply *out)
{
    if (s->is_modern) {
        reply(s, m,
              "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}},"
              "\"resultType\":\"complete\"}",
              out);
        return;
    }
    out->code = s->refusal;
    out->type = "application/json";
    out->body = s->refusal_body ? s->refusal_body : "Bad Request: Server not initialized";
}

static void initialize(struct site *s, const struct rpc_message *m, struct http_memory_reply *out)
{
    reply(s, m, "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}}}", out);
    (void)snprintf(s->session, sizeof(s->session), "session-%d", ++s->n_sessions);
    s->fields[0] = (struct http_field){"mcp-session-id", s->session};
    out->fields = s->fields;
    out->n_fields = 1;
}

void site_serve(void *ctx, const struct http_memory_request *q, struct http_memory_reply *out)
{
    struct site *s = ctx;
    struct rpc_message m;
    enum rpc_code code;

    if (strcmp(q->method, "POST") != 0) {
        out->code = 405;
        return;
    }
    assert_ok(rpc_read(q->body, q->body_bytes, STR_MAX_DEFAULT, &m, &code, why));
    if (!m.id.at || !m.method.at)
        out->code = 202;
    else if (json_view_is(m.method, "server/discover"))
        discover(s, &m, out);
    else if (json_view_is(m.method, "initialize"))
        initialize(s, &m, out);
    else if (!s->is_modern &&
             (strcmp(site_field(q, "mcp-session-id"), s->session) != 0 || s->n_lost > 0))
        out->code = s->n_lost-- > 0 ? 404 : 400;
    else
        reply(s, &m, json_view_is(m.method, "tools/list") && s->tools ? s->tools : s->call, out);
}

void site_init(struct site *s, bool is_modern)
{
    *s = (struct site){.is_modern = is_modern, .refusal = 400, .call = "{\"content\":[]}"};
    world_init(&s->w, is_modern);
    world_over_http(&s->w);
    s->text = STR_INIT;
    http_memory_serve(s->w.memory, site_serve, s);
}

void site_ready(struct site *s)
{
    world_start(&s->w);
    mcp_client_start(s->w.client);
    world_until_int(s->w.loop, (const int *)&s->w.state, MCP_CLIENT_READY);
    assert_int_equal(s->w.state, MCP_CLIENT_READY);
}

void site_deinit(struct site *s)
{
    world_deinit(&s->w);
    str_deinit(&s->text);
}

const struct http_memory_request *site_last(struct site *s, const char *text)
{
    for (int32_t i = http_memory_n_requests(s->w.memory); i-- > 0;) {
        const struct http_memory_request *q = http_memory_request(s->w.memory, i);

        if (strstr(q->body, text))
            return q;
    }
    fail_msg("no request has %s", text);
    return NULL;
}

int site_count(struct site *s, const char *text)
{
    int n = 0;

    for (int32_t i = 0; i < http_memory_n_requests(s->w.memory); i++)
        n += strstr(http_memory_request(s->w.memory, i)->body, text) != NULL;
    return n;
}

void site_ask(struct site *s, struct asked *a, enum mcp_method method, const char *params)
{
    world_ask_spec(&s->w, a, (struct mcp_exchange_spec){.method = method, .wants_progress = true},
                   params, NULL);
}
