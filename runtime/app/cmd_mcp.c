/* cmd_mcp.c - mcp list, approve, ping: the servers of the configuration.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "runtime/app/app_mcp_request.h"
#include "runtime/app/table.h"

/* ---- list */

/* May it be started, as far as the files say? */
static const char *state_of(struct app *a, const struct mcp_server_spec *s)
{
    if (s->problem)
        return "mistake";
    if (!s->settings.enabled)
        return "disabled";
    return app_mcp_is_approved(a, s) ? "ok" : "not approved";
}

static struct json *describe(struct app *a, const struct mcp_server_spec *s)
{
    struct json *o = jv_object();
    struct str target = STR_INIT;

    app_mcp_put_target(s, &target);
    jv_set_string(o, "name", s->name);
    jv_set_string(o, "state", state_of(a, s));
    jv_set_string(o, "transport", mcp_server_transport_words[s->transport]);
    jv_set_string(o, "target", str_cstr(&target));
    jv_set_string(o, "scope", s->of_project ? "project" : "user");
    jv_set_string(o, "file", s->file);
    jv_set_int(o, "line", s->line);
    if (s->problem)
        jv_set_adopt(o, "error", app_error_json(s->problem));
    str_deinit(&target);
    return o;
}

static int print_list(struct app *a, const struct mcp_config *c)
{
    static const char *const columns[] = {"server", "state", "transport", "scope", "what"};
    struct table *t = table_new(columns, 5);
    struct str out = STR_INIT;
    int code;

    for (size_t i = 0; i < mcp_config_size(c); i++) {
        const struct mcp_server_spec *s = mcp_config_at(c, i);
        struct str target = STR_INIT, line = STR_INIT;

        app_mcp_put_target(s, &target);
        format_one_line(str_cstr(&target), 60, &line);
        table_row(t, (const char *const[]){s->name, state_of(a, s),
                                           mcp_server_transport_words[s->transport],
                                           s->of_project ? "project" : "user", str_cstr(&line)});
        str_deinit(&target);
        str_deinit(&line);
    }
    table_write(t, &out);
    code = app_print(&out);
    table_free(t);
    str_deinit(&out);
    return code;
}

static int list_main(void *app)
{
    struct app *a = app;
    const struct mcp_config *c;
    struct json *doc, *list;
    struct error err = ERROR_INIT;

    if (app_mcp_open(a, APP_MCP_NAMED, &err))
        return app_fail(a, &err);
    c = troupe_mcp_config(a->troupe);
    if (!a->json && mcp_config_size(c) == 0)
        log_write(a->log, LOG_INFO, "no MCP servers; `troupe mcp add NAME -- COMMAND` adds one");
    if (!a->json)
        return mcp_config_size(c) == 0 ? EXIT_OK : print_list(a, c);
    doc = app_document("mcp_servers");
    list = jv_array();
    for (size_t i = 0; i < mcp_config_size(c); i++)
        jv_append_adopt(list, describe(a, mcp_config_at(c, i)));
    jv_set_adopt(doc, "servers", list);
    return app_print_json(doc);
}

static const enum option_id list_options[] = {OPT_TRUST_PROJECT, OPT_END};
const struct command_spec cmd_mcp_list = {
    "mcp list",
    "tools",
    "",
    "list the MCP servers of the configuration",
    "Nothing is started. State: ok, not approved (a server of this folder's files, see `troupe "
    "help "
    "mcp approve`),\ndisabled, or mistake (in its definition).",
    list_options,
    0,
    0,
    list_main};

/* ---- approve */

static enum status approve(struct app *a, const char *name, struct json *done, struct error *err)
{
    struct mcp_server_spec *s;
    struct str target = STR_INIT;
    enum status st = app_mcp_find(a, name, &s, err);

    if (!st)
        st = app_mcp_approve(a, s, err);
    if (!st) {
        app_mcp_put_target(s, &target);
        log_write(a->log, LOG_INFO, "approved %s: %s", name, str_cstr(&target));
        jv_append_adopt(done, jv_string(name));
    }
    str_deinit(&target);
    return st;
}

static int approve_main(void *app)
{
    struct app *a = app;
    bool all = option_flag(a->options, OPT_ALL);
    struct json *done = jv_array(), *doc;
    struct error err = ERROR_INIT;
    enum status st = STATUS_OK;

    if (all == (options_n_args(a->options) > 0))
        st = error_set(&err, STATUS_USAGE, "give the names of servers, or --all");
    if (!st)
        st = app_mcp_open(a, APP_MCP_NAMED, &err);
    for (int32_t i = 0; !st && i < options_n_args(a->options); i++)
        st = approve(a, options_arg(a->options, i), done, &err);
    for (size_t i = 0; !st && all && i < mcp_config_size(troupe_mcp_config(a->troupe)); i++) {
        const struct mcp_server_spec *s = mcp_config_at(troupe_mcp_config(a->troupe), i);

        if (mcp_server_spec_needs_approval(s) && !s->problem)
            st = approve(a, s->name, done, &err);
    }
    if (st) {
        jv_unref(done);
        return app_fail(a, &err);
    }
    if (!a->json) {
        jv_unref(done);
        return EXIT_OK;
    }
    doc = app_document("mcp_approve");
    jv_set_adopt(doc, "approved", done);
    return app_print_json(doc);
}

static const enum option_id approve_options[] = {OPT_ALL, OPT_END};
const struct command_spec cmd_mcp_approve = {
    "mcp approve",
    "tools",
    "[SERVER...]",
    "allow MCP servers of this folder's files to be started",
    "A project's files may have come from anywhere, so the servers that they name are started only "
    "after approval.\nIt holds for this folder and this definition: a change needs a new one.",
    approve_options,
    0,
    MCP_SERVERS_MAX,
    approve_main};

/* ---- ping */

static const char *era_of(const struct hub_facts *f)
{
    return f->revision == MCP_REVISION_N ? "-" : mcp_is_modern(f->revision) ? "modern" : "legacy";
}

struct pinged {
    bool is_up;
    struct hub_facts facts;
    int64_t ms, n_tools;
    struct error err;
};

static void ping(struct app *a, const char *name, struct pinged *p)
{
    int64_t began_us = seams_mono_us(a->seams);
    struct hub_source *s;

    *p = (struct pinged){.facts = {.revision = MCP_REVISION_N}, .err = ERROR_INIT};
    p->is_up = !troupe_mcp_server(a->troupe, name, &p->err);
    p->ms = (seams_mono_us(a->seams) - began_us) / 1000;
    s = p->is_up ? hub_find(troupe_hub(a->troupe), name) : NULL;
    if (s) {
        struct hub_instance *i = hub_source_instance(s, NULL);
        const struct hub_list *tools = hub_peer_list(hub_peer_of(i), HUB_TOOLS);

        p->facts = hub_source_facts(s);
        p->n_tools = (int64_t)tools->n;
    }
}

static struct json *ping_json(const char *name, const struct pinged *p)
{
    struct json *o = jv_object();

    jv_set_string(o, "server", name);
    jv_set_bool(o, "up", p->is_up);
    jv_set_int(o, "ms", p->ms);
    if (p->is_up) {
        struct json *info = json_view_value(p->facts.server_info);
        struct json *left_out = p->facts.left_out.at ? json_view_value(p->facts.left_out) : NULL;

        jv_set_string(o, "era", era_of(&p->facts));
        jv_set_string(o, "revision", mcp_revision_name(p->facts.revision));
        jv_set_string(o, "transport", p->facts.transport);
        jv_set_int(o, "tools", p->n_tools);
        jv_set_adopt(o, "left_out", left_out ? left_out : jv_array());
        jv_set_adopt(o, "server_info", info ? info : jv_null());
    } else {
        jv_set_adopt(o, "error", app_error_json(&p->err));
    }
    return o;
}

static void ping_row(struct table *t, const char *name, const struct pinged *p)
{
    size_t left_out = json_view_size(p->facts.left_out);
    char ms[24] = "-", tools[64] = "-";

    if (p->is_up) {
        snprintf(ms, sizeof(ms), "%lld ms", (long long)p->ms);
        snprintf(tools, sizeof(tools), "%lld", (long long)p->n_tools);
        if (left_out > 0)
            snprintf(tools, sizeof(tools), "%lld (%zu left out)", (long long)p->n_tools, left_out);
    }
    table_row(t, (const char *const[]){name, p->is_up ? "up" : "down", era_of(&p->facts),
                                       p->is_up ? mcp_revision_name(p->facts.revision) : "-",
                                       p->is_up ? p->facts.transport : "-", ms, tools});
}

/* The named ones, else all that are enabled. */
static int ping_all(struct app *a, struct table *t, struct json *list)
{
    const struct mcp_config *c = troupe_mcp_config(a->troupe);
    int32_t n = options_n_args(a->options);
    int code = EXIT_OK;

    for (size_t i = 0; i < (n ? (size_t)n : mcp_config_size(c)) && !*a->interrupted; i++) {
        const char *name = n ? options_arg(a->options, (int32_t)i) : mcp_config_at(c, i)->name;
        struct pinged p;

        if (!n && !mcp_config_at(c, i)->settings.enabled)
            continue;
        log_progress(a->log, "starting %s", name);
        ping(a, name, &p);
        log_progress_end(a->log);
        ping_row(t, name, &p);
        jv_append_adopt(list, ping_json(name, &p));
        if (!p.is_up) {
            app_print_error(a, NULL, &p.err);
            code = EXIT_FAILED;
        }
    }
    return code;
}

static int ping_main(void *app)
{
    static const char *const columns[] = {"server",    "state",  "era",   "revision",
                                          "transport", ">after", ">tools"};
    struct app *a = app;
    struct table *t;
    struct json *list, *doc;
    struct mcp_server_spec *s;
    struct str out = STR_INIT;
    struct error err = ERROR_INIT;
    int code, printed;
    enum status st = app_mcp_open(a, APP_MCP_NAMED, &err);

    for (int32_t i = 0; !st && i < options_n_args(a->options); i++)
        st = app_mcp_find(a, options_arg(a->options, i), &s, &err);
    if (st)
        return app_fail(a, &err);
    t = table_new(columns, 7);
    list = jv_array();
    code = ping_all(a, t, list);
    if (a->json) {
        doc = app_document("mcp_ping");
        jv_set_adopt(doc, "servers", jv_ref(list));
        printed = app_print_json(doc);
    } else {
        table_write(t, &out);
        printed = jv_size(list) ? app_print(&out) : EXIT_OK;
    }
    table_free(t);
    jv_unref(list);
    str_deinit(&out);
    return printed ? printed : code;
}

const struct command_spec cmd_mcp_ping = {
    "mcp ping",
    "tools",
    "[SERVER...]",
    "start MCP servers and say what they are, or why they are down",
    "The era is modern (2026-07-28) or legacy (2025-11-25 and before). The exit code is 1 if one "
    "is "
    "down.",
    list_options,
    0,
    MCP_SERVERS_MAX,
    ping_main};
