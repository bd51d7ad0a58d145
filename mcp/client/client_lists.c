/* client_lists.c - see client_lists.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/client/client_lists.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"

struct client_lists {
    struct client_lists_spec spec;
    struct mcp_exchange *page; /* under way */
    struct loop_timer *timer;  /* before the next page: no page is asked for inside another */
    struct map *cursors;       /* that came */
    struct str cursor, items;
    int32_t n_pages, n_items;
    int64_t ttl_ms;
    bool is_private;
};

/* The member of the result that has the items. */
static const char *member_of(enum mcp_method m)
{
    switch (m) {
    case MCP_TOOLS_LIST:
        return "tools";
    case MCP_RESOURCES_LIST:
        return "resources";
    case MCP_RESOURCES_TEMPLATES_LIST:
        return "resourceTemplates";
    default:
        assert(m == MCP_PROMPTS_LIST);
        return "prompts";
    }
}

static void free_lists(struct client_lists *l)
{
    loop_timer_free(l->timer);
    mcp_caller_unref(l->spec.caller);
    map_free(l->cursors, NULL);
    str_deinit(&l->cursor);
    str_deinit(&l->items);
    free(l);
}

static void end(struct client_lists *l, enum status st, const struct error *err)
{
    if (st == STATUS_OK)
        str_putc(&l->items, ']');
    l->spec.done(l->spec.ctx, st, st == STATUS_OK ? json_view_str(&l->items) : JSON_VIEW_NONE,
                 l->ttl_ms, l->is_private, err);
    free_lists(l);
}

static enum status take_items(struct client_lists *l, struct json_view result, struct error *err)
{
    const char *member = member_of(l->spec.method);
    struct json_view items = json_view_get(result, member);
    int64_t ttl = json_view_int(json_view_get(result, "ttlMs"), 0);

    if (json_view_kind(items) != JV_ARRAY)
        return error_set(err, STATUS_INVALID, "the server's answer to %s has no array \"%s\"",
                         mcp_method_facts(l->spec.method)->name, member);
    for (struct json_walk w = json_walk(items); json_walk_next(&w);) {
        if (++l->n_items > l->spec.max_items)
            return error_set(err, STATUS_LIMIT, "the server lists more than %d %s",
                             l->spec.max_items, member);
        if (l->items.len > 1)
            str_putc(&l->items, ',');
        json_view_put(&l->items, w.value);
    }
    if (!str_ok(&l->items))
        return error_set(err, STATUS_LIMIT, "the server's list of %s has more than %zu bytes",
                         member, l->spec.max_bytes);
    l->ttl_ms = l->n_pages == 1 || ttl < l->ttl_ms ? ttl : l->ttl_ms;
    if (!json_view_is(json_view_get(result, "cacheScope"), "public"))
        l->is_private = true;
    return STATUS_OK;
}

static enum status take_cursor(struct client_lists *l, struct json_view result, struct error *err)
{
    struct json_view next = json_view_get(result, "nextCursor");

    str_clear(&l->cursor);
    if (json_view_kind(next) == JV_NULL)
        return STATUS_OK;
    if (json_view_kind(next) != JV_STRING || next.n > 65536)
        return error_set(err, STATUS_INVALID,
                         "the server's nextCursor must be a string of at most 65536 bytes");
    if (map_put_n(l->cursors, next.at, next.n, l))
        return error_set(err, STATUS_INVALID,
                         "the server's list does not end: a page has the cursor of an earlier one");
    if (l->n_pages >= l->spec.max_pages)
        return error_set(err, STATUS_LIMIT, "the server's list has more than %d pages",
                         l->spec.max_pages);
    str_append(&l->cursor, next.at, next.n);
    return STATUS_OK;
}

static void ask(void *ctx);

static void on_page(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct client_lists *l = ctx;
    struct error err = ERROR_INIT;
    enum status st;

    l->page = NULL;
    if (a->kind == MCP_COMPLETE) {
        l->n_pages++;
        st = take_items(l, a->result, &err);
        if (!st)
            st = take_cursor(l, a->result, &err);
    } else {
        st = error_set(&err, a->code == -32601 ? STATUS_UNSUPPORTED : STATUS_FAILED, "%s",
                       a->kind == MCP_ERROR ? a->message : "the server asks for input for a list");
    }
    if (st || l->cursor.len == 0)
        end(l, st, &err);
    else
        l->timer = loop_timer_new(l->spec.loop, 0, ask, l);
    mcp_exchange_unref(x);
}

static void ask(void *ctx)
{
    struct client_lists *l = ctx;
    struct str params = STR_INIT;
    struct mcp_exchange_spec spec = {
        .method = l->spec.method, .caller = l->spec.caller, .events = {.done = on_page, .ctx = l}};
    struct error err = ERROR_INIT;

    loop_timer_free(l->timer);
    l->timer = NULL;
    if (l->cursor.len > 0) {
        str_puts(&params, "{\"cursor\":");
        str_append(&params, str_cstr(&l->cursor), l->cursor.len);
        str_putc(&params, '}');
        spec.params = json_view_str(&params);
    }
    l->page = mcp_exchange_new(&spec);
    str_deinit(&params);
    if (l->page)
        mcp_exchange_start(l->page, l->spec.handler);
    else
        end(l, error_set(&err, STATUS_NO_MEMORY, "no memory for a list"), &err);
}

struct client_lists *client_lists_start(const struct client_lists_spec *spec)
{
    struct client_lists *l = xcalloc(1, sizeof(*l));

    l->spec = *spec;
    l->spec.caller = mcp_caller_ref(spec->caller);
    l->spec.max_pages = spec->max_pages ? spec->max_pages : 1000;
    l->spec.max_items = spec->max_items ? spec->max_items : 100000;
    l->spec.max_bytes = spec->max_bytes ? spec->max_bytes : (size_t)64 << 20;
    l->cursors = map_new();
    str_init(&l->cursor, 65536 + 16);
    str_init(&l->items, l->spec.max_bytes);
    str_putc(&l->items, '[');
    l->timer = loop_timer_new(spec->loop, 0, ask, l);
    return l;
}

void client_lists_cancel(struct client_lists *l)
{
    struct mcp_exchange *page;

    if (!l)
        return;
    page = l->page;
    free_lists(l);
    if (page) {
        mcp_exchange_abandon(page);
        mcp_exchange_unref(page);
    }
}
