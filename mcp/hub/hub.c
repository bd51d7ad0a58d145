/* hub.c - see hub.h: the sources, and which file answers which method.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_catalog.h"
#include "mcp/hub/hub_index.h"
#include "mcp/hub/hub_internal.h"
#include "mcp/hub/hub_retry.h"
#include "runtime/base/memory.h"

#define INSTRUCTIONS_MAX 8192 /* bytes of all servers together */

/* ---- sources */

static void peer_changed(void *ctx, struct hub_instance *i, enum mcp_method note,
                         struct json_view params)
{
    struct hub_server *s = ctx;

    (void)i;
    if (note == MCP_TOOLS_CHANGED)
        hub_change_reported(s, HUB_TOOLS);
    else if (note == MCP_PROMPTS_CHANGED)
        hub_change_reported(s, HUB_PROMPTS);
    else if (note == MCP_RESOURCES_CHANGED)
        hub_change_reported(s, HUB_RESOURCES);
    else
        hub_notify_resource(s->hub, s, params);
}

static void source_state(void *ctx, struct hub_source *source, struct hub_instance *i,
                         bool is_ready)
{
    struct hub_server *s = ctx;
    struct hub_peer *p = hub_peer_of(i);

    (void)source;
    if (p)
        hub_peer_state(p, is_ready);
    /* A server that starts again may have other lists than clients know of. */
    for (int k = 0; is_ready && k < HUB_LIST_N; k++) {
        if (s->change[k].version)
            hub_change_reported(s, (enum hub_list_kind)k);
    }
}

enum status hub_add(struct hub *h, const struct hub_source_spec *spec, struct hub_source **out,
                    struct error *err)
{
    struct hub_source_spec own = *spec;
    size_t at = hub_server_place(h, spec->name);
    struct hub_server *s;

    if (hub_server_find(h, spec->name)) {
        if (spec->opener.free)
            spec->opener.free(spec->opener.ctx);
        return error_set(err, STATUS_INVALID, "there are two servers with the name %s", spec->name);
    }
    s = xcalloc(1, sizeof(*s));
    s->hub = h;
    own.on_state = source_state;
    own.ctx = s;
    s->source = hub_source_new(h->loop, h->o.seams, h->o.log, &own);
    hub_names_prefix(spec->name, s->prefix);
    hub_change_init(s);
    h->server = xrealloc(h->server, (h->n_servers + 1) * sizeof(struct hub_server *));
    memmove(h->server + at + 1, h->server + at, (h->n_servers - at) * sizeof(struct hub_server *));
    h->server[at] = s;
    h->n_servers++;
    if (out)
        *out = s->source;
    return STATUS_OK;
}

static void remove_at(struct hub *h, size_t at)
{
    struct hub_server *s = h->server[at];

    h->n_servers--;
    memmove(h->server + at, h->server + at + 1, (h->n_servers - at) * sizeof(struct hub_server *));
    hub_calls_forget(h, s);
    hub_listings_forget(h, s);
    hub_change_deinit(s);
    hub_names_remove(h->names, hub_source_name(s->source));
    hub_source_free(s->source);
    free(s);
}

void hub_remove(struct hub *h, const char *name)
{
    size_t at = hub_server_place(h, name);

    if (!hub_server_find(h, name))
        return;
    for (int k = 0; k < HUB_LIST_N; k++) {
        if (h->server[at]->change[k].version)
            hub_notify_list(h, h->server[at], (enum hub_list_kind)k);
    }
    remove_at(h, at);
}

void hub_settings_changed(struct hub *h, const char *name, const struct hub_source_limits *limits)
{
    struct hub_server *s = hub_server_find(h, name);

    if (!s)
        return;
    hub_source_set_limits(s->source, limits);
    hub_source_each(s->source, hub_peer_outdate);
    hub_change_reported(s, HUB_TOOLS);
}

void hub_set_views(struct hub *h, const struct hub_views *views)
{
    h->o.views = views ? views : h->all;
    hub_indexes_clear(h->indexes);
    for (size_t i = 0; i < h->n_servers; i++) {
        for (int k = 0; k < HUB_LIST_N; k++) {
            if (h->server[i]->change[k].version)
                hub_notify_list(h, h->server[i], (enum hub_list_kind)k);
        }
    }
}

struct hub_source *hub_find(const struct hub *h, const char *name)
{
    struct hub_server *s = hub_server_find(h, name);

    return s ? s->source : NULL;
}

size_t hub_size(const struct hub *h)
{
    return h->n_servers;
}

struct hub_source *hub_at(const struct hub *h, size_t i)
{
    return h->server[i]->source;
}

struct hub_traffic hub_traffic_at(const struct hub *h, size_t i)
{
    return h->server[i]->traffic;
}

/* ---- server/discover */

static void put_instructions(const struct hub *h, const struct mcp_caller *c, struct str *out)
{
    struct str text;

    str_init(&text, INSTRUCTIONS_MAX);
    if (h->instructions)
        str_puts(&text, h->instructions);
    for (size_t i = 0; i < h->n_servers; i++) {
        struct hub_instance *one;
        struct hub_peer *p;
        struct str own;

        if (!hub_sees_server(h, c, h->server[i]))
            continue;
        one = hub_source_instance(h->server[i]->source, NULL);
        p = one ? hub_peer_of(one) : NULL;
        str_init(&own, INSTRUCTIONS_MAX);
        if (p && json_view_text(json_view_get(hub_peer_discovered(p), "instructions"), &own) &&
            str_ok(&own) && own.len > 0)
            str_printf(&text, "%s%s: %s", text.len ? "\n" : "",
                       hub_source_name(h->server[i]->source), str_cstr(&own));
        str_deinit(&own);
    }
    if (text.len > 0) {
        str_puts(out, ",\"instructions\":");
        str_put_json_string(out, str_cstr(&text), text.len);
    }
    str_deinit(&text);
}

static void discover(struct hub *h, struct mcp_exchange *x)
{
    struct str out = STR_INIT;

    str_puts(&out, "{\"supportedVersions\":[");
    for (int r = MCP_NEWEST; r >= 0; r--)
        str_printf(&out, "\"%s\"%s", mcp_revision_name((enum mcp_revision)r), r ? "," : "");
    str_puts(&out, "],\"capabilities\":{\"tools\":{\"listChanged\":true},"
                   "\"prompts\":{\"listChanged\":true},"
                   "\"resources\":{\"listChanged\":true,\"subscribe\":true},"
                   "\"completions\":{},\"logging\":{},"
                   "\"extensions\":{\"" MCP_META_TASKS "\":{}}}");
    put_instructions(h, x->caller, &out);
    str_puts(&out, ",\"ttlMs\":60000,\"cacheScope\":\"private\",\"_meta\":{\"" MCP_META_SERVER
                   "\":{\"name\":");
    str_put_json_string(&out, h->name, strlen(h->name));
    str_puts(&out, ",\"version\":");
    str_put_json_string(&out, h->version, strlen(h->version));
    str_puts(&out, "}}}");
    mcp_exchange_complete(x, json_view_str(&out));
    str_deinit(&out);
}

/* ---- the handler */

static void start(void *ctx, struct mcp_exchange *x)
{
    struct hub *h = ctx;

    switch (x->method) {
    case MCP_DISCOVER:
        discover(h, x);
        break;
    case MCP_TOOLS_LIST:
        hub_listing_start(h, x, HUB_TOOLS);
        break;
    case MCP_PROMPTS_LIST:
        hub_listing_start(h, x, HUB_PROMPTS);
        break;
    case MCP_RESOURCES_LIST:
        hub_listing_start(h, x, HUB_RESOURCES);
        break;
    case MCP_RESOURCES_TEMPLATES_LIST:
        hub_listing_start(h, x, HUB_TEMPLATES);
        break;
    case MCP_TOOLS_CALL:
        if (hub_catalog_is_search(h, x))
            hub_listing_start(h, x, HUB_TOOLS);
        else
            hub_call_start(h, x);
        break;
    case MCP_PROMPTS_GET:
    case MCP_RESOURCES_READ:
    case MCP_COMPLETION:
    case MCP_TASKS_GET:
    case MCP_TASKS_UPDATE:
    case MCP_TASKS_CANCEL:
        hub_call_start(h, x);
        break;
    case MCP_LISTEN:
        hub_listen_start(h, x);
        break;
    default:
        mcp_exchange_fail(x, RPC_METHOD_NOT_FOUND, "the method %s is not offered",
                          mcp_method_facts(x->method)->name);
    }
}

static void cancel(void *ctx, struct mcp_exchange *x)
{
    struct hub *h = ctx;

    if (hub_catalog_is_search(h, x)) {
        hub_listing_cancel(x->work);
        return;
    }
    switch (x->method) {
    case MCP_TOOLS_LIST:
    case MCP_PROMPTS_LIST:
    case MCP_RESOURCES_LIST:
    case MCP_RESOURCES_TEMPLATES_LIST:
        hub_listing_cancel(x->work);
        break;
    case MCP_LISTEN:
        hub_listen_cancel(x->work);
        break;
    default:
        hub_call_cancel(x->work);
    }
}

static void caller_gone(void *ctx, struct mcp_caller *c)
{
    struct hub *h = ctx;

    for (size_t i = 0; i < h->n_servers; i++)
        hub_source_caller_gone(h->server[i]->source, c);
}

struct hub *hub_new(struct loop *l, const struct hub_options *o)
{
    static const char abilities[] =
        "{\"elicitation\":{\"form\":{},\"url\":{}},\"sampling\":{\"tools\":{}},\"roots\":{}}";
    struct hub *h = xcalloc(1, sizeof(*h));

    h->loop = l;
    h->o = *o;
    h->o.list_ms = o->list_ms ? o->list_ms : 5000;
    h->o.page = o->page ? o->page : 1000;
    h->o.kept_ms = o->kept_ms ? o->kept_ms : 60000;
    h->o.kept_bytes = o->kept_bytes ? o->kept_bytes : (size_t)32 << 20;
    h->o.calls = o->calls ? o->calls : 1024;
    h->o.state_ms = o->state_ms ? o->state_ms : INT64_C(86400000);
    h->name = xstrdup(o->name);
    h->version = xstrdup(o->version);
    h->instructions = o->instructions ? xstrdup(o->instructions) : NULL;
    h->handler = (struct mcp_handler){
        .ctx = h, .start = start, .cancel = cancel, .caller_gone = caller_gone};
    h->changed = peer_changed;
    h->seal = hub_seal_new(o->seams, NULL);
    h->task_seal = hub_seal_new(o->seams, o->key);
    h->o.key = NULL;
    h->indexes = hub_indexes_new();
    h->retries = hub_retries_new(l, h->o.kept_ms, h->o.kept_bytes);
    h->busy = map_new();
    h->names = hub_names_new();
    h->all = hub_views_new();
    if (!h->o.views)
        h->o.views = h->all;
    h->self = mcp_caller_new(&(struct mcp_caller_spec){
        .principal = "hub",
        .revision = MCP_NEWEST,
        .capabilities = json_view_of(abilities, strlen(abilities)),
    });
    return h;
}

void hub_free(struct hub *h)
{
    if (!h)
        return;
    while (h->listeners)
        hub_listen_cancel(h->listeners);
    loop_timer_free(h->watch_timer);
    while (h->n_servers)
        remove_at(h, h->n_servers - 1);
    assert(!h->calls && !h->listings);
    hub_indexes_free(h->indexes);
    hub_retries_free(h->retries);
    map_free(h->busy, NULL);
    hub_seal_free(h->seal);
    hub_seal_free(h->task_seal);
    hub_names_free(h->names);
    hub_views_free(h->all);
    mcp_caller_unref(h->self);
    free(h->server);
    free(h->name);
    free(h->version);
    free(h->instructions);
    free(h);
}

const struct mcp_handler *hub_handler(struct hub *h)
{
    return &h->handler;
}
