/* client_salvage.c - a list of the server in which an entry is not valid JSON: that one is left
 * out.
 *
 * Each is named in the log once, and known to mcp_client_facts while the connection lives.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/client/client_internal.h"
#include "runtime/base/json_salvage.h"
#include "runtime/base/unicode.h"

#define LEFT_OUT_MAX 1000 /* entries that are remembered */
#define NAME_BYTES   200

struct salvaging {
    struct mcp_client *client;
    const char *list, *key; /* the list, and the member of an entry that names it */
};

static const char *list_of(enum mcp_method m, const char **key)
{
    *key = m == MCP_TOOLS_LIST || m == MCP_PROMPTS_LIST ? "name"
           : m == MCP_RESOURCES_LIST                    ? "uri"
                                                        : "uriTemplate";
    return m == MCP_TOOLS_LIST                 ? "tools"
           : m == MCP_PROMPTS_LIST             ? "prompts"
           : m == MCP_RESOURCES_LIST           ? "resources"
           : m == MCP_RESOURCES_TEMPLATES_LIST ? "resourceTemplates"
                                               : NULL;
}

static void remember(struct mcp_client *c, const struct str *what)
{
    if (!c->left_out_known)
        c->left_out_known = map_new();
    if (map_size(c->left_out_known) >= LEFT_OUT_MAX || map_get(c->left_out_known, str_cstr(what)))
        return;
    (void)map_put(c->left_out_known, str_cstr(what), c);
    if (c->left_out.len == 0)
        str_putc(&c->left_out, '[');
    else
        c->left_out.data[c->left_out.len - 1] = ',';
    str_put_json_string(&c->left_out, str_cstr(what), what->len);
    str_putc(&c->left_out, ']');
    client_line(c, "left out: %s", str_cstr(what));
}

static void dropped(void *ctx, const char *key, size_t n_key, const char *entry, size_t n,
                    const struct error *why)
{
    const struct salvaging *s = ctx;
    size_t n_name = 0;
    const char *name = json_salvage_text(entry, n, s->key, &n_name);
    struct str what = STR_INIT;

    (void)key;
    (void)n_key;
    str_printf(&what, "%.*s ", (int)strlen(s->list) - 1, s->list);
    utf8_clean(name ? name : "without a name",
               name ? (n_name < NAME_BYTES ? n_name : NAME_BYTES) : strlen("without a name"),
               &what);
    str_printf(&what, ": %s", why->message);
    remember(s->client, &what);
    str_deinit(&what);
}

char *client_salvage(struct mcp_client *c, const struct client_request *r, const char *bytes,
                     size_t n)
{
    struct salvaging s = {.client = c};
    const char *path[] = {"result", NULL};
    char *copy;

    path[1] = s.list = list_of(r->method, &s.key);
    copy = s.list ? mem_alloc(n + 1, 1) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, bytes, n);
    if (json_salvage(copy, n, path, 2, &(struct json_salvage){.dropped = dropped, .ctx = &s}) > 0)
        return copy;
    free(copy);
    return NULL;
}

void client_salvage_forget(struct mcp_client *c)
{
    map_free(c->left_out_known, NULL);
    c->left_out_known = NULL;
    str_clear(&c->left_out);
}
