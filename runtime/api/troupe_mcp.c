/* troupe_mcp.c - see troupe_mcp.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/troupe_mcp.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_names.h"
#include "mcp/hub/hub_tool.h"
#include "mcp/hub/hub_upstream.h"
#include "runtime/api/mcp_audit.h"
#include "runtime/api/troupe_internal.h"
#include "runtime/base/memory.h"
#include "runtime/http/http_client.h"
#include "runtime/loop/supervisor.h"

#define LOOK_MS 2000 /* between looks at the files */

struct troupe_mcp {
    struct troupe *t;
    struct troupe_mcp_options o;
    struct mcp_inputs no_inputs;
    struct mcp_config *config;
    struct hub_views *views;
    struct supervisor *supervisor;
    struct hub_upstream_env env;
    struct hub *hub;
    struct loop_timer *look;
};

/* ---- the servers */

static void log_notes(struct troupe_mcp *m)
{
    static const enum log_level levels[] = {LOG_INFO, LOG_WARN, LOG_WARN};
    const struct mcp_notes *notes = mcp_config_notes(m->config);

    for (size_t i = 0; i < notes->n; i++)
        log_write(m->t->log, levels[notes->note[i].level], "%s%s%s", notes->note[i].where,
                  *notes->note[i].where ? ": " : "", notes->note[i].text);
}

/* The views of a configuration. */
static enum status read_views(const struct mcp_config *config, struct hub_views **out,
                              struct error *err)
{
    struct hub_views *v = hub_views_new();
    const struct yaml *yaml;
    const struct yaml_node *section;
    enum status st = STATUS_OK;

    for (size_t i = 0; !st && mcp_config_section(config, i, &yaml, &section); i++) {
        const struct yaml_node *views = yaml_get(section, "views"),
                               *budget = yaml_get(section, "tool_budget");

        if (views)
            st = hub_views_add(v, yaml, views, err);
        if (!st && budget)
            st = hub_views_set_budget(v, yaml, budget, err);
    }
    if (st)
        hub_views_free(v);
    else
        *out = v;
    return st;
}

static bool is_served(const struct troupe_mcp *m, const struct mcp_server_spec *s)
{
    if (!s->settings.enabled || s->problem)
        return false;
    return !m->o.may_start || m->o.may_start(m->o.ctx, s);
}

static void add(struct troupe_mcp *m, struct mcp_server_spec *s)
{
    struct hub_source_spec spec;
    struct error err = ERROR_INIT;

    if (!is_served(m, s))
        return;
    hub_upstream_spec(&m->env, s, &spec);
    if (hub_add(m->hub, &spec, NULL, &err))
        log_write(m->t->log, LOG_WARN, "%s", err.message);
}

/* now: as the server is defined now; NULL: no more. What it is started with is the same for
 * MCP_SETTINGS, so that its process stays. */
static void change(struct troupe_mcp *m, struct mcp_server_spec *now, const char *name,
                   enum mcp_change what)
{
    struct hub_source *source = hub_find(m->hub, name);
    struct hub_source_limits limits;

    if (what == MCP_SAME || !source)
        return;
    log_write(m->t->log, LOG_INFO, "server %s: its configuration has changed", name);
    if (what == MCP_SETTINGS && is_served(m, now)) {
        hub_upstream_change(source, now, &limits);
        hub_settings_changed(m->hub, name, &limits);
    } else {
        hub_remove(m->hub, name);
    }
}

/* A file that is not valid now stays out, the servers of before stay in. */
static void reload(struct troupe_mcp *m)
{
    struct mcp_config *now, *old = m->config;
    struct hub_views *views, *old_views = m->views;
    struct error err = ERROR_INIT;

    if (mcp_config_reload(old, &now, &err)) {
        log_write(m->t->log, LOG_WARN, "%s%s%s", err.where, err.where[0] ? ": " : "", err.message);
        return;
    }
    if (read_views(now, &views, &err)) {
        log_write(m->t->log, LOG_WARN, "%s: %s; the views of before stay", err.where, err.message);
    } else {
        m->views = views;
        hub_set_views(m->hub, views);
        hub_views_free(old_views);
    }
    m->config = now;
    log_notes(m);
    for (size_t i = 0; i < mcp_config_size(old); i++) {
        change(m, mcp_config_find(now, mcp_config_at(old, i)->name), mcp_config_at(old, i)->name,
               mcp_config_change(old, now, mcp_config_at(old, i)->name));
    }
    for (size_t i = 0; i < mcp_config_size(now); i++) {
        if (!hub_find(m->hub, mcp_config_at(now, i)->name))
            add(m, mcp_config_at(now, i));
    }
    mcp_config_free(old);
}

static void look(void *ctx)
{
    struct troupe_mcp *m = ctx;

    if (mcp_config_is_stale(m->config))
        reload(m);
}

enum status troupe_mcp_open(struct troupe *t, const struct troupe_mcp_options *o, struct error *err)
{
    struct troupe_mcp *m = xcalloc(1, sizeof(*m));
    struct http_client *http;
    struct loop *loop;
    enum status st = troupe_loop(t, &loop, err);

    t->mcp = m;
    m->t = t;
    m->o = *o;
    m->config =
        mcp_config_load_folder(o->project, o->user_yaml, o->inputs ? o->inputs : &m->no_inputs);
    log_notes(m);
    if (!st)
        st = read_views(m->config, &m->views, err);
    if (!st)
        st = troupe_http_client(t, &http, err);
    if (st) {
        troupe_mcp_free(t);
        return st;
    }
    m->supervisor = supervisor_new(NULL, t->log);
    m->env = (struct hub_upstream_env){.loop = loop,
                                       .seams = t->seams,
                                       .log = t->log,
                                       .http = http,
                                       .supervisor = m->supervisor,
                                       .inputs = o->inputs ? o->inputs : &m->no_inputs,
                                       .client_name = "troupe",
                                       .client_version = o->version,
                                       .open_url = o->open_url,
                                       .ctx = o->ctx};
    m->hub = hub_new(loop, &(struct hub_options){.seams = t->seams,
                                                 .log = t->log,
                                                 .name = "troupe",
                                                 .version = o->version,
                                                 .views = m->views,
                                                 .audit = mcp_audit(t->store),
                                                 .key = o->key});
    m->o.key = NULL;
    for (size_t i = 0; i < mcp_config_size(m->config); i++)
        add(m, mcp_config_at(m->config, i));
    if (o->follow)
        m->look = loop_timer_every(loop, LOOK_MS, look, m);
    return STATUS_OK;
}

void troupe_mcp_free(struct troupe *t)
{
    struct troupe_mcp *m = t->mcp;

    t->mcp = NULL;
    if (!m)
        return;
    loop_timer_free(m->look);
    hub_free(m->hub);
    if (m->supervisor)
        supervisor_free(m->supervisor);
    hub_views_free(m->views);
    mcp_config_free(m->config);
    mcp_inputs_deinit(&m->no_inputs);
    free(m);
}

struct hub *troupe_hub(const struct troupe *t)
{
    return t->mcp ? t->mcp->hub : NULL;
}

const struct mcp_config *troupe_mcp_config(const struct troupe *t)
{
    return t->mcp ? t->mcp->config : NULL;
}

const struct hub_views *troupe_mcp_views(const struct troupe *t)
{
    return t->mcp ? t->mcp->views : NULL;
}

/* ---- lists of tools, before they are needed */

static void warmed(void *ctx)
{
    loop_stop(ctx);
}

enum status troupe_mcp_warm(struct troupe *t, const char *const *server, size_t n, int64_t ms,
                            struct error *err)
{
    struct loop *loop;
    enum status st = troupe_loop(t, &loop, err);

    if (st || !t->mcp || hub_size(t->mcp->hub) == 0)
        return st;
    (void)hub_warm(t->mcp->hub, server, n, ms, warmed, loop);
    loop_run(loop);
    return STATUS_OK;
}

/* The servers of a plan, each once. */
struct wanted {
    struct hub *hub;
    const char **server; /* (n) */
    size_t n;
};

static void want_tool(struct wanted *w, const char *tool)
{
    for (size_t i = 0; tool && i < hub_size(w->hub); i++) {
        const char *name = hub_source_name(hub_at(w->hub, i));
        char prefix[HUB_PREFIX_MAX + 1];
        size_t k = 0, len;

        hub_names_prefix(name, prefix);
        len = strlen(prefix);
        if (strncmp(tool, prefix, len) != 0 || strncmp(tool + len, "__", 2) != 0)
            continue;
        while (k < w->n && w->server[k] != name)
            k++;
        if (k == w->n)
            w->server[w->n++] = name;
    }
}

static void want_plan(struct wanted *w, const struct plan *p);

static void want_steps(struct wanted *w, const struct plan_step *step, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        want_tool(w, step[i].tool);
        want_steps(w, step[i].child, step[i].n_children);
        want_steps(w, step[i].otherwise, step[i].n_otherwise);
        if (step[i].sub)
            want_plan(w, step[i].sub);
    }
}

static void want_plan(struct wanted *w, const struct plan *p)
{
    for (int32_t i = 0; i < p->n_agents; i++) {
        for (int32_t k = 0; k < p->agent[i].n_tools; k++)
            want_tool(w, p->agent[i].tools[k]);
    }
    want_steps(w, p->step, p->n_steps);
}

enum status troupe_mcp_warm_plan(struct troupe *t, const struct plan *p, int64_t ms,
                                 struct error *err)
{
    struct wanted w = {.hub = troupe_hub(t)};
    enum status st = STATUS_OK;

    if (!w.hub || hub_size(w.hub) == 0)
        return STATUS_OK;
    w.server = xcalloc(hub_size(w.hub), sizeof(*w.server));
    want_plan(&w, p);
    if (w.n > 0)
        st = troupe_mcp_warm(t, w.server, w.n, ms, err);
    free(w.server);
    return st;
}
