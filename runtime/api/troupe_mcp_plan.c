/* troupe_mcp_plan.c - the servers that a plan needs, before its tools are looked up; and their
 * tools in the record of a run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/plan_load.h"
#include "mcp/hub/hub_content.h"
#include "mcp/hub/hub_names.h"
#include "runtime/api/troupe_internal.h"
#include "runtime/api/troupe_mcp.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"

/* SERVER__ of troupe://SERVER/URI; false: not such a URI. */
static bool name_of_uri(const char *uri, struct str *out)
{
    static const char scheme[] = "troupe://";
    size_t n = sizeof(scheme) - 1;

    if (strncmp(uri, scheme, n) != 0)
        return false;
    str_append(out, uri + n, strcspn(uri + n, "/"));
    str_puts(out, "__");
    return true;
}

/* ---- the names of tools in a plan */

typedef enum status (*name_fn)(void *ctx, const char *tool, struct error *err);

static enum status each_of_plan(const struct plan *p, name_fn fn, void *ctx, struct error *err);

/* A constant argument, a string; NULL: there is none, or it is computed. The caller's. */
static struct json *constant(const struct plan_step *s, const char *name)
{
    const struct plan_value *v;
    const char *key;

    for (size_t i = 0; s->in && (v = plan_value_member(s->in, i, &key)) != NULL; i++)
        if (strcmp(key, name) == 0)
            return plan_value_literal(v);
    return NULL;
}

/* The argument of mcp_resource or mcp_prompt that names a server, as the beginning of a name of it.
 */
static enum status name_of_content(const struct plan_step *s, name_fn fn, void *ctx,
                                   struct error *err)
{
    bool is_prompt = strcmp(s->tool, HUB_PROMPT_TOOL) == 0;
    struct json *value = constant(s, is_prompt ? "name" : "uri");
    struct str name = STR_INIT;
    enum status st = STATUS_OK;

    if (is_prompt)
        st = fn(ctx, jv_get_string(value, ""), err);
    else if (strcmp(s->tool, HUB_RESOURCE_TOOL) == 0 &&
             name_of_uri(jv_get_string(value, ""), &name))
        st = fn(ctx, str_cstr(&name), err);
    str_deinit(&name);
    jv_unref(value);
    return st;
}

static enum status each_of_steps(const struct plan_step *step, int32_t n, name_fn fn, void *ctx,
                                 struct error *err)
{
    enum status st = STATUS_OK;

    for (int32_t i = 0; !st && i < n; i++) {
        if (step[i].tool)
            st = fn(ctx, step[i].tool, err);
        if (!st && step[i].tool)
            st = name_of_content(&step[i], fn, ctx, err);
        if (!st)
            st = each_of_steps(step[i].child, step[i].n_children, fn, ctx, err);
        if (!st)
            st = each_of_steps(step[i].otherwise, step[i].n_otherwise, fn, ctx, err);
        if (!st && step[i].sub)
            st = each_of_plan(step[i].sub, fn, ctx, err);
    }
    return st;
}

static enum status each_of_plan(const struct plan *p, name_fn fn, void *ctx, struct error *err)
{
    enum status st = STATUS_OK;

    for (int32_t i = 0; !st && i < p->n_agents; i++)
        for (int32_t k = 0; !st && k < p->agent[i].n_tools; k++)
            st = fn(ctx, p->agent[i].tools[k], err);
    return st ? st : each_of_steps(p->step, p->n_steps, fn, ctx, err);
}

/* ---- their servers */

/* Each once. */
struct wanted {
    struct troupe *t;
    const char **server; /* (n) lent from the configuration */
    size_t n;
};

static bool begins_with_server(const char *name, const char *server)
{
    char prefix[HUB_PREFIX_MAX + 1];
    size_t n;

    hub_names_prefix(server, prefix);
    n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 && strncmp(name + n, "__", 2) == 0;
}

static void want(struct wanted *w, const char *server)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->server[i] == server)
            return;
    w->server = xrealloc(w->server, (w->n + 1) * sizeof(*w->server));
    w->server[w->n++] = server;
}

/* May it belong to a server, or to all? */
static bool is_ours(const char *name)
{
    return strstr(name, "__") || strcmp(name, HUB_RESOURCE_TOOL) == 0 ||
           strcmp(name, HUB_PROMPT_TOOL) == 0;
}

static enum status want_name(void *ctx, const char *name, struct error *err)
{
    struct wanted *w = ctx;
    enum status st = STATUS_OK;

    if (!is_ours(name))
        return STATUS_OK;
    if (!w->t->mcp && w->t->open_mcp)
        st = w->t->open_mcp(w->t->open_mcp_ctx, err);
    if (st || !w->t->mcp)
        return st;
    for (size_t i = 0; i < mcp_config_size(troupe_mcp_config(w->t)); i++) {
        const char *server = mcp_config_at(troupe_mcp_config(w->t), i)->name;

        if (begins_with_server(name, server))
            want(w, server);
    }
    return STATUS_OK;
}

static bool is_known(const struct troupe *t, const char *server)
{
    struct hub_source *s = hub_find(troupe_hub(t), server);
    struct hub_instance *i = s ? hub_source_instance(s, NULL) : NULL;
    struct hub_peer *p = i ? hub_peer_of(i) : NULL;

    return p && hub_peer_list(p, HUB_TOOLS);
}

static bool is_starting(const struct troupe *t, const char *server)
{
    struct str state = STR_INIT;
    bool starting;

    hub_source_state_text(hub_find(troupe_hub(t), server), &state);
    starting = strcmp(str_cstr(&state), "starting") == 0 || strcmp(str_cstr(&state), "ready") == 0;
    str_deinit(&state);
    return starting;
}

static enum status check_known(struct troupe *t, const char *server, struct error *err)
{
    const struct mcp_server_spec *s = mcp_config_find(troupe_mcp_config(t), server);
    struct str state = STR_INIT;
    enum status st;

    if (is_known(t, server))
        return STATUS_OK;
    if (loop_is_running(t->loop) && is_starting(t, server))
        return error_set(err, STATUS_BUSY, "MCP server %s is starting", server);
    hub_source_state_text(hub_find(troupe_hub(t), server), &state);
    st = error_at(err, STATUS_IO, s->file, s->line, s->column,
                  "the tools of server %s cannot be used, it is %s", server, str_cstr(&state));
    error_hint(err, "`troupe mcp logs %s` shows what it wrote, `troupe mcp ping %s` tries it again",
               server, server);
    str_deinit(&state);
    return st;
}

/* Admits and warms what is wanted. */
static enum status fulfil(struct wanted *w, struct error *err)
{
    struct troupe *t = w->t;
    bool missing = false;
    enum status st = STATUS_OK;

    for (size_t i = 0; !st && i < w->n; i++) {
        st = troupe_mcp_admit(t, w->server[i], err);
        missing = missing || (!st && !is_known(t, w->server[i]));
    }
    if (!st && missing && !loop_is_running(t->loop))
        st = troupe_mcp_warm(t, w->server, w->n, err);
    for (size_t i = 0; !st && i < w->n; i++)
        st = check_known(t, w->server[i], err);
    free(w->server);
    return st;
}

enum status troupe_mcp_plan(struct troupe *t, const struct plan *p, struct error *err)
{
    struct wanted w = {.t = t};
    enum status st = each_of_plan(p, want_name, &w, err);

    if (st) {
        free(w.server);
        return st;
    }
    return fulfil(&w, err);
}

enum status troupe_mcp_name(struct troupe *t, const char *name, struct error *err)
{
    struct wanted w = {.t = t};
    enum status st = want_name(&w, name, err);

    if (st) {
        free(w.server);
        return st;
    }
    return fulfil(&w, err);
}

enum status troupe_mcp_uri(struct troupe *t, const char *uri, struct error *err)
{
    struct str name = STR_INIT;
    enum status st = STATUS_OK;

    if (name_of_uri(uri, &name))
        st = troupe_mcp_name(t, str_cstr(&name), err);
    str_deinit(&name);
    return st;
}

enum status troupe_mcp_server(struct troupe *t, const char *server, struct error *err)
{
    struct wanted w = {.t = t};
    const struct mcp_server_spec *s = mcp_config_find(troupe_mcp_config(t), server);

    if (!s)
        return error_set(err, STATUS_NOT_FOUND, "there is no MCP server %s", server);
    want(&w, s->name);
    return fulfil(&w, err);
}

struct hub_warm *troupe_mcp_plan_later(struct troupe *t, const struct plan *p,
                                       void (*done)(void *ctx), void *ctx)
{
    struct wanted w = {.t = t};
    struct error err = ERROR_INIT;
    struct hub_warm *warm = NULL;
    enum status st = each_of_plan(p, want_name, &w, &err);
    size_t n = 0;

    for (size_t i = 0; !st && i < w.n; i++)
        if (!troupe_mcp_admit(t, w.server[i], &err) && !is_known(t, w.server[i]))
            w.server[n++] = w.server[i];
    if (n > 0)
        warm = hub_warm(troupe_hub(t), w.server, n, troupe_mcp_warm_ms(t), done, ctx);
    else
        done(ctx);
    free(w.server);
    return warm;
}

/* ---- the record */

struct described {
    const struct tool_registry *tools;
    struct json *list;
};

static enum status describe(void *ctx, const char *name, struct error *err)
{
    struct described *d = ctx;
    const struct tool *t = tool_registry_find(d->tools, name);
    struct json *o;

    (void)err;
    if (!t || !is_ours(name))
        return STATUS_OK;
    for (size_t i = 0; i < jv_size(d->list); i++)
        if (strcmp(jv_get_string(jv_get(jv_at(d->list, i), "name"), ""), name) == 0)
            return STATUS_OK;
    if (!d->list)
        d->list = jv_array();
    o = jv_object();
    jv_set_string(o, "name", t->name);
    jv_set_string(o, "source", t->source);
    jv_set_string(o, "description", t->description);
    jv_set_string(o, "effect", effect_words[t->effect]);
    jv_set_adopt(o, "input_schema", jv_ref(t->input_schema));
    jv_append_adopt(d->list, o);
    return STATUS_OK;
}

struct json *troupe_mcp_describe(const struct plan *p, const struct tool_registry *r)
{
    struct described d = {.tools = r};

    (void)!each_of_plan(p, describe, &d, NULL);
    return d.list;
}

static void start_recorded(struct tool *t, struct tool_call *c)
{
    (void)t;
    tool_call_finish_error(c, "a replay calls no tool");
}

static const struct tool_ops recorded_ops = {.start = start_recorded, .free = tool_release};

enum status troupe_mcp_recorded(const struct json *tools, struct tool_registry *r,
                                struct error *err)
{
    enum status st = STATUS_OK;

    for (size_t i = 0; !st && i < jv_size(tools); i++) {
        const struct json *o = jv_at(tools, i);
        struct tool_declaration d = {.name = jv_get_string(jv_get(o, "name"), ""),
                                     .description = jv_get_string(jv_get(o, "description"), ""),
                                     .source = jv_get_string(jv_get(o, "source"), ""),
                                     .input = jv_get(o, "input_schema"),
                                     .foreign = true,
                                     .effect = EFFECT_ONCE,
                                     .access = TOOL_READS_UNTRUSTED | TOOL_EXTERNAL};
        struct tool *t = NULL;

        for (int e = 0; e < N_EFFECTS; e++)
            if (strcmp(jv_get_string(jv_get(o, "effect"), ""), effect_words[e]) == 0)
                d.effect = (enum effect)e;
        st = tool_new(&d, &recorded_ops, NULL, &t, err);
        if (!st)
            st = tool_registry_adopt(r, t, err);
    }
    return st;
}
