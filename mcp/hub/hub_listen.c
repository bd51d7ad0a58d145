/* hub_listen.c - clients that listen: subscriptions/listen.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_internal.h"
#include "runtime/base/memory.h"

#define WATCHED_MAX    1000  /* resources of one listener */
#define OWNED_MAX      5000  /* of all listeners of a principal */
#define SERVER_WATCHED 10000 /* that a server is asked to report */
#define WATCH_SHARE    10    /* one part in so many of the time is for finding out which */

struct hub_listener {
    struct hub *hub;
    struct mcp_exchange *down;
    bool wants[HUB_LIST_N];
    char **uri; /* (n_uris) as the client names them */
    size_t n_uris;
    struct hub_listener *after, **link;
};

static const struct {
    enum hub_list_kind kind;
    enum mcp_method note;
    const char *wish;
} wishes[] = {
    {HUB_TOOLS, MCP_TOOLS_CHANGED, "toolsListChanged"},
    {HUB_PROMPTS, MCP_PROMPTS_CHANGED, "promptsListChanged"},
    {HUB_RESOURCES, MCP_RESOURCES_CHANGED, "resourcesListChanged"},
};

static void listener_free(struct hub_listener *l)
{
    for (size_t i = 0; i < l->n_uris; i++)
        free(l->uri[i]);
    free(l->uri);
    if (l->after)
        l->after->link = l->link;
    *l->link = l->after;
    mcp_exchange_unref(l->down);
    free(l);
}

/* ---- notifications */

void hub_notify_list(struct hub *h, const struct hub_server *s, enum hub_list_kind kind)
{
    if (kind == HUB_TEMPLATES)
        kind = HUB_RESOURCES;
    for (struct hub_listener *l = h->listeners, *next; l; l = next) {
        next = l->after;
        for (size_t i = 0; i < ARRAY_LEN(wishes); i++) {
            if (wishes[i].kind == kind && l->wants[kind] && hub_sees_server(h, l->down->caller, s))
                mcp_exchange_note(l->down, wishes[i].note, JSON_VIEW_NONE);
        }
    }
}

static bool watches(const struct hub_listener *l, const char *uri)
{
    for (size_t i = 0; i < l->n_uris; i++) {
        if (strcmp(l->uri[i], uri) == 0)
            return true;
    }
    return false;
}

void hub_notify_resource(struct hub *h, struct hub_server *s, struct json_view params)
{
    for (struct hub_listener *l = h->listeners, *next; l; l = next) {
        struct hub_uris uris = hub_uris_for(h, l->down->caller, s);
        struct str quoted = STR_INIT, uri = STR_INIT, out = STR_INIT;

        next = l->after;
        if (!hub_sees_server(h, l->down->caller, s))
            continue;
        hub_rewrite_uri(json_view_get(params, "uri"), &uris, &quoted);
        if (json_view_text(json_view_str(&quoted), &uri) && watches(l, str_cstr(&uri))) {
            json_view_put_changed(
                &out, params, &(struct json_change){.key = "uri", .value = json_view_str(&quoted)},
                1);
            mcp_exchange_note(l->down, MCP_RESOURCE_UPDATED, json_view_str(&out));
        }
        str_deinit(&quoted);
        str_deinit(&uri);
        str_deinit(&out);
    }
}

/* ---- which resources each server has to report */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Does this listener's instance of the server report for it? */
static bool is_of(struct hub_server *s, const struct hub_listener *l, const struct mcp_caller *c)
{
    return !hub_source_is_per_client(s->source) ||
           (strcmp(l->down->caller->principal, c->principal) == 0 &&
            strcmp(l->down->caller->session, c->session) == 0);
}

/* The server's URIs that are watched by those who share the instance of this client, sorted, each
 * once. */
static char **gather(struct hub *h, struct hub_server *s, const struct mcp_caller *c, size_t *n)
{
    char **uri = NULL;
    size_t all = 0;

    for (struct hub_listener *l = h->listeners; l; l = l->after) {
        for (size_t i = 0; i < l->n_uris && is_of(s, l, c); i++) {
            struct hub_server *owner = NULL;
            struct str own = STR_INIT;

            if (hub_target(h, l->down->caller, HUB_RESOURCES, l->uri[i], &owner, &own) &&
                owner == s) {
                uri = xrealloc(uri, (all + 1) * sizeof(*uri));
                uri[all++] = str_take(&own);
            }
            str_deinit(&own);
        }
    }
    if (all > 0)
        qsort(uri, all, sizeof(*uri), by_text);
    *n = 0;
    for (size_t i = 0; i < all; i++) {
        if (*n == SERVER_WATCHED || (*n > 0 && strcmp(uri[*n - 1], uri[i]) == 0))
            free(uri[i]);
        else
            uri[(*n)++] = uri[i];
    }
    return uri;
}

static void watch_for(struct hub *h, struct hub_server *s, struct mcp_caller *c)
{
    struct hub_instance *one;
    size_t n;
    char **uri = gather(h, s, c, &n);

    one = n > 0 ? hub_instance_for(s, c) : hub_source_instance(s->source, c);
    if (one && hub_peer_of(one))
        hub_peer_watch_resources(hub_peer_of(one), (const char *const *)uri, n);
    for (size_t i = 0; i < n; i++)
        free(uri[i]);
    free(uri);
}

/* Of a server with an instance for each client, those of the clients that listen; the instance of
 * one that has stopped listening reports in vain until it is closed. */
static void watch_now(struct hub *h)
{
    for (size_t i = 0; i < h->n_servers; i++) {
        if (!hub_source_is_per_client(h->server[i]->source)) {
            watch_for(h, h->server[i], h->self);
            continue;
        }
        for (struct hub_listener *l = h->listeners; l; l = l->after) {
            if (l->n_uris > 0)
                watch_for(h, h->server[i], l->down->caller);
        }
    }
}

static void watch_and_rest(void *ctx)
{
    struct hub *h = ctx;
    int64_t begin = seams_mono_us(h->o.seams), end;

    loop_timer_free(h->watch_timer);
    h->watch_timer = NULL;
    watch_now(h);
    end = seams_mono_us(h->o.seams);
    h->watch_rest_us = end + WATCH_SHARE * (end - begin);
}

/* Listeners may come and go by the thousand: the more it costs, the rarer it is done. */
static void watch_resources(struct hub *h)
{
    int64_t wait = h->watch_rest_us - seams_mono_us(h->o.seams);

    if (h->watch_timer)
        return;
    if (wait <= 0)
        watch_and_rest(h);
    else
        h->watch_timer = loop_timer_new(h->loop, wait / 1000 + 1, watch_and_rest, h);
}

/* ---- a listener */

/* How many more the client may watch. */
static size_t room_of(const struct hub_listener *l)
{
    size_t n = 0;

    for (const struct hub_listener *o = l->hub->listeners; o; o = o->after) {
        if (strcmp(o->down->caller->principal, l->down->caller->principal) == 0)
            n += o->n_uris;
    }
    if (n >= OWNED_MAX)
        return 0;
    return OWNED_MAX - n < WATCHED_MAX ? OWNED_MAX - n : WATCHED_MAX;
}

/* What is beyond the limit is not acknowledged. */
static void read_uris(struct hub_listener *l, struct json_view array)
{
    size_t room = room_of(l);

    for (struct json_walk w = json_walk(array); l->n_uris < room && json_walk_next(&w);) {
        struct str uri;

        str_init(&uri, 1 << 16);
        if (json_view_text(w.value, &uri) && str_ok(&uri) && !watches(l, str_cstr(&uri))) {
            l->uri = xrealloc(l->uri, (l->n_uris + 1) * sizeof(*l->uri));
            l->uri[l->n_uris++] = str_take(&uri);
        }
        str_deinit(&uri);
    }
}

static void acknowledge(struct hub_listener *l)
{
    struct str out = STR_INIT;
    const char *comma = "";

    str_puts(&out, "{\"notifications\":{");
    for (size_t i = 0; i < ARRAY_LEN(wishes); i++) {
        if (!l->wants[wishes[i].kind])
            continue;
        str_printf(&out, "%s\"%s\":true", comma, wishes[i].wish);
        comma = ",";
    }
    if (l->n_uris > 0) {
        str_printf(&out, "%s\"resourceSubscriptions\":[", comma);
        for (size_t i = 0; i < l->n_uris; i++) {
            if (i)
                str_putc(&out, ',');
            str_put_json_string(&out, l->uri[i], strlen(l->uri[i]));
        }
        str_putc(&out, ']');
    }
    str_puts(&out, "}}");
    mcp_exchange_note(l->down, MCP_ACKNOWLEDGED, json_view_str(&out));
    str_deinit(&out);
}

/* Servers report changes only when they run and their lists are known: each is asked once. */
static void nobody(void *ctx, struct hub_want *w, struct hub_list *list, const struct error *err)
{
    struct hub_server *s = ctx;

    (void)err;
    if (list) {
        hub_learn(s, w->kind, list);
        if (!s->change[w->kind].version)
            hub_change_shown(s, w->kind, list->version);
    }
    free(w);
}

static void wake_servers(struct hub_listener *l)
{
    struct hub *h = l->hub;

    for (size_t i = 0; i < h->n_servers; i++) {
        struct hub_instance *one;

        if (!hub_sees_server(h, l->down->caller, h->server[i]) ||
            h->server[i]->change[HUB_TOOLS].version)
            continue;
        one = hub_instance_for(h->server[i], l->down->caller);
        for (size_t k = 0; one && k < ARRAY_LEN(wishes); k++) {
            struct hub_want *w;

            if (!l->wants[wishes[k].kind])
                continue;
            w = xcalloc(1, sizeof(*w));
            w->done = nobody;
            w->ctx = h->server[i];
            hub_peer_want(hub_peer_of(one), wishes[k].kind, w);
        }
    }
}

void hub_listen_start(struct hub *h, struct mcp_exchange *x)
{
    struct json_view wish = json_view_get(x->params, "notifications");
    struct hub_listener *l;

    if (json_view_kind(wish) != JV_OBJECT) {
        mcp_exchange_fail(x, RPC_INVALID_PARAMS, "\"notifications\" must be an object");
        return;
    }
    l = xcalloc(1, sizeof(*l));
    l->hub = h;
    l->down = mcp_exchange_ref(x);
    for (size_t i = 0; i < ARRAY_LEN(wishes); i++)
        l->wants[wishes[i].kind] = json_view_bool(json_view_get(wish, wishes[i].wish), false);
    read_uris(l, json_view_get(wish, "resourceSubscriptions"));
    l->after = h->listeners;
    l->link = &h->listeners;
    if (l->after)
        l->after->link = &l->after;
    h->listeners = l;
    x->work = l;
    mcp_exchange_ref(x);
    acknowledge(l);
    if (x->state == MCP_EXCHANGE_OPEN && !x->is_cancelled) {
        if (l->n_uris > 0)
            watch_resources(h);
        wake_servers(l);
    }
    mcp_exchange_unref(x);
}

void hub_listen_cancel(struct hub_listener *l)
{
    struct mcp_exchange *down = mcp_exchange_ref(l->down);
    struct hub *h = l->hub;
    bool watched = l->n_uris > 0;

    listener_free(l);
    if (watched)
        watch_resources(h);
    mcp_exchange_fail_cancelled(down);
    mcp_exchange_unref(down);
}
