/* hub_peer_watch.c - what a server says about changes of its lists and resources.
 *
 * Two listens: one for the lists, open as long as the server runs; one for the resources that
 * somebody watches, opened again when the set changes (the new one first, so that nothing is
 * missed). A server that cannot listen stays connected: its lists are kept for a short time only.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_peer_internal.h"
#include "runtime/base/memory.h"

static void list_changed(struct hub_peer *p, enum hub_list_kind kind, enum mcp_method note,
                         struct json_view params)
{
    p->list[kind].out_of_date = true;
    if (kind == HUB_RESOURCES)
        p->list[HUB_TEMPLATES].out_of_date = true;
    if (p->changed)
        p->changed(p->ctx, p->instance, note, params);
}

static void watch_note(void *ctx, struct mcp_exchange *x, enum mcp_method note,
                       struct json_view params)
{
    struct hub_peer *p = ctx;

    (void)x;
    if (note == MCP_TOOLS_CHANGED)
        list_changed(p, HUB_TOOLS, note, params);
    else if (note == MCP_PROMPTS_CHANGED)
        list_changed(p, HUB_PROMPTS, note, params);
    else if (note == MCP_RESOURCES_CHANGED)
        list_changed(p, HUB_RESOURCES, note, params);
    else if (note == MCP_RESOURCE_UPDATED && p->changed)
        p->changed(p->ctx, p->instance, note, params);
}

static void watch_done(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct hub_peer *p = ctx;

    (void)a;
    if (p->watch == x)
        p->watch = NULL;
    if (p->resources == x)
        p->resources = NULL;
    mcp_exchange_unref(x);
}

/* The exchange is kept in *at before it starts, since it may end at once. */
static void listen_to(struct hub_peer *p, struct json_view params, struct mcp_exchange **at)
{
    const struct mcp_handler *handler = hub_instance_handler(p->instance);
    struct mcp_exchange *x;

    if (!handler)
        return;
    x = mcp_exchange_new(&(struct mcp_exchange_spec){
        .method = MCP_LISTEN,
        .caller = p->caller,
        .params = params,
        .events = {.note = watch_note, .done = watch_done, .ctx = p},
    });
    if (!x)
        return;
    *at = x;
    mcp_exchange_start(x, handler);
}

static void watch_lists(struct hub_peer *p)
{
    static const struct {
        const char *capability, *wish;
    } lists[] = {{"tools", "toolsListChanged"},
                 {"prompts", "promptsListChanged"},
                 {"resources", "resourcesListChanged"}};
    struct json_view capabilities = json_view_get(hub_peer_discovered(p), "capabilities");
    struct str params;
    const char *comma = "";

    str_init(&params, 256);
    str_puts(&params, "{\"notifications\":{");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct json_view one = json_view_get(capabilities, lists[i].capability);

        if (!json_view_bool(json_view_get(one, "listChanged"), false))
            continue;
        str_printf(&params, "%s\"%s\":true", comma, lists[i].wish);
        comma = ",";
    }
    str_puts(&params, "}}");
    if (*comma)
        listen_to(p, json_view_str(&params), &p->watch);
    str_deinit(&params);
}

static void drop(struct mcp_exchange *x)
{
    if (!x)
        return;
    mcp_exchange_abandon(x);
    mcp_exchange_unref(x);
}

static void watch_uris(struct hub_peer *p)
{
    struct mcp_exchange *old = p->resources;
    struct str params = STR_INIT;

    p->resources = NULL;
    if (p->n_uris > 0 && p->discovered) {
        str_puts(&params, "{\"notifications\":{\"resourceSubscriptions\":[");
        for (size_t i = 0; i < p->n_uris; i++) {
            if (i)
                str_putc(&params, ',');
            str_put_json_string(&params, p->uri[i], strlen(p->uri[i]));
        }
        str_puts(&params, "]}}");
        if (str_ok(&params))
            listen_to(p, json_view_str(&params), &p->resources);
        str_deinit(&params);
    }
    drop(old);
}

void peer_set_discovered(struct hub_peer *p, struct json_view result)
{
    free(p->discovered);
    p->discovered = xstrndup(result.at, result.n);
    if (!p->watch)
        watch_lists(p);
    if (!p->resources)
        watch_uris(p);
}

static void free_uris(struct hub_peer *p)
{
    for (size_t i = 0; i < p->n_uris; i++)
        free(p->uri[i]);
    free(p->uri);
    p->uri = NULL;
    p->n_uris = 0;
}

void hub_peer_watch_resources(struct hub_peer *p, const char *const *uri, size_t n)
{
    size_t same = 0;

    while (same < n && same < p->n_uris && strcmp(uri[same], p->uri[same]) == 0)
        same++;
    if (same == n && n == p->n_uris)
        return;
    free_uris(p);
    p->uri = xcalloc(n + 1, sizeof(*p->uri));
    for (size_t i = 0; i < n; i++)
        p->uri[i] = xstrdup(uri[i]);
    p->n_uris = n;
    watch_uris(p);
}

void hub_peer_state(struct hub_peer *p, bool is_ready)
{
    if (is_ready)
        return; /* server/discover comes with the first wish */
    free(p->discovered);
    p->discovered = NULL;
}

void peer_watch_end(struct hub_peer *p)
{
    struct mcp_exchange *const listens[] = {p->watch, p->resources};

    p->watch = p->resources = NULL;
    for (size_t i = 0; i < ARRAY_LEN(listens); i++)
        drop(listens[i]);
    free_uris(p);
}
