/* client_facts.c - what is known of a client and its server.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/client/client_call.h"

#define LINE_MAX_BYTES 1024

bool client_is_modern(const struct mcp_client *c)
{
    return mcp_is_modern(c->revision);
}

static struct json_view about(const struct mcp_client *c)
{
    return c->about.len > 0 ? json_view_str(&c->about) : JSON_VIEW_NONE;
}

static struct json_view member(const struct mcp_client *c, const char *key)
{
    return json_view_get(about(c), key);
}

bool client_can(const struct mcp_client *c, const char *key, const char *part)
{
    struct json_view v = json_view_get(member(c, "capabilities"), key);

    if (!part)
        return json_view_kind(v) == JV_OBJECT;
    return json_view_bool(json_view_get(v, part), false);
}

struct mcp_client_facts mcp_client_facts(const struct mcp_client *c)
{
    struct json_view meta = member(c, "_meta"), info = member(c, "serverInfo");

    if (!info.at)
        info = json_view_get(meta, MCP_META_SERVER);
    return (struct mcp_client_facts){
        .state = c->state,
        .transport = c->transport,
        .revision = c->revision,
        .capabilities = member(c, "capabilities"),
        .server_info = info,
        .instructions = member(c, "instructions"),
        .left_out = c->left_out.len > 0 ? json_view_str(&c->left_out) : JSON_VIEW_NONE,
        .fault = str_cstr(&c->fault),
        .pid = c->link ? client_link_pid(c->link) : 0,
    };
}

struct mcp_client_counts mcp_client_counts(const struct mcp_client *c)
{
    struct mcp_client_counts n = c->counts;

    n.open = c->n_calls;
    for (const struct client_call *call = c->calls; call; call = call->next)
        n.parked += call->is_parked;
    return n;
}

void client_line(struct mcp_client *c, const char *fmt, ...)
{
    struct str text;
    va_list ap;

    if (!c->spec.events.line)
        return;
    str_init(&text, LINE_MAX_BYTES);
    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    if (str_ok(&text))
        c->spec.events.line(c->spec.events.ctx, false, str_cstr(&text), text.len);
    str_deinit(&text);
}
