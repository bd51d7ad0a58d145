/* hub_listing.c - one list of all servers: tools/list, prompts/list, resources/list,
 * resources/templates/list.
 *
 * search_tools (hub_catalog.h) looks in the same list. All servers are asked at once. One that does
 * not answer in time is left out, and clients that listen learn when its list has come. Where one
 * tool is all that is wanted (mcp_exchange.only), only servers that may have it are asked. Entries
 * are in the order of their names; a cursor is the name after which a page begins, so that a list
 * may change between pages.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_catalog.h"
#include "mcp/hub/hub_internal.h"
#include "runtime/base/base64.h"
#include "runtime/base/memory.h"

/* One server of a listing. */
struct part {
    struct hub_listing *listing;
    struct hub_server *server;
    struct hub_want want;
    bool waits;
    struct hub_list *list; /* a reference; NULL: none */
};

struct hub_listing {
    struct hub *hub;
    struct mcp_exchange *down;
    enum hub_list_kind kind;
    struct part *part; /* (n_parts) */
    size_t n_parts, n_waiting;
    struct loop_timer *timer;
    bool starting; /* parts are being made: an answer waits for the last */
    struct hub_listing *after, **link;
};

static void listing_free(struct hub_listing *l)
{
    for (size_t i = 0; i < l->n_parts; i++) {
        if (l->part[i].waits)
            hub_want_drop(&l->part[i].want);
        hub_list_unref(l->part[i].list);
    }
    loop_timer_free(l->timer);
    if (l->after)
        l->after->link = l->link;
    *l->link = l->after;
    mcp_exchange_unref(l->down);
    free(l->part);
    free(l);
}

/* ---- the answer */

struct rows {
    struct hub_row *row; /* (n) */
    size_t n, cap;
};

static bool rows_add(struct rows *r, const struct hub_row *row)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 64;

        if (!mem_grow((void **)&r->row, cap, sizeof(*r->row)))
            return false;
        r->cap = cap;
    }
    r->row[r->n++] = *row;
    return true;
}

static void rows_deinit(struct rows *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->row[i].shown);
    free(r->row);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct hub_row *)a)->shown, ((const struct hub_row *)b)->shown);
}

static bool is_wanted(const struct hub_listing *l, const char *shown)
{
    return !l->down->only || strcmp(shown, l->down->only) == 0;
}

/* All entries that the client sees. */
static bool collect(const struct hub_listing *l, struct rows *rows)
{
    bool ok = true;

    for (size_t i = 0; i < l->n_parts && ok; i++) {
        const struct part *p = &l->part[i];

        for (size_t k = 0; p->list && k < p->list->n && ok; k++) {
            struct hub_row row = {.entry = &p->list->entry[k]};
            struct str shown;

            str_init(&shown, 1 << 16);
            if (hub_shown(l->hub, l->down->caller, p->server, l->kind, row.entry->name, &shown,
                          &row.description) &&
                str_ok(&shown) && is_wanted(l, str_cstr(&shown))) {
                row.shown = str_take(&shown);
                row.always = l->kind == HUB_TOOLS &&
                             hub_is_always(l->hub, l->down->caller, p->server, row.entry->name);
                ok = rows_add(rows, &row);
            }
            str_deinit(&shown);
        }
    }
    if (rows->n > 0)
        qsort(rows->row, rows->n, sizeof(*rows->row), by_name);
    return ok;
}

static void put_row(const struct hub_row *row, enum hub_list_kind kind, struct str *out)
{
    static const char *const keys[HUB_LIST_N] = {"name", "name", "uri", "uriTemplate"};
    struct str name = STR_INIT, description = STR_INIT;
    struct json_change changes[2];
    size_t n = 1;

    str_put_json_string(&name, row->shown, strlen(row->shown));
    changes[0] = (struct json_change){.key = keys[kind], .value = json_view_str(&name)};
    if (row->description) {
        str_put_json_string(&description, row->description, strlen(row->description));
        changes[n++] =
            (struct json_change){.key = "description", .value = json_view_str(&description)};
    }
    json_view_put_changed(out, row->entry->object, changes, n);
    str_deinit(&name);
    str_deinit(&description);
}

/* Keeps those that `keep` wants. */
static void filter(struct rows *rows, bool (*keep)(const struct hub_row *row, const char *arg),
                   const char *arg)
{
    size_t kept = 0;

    for (size_t i = 0; i < rows->n; i++) {
        if (keep(&rows->row[i], arg))
            rows->row[kept++] = rows->row[i];
        else
            free(rows->row[i].shown);
    }
    rows->n = kept;
}

static bool is_behind(const struct hub_row *row, const char *cursor)
{
    return strcmp(row->shown, cursor) > 0;
}

static bool stays(const struct hub_row *row, const char *arg)
{
    (void)arg;
    return row->always;
}

/* A list of tools that is too long for a model: the hub's own tools in its place. */
static bool shorten(const struct hub_listing *l, struct rows *rows)
{
    size_t n;
    const struct hub_own_tool *own = hub_catalog_tools(&n);
    bool ok = true;

    if (l->kind != HUB_TOOLS || l->down->only ||
        !hub_catalog_is_needed(l->hub, l->down->caller, rows->row, rows->n))
        return true;
    filter(rows, stays, NULL);
    for (size_t i = 0; i < n && ok; i++) {
        struct hub_row row = {.shown = xstrdup(own[i].name), .entry = &own[i].entry};

        ok = rows_add(rows, &row);
    }
    qsort(rows->row, rows->n, sizeof(*rows->row), by_name);
    return ok;
}

static void put_page(const struct hub_listing *l, const struct rows *rows, struct str *out)
{
    static const char *const members[HUB_LIST_N] = {"tools", "prompts", "resources",
                                                    "resourceTemplates"};
    size_t n = 0, last = 0;

    str_printf(out, "{\"%s\":[", members[l->kind]);
    for (size_t i = 0; i < rows->n && n < (size_t)l->hub->o.page; i++) {
        if (i > 0 && strcmp(rows->row[i].shown, rows->row[i - 1].shown) == 0)
            continue; /* the same name twice: the first counts */
        if (n++ > 0)
            str_putc(out, ',');
        put_row(&rows->row[i], l->kind, out);
        last = i;
    }
    str_putc(out, ']');
    if (last + 1 < rows->n && n == (size_t)l->hub->o.page) {
        str_puts(out, ",\"nextCursor\":\"");
        base64url_put(out, rows->row[last].shown, strlen(rows->row[last].shown));
        str_putc(out, '"');
    }
    str_puts(out, ",\"ttlMs\":30000,\"cacheScope\":\"private\"}");
}

/* The name behind which the page begins. */
static bool read_cursor(struct json_view cursor, struct str *after)
{
    struct str text;
    bool ok;

    if (!cursor.at)
        return true;
    str_init(&text, cursor.n + 1);
    ok = json_view_text(cursor, &text) && base64url_decode(str_cstr(&text), text.len, after) &&
         !memchr(str_cstr(after), 0, after->len);
    str_deinit(&text);
    return ok;
}

static enum status put_list(const struct hub_listing *l, struct rows *rows, struct str *out,
                            struct error *err)
{
    struct str after;
    bool ok;

    str_init(&after, 1 << 16);
    ok = read_cursor(json_view_get(l->down->params, "cursor"), &after);
    if (ok && shorten(l, rows)) {
        filter(rows, is_behind, str_cstr(&after));
        put_page(l, rows, out);
    }
    str_deinit(&after);
    return ok ? STATUS_OK : error_set(err, STATUS_INVALID, "the cursor is not one of this server");
}

static enum status search(const struct hub_listing *l, const struct rows *rows, struct str *out,
                          struct error *err)
{
    struct hub_list **lists = xcalloc(l->n_parts + 1, sizeof(*lists));
    struct hub_listed tools = {.row = rows->row, .n = rows->n, .list = lists};
    enum status st;

    for (size_t i = 0; i < l->n_parts; i++)
        if (l->part[i].list)
            lists[tools.n_lists++] = l->part[i].list;
    st = hub_catalog_search(l->hub->indexes, l->down->params, &tools, out, err);
    free(lists);
    return st;
}

static void listing_end(struct hub_listing *l)
{
    struct mcp_exchange *down = mcp_exchange_ref(l->down);
    struct error err = ERROR_INIT;
    struct rows rows = {0};
    struct str out;
    bool ok;
    enum status st;

    str_init(&out, (size_t)64 << 20);
    ok = collect(l, &rows);
    st = down->method == MCP_TOOLS_CALL ? search(l, &rows, &out, &err)
                                        : put_list(l, &rows, &out, &err);
    rows_deinit(&rows);
    listing_free(l);
    if (st)
        mcp_exchange_fail(down, rpc_code_of(st), "%s", err.message);
    else if (ok && str_ok(&out))
        mcp_exchange_complete(down, json_view_str(&out));
    else
        mcp_exchange_fail(down, RPC_INTERNAL_ERROR, "the list is too large");
    str_deinit(&out);
    mcp_exchange_unref(down);
}

/* ---- the lists come */

static void part_came(void *ctx, struct hub_want *w, struct hub_list *list, const struct error *err)
{
    struct part *p = ctx;
    struct hub_listing *l = p->listing;

    (void)w;
    (void)err; /* hub_peer.c has logged it */
    p->waits = false;
    l->n_waiting--;
    if (list) {
        p->list = hub_list_ref(list);
        hub_learn(p->server, l->kind, list);
        hub_change_shown(p->server, l->kind, list->version);
    }
    if (l->n_waiting == 0 && !l->starting)
        listing_end(l);
}

/* What has not come is left out; a list of before is better than none. */
static void leave_out(struct part *p)
{
    struct hub_listing *l = p->listing;
    struct hub_list *old = hub_peer_list(p->want.peer, l->kind);

    hub_want_drop(&p->want);
    p->waits = false;
    l->n_waiting--;
    p->list = old ? hub_list_ref(old) : NULL;
    hub_change_shown(p->server, l->kind, old ? old->version : 1);
    hub_change_reported(p->server, l->kind);
}

/* Pages, and lists of later, do not wait for the same server again. Where each client has its own
 * instance, another one may be quick. */
static void out_of_time(void *ctx)
{
    struct hub_listing *l = ctx;

    for (size_t i = 0; i < l->n_parts; i++) {
        struct part *p = &l->part[i];

        if (!p->waits)
            continue;
        leave_out(p);
        p->server->is_late[l->kind] = !hub_source_is_per_client(p->server->source);
    }
    listing_end(l);
}

void hub_listing_start(struct hub *h, struct mcp_exchange *x, enum hub_list_kind kind)
{
    struct hub_listing *l = xcalloc(1, sizeof(*l));

    l->hub = h;
    l->down = mcp_exchange_ref(x);
    l->kind = kind;
    l->part = xcalloc(h->n_servers + 1, sizeof(*l->part));
    l->after = h->listings;
    l->link = &h->listings;
    if (l->after)
        l->after->link = &l->after;
    h->listings = l;
    x->work = l;
    l->starting = true;
    for (size_t i = 0; i < h->n_servers; i++) {
        struct part *p = &l->part[l->n_parts];
        struct hub_instance *one;

        if (x->only ? !hub_may_have(h, x->caller, h->server[i], x->only)
                    : !hub_sees_server(h, x->caller, h->server[i]))
            continue;
        one = hub_instance_for(h->server[i], x->caller);
        if (!one)
            continue;
        l->n_parts++;
        *p = (struct part){.listing = l, .server = h->server[i], .waits = true};
        p->want = (struct hub_want){.done = part_came, .ctx = p};
        l->n_waiting++;
        hub_peer_want(hub_peer_of(one), kind, &p->want);
        if (p->waits && p->server->is_late[kind])
            leave_out(p);
    }
    l->starting = false;
    if (l->n_waiting == 0)
        listing_end(l);
    else
        l->timer = loop_timer_new(h->loop, h->o.list_ms, out_of_time, l);
}

void hub_listing_cancel(struct hub_listing *l)
{
    struct mcp_exchange *down = mcp_exchange_ref(l->down);

    listing_free(l);
    mcp_exchange_fail_cancelled(down);
    mcp_exchange_unref(down);
}

void hub_listings_forget(struct hub *h, struct hub_server *s)
{
    for (struct hub_listing *l = h->listings, *next; l; l = next) {
        bool waited = false;

        next = l->after;
        for (size_t i = 0; i < l->n_parts; i++) {
            struct part *p = &l->part[i];

            if (p->server != s)
                continue;
            if (p->waits) {
                hub_want_drop(&p->want);
                p->waits = false;
                l->n_waiting--;
                waited = true;
            }
            hub_list_unref(p->list);
            p->list = NULL;
        }
        if (waited && l->n_waiting == 0) {
            listing_end(l);
            next = h->listings;
        }
    }
}
