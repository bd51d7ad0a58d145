/* mcp_offers.c - see mcp_offers.h.
 *
 * Each kind is a source whose link answers in this process: it is ready as soon as it is opened.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/glob.h"
#include "runtime/base/memory.h"
#include "runtime/serve/mcp_offers_internal.h"
#include "tools/registry.h"

#define CALL_MS 86400000 /* of one call: runs have time limits of their own */
#define LIST_MS 60000    /* a list is good for */

/* ---- calls */

struct offers_call *offers_call_new(struct offers_source *s, struct mcp_exchange *x)
{
    struct offers_call *c = xcalloc(1, sizeof(*c));

    c->source = s;
    c->x = mcp_exchange_ref(x);
    c->arguments = json_view_value(json_view_get(x->params, "arguments"));
    x->work = c;
    c->next = s->calls;
    s->calls = c;
    return c;
}

void offers_call_answered(struct offers_call *c)
{
    struct mcp_exchange *x = c->x;

    c->x = NULL;
    if (x)
        mcp_exchange_unref(x);
}

void offers_call_free(struct offers_call *c)
{
    struct offers_call **at = &c->source->calls;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    offers_call_answered(c);
    jv_unref(c->arguments);
    jv_unref(c->left);
    free(c->change);
    free(c);
}

/* ---- what is exposed */

static bool exposes(const struct mcp_offers *f, enum offers_kind kind, const char *name)
{
    for (char **p = f->pattern[kind]; p && *p; p++)
        if (glob_match(*p, name))
            return true;
    return false;
}

/* The name of an offer of this kind without "blueprint/"; NULL: of another kind, or not exposed. */
static const char *name_of(const struct offers_source *s, const struct serve_offer *offer)
{
    const char *name = strchr(offer->name, '/') + 1;

    if (offer->is_agent != (s->kind == OFFERS_AGENT) || s->kind == OFFERS_TOOL)
        return NULL;
    return exposes(s->offers, s->kind, name) ? name : NULL;
}

static bool is_exposed_tool(const struct offers_source *s, const struct tool *t)
{
    return s->kind == OFFERS_TOOL && strcmp(t->source, "built-in") == 0 &&
           exposes(s->offers, OFFERS_TOOL, t->name);
}

/* ---- the list */

static struct json *schema_of(const struct plan *p)
{
    struct json *schema = jv_object(), *properties = jv_object(), *required = jv_array();

    for (int32_t i = 0; i < p->n_inputs; i++) {
        const struct plan_input *in = &p->input[i];
        struct json *one = jv_object();

        jv_set_string(one, "type", in->type);
        if (in->description)
            jv_set_string(one, "description", in->description);
        if (in->otherwise)
            jv_set_adopt(one, "default", jv_ref(in->otherwise));
        if (in->required)
            jv_append_adopt(required, jv_string(in->name));
        jv_set_adopt(properties, in->name, one);
    }
    jv_set_string(schema, "type", "object");
    jv_set_adopt(schema, "properties", properties);
    if (jv_size(required) > 0)
        jv_set_adopt(schema, "required", jv_ref(required));
    jv_set_bool(schema, "additionalProperties", false);
    jv_unref(required);
    return schema;
}

static void add_entry(struct json *list, const char *name, const char *description,
                      struct json *adopt_schema)
{
    struct json *o = jv_object();

    jv_set_string(o, "name", name);
    jv_set_string(o, "description", description);
    jv_set_adopt(o, "inputSchema", adopt_schema);
    jv_append_adopt(list, o);
}

static struct json *list_of(const struct offers_source *s)
{
    const struct serve_config *c = s->offers->o.config;
    struct json *list = jv_array();

    for (int32_t i = 0; i < c->n_offers; i++) {
        const char *name = name_of(s, &c->offer[i]);
        struct str about = STR_INIT;

        if (!name)
            continue;
        str_printf(&about, "Runs the %s %s of this Troupe; the call is recorded as a run.",
                   mcp_own_names[s->kind], name);
        add_entry(list, name, str_cstr(&about), schema_of(c->offer[i].plan));
        str_deinit(&about);
    }
    for (size_t i = 0; i < tool_registry_size(s->offers->tools); i++) {
        const struct tool *t = tool_registry_at(s->offers->tools, i);

        if (is_exposed_tool(s, t))
            add_entry(list, t->name, t->description, jv_ref(t->input_schema));
    }
    return list;
}

static void finish_json(struct mcp_exchange *x, struct json *adopt_result)
{
    struct str text = STR_INIT;

    jv_write(adopt_result, 0, &text);
    jv_unref(adopt_result);
    if (str_ok(&text))
        mcp_exchange_complete(x, json_view_str(&text));
    else
        mcp_exchange_fail(x, RPC_INTERNAL_ERROR, "no memory for the answer");
    str_deinit(&text);
}

static void answer_list(struct offers_source *s, struct mcp_exchange *x)
{
    struct json *result = jv_object();

    jv_set_adopt(result, "tools", list_of(s));
    jv_set_int(result, "ttlMs", LIST_MS);
    jv_set_string(result, "cacheScope", "private");
    finish_json(x, result);
}

static void answer_discover(struct offers_source *s, struct mcp_exchange *x)
{
    static const char tools[] = "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":"
                                "{\"tools\":{}},\"ttlMs\":60000,\"cacheScope\":\"private\"}";
    static const char tasks[] = "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":"
                                "{\"tools\":{},\"extensions\":{\"" MCP_META_TASKS "\":{}}},"
                                "\"ttlMs\":60000,\"cacheScope\":\"private\"}";
    bool has_tasks = s->kind != OFFERS_TOOL && *s->offers->o.watch;

    mcp_exchange_complete(x, has_tasks ? json_view_of(tasks, sizeof(tasks) - 1)
                                       : json_view_of(tools, sizeof(tools) - 1));
}

/* ---- requests */

static void call(struct offers_source *s, struct mcp_exchange *x)
{
    const struct serve_config *config = s->offers->o.config;
    struct json_view name = json_view_get(x->params, "name");

    for (int32_t i = 0; i < config->n_offers; i++) {
        const char *own = name_of(s, &config->offer[i]);

        if (own && json_view_is(name, own)) {
            offers_run_start(offers_call_new(s, x), &config->offer[i]);
            return;
        }
    }
    for (size_t i = 0; i < tool_registry_size(s->offers->tools); i++) {
        struct tool *t = tool_registry_at(s->offers->tools, i);

        if (is_exposed_tool(s, t) && json_view_is(name, t->name)) {
            offers_tool_start(offers_call_new(s, x), t);
            return;
        }
    }
    mcp_exchange_fail(x, RPC_INVALID_PARAMS, "there is no such %s", mcp_own_names[s->kind]);
}

static void start(void *ctx, struct mcp_exchange *x)
{
    struct offers_source *s = ctx;

    switch (x->method) {
    case MCP_DISCOVER:
        answer_discover(s, x);
        break;
    case MCP_TOOLS_LIST:
        answer_list(s, x);
        break;
    case MCP_TOOLS_CALL:
        call(s, x);
        break;
    case MCP_TASKS_GET:
    case MCP_TASKS_UPDATE:
    case MCP_TASKS_CANCEL:
        offers_task_start(s, x);
        break;
    default:
        mcp_exchange_fail(x, RPC_METHOD_NOT_FOUND, "this source has only tools");
    }
}

static void cancel(void *ctx, struct mcp_exchange *x)
{
    struct offers_call *c = x->work;

    (void)ctx;
    if (!c)
        mcp_exchange_fail_cancelled(x);
    else if (c->step)
        offers_tool_cancel(c);
    else
        offers_run_cancel(c);
}

/* ---- the source */

static void close_link(void *ctx)
{
    struct offers_source *s = ctx;

    for (struct offers_call *c = s->calls; c; c = c->next) {
        if (!c->x)
            continue;
        mcp_exchange_fail_cancelled(c->x);
        offers_call_answered(c);
    }
}

static enum status open_link(void *ctx, struct mcp_caller *owner,
                             const struct hub_link_events *events, struct hub_link *out,
                             struct error *err)
{
    (void)owner;
    (void)err;
    *out = (struct hub_link){
        .handler = {.ctx = ctx, .start = start, .cancel = cancel}, .ctx = ctx, .close = close_link};
    events->ready(events->ctx);
    return STATUS_OK;
}

static void offers_unref(struct mcp_offers *f)
{
    if (--f->refs > 0)
        return;
    for (int k = 0; k < N_OFFERS; k++) {
        for (char **p = f->pattern[k]; p && *p; p++)
            free(*p);
        free(f->pattern[k]);
    }
    tool_registry_free(f->tools);
    free(f);
}

/* Runs of calls that are under way end before the hub does. */
static void free_source(void *ctx)
{
    struct offers_source *s = ctx;

    while (s->calls)
        offers_call_free(s->calls);
    offers_unref(s->offers);
    free(s);
}

static enum effect effect(void *ctx, const char *name)
{
    const struct offers_source *s = ctx;
    const struct tool *t =
        s->kind == OFFERS_TOOL ? tool_registry_find(s->offers->tools, name) : NULL;

    return t ? t->effect : EFFECT_ONCE;
}

static void add_source(struct mcp_offers *f, enum offers_kind kind)
{
    struct offers_source *s = xcalloc(1, sizeof(*s));
    struct json *list;
    struct error err = ERROR_INIT;
    bool empty;

    s->offers = f;
    s->kind = kind;
    f->refs++;
    list = list_of(s);
    empty = jv_size(list) == 0;
    jv_unref(list);
    if (empty) {
        free_source(s);
        return;
    }
    const struct hub_source_spec spec = {
        .name = mcp_own_names[kind],
        .limits = {.max_in_flight = 1000, .max_waiting = 10000, .call_ms = CALL_MS},
        .opener = {.ctx = s, .open = open_link, .free = free_source, .effect = effect}};

    if (hub_add(troupe_hub(f->o.troupe), &spec, NULL, &err))
        log_write(f->o.log, LOG_WARN,
                  "an MCP server is named %s, so this Troupe's own are not "
                  "served: %s",
                  mcp_own_names[kind], err.message);
}

/* ---- the configuration */

static char **everything(void)
{
    char **list = xcalloc(2, sizeof(*list));

    list[0] = xstrdup("*");
    return list;
}

static enum status read_patterns(const struct yaml *y, const struct yaml_node *node, char ***out,
                                 struct error *err)
{
    char **list;
    size_t n = 0;

    if (yaml_node_kind(node) != YAML_SEQUENCE)
        return yaml_error(err, y, node, "expected a list of names or patterns");
    list = xcalloc(yaml_size(node) + 1, sizeof(*list));
    for (size_t i = 0; i < yaml_size(node); i++)
        if (yaml_node_kind(yaml_at(node, i)) == YAML_SCALAR)
            list[n++] = xstrdup(yaml_text_of(yaml_at(node, i)));
    *out = list;
    return STATUS_OK;
}

/* The file that counts more decides about a kind. */
static enum status read_expose(struct mcp_offers *f, struct error *err)
{
    static const char *const keys[] = {"blueprints", "agents", "tools"};
    const struct yaml *y;
    const struct yaml_node *section;
    enum status st = STATUS_OK;

    for (size_t i = 0; !st && mcp_config_section(troupe_mcp_config(f->o.troupe), i, &y, &section);
         i++) {
        const struct yaml_node *expose = yaml_get(section, "expose");

        if (expose)
            st = yaml_check_keys(y, expose, keys, ARRAY_LEN(keys), err);
        for (int k = 0; !st && expose && k < N_OFFERS; k++)
            if (!f->pattern[k] && yaml_get(expose, keys[k]))
                st = read_patterns(y, yaml_get(expose, keys[k]), &f->pattern[k], err);
    }
    for (int k = OFFERS_BLUEPRINT; !st && k <= OFFERS_AGENT; k++)
        if (!f->pattern[k])
            f->pattern[k] = everything();
    return st;
}

enum status mcp_offers_open(const struct mcp_offers_options *o, struct error *err)
{
    struct mcp_offers *f = xcalloc(1, sizeof(*f));
    enum status st;

    f->o = *o;
    f->refs = 1;
    st = read_expose(f, err);
    if (!st)
        st = troupe_tools(o->troupe, o->run->root ? o->run->root : ".", &f->tools, err);
    for (int k = 0; !st && k < N_OFFERS; k++)
        add_source(f, (enum offers_kind)k);
    offers_unref(f);
    return st;
}
