/* client_listen.c - MCP_LISTEN: many listeners, one subscription to the server.
 *
 *   modern   one subscriptions/listen with all that is wanted; when more is wanted a second one,
 *            and the first is closed when the server has acknowledged it
 *   legacy   the GET stream, which is there anyway: requests of the server may come on it;
 *            resources/subscribe for each URI, counted
 *
 * A server without subscriptions is acknowledged with nothing, and is not asked again on this
 * connection. A stream that breaks is opened again with growing gaps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/client/client_envelope.h"
#include "mcp/client/client_internal.h"
#include "mcp/rpc/rpc.h"

#define N_KINDS      3
#define FIRST_GAP_MS 1000
#define LAST_GAP_MS  60000
#define SUSTAINED_MS 60000 /* a stream that lived so long makes the gap small again */
#define URIS_MAX     10000 /* of a listener, which may be a hub */

static const struct {
    const char *want; /* member of `notifications` */
    const char *capability;
    enum mcp_method note;
} kinds[N_KINDS] = {
    {"toolsListChanged", "tools", MCP_TOOLS_CHANGED},
    {"promptsListChanged", "prompts", MCP_PROMPTS_CHANGED},
    {"resourcesListChanged", "resources", MCP_RESOURCES_CHANGED},
};

struct listener {
    struct listener *next;
    struct mcp_exchange *x;
    bool want[N_KINDS];
    struct map *uris; /* URI -> itself; values unused */
    bool is_acknowledged;
};

/* Legacy: one URI that is subscribed to. */
struct watch {
    struct client_listen *all;
    char *uri;
    int32_t refs;
    struct client_request *request; /* resources/subscribe under way */
    bool is_on;
};

struct client_listen {
    struct mcp_client *client;
    struct listener *listeners;
    struct map *watches;                   /* URI -> struct watch */
    struct client_request *open, *opening; /* modern: acknowledged; sent */
    struct str asked;                      /* params.notifications of the newest of them */
    struct str honoured;                   /* what the server acknowledged */
    bool is_unsupported;
    int64_t gap_ms, opened_ms;
    struct loop_timer *timer; /* before it is opened again */
};

/* ---- listeners */

static void free_listener(struct listener *l)
{
    map_free(l->uris, NULL);
    free(l);
}

static void put_uri(struct str *out, const char *uri, const char **comma)
{
    str_puts(out, *comma);
    str_put_json_string(out, uri, strlen(uri));
    *comma = ",";
}

/* Is this URI in the array? */
static bool has_uri(struct json_view array, const char *uri)
{
    for (struct json_walk w = json_walk(array); json_walk_next(&w);) {
        if (json_view_is(w.value, uri))
            return true;
    }
    return false;
}

static bool is_honoured(struct client_listen *all, size_t kind)
{
    struct mcp_client *c = all->client;

    if (!client_is_modern(c))
        return client_can(c, kinds[kind].capability, "listChanged");
    return all->honoured.len > 0 &&
           json_view_bool(json_view_get(json_view_str(&all->honoured), kinds[kind].want), false);
}

static bool is_watched(struct client_listen *all, const char *uri)
{
    const struct watch *w = map_get(all->watches, uri);

    if (!client_is_modern(all->client))
        return w && w->is_on;
    return all->honoured.len > 0 &&
           has_uri(json_view_get(json_view_str(&all->honoured), "resourceSubscriptions"), uri);
}

static void put_honoured(struct client_listen *all, const struct listener *l, struct str *out)
{
    const char *comma = "", *uri;
    void *value;

    str_puts(out, "{\"notifications\":{");
    for (size_t k = 0; k < N_KINDS; k++) {
        if (l->want[k] && is_honoured(all, k)) {
            str_printf(out, "%s\"%s\":true", comma, kinds[k].want);
            comma = ",";
        }
    }
    if (map_size(l->uris) > 0) {
        str_printf(out, "%s\"resourceSubscriptions\":[", comma);
        comma = "";
        for (size_t i = 0; map_next(l->uris, &i, &uri, &value);) {
            if (is_watched(all, uri))
                put_uri(out, uri, &comma);
        }
        str_putc(out, ']');
    }
    str_puts(out, "}}");
}

static void acknowledge(struct client_listen *all, struct listener *l)
{
    struct mcp_exchange *x = l->x;
    struct str params = STR_INIT;

    l->is_acknowledged = true;
    put_honoured(all, l, &params);
    mcp_exchange_note(x, MCP_ACKNOWLEDGED, json_view_str(&params));
    str_deinit(&params);
}

static struct listener *not_acknowledged(struct client_listen *all)
{
    for (struct listener *l = all->listeners; l; l = l->next) {
        if (!l->is_acknowledged)
            return l;
    }
    return NULL;
}

static void acknowledge_all(struct client_listen *all)
{
    struct listener *l;

    while ((l = not_acknowledged(all)))
        acknowledge(all, l);
}

/* ---- modern: one stream */

static void put_wanted(struct client_listen *all, struct str *out)
{
    struct map *uris = map_new();
    const char *comma = "", *uri;
    void *value;
    bool want[N_KINDS] = {false};

    for (const struct listener *l = all->listeners; l; l = l->next) {
        for (size_t k = 0; k < N_KINDS; k++)
            want[k] = want[k] || l->want[k];
        for (size_t i = 0; map_next(l->uris, &i, &uri, &value);)
            (void)map_put(uris, uri, all);
    }
    str_putc(out, '{');
    for (size_t k = 0; k < N_KINDS; k++) {
        if (want[k]) {
            str_printf(out, "%s\"%s\":true", comma, kinds[k].want);
            comma = ",";
        }
    }
    if (map_size(uris) > 0) {
        str_printf(out, "%s\"resourceSubscriptions\":[", comma);
        comma = "";
        for (size_t i = 0; map_next(uris, &i, &uri, &value);)
            put_uri(out, uri, &comma);
        str_putc(out, ']');
    }
    str_putc(out, '}');
    map_free(uris, NULL);
}

static void update(struct client_listen *all);

static void on_gap(void *ctx)
{
    struct client_listen *all = ctx;

    loop_timer_free(all->timer);
    all->timer = NULL;
    update(all);
}

static int64_t now(const struct client_listen *all)
{
    return seams_mono_us(all->client->spec.seams) / 1000;
}

static void open_later(struct client_listen *all)
{
    if (all->opened_ms && now(all) - all->opened_ms > SUSTAINED_MS)
        all->gap_ms = 0;
    all->opened_ms = 0;
    all->gap_ms = all->gap_ms ? all->gap_ms * 2 : FIRST_GAP_MS;
    all->gap_ms = all->gap_ms < LAST_GAP_MS ? all->gap_ms : LAST_GAP_MS;
    if (!all->timer)
        all->timer = loop_timer_new(all->client->spec.loop, all->gap_ms, on_gap, all);
}

static void not_supported(struct client_listen *all)
{
    client_request_drop(all->open, true);
    client_request_drop(all->opening, true);
    all->open = all->opening = NULL;
    all->is_unsupported = true;
    str_clear(&all->honoured);
    acknowledge_all(all);
}

static void on_open_done(void *ctx, const struct client_reply *reply)
{
    struct client_listen *all = ctx;

    (void)reply;
    all->open = NULL;
    str_clear(&all->asked);
    if (!all->opening && all->client->state == MCP_CLIENT_READY)
        open_later(all);
}

static void on_opening_done(void *ctx, const struct client_reply *reply)
{
    struct client_listen *all = ctx;
    bool is_refused = reply->message
                          ? reply->message->kind == RPC_ERROR
                          : reply->http_code >= 400 || reply->err->status == STATUS_TIMEOUT;

    all->opening = NULL;
    str_clear(&all->asked);
    if (all->client->state != MCP_CLIENT_READY)
        return;
    if (is_refused)
        not_supported(all);
    else
        open_later(all);
}

static void on_stream_note(void *ctx, enum mcp_method note, struct json_view params)
{
    struct client_listen *all = ctx;
    struct json_view honoured = json_view_get(params, "notifications");

    if (note != MCP_ACKNOWLEDGED || !all->opening)
        return;
    client_request_drop(all->open, true);
    all->open = all->opening;
    all->open->done = on_open_done;
    all->opening = NULL;
    all->opened_ms = now(all);
    client_request_limit(all->open, false);
    str_clear(&all->honoured);
    if (json_view_kind(honoured) == JV_OBJECT)
        json_view_put(&all->honoured, honoured);
    acknowledge_all(all);
    update(all);
}

static void open_stream(struct client_listen *all, const struct str *wanted)
{
    struct mcp_client *c = all->client;
    struct str plain = STR_INIT, params = STR_INIT;
    struct client_request_spec spec = {.method = MCP_LISTEN,
                                       .limit_ms = c->spec.limits.probe_ms,
                                       .ctx = all,
                                       .done = on_opening_done,
                                       .note = on_stream_note};
    struct envelope e = {.revision = c->revision, .client_info = json_view_str(&c->info)};

    str_printf(&plain, "{\"notifications\":");
    str_append(&plain, str_cstr(wanted), wanted->len);
    str_putc(&plain, '}');
    envelope_modern(&params, json_view_str(&plain), &e);
    spec.params = json_view_str(&params);
    str_clear(&all->asked);
    str_append(&all->asked, str_cstr(wanted), wanted->len);
    if (client_request_send(c, &spec, &all->opening, NULL))
        open_later(all);
    str_deinit(&plain);
    str_deinit(&params);
}

/* Opens the stream that is wanted, if it is not the one that is there. */
static void update_modern(struct client_listen *all)
{
    struct str wanted = STR_INIT;

    if (!all->listeners) {
        client_request_drop(all->open, true);
        client_request_drop(all->opening, true);
        all->open = all->opening = NULL;
        str_clear(&all->asked);
        return;
    }
    if (all->is_unsupported) {
        acknowledge_all(all);
        return;
    }
    put_wanted(all, &wanted);
    if (strcmp(str_cstr(&wanted), str_cstr(&all->asked)) == 0 && (all->open || all->opening)) {
        if (!all->opening)
            acknowledge_all(all);
    } else if (!all->opening && !all->timer) {
        open_stream(all, &wanted);
    }
    str_deinit(&wanted);
}

/* ---- legacy: the GET stream and resources/subscribe */

static void free_watch(void *v)
{
    struct watch *w = v;

    client_request_drop(w->request, false);
    free(w->uri);
    free(w);
}

static void acknowledge_settled(struct client_listen *all)
{
    struct listener *l = all->listeners;

    while (l) {
        const char *uri;
        void *value;
        bool waits = l->is_acknowledged;

        for (size_t i = 0; !waits && map_next(l->uris, &i, &uri, &value);) {
            const struct watch *w = map_get(all->watches, uri);

            waits = w && w->request;
        }
        if (waits) {
            l = l->next;
            continue;
        }
        acknowledge(all, l);
        l = all->listeners; /* a callback may have changed the list */
    }
}

static void on_subscribed(void *ctx, const struct client_reply *reply)
{
    struct watch *w = ctx;

    w->request = NULL;
    w->is_on = reply->message && reply->message->kind == RPC_RESULT;
    acknowledge_settled(w->all);
}

static void ignore(void *ctx, const struct client_reply *reply)
{
    (void)ctx;
    (void)reply;
}

static void send_subscribe(struct client_listen *all, enum mcp_method method, const char *uri,
                           struct watch *w)
{
    struct mcp_client *c = all->client;
    struct str params = STR_INIT;
    struct client_request_spec spec = {.method = method,
                                       .limit_ms = c->spec.limits.probe_ms,
                                       .ctx = w,
                                       .done = w ? on_subscribed : ignore};
    struct client_request *r = NULL;

    str_puts(&params, "{\"uri\":");
    str_put_json_string(&params, uri, strlen(uri));
    str_putc(&params, '}');
    spec.params = json_view_str(&params);
    if (!client_request_send(c, &spec, &r, NULL) && w)
        w->request = r;
    str_deinit(&params);
}

static void watch_more(struct client_listen *all)
{
    struct mcp_client *c = all->client;
    const char *uri;
    void *value;

    for (size_t i = 0; map_next(all->watches, &i, &uri, &value);) {
        struct watch *w = value;

        if (!w->is_on && !w->request && client_can(c, "resources", "subscribe"))
            send_subscribe(all, MCP_RESOURCES_SUBSCRIBE, uri, w);
    }
}

static void update_legacy(struct client_listen *all)
{
    watch_more(all);
    acknowledge_settled(all);
}

static void update(struct client_listen *all)
{
    if (all->client->state != MCP_CLIENT_READY)
        return;
    if (client_is_modern(all->client))
        update_modern(all);
    else
        update_legacy(all);
}

static void add_refs(struct client_listen *all, const struct listener *l)
{
    const char *uri;
    void *value;

    for (size_t i = 0; map_next(l->uris, &i, &uri, &value);) {
        struct watch *w = map_get(all->watches, uri);

        if (!w) {
            w = xcalloc(1, sizeof(*w));
            w->all = all;
            w->uri = xstrdup(uri);
            (void)map_put(all->watches, uri, w);
        }
        w->refs++;
    }
}

/* The last listener of a URI ends its subscription. */
static void drop_refs(struct client_listen *all, const struct listener *l)
{
    struct mcp_client *c = all->client;
    const char *uri;
    void *value;

    for (size_t i = 0; map_next(l->uris, &i, &uri, &value);) {
        struct watch *w = map_get(all->watches, uri);

        if (--w->refs > 0)
            continue;
        if ((w->is_on || w->request) && c->state == MCP_CLIENT_READY && !client_is_modern(c))
            send_subscribe(all, MCP_RESOURCES_UNSUBSCRIBE, uri, NULL);
        (void)map_remove(all->watches, uri);
        free_watch(w);
    }
}

/* ---- from the client */

void client_listen_start(struct mcp_client *c, struct mcp_exchange *x)
{
    struct client_listen *all = c->listen;
    struct json_view wanted = json_view_get(x->params, "notifications"),
                     uris = json_view_get(wanted, "resourceSubscriptions");
    struct listener *l;

    if (c->state == MCP_CLIENT_DOWN) {
        mcp_exchange_fail(x, RPC_INTERNAL_ERROR, "%s is not connected", c->spec.name);
        return;
    }
    if (json_view_size(uris) > URIS_MAX) {
        mcp_exchange_fail(x, RPC_INVALID_PARAMS, "at most %d resources can be subscribed to",
                          URIS_MAX);
        return;
    }
    l = xcalloc(1, sizeof(*l));
    l->x = x;
    l->uris = map_new();
    for (size_t k = 0; k < N_KINDS; k++)
        l->want[k] = json_view_bool(json_view_get(wanted, kinds[k].want), false);
    for (struct json_walk w = json_walk(uris); json_walk_next(&w);) {
        struct str uri = STR_INIT;

        if (json_view_text(w.value, &uri) && str_ok(&uri))
            (void)map_put(l->uris, str_cstr(&uri), l);
        str_deinit(&uri);
    }
    l->next = all->listeners;
    all->listeners = l;
    x->work = l;
    add_refs(all, l);
    update(all);
}

static void remove_listener(struct client_listen *all, struct listener *l)
{
    struct listener **at = &all->listeners;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    drop_refs(all, l);
    free_listener(l);
}

void client_listen_cancel(struct mcp_client *c, struct mcp_exchange *x)
{
    remove_listener(c->listen, x->work);
    update(c->listen);
    mcp_exchange_fail_cancelled(x);
}

void client_listen_ready(struct mcp_client *c)
{
    c->listen->is_unsupported = false;
    c->listen->gap_ms = 0;
    update(c->listen);
}

void client_listen_lost(struct mcp_client *c)
{
    struct client_listen *all = c->listen;
    const char *uri;
    void *value;

    client_request_drop(all->open, false);
    client_request_drop(all->opening, false);
    all->open = all->opening = NULL;
    loop_timer_free(all->timer);
    all->timer = NULL;
    str_clear(&all->asked);
    str_clear(&all->honoured);
    for (size_t i = 0; map_next(all->watches, &i, &uri, &value);) {
        struct watch *w = value;

        client_request_drop(w->request, false);
        w->request = NULL;
        w->is_on = false;
    }
}

void client_listen_fail(struct mcp_client *c, const struct error *err)
{
    struct client_listen *all = c->listen;

    while (all->listeners) {
        struct mcp_exchange *x = all->listeners->x;

        remove_listener(all, all->listeners);
        mcp_exchange_fail(x, RPC_INTERNAL_ERROR, "%s: %s", c->spec.name, err->message);
    }
}

/* ---- notes */

/* A part of a resource may be named by the note. */
static bool is_part_of(const char *uri, const char *whole)
{
    size_t n = strlen(whole);

    return strncmp(uri, whole, n) == 0 &&
           (uri[n] == '\0' || strchr("/?#", uri[n]) || (n > 0 && whole[n - 1] == '/'));
}

static bool hears(const struct listener *l, enum mcp_method note, const char *uri)
{
    const char *wanted;
    void *value;

    for (size_t k = 0; k < N_KINDS; k++) {
        if (kinds[k].note == note)
            return l->want[k];
    }
    for (size_t i = 0; map_next(l->uris, &i, &wanted, &value);) {
        if (is_part_of(uri, wanted))
            return true;
    }
    return false;
}

void client_listen_note(struct mcp_client *c, enum mcp_method note, struct json_view params)
{
    struct str uri = STR_INIT, text = STR_INIT;
    struct mcp_exchange **list = NULL;
    size_t n = 0;

    (void)json_view_text(json_view_get(params, "uri"), &uri);
    envelope_note(&text, note, params);
    for (struct listener *l = c->listen->listeners; l; l = l->next) {
        if (!l->is_acknowledged || !hears(l, note, str_cstr(&uri)))
            continue;
        list = xrealloc(list, (n + 1) * sizeof(struct mcp_exchange *));
        list[n++] = mcp_exchange_ref(l->x);
    }
    for (size_t i = 0; i < n; i++) {
        if (list[i]->state == MCP_EXCHANGE_OPEN)
            mcp_exchange_note(list[i], note, json_view_str(&text));
        mcp_exchange_unref(list[i]);
    }
    free(list);
    str_deinit(&uri);
    str_deinit(&text);
}

/* ---- */

struct client_listen *client_listen_new(struct mcp_client *c)
{
    struct client_listen *all = xcalloc(1, sizeof(*all));

    all->client = c;
    all->watches = map_new();
    all->asked = all->honoured = STR_INIT;
    return all;
}

void client_listen_free(struct client_listen *all)
{
    if (!all)
        return;
    map_free(all->watches, free_watch);
    loop_timer_free(all->timer);
    str_deinit(&all->asked);
    str_deinit(&all->honoured);
    free(all);
}
