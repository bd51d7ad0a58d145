/* hub_task.c - tasks of servers (SEP-2663) under ids of the hub.
 *
 * An id for a client is sealed (hub_seal.h): it holds the server and the server's id, opens only
 * for the principal that was given it, and needs no table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "mcp/hub/hub_internal.h"

#define FOREVER INT64_MAX /* the server decides how long a task is kept */

static struct hub_bond bond_of(const struct mcp_caller *c)
{
    return (struct hub_bond){
        .principal = c->principal, .server = "", .request = sha256_of("task", 4)};
}

/* The JSON string of a new id; false: no memory, or `own` is not a string. */
static bool put_id(const struct hub *h, const struct mcp_caller *c, const struct hub_server *s,
                   struct json_view own, struct str *out)
{
    const char *server = hub_source_name(s->source);
    const struct hub_bond bond = bond_of(c);
    struct str inner, sealed = STR_INIT;
    bool ok;

    str_init(&inner, own.n + strlen(server) + 2);
    str_printf(&inner, "%s\n", server);
    ok = json_view_text(own, &inner) && str_ok(&inner) &&
         hub_seal_put(h->task_seal, &bond, FOREVER, str_cstr(&inner), inner.len, &sealed);
    if (ok)
        str_put_json_string(out, str_cstr(&sealed), sealed.len);
    str_deinit(&inner);
    str_deinit(&sealed);
    return ok;
}

bool hub_task_find(const struct hub *h, const struct mcp_caller *c, const char *shown,
                   struct hub_server **server, struct str *own)
{
    unsigned char nonce[HUB_NONCE_BYTES];
    const struct hub_bond bond = bond_of(c);
    size_t n = strlen(shown);
    struct str inner;
    char *line;

    str_init(&inner, n + 1);
    *server = NULL;
    if (!hub_seal_open(h->task_seal, &bond, shown, n, nonce, &inner, NULL)) {
        line = memchr(inner.data, '\n', inner.len);
        *line = '\0';
        *server = hub_server_find(h, inner.data);
        str_puts(own, line + 1);
    }
    str_deinit(&inner);
    return *server && hub_sees_server(h, c, *server);
}

bool hub_task_put_result(const struct hub *h, const struct mcp_caller *c,
                         const struct hub_server *s, struct json_view result, const char *shown,
                         const struct hub_uris *uris, struct str *out)
{
    struct json_view own = json_view_get(result, "taskId"), inner = json_view_get(result, "result");
    struct str id = STR_INIT, rewritten;
    struct json_change changes[2];
    size_t n = 0;
    bool ok = true;

    str_init(&rewritten, 4 * inner.n + 1024);
    if (own.at) {
        if (shown)
            str_put_json_string(&id, shown, strlen(shown));
        else
            ok = put_id(h, c, s, own, &id);
        if (ok)
            changes[n++] = (struct json_change){.key = "taskId", .value = json_view_str(&id)};
    }
    if (json_view_kind(inner) == JV_OBJECT) {
        hub_rewrite_result(MCP_TOOLS_CALL, inner, uris, &rewritten);
        changes[n++] = (struct json_change){.key = "result", .value = json_view_str(&rewritten)};
    }
    if (ok)
        json_view_put_changed(out, result, changes, n);
    str_deinit(&id);
    str_deinit(&rewritten);
    return ok;
}
