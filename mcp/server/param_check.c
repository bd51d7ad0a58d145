/* param_check.c - see param_check.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/param_check.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/rpc/mirror.h"
#include "mcp/server/header_check.h"
#include "runtime/base/memory.h"

#define KEPT_MS   30000 /* at least; longer if the list says so */
#define TTL_MAX   300000
#define LISTS_MAX 256
#define PAGES_MAX 1000

struct tool_list {
    struct param_lists *cache;
    struct map *tools, *reading; /* name -> struct mirror; reading: of the list that comes */
    int64_t good_until_us;       /* 0: not read yet */
    struct mcp_exchange *x;      /* while it is read */
    int32_t n_pages;
    int64_t ttl_ms;
    struct param_check *first; /* that wait */
};

struct param_check {
    struct param_check *next;
    struct tool_list *list;
    const struct http_request *q;
    struct json_view params;
    struct mcp_caller *caller;
    void (*done)(void *ctx, const char *fault);
    void *ctx;
};

struct param_lists {
    struct mcp_server *server;
    struct map *lists; /* principal NUL view -> struct tool_list */
};

/* ---- what is known of the tools */

static void free_mirror(void *v)
{
    mirror_free(v);
}

static void free_tools(struct map *m)
{
    map_free(m, free_mirror);
}

static void take_tools(struct tool_list *l, struct json_view result)
{
    for (struct json_walk w = json_walk(json_view_get(result, "tools")); json_walk_next(&w);) {
        struct mirror *m = mirror_read(json_view_get(w.value, "inputSchema"));
        struct str name = STR_INIT;

        /* A client does not call a tool whose annotations are not valid. */
        if (m && mirror_is_valid(m) && json_view_text(json_view_get(w.value, "name"), &name))
            m = map_put(l->reading, str_cstr(&name), m);
        mirror_free(m);
        str_deinit(&name);
    }
}

/* ---- comparing */

static const char *fault_of_one(const struct mirror *m, size_t i, const struct http_request *q,
                                struct json_view arguments)
{
    struct json_view value = mirror_value(m, i, arguments);
    struct str name = STR_INIT;
    const char *field;
    bool twice;

    str_puts(&name, MIRROR_FIELD);
    for (const char *at = mirror_name(m, i); *at; at++)
        str_putc(&name, (char)tolower((unsigned char)*at));
    field = header_check_field(q, str_cstr(&name), &twice);
    str_deinit(&name);
    if (twice)
        return "a header Mcp-Param-... is there twice";
    if (value.at && !field)
        return "an argument of this tool must be repeated in a header Mcp-Param-...";
    if (field && (!value.at || !header_check_is(field, value)))
        return "a header Mcp-Param-... does not agree with the arguments";
    return NULL;
}

static const char *fault_of(const struct mirror *m, const struct http_request *q,
                            struct json_view arguments)
{
    const char *fault = NULL;

    for (size_t i = 0; m && !fault && i < mirror_size(m); i++)
        fault = fault_of_one(m, i, q, arguments);
    return fault;
}

static const char *check_now(const struct tool_list *l, const struct param_check *k)
{
    struct str name = STR_INIT;
    const char *fault = NULL;

    if (json_view_text(json_view_get(k->params, "name"), &name))
        fault = fault_of(map_get(l->tools, str_cstr(&name)), k->q,
                         json_view_get(k->params, "arguments"));
    str_deinit(&name);
    return fault;
}

/* ---- reading the list */

static void finish(struct tool_list *l, bool is_read)
{
    struct param_check *k = l->first;

    if (is_read) {
        free_tools(l->tools);
        l->tools = l->reading;
        l->good_until_us = seams_mono_us(l->cache->server->seams) + l->ttl_ms * 1000;
    } else {
        free_tools(l->reading);
        if (l->good_until_us > 0) /* the old one counts on */
            l->good_until_us = seams_mono_us(l->cache->server->seams) + KEPT_MS * 1000;
    }
    l->reading = NULL;
    l->first = NULL;
    while (k) {
        struct param_check *next = k->next;
        /* Without a list nothing is known to be wrong: the handler decides. */
        const char *fault = is_read ? check_now(l, k) : NULL;
        struct param_check done = *k;

        mcp_caller_unref(k->caller);
        free(k);
        done.done(done.ctx, fault);
        k = next;
    }
}

static void read_page(struct tool_list *l, struct mcp_caller *caller, struct json_view cursor);

static void on_page(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct tool_list *l = ctx;
    struct json_view cursor = json_view_get(a->result, "nextCursor");
    int64_t ttl = json_view_int(json_view_get(a->result, "ttlMs"), 0);

    l->x = NULL;
    l->ttl_ms = ttl > l->ttl_ms && ttl <= TTL_MAX ? ttl : l->ttl_ms;
    if (a->kind == MCP_COMPLETE)
        take_tools(l, a->result);
    if (a->kind == MCP_COMPLETE && json_view_kind(cursor) == JV_STRING && ++l->n_pages < PAGES_MAX)
        read_page(l, x->caller, cursor);
    else
        finish(l, a->kind == MCP_COMPLETE);
    mcp_exchange_unref(x);
}

static void read_page(struct tool_list *l, struct mcp_caller *caller, struct json_view cursor)
{
    struct str params = STR_INIT;

    str_putc(&params, '{');
    if (cursor.at) {
        str_puts(&params, "\"cursor\":");
        json_view_put(&params, cursor);
    }
    str_putc(&params, '}');
    if (str_ok(&params))
        l->x = mcp_exchange_new(&(struct mcp_exchange_spec){.method = MCP_TOOLS_LIST,
                                                            .caller = caller,
                                                            .params = json_view_str(&params),
                                                            .events = {.done = on_page, .ctx = l}});
    str_deinit(&params);
    if (l->x)
        mcp_exchange_start(l->x, l->cache->server->handler);
    else
        finish(l, false);
}

static void read_list(struct tool_list *l, struct mcp_caller *caller)
{
    l->reading = map_new();
    l->n_pages = 0;
    l->ttl_ms = KEPT_MS;
    read_page(l, caller, JSON_VIEW_NONE);
}

/* ---- the cache */

struct param_lists *param_lists_new(struct mcp_server *s)
{
    struct param_lists *c = xcalloc(1, sizeof(*c));

    c->server = s;
    c->lists = map_new();
    return c;
}

static void free_list(void *p)
{
    struct tool_list *l = p;

    if (l->x) {
        mcp_exchange_abandon(l->x);
        mcp_exchange_unref(l->x);
    }
    free_tools(l->tools);
    free_tools(l->reading);
    free(l);
}

void param_lists_free(struct param_lists *c)
{
    map_free(c->lists, free_list);
    free(c);
}

/* One that nobody waits for makes room. */
static void make_room(struct param_lists *c)
{
    const char *key;
    void *value;
    size_t i = 0;

    while (map_next(c->lists, &i, &key, &value)) {
        struct tool_list *l = value;

        if (!l->x) {
            struct str copy = STR_INIT;

            str_puts(&copy, key);
            (void)map_remove(c->lists, str_cstr(&copy));
            str_deinit(&copy);
            free_list(l);
            return;
        }
    }
}

static struct tool_list *list_of(struct param_lists *c, const struct mcp_caller *caller)
{
    struct str key = STR_INIT;
    struct tool_list *l;

    str_printf(&key, "%zu:%s%s", strlen(caller->principal), caller->principal, caller->view);
    l = map_get(c->lists, str_cstr(&key));
    if (!l) {
        if (map_size(c->lists) >= LISTS_MAX)
            make_room(c);
        l = xcalloc(1, sizeof(*l));
        l->cache = c;
        (void)map_put(c->lists, str_cstr(&key), l);
    }
    str_deinit(&key);
    return l;
}

static bool has_fields(const struct http_request *q)
{
    for (int32_t i = 0; i < q->n_fields; i++) {
        if (strncmp(q->fields[i].name, MIRROR_FIELD, sizeof(MIRROR_FIELD) - 1) == 0)
            return true;
    }
    return false;
}

struct param_check *param_check(struct param_lists *c, struct mcp_caller *caller,
                                const struct http_request *q, struct json_view params,
                                void (*done)(void *ctx, const char *fault), void *ctx)
{
    struct param_check now = {.q = q, .params = params, .done = done, .ctx = ctx}, *k, **at;
    struct tool_list *l;

    if (json_view_size(json_view_get(params, "arguments")) == 0 && !has_fields(q)) {
        done(ctx, NULL);
        return NULL;
    }
    l = list_of(c, caller);
    if (l->good_until_us > 0 && !check_now(l, &now)) {
        /* An old list is read again beside the call: a slow server would delay the calls of all. */
        if (l->good_until_us <= seams_mono_us(c->server->seams) && !l->reading)
            read_list(l, caller);
        done(ctx, NULL);
        return NULL;
    }
    k = xcalloc(1, sizeof(*k));
    *k = now;
    k->list = l;
    k->caller = mcp_caller_ref(caller);
    for (at = &l->first; *at; at = &(*at)->next) {
    }
    *at = k;
    if (!l->x && !l->reading)
        read_list(l, caller); /* it may be read when this returns */
    for (at = &l->first; *at && *at != k; at = &(*at)->next) {
    }
    return *at ? k : NULL;
}

void param_check_cancel(struct param_check *k)
{
    struct param_check **at;

    if (!k)
        return;
    at = &k->list->first;
    while (*at && *at != k)
        at = &(*at)->next;
    if (*at)
        *at = k->next;
    mcp_caller_unref(k->caller);
    free(k);
}
