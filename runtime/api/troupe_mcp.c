/* troupe_mcp.c - see troupe_mcp.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/troupe_mcp.h"

#include <stdlib.h>

#include "mcp/config/mcp_approval.h"
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
    struct mcp_audit audit;
    struct hub *hub;
    struct loop_timer *look;
    struct hub_warm *warm; /* of troupe_mcp_warm_later */
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
    return !m->o.may_start || m->o.may_start(m->o.ctx, s, false);
}

static void add(struct troupe_mcp *m, struct mcp_server_spec *s)
{
    struct hub_source_spec spec;
    struct error err = ERROR_INIT;

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

/* The files, with the views and the durability of the audit that they set. */
static enum status read_again(struct troupe_mcp *m, struct mcp_config **now, struct error *err)
{
    enum store_durability durability;
    struct hub_views *views = NULL;
    enum status st = mcp_config_reload(m->config, now, err);

    if (st)
        return st;
    st = read_views(*now, &views, err);
    if (!st)
        st = mcp_audit_read(*now, &durability, err);
    if (st) {
        hub_views_free(views);
        mcp_config_free(*now);
        return st;
    }
    m->views = views;
    m->audit.durability = durability;
    return STATUS_OK;
}

/* If a file is not valid now, nothing changes. */
static void reload(struct troupe_mcp *m)
{
    struct mcp_config *now, *old = m->config;
    struct hub_views *old_views = m->views;
    struct error err = ERROR_INIT;

    if (read_again(m, &now, &err)) {
        log_write(m->t->log, LOG_WARN, "%s%s%s; the configuration of before stays", err.where,
                  err.where[0] ? ": " : "", err.message);
        return;
    }
    hub_set_views(m->hub, m->views);
    hub_views_free(old_views);
    m->config = now;
    log_notes(m);
    for (size_t i = 0; i < mcp_config_size(old); i++) {
        change(m, mcp_config_find(now, mcp_config_at(old, i)->name), mcp_config_at(old, i)->name,
               mcp_config_change(old, now, mcp_config_at(old, i)->name));
    }
    for (size_t i = 0; i < mcp_config_size(now); i++) {
        struct mcp_server_spec *s = mcp_config_at(now, i);

        if (!hub_find(m->hub, s->name) && is_served(m, s))
            add(m, s);
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
    m->audit.store = &t->store; /* which may be opened later */
    m->o = *o;
    m->config =
        mcp_config_load_folder(o->project, o->user_yaml, o->inputs ? o->inputs : &m->no_inputs);
    log_notes(m);
    if (!st)
        st = read_views(m->config, &m->views, err);
    if (!st)
        st = mcp_audit_read(m->config, &m->audit.durability, err);
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
                                       .stderr_line = o->stderr_line,
                                       .ctx = o->ctx};
    m->hub = hub_new(loop, &(struct hub_options){.seams = t->seams,
                                                 .log = t->log,
                                                 .name = "troupe",
                                                 .version = o->version,
                                                 .views = m->views,
                                                 .audit = mcp_audit_hub(&m->audit),
                                                 .key = o->key});
    m->o.key = NULL;
    for (size_t i = 0; i < mcp_config_size(m->config); i++)
        if (is_served(m, mcp_config_at(m->config, i)))
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
    hub_warm_drop(m->warm);
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

/* ---- which servers may be started */

static enum status refuse(const struct mcp_server_spec *s, enum status st, const char *why,
                          struct error *err)
{
    return error_at(err, st, s->file, s->line, s->column, "server %s %s", s->name, why);
}

enum status troupe_mcp_admit(struct troupe *t, const char *name, struct error *err)
{
    struct troupe_mcp *m = t->mcp;
    struct mcp_server_spec *s = m ? mcp_config_find(m->config, name) : NULL;

    if (m && hub_find(m->hub, name))
        return STATUS_OK;
    if (!s)
        return error_set(err, STATUS_NOT_FOUND, "there is no MCP server %s", name);
    if (s->problem) {
        *err = *s->problem;
        return err->status;
    }
    if (!s->settings.enabled)
        return refuse(s, STATUS_CONFIG, "is disabled", err);
    if (m->o.may_start && !m->o.may_start(m->o.ctx, s, true)) {
        struct str text = STR_INIT;

        mcp_approval_put_missing(s, false, &text);
        error_at(err, STATUS_REJECTED, s->changed_by ? s->changed_by : s->file,
                 s->changed_by ? s->changed_line : s->line, s->changed_by ? 0 : s->column,
                 "%s, so it is not started", str_cstr(&text));
        str_deinit(&text);
        error_hint(err, "look at its definition, then `troupe mcp approve %s`", name);
        return err->status;
    }
    add(m, s);
    return STATUS_OK;
}

/* ---- lists of tools, before they are needed */

int64_t troupe_mcp_warm_ms(const struct troupe *t)
{
    int64_t ms = 0;

    for (size_t i = 0; i < mcp_config_size(t->mcp->config); i++) {
        const struct mcp_settings *s = &mcp_config_at(t->mcp->config, i)->settings;

        if (s->start_timeout_ms + s->timeout_ms > ms)
            ms = s->start_timeout_ms + s->timeout_ms;
    }
    return ms;
}

struct warming {
    struct troupe *t;
    bool done;
    struct loop_timer *look; /* for a signal */
};

static void warmed(void *ctx)
{
    struct warming *w = ctx;

    w->done = true;
    loop_stop(w->t->loop);
}

static void look_for_end(void *ctx)
{
    struct warming *w = ctx;

    if (w->t->asked_to_end && *w->t->asked_to_end)
        loop_stop(w->t->loop);
}

enum status troupe_mcp_warm(struct troupe *t, const char *const *server, size_t n,
                            struct error *err)
{
    struct warming w = {.t = t};
    struct hub_warm *warm;
    struct loop *loop;
    enum status st = troupe_loop(t, &loop, err);

    if (st || !t->mcp || hub_size(t->mcp->hub) == 0)
        return st;
    w.look = loop_timer_every(loop, 100, look_for_end, &w);
    warm = hub_warm(t->mcp->hub, server, n, troupe_mcp_warm_ms(t), warmed, &w);
    while (!w.done && !(t->asked_to_end && *t->asked_to_end))
        loop_run(loop);
    loop_timer_free(w.look);
    if (w.done)
        return STATUS_OK;
    hub_warm_drop(warm);
    return error_set(err, STATUS_CANCELLED, "interrupted while MCP servers were starting");
}

static void warmed_later(void *ctx)
{
    struct troupe_mcp *m = ctx;

    m->warm = NULL;
}

void troupe_mcp_warm_later(struct troupe *t)
{
    struct troupe_mcp *m = t->mcp;

    if (m && !m->warm && hub_size(m->hub) > 0)
        m->warm = hub_warm(m->hub, NULL, 0, troupe_mcp_warm_ms(t), warmed_later, m);
}

/* ---- opened at the first need */

void troupe_mcp_offer(struct troupe *t, enum status (*open)(void *ctx, struct error *err),
                      void *ctx)
{
    t->open_mcp = open;
    t->open_mcp_ctx = ctx;
}
