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

#define KEPT_MS    30000 /* at least; longer if the list says so */
#define TTL_MAX    300000
#define TOOLS_MAX  4096
#define NAME_BYTES 4096 /* a longer name is that of no tool */
#define PAGES_MAX  1000

/* What is known of one tool. */
struct tool_facts {
    struct param_lists *cache;
    char *name;
    struct mirror *mirror,
        *reading;           /* NULL: nothing is annotated; reading: of the list that comes */
    int64_t good_until_us;  /* 0: not read yet */
    struct mcp_exchange *x; /* while it is read */
    bool is_reading;
    int32_t n_pages;
    int64_t ttl_ms;
    struct param_check *first; /* that wait */
};

struct param_check {
    struct param_check *next;
    struct tool_facts *tool;
    const struct http_request *q;
    struct json_view params;
    struct mcp_caller *caller;
    void (*done)(void *ctx, const char *fault);
    void *ctx;
};

struct param_lists {
    struct mcp_server *server;
    struct map *tools; /* principal, view and name -> struct tool_facts */
};

/* ---- what is known of a tool */

/* Is it on this page? */
static bool take_tool(struct tool_facts *t, struct json_view result)
{
    for (struct json_walk w = json_walk(json_view_get(result, "tools")); json_walk_next(&w);) {
        if (!json_view_is(json_view_get(w.value, "name"), t->name))
            continue;
        t->reading = mirror_read(json_view_get(w.value, "inputSchema"));
        if (t->reading && !mirror_is_valid(t->reading)) {
            /* A client does not call a tool whose annotations are not valid. */
            mirror_free(t->reading);
            t->reading = NULL;
        }
        return true;
    }
    return false;
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

static const char *check_now(const struct tool_facts *t, const struct param_check *k)
{
    return fault_of(t->mirror, k->q, json_view_get(k->params, "arguments"));
}

/* ---- reading the list */

static void finish(struct tool_facts *t, bool is_read)
{
    int64_t now_us = seams_mono_us(t->cache->server->seams);
    struct param_check *k = t->first;

    if (is_read) {
        mirror_free(t->mirror);
        t->mirror = t->reading;
        t->good_until_us = now_us + t->ttl_ms * 1000;
    } else {
        mirror_free(t->reading);
        if (t->good_until_us > 0) /* what was known counts on */
            t->good_until_us = now_us + KEPT_MS * 1000;
    }
    t->reading = NULL;
    t->is_reading = false;
    t->first = NULL;
    while (k) {
        struct param_check *next = k->next;
        /* Without a list nothing is known to be wrong: the handler decides. */
        const char *fault = is_read ? check_now(t, k) : NULL;
        struct param_check done = *k;

        mcp_caller_unref(k->caller);
        free(k);
        done.done(done.ctx, fault);
        k = next;
    }
}

static void read_page(struct tool_facts *t, struct mcp_caller *caller, struct json_view cursor);

static void on_page(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct tool_facts *t = ctx;
    struct json_view cursor = json_view_get(a->result, "nextCursor");
    int64_t ttl = json_view_int(json_view_get(a->result, "ttlMs"), 0);
    bool goes_on = a->kind == MCP_COMPLETE && !take_tool(t, a->result) &&
                   json_view_kind(cursor) == JV_STRING && ++t->n_pages < PAGES_MAX;

    t->x = NULL;
    t->ttl_ms = ttl > t->ttl_ms && ttl <= TTL_MAX ? ttl : t->ttl_ms;
    if (goes_on)
        read_page(t, x->caller, cursor);
    else
        finish(t, a->kind == MCP_COMPLETE);
    mcp_exchange_unref(x);
}

static void read_page(struct tool_facts *t, struct mcp_caller *caller, struct json_view cursor)
{
    struct str params = STR_INIT;

    str_putc(&params, '{');
    if (cursor.at) {
        str_puts(&params, "\"cursor\":");
        json_view_put(&params, cursor);
    }
    str_putc(&params, '}');
    if (str_ok(&params))
        t->x = mcp_exchange_new(&(struct mcp_exchange_spec){.method = MCP_TOOLS_LIST,
                                                            .caller = caller,
                                                            .params = json_view_str(&params),
                                                            .only = t->name,
                                                            .events = {.done = on_page, .ctx = t}});
    str_deinit(&params);
    if (t->x)
        mcp_exchange_start(t->x, t->cache->server->handler);
    else
        finish(t, false);
}

static void read_list(struct tool_facts *t, struct mcp_caller *caller)
{
    t->is_reading = true;
    t->n_pages = 0;
    t->ttl_ms = KEPT_MS;
    read_page(t, caller, JSON_VIEW_NONE);
}

/* ---- the cache */

struct param_lists *param_lists_new(struct mcp_server *s)
{
    struct param_lists *c = xcalloc(1, sizeof(*c));

    c->server = s;
    c->tools = map_new();
    return c;
}

static void free_tool(void *p)
{
    struct tool_facts *t = p;

    if (t->x) {
        mcp_exchange_abandon(t->x);
        mcp_exchange_unref(t->x);
    }
    mirror_free(t->mirror);
    mirror_free(t->reading);
    free(t->name);
    free(t);
}

void param_lists_free(struct param_lists *c)
{
    map_free(c->tools, free_tool);
    free(c);
}

/* One that nobody waits for makes room. */
static void make_room(struct param_lists *c)
{
    const char *key;
    void *value;
    size_t i = 0;

    while (map_next(c->tools, &i, &key, &value)) {
        struct tool_facts *t = value;

        if (!t->is_reading) {
            struct str copy = STR_INIT;

            str_puts(&copy, key);
            (void)map_remove(c->tools, str_cstr(&copy));
            str_deinit(&copy);
            free_tool(t);
            return;
        }
    }
}

static struct tool_facts *tool_of(struct param_lists *c, const struct mcp_caller *caller,
                                  const char *name)
{
    struct str key = STR_INIT;
    struct tool_facts *t;

    str_printf(&key, "%zu:%s%zu:%s%s", strlen(caller->principal), caller->principal,
               strlen(caller->view), caller->view, name);
    t = map_get(c->tools, str_cstr(&key));
    if (!t) {
        if (map_size(c->tools) >= TOOLS_MAX)
            make_room(c);
        t = xcalloc(1, sizeof(*t));
        t->cache = c;
        t->name = xstrdup(name);
        (void)map_put(c->tools, str_cstr(&key), t);
    }
    str_deinit(&key);
    return t;
}

static bool has_fields(const struct http_request *q)
{
    for (int32_t i = 0; i < q->n_fields; i++) {
        if (strncmp(q->fields[i].name, MIRROR_FIELD, sizeof(MIRROR_FIELD) - 1) == 0)
            return true;
    }
    return false;
}

/* Waits for what is being read. NULL: `done` was called. */
static struct param_check *wait_for(struct tool_facts *t, struct mcp_caller *caller,
                                    const struct param_check *now)
{
    struct param_check *k = xcalloc(1, sizeof(*k)), **at;

    *k = *now;
    k->tool = t;
    k->caller = mcp_caller_ref(caller);
    for (at = &t->first; *at; at = &(*at)->next) {
    }
    *at = k;
    if (!t->is_reading)
        read_list(t, caller); /* it may be read when this returns */
    for (at = &t->first; *at && *at != k; at = &(*at)->next) {
    }
    return *at ? k : NULL;
}

struct param_check *param_check(struct param_lists *c, struct mcp_caller *caller,
                                const struct http_request *q, struct json_view params,
                                void (*done)(void *ctx, const char *fault), void *ctx)
{
    struct param_check now = {.q = q, .params = params, .done = done, .ctx = ctx};
    struct tool_facts *t = NULL;
    struct str name;

    str_init(&name, NAME_BYTES);
    if ((json_view_size(json_view_get(params, "arguments")) > 0 || has_fields(q)) &&
        json_view_text(json_view_get(params, "name"), &name) && str_ok(&name))
        t = tool_of(c, caller, str_cstr(&name));
    str_deinit(&name);
    if (!t) {
        done(ctx, NULL);
        return NULL;
    }
    if (t->good_until_us > 0 && !check_now(t, &now)) {
        /* What is old is read again beside the call: a slow server would delay the calls of all. */
        if (t->good_until_us <= seams_mono_us(c->server->seams) && !t->is_reading)
            read_list(t, caller);
        done(ctx, NULL);
        return NULL;
    }
    return wait_for(t, caller, &now);
}

void param_check_cancel(struct param_check *k)
{
    struct param_check **at;

    if (!k)
        return;
    at = &k->tool->first;
    while (*at && *at != k)
        at = &(*at)->next;
    if (*at)
        *at = k->next;
    mcp_caller_unref(k->caller);
    free(k);
}
