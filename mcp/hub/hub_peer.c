/* hub_peer.c - see hub_peer.h: lists are fetched and kept. What the server says about changes is in
 * hub_peer_watch.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_peer_internal.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"

#define SHORT_TTL_US                                                                               \
    1000000 /* of a list without ttlMs, of a server that does not report changes                   \
             */

static const struct {
    enum mcp_method method;
    const char *capability, *member, *name;
} kinds[HUB_LIST_N] = {
    {MCP_TOOLS_LIST, "tools", "tools", "name"},
    {MCP_PROMPTS_LIST, "prompts", "prompts", "name"},
    {MCP_RESOURCES_LIST, "resources", "resources", "uri"},
    {MCP_RESOURCES_TEMPLATES_LIST, "resources", "resourceTemplates", "uriTemplate"},
};

/* ---- lists */

struct hub_list *hub_list_ref(struct hub_list *l)
{
    l->refs++;
    return l;
}

void hub_list_unref(struct hub_list *l)
{
    if (!l || --l->refs > 0)
        return;
    for (size_t i = 0; i < l->n; i++)
        free(l->entry[i].name);
    free(l->entry);
    free(l->text);
    free(l);
}

/* Of the text "[object,object,...]", taken over. NULL without memory. */
static struct hub_list *list_of(char *text, size_t n)
{
    struct json_view all = json_view_of(text, n);
    struct hub_list *l = xcalloc(1, sizeof(*l));
    size_t k = 0;
    struct sha256 digest = sha256_of(text, n);

    l->refs = 1;
    l->text = text;
    l->version = sha256_first64(&digest);
    l->entry = mem_alloc(json_view_size(all) + 1, sizeof(*l->entry));
    if (!l->entry) {
        hub_list_unref(l);
        return NULL;
    }
    for (struct json_walk w = json_walk(all); json_walk_next(&w);)
        l->entry[k++].object = w.value;
    l->n = k;
    return l;
}

/* ---- a fetch: server/discover if it was not asked yet, then page after page */

static void fetch_page(struct peer_list *l);

static void give(struct peer_list *l, struct hub_list *list, const struct error *err)
{
    if (list)
        hub_list_ref(list);
    while (l->wants) {
        struct hub_want *w = l->wants;

        l->wants = w->next;
        w->peer = NULL;
        w->done(w->ctx, w, list, list ? NULL : err);
    }
    hub_list_unref(list);
}

static void fetch_end(struct peer_list *l)
{
    str_deinit(&l->text);
    free(l->cursor);
    l->cursor = NULL;
    l->fetching = false;
}

static void fetch_failed(struct peer_list *l, const struct error *err)
{
    struct hub_peer *p = l->peer;

    fetch_end(l);
    log_write(p->log, LOG_WARN, "server %s: no %s: %s", hub_source_name(p->source),
              mcp_method_facts(kinds[l->kind].method)->name, err->message);
    give(l, l->list, err);
}

static void names_of(struct hub_list *list, enum hub_list_kind kind,
                     const struct hub_source *source)
{
    size_t k = 0;

    for (size_t i = 0; i < list->n; i++) {
        struct hub_entry e = list->entry[i];
        struct str name;

        str_init(&name, 8192);
        if (json_view_text(json_view_get(e.object, kinds[kind].name), &name) && str_ok(&name) &&
            name.len > 0 && (kind != HUB_TOOLS || hub_source_offers(source, str_cstr(&name)))) {
            e.name = str_take(&name);
            list->entry[k++] = e;
        }
        str_deinit(&name);
    }
    list->n = k;
}

static void fetch_done(struct peer_list *l)
{
    struct hub_peer *p = l->peer;
    struct error err = ERROR_INIT;
    struct hub_list *list = NULL;
    size_t n = l->text.len + 1;

    str_putc(&l->text, ']');
    if (str_ok(&l->text))
        list = list_of(str_take(&l->text), n);
    if (!list) {
        error_set(&err, STATUS_NO_MEMORY, "no memory for its list");
        fetch_failed(l, &err);
        return;
    }
    names_of(list, l->kind, p->source);
    hub_list_unref(l->list);
    l->list = list;
    l->fetched_us = seams_mono_us(p->seams);
    fetch_end(l);
    give(l, list, NULL);
}

/* Adds a page. false: the list is at its limit. */
static bool add_page(struct peer_list *l, struct json_view page)
{
    for (struct json_walk w = json_walk(page); json_walk_next(&w);) {
        if (l->n_entries == HUB_LIST_MAX_ENTRIES || l->text.len + w.value.n > HUB_LIST_MAX_BYTES)
            return false;
        if (json_view_kind(w.value) != JV_OBJECT)
            continue;
        if (l->n_entries++ > 0)
            str_putc(&l->text, ',');
        json_view_put(&l->text, w.value);
    }
    return true;
}

static void page_came(struct peer_list *l, struct json_view result)
{
    struct json_view next = json_view_get(result, "nextCursor");
    struct str cursor;
    int64_t ttl = json_view_int(json_view_get(result, "ttlMs"), 0);
    bool all;

    l->ttl_us = ttl > INT64_C(86400000) ? INT64_C(86400000000) : ttl * 1000;
    all = add_page(l, json_view_get(result, kinds[l->kind].member));
    str_init(&cursor, 65536);
    if (!json_view_text(next, &cursor) || cursor.len == 0) {
        str_deinit(&cursor);
        fetch_done(l);
        return;
    }
    if (!str_ok(&cursor) || !all || ++l->pages == HUB_LIST_MAX_PAGES ||
        (l->cursor && strcmp(l->cursor, str_cstr(&cursor)) == 0)) {
        log_write(l->peer->log, LOG_WARN,
                  "server %s: its list of %s does not end; the first %zu are used",
                  hub_source_name(l->peer->source), kinds[l->kind].member, l->n_entries);
        str_deinit(&cursor);
        fetch_done(l);
        return;
    }
    free(l->cursor);
    l->cursor = str_take(&cursor);
    fetch_page(l);
}

static bool offers(const struct hub_peer *p, enum hub_list_kind kind)
{
    struct json_view capabilities = json_view_get(hub_peer_discovered(p), "capabilities");

    return json_view_get(capabilities, kinds[kind].capability).at != NULL;
}

static void fetch_answered(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct peer_list *l = ctx;
    struct hub_instance *i = hub_instance_ref(l->peer->instance);
    struct error err = ERROR_INIT;
    enum mcp_method asked = x->method;

    hub_job_leave(&l->job); /* of a server that was removed, this may be the last one */
    l->job.exchange = NULL;
    mcp_exchange_unref(x);
    if (a->kind != MCP_COMPLETE) {
        error_set(&err, STATUS_IO, "%s",
                  l->job.timed_out_ms    ? "it did not answer in time"
                  : a->kind == MCP_ERROR ? a->message
                                         : "it asked for input");
        fetch_failed(l, &err);
    } else if (asked == MCP_DISCOVER) {
        peer_set_discovered(l->peer, a->result);
        if (offers(l->peer, l->kind))
            fetch_page(l);
        else
            fetch_done(l);
    } else {
        page_came(l, a->result);
    }
    hub_instance_unref(i);
}

static void fetch_refused(void *ctx, struct hub_job *j, const struct error *err)
{
    struct peer_list *l = ctx;

    mcp_exchange_unref(j->exchange);
    j->exchange = NULL;
    fetch_failed(l, err);
}

static void ask(struct peer_list *l, enum mcp_method method, struct json_view params)
{
    struct hub_peer *p = l->peer;
    struct mcp_exchange *x = mcp_exchange_new(&(struct mcp_exchange_spec){
        .method = method,
        .caller = p->caller,
        .params = params,
        .events = {.done = fetch_answered, .ctx = l},
    });
    struct error err = ERROR_INIT;

    if (!x) {
        error_set(&err, STATUS_NO_MEMORY, "no memory for a request");
        fetch_failed(l, &err);
        return;
    }
    l->job = (struct hub_job){.exchange = x, .refused = fetch_refused, .ctx = l};
    hub_job_submit(&l->job, p->instance);
}

static void fetch_page(struct peer_list *l)
{
    struct str params;

    if (!l->cursor) {
        ask(l, kinds[l->kind].method, JSON_VIEW_NONE);
        return;
    }
    str_init(&params, 8 * strlen(l->cursor) + 64);
    str_puts(&params, "{\"cursor\":");
    str_put_json_string(&params, l->cursor, strlen(l->cursor));
    str_putc(&params, '}');
    ask(l, kinds[l->kind].method, json_view_str(&params));
    str_deinit(&params);
}

static void fetch(struct peer_list *l)
{
    struct hub_peer *p = l->peer;

    l->fetching = true;
    l->out_of_date = false; /* a change from now on counts again */
    l->pages = 0;
    l->n_entries = 0;
    str_init(&l->text, HUB_LIST_MAX_BYTES + 2);
    str_putc(&l->text, '[');
    if (!p->discovered)
        ask(l, MCP_DISCOVER, JSON_VIEW_NONE);
    else if (offers(p, l->kind))
        fetch_page(l);
    else
        fetch_done(l);
}

/* ---- those who want a list */

static bool is_fresh(const struct peer_list *l)
{
    int64_t age = seams_mono_us(l->peer->seams) - l->fetched_us;

    if (!l->list || l->out_of_date || !l->peer->discovered)
        return false;
    if (l->ttl_us > 0)
        return age < l->ttl_us;
    return l->peer->watch || age < SHORT_TTL_US;
}

void hub_peer_want(struct hub_peer *p, enum hub_list_kind kind, struct hub_want *w)
{
    struct peer_list *l = &p->list[kind];
    struct hub_want **at = &l->wants;

    w->peer = NULL;
    if (is_fresh(l)) {
        struct hub_list *list = hub_list_ref(l->list);

        w->done(w->ctx, w, list, NULL);
        hub_list_unref(list);
        return;
    }
    w->peer = p;
    w->kind = kind;
    w->next = NULL;
    while (*at)
        at = &(*at)->next;
    *at = w;
    if (!l->fetching)
        fetch(l);
}

void hub_want_drop(struct hub_want *w)
{
    struct hub_want **at;

    if (!w->peer)
        return;
    at = &w->peer->list[w->kind].wants;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    w->peer = NULL;
}

struct hub_list *hub_peer_list(const struct hub_peer *p, enum hub_list_kind kind)
{
    return p->list[kind].list;
}

void hub_peer_outdate(struct hub_instance *i)
{
    struct hub_peer *p = hub_peer_of(i);

    for (int k = 0; p && k < HUB_LIST_N; k++)
        p->list[k].out_of_date = true;
}

/* ---- the peer */

static void peer_free(void *data)
{
    struct hub_peer *p = data;

    peer_watch_end(p);
    for (int k = 0; k < HUB_LIST_N; k++) {
        assert(!p->list[k].fetching && !p->list[k].wants);
        hub_list_unref(p->list[k].list);
    }
    mcp_caller_unref(p->caller);
    free(p->discovered);
    free(p);
}

struct hub_peer *hub_peer_new(const struct hub_peer_spec *spec, struct hub_instance *i)
{
    struct hub_peer *p = xcalloc(1, sizeof(*p));

    p->loop = spec->loop;
    p->seams = spec->seams;
    p->log = spec->log;
    p->caller = mcp_caller_ref(spec->caller);
    p->changed = spec->changed;
    p->ctx = spec->ctx;
    p->instance = i;
    p->source = hub_instance_source(i);
    for (int k = 0; k < HUB_LIST_N; k++) {
        p->list[k].peer = p;
        p->list[k].kind = (enum hub_list_kind)k;
    }
    *hub_instance_data(i) = p;
    hub_instance_on_free(i, peer_free);
    return p;
}

struct hub_peer *hub_peer_of(struct hub_instance *i)
{
    return *hub_instance_data(i);
}

struct json_view hub_peer_discovered(const struct hub_peer *p)
{
    return p->discovered ? json_view_of(p->discovered, strlen(p->discovered)) : JSON_VIEW_NONE;
}
