/* cmd_mcp_serve.c - mcp serve: the hub as an MCP server over standard input and output.
 *
 * Standard output carries MCP alone; all messages go to standard error.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <unistd.h>

#include "mcp/server/server_stdio.h"
#include "runtime/api/troupe_watch.h"
#include "runtime/app/app_mcp.h"
#include "runtime/app/app_run.h"
#include "runtime/app/app_serve.h"
#include "runtime/loop/loop.h"
#include "runtime/serve/mcp_offers.h"

struct serving {
    struct app *a;
    struct loop *loop;
    struct app_drive drive; /* options of the runs */
    struct serve_config config;
    struct troupe_watch *watch; /* of its client's tasks; NULL: there are no offers */
    bool ended;
};

static void on_ended(void *ctx)
{
    struct serving *s = ctx;

    s->ended = true;
    loop_stop(s->loop);
}

static void look_for_signal(void *ctx)
{
    struct serving *s = ctx;

    if (s->a->signal->signo)
        loop_stop(s->loop);
}

static enum status check_view(const struct app *a, const char *view, struct error *err)
{
    const struct hub_views *views = troupe_mcp_views(a->troupe);
    const char *near;

    if (!view || hub_views_find(views, view))
        return STATUS_OK;
    near = hub_views_nearest(views, view);
    error_set(err, STATUS_USAGE, "there is no view \"%s\"", view);
    if (near)
        error_hint(err, "did you mean %s?", near);
    else
        error_hint(err, "views are in the section `mcp:` of troupe.yaml");
    return STATUS_USAGE;
}

static enum status serve(struct serving *s, const char *view, struct error *err)
{
    struct app *a = s->a;
    struct mcp_server *server =
        mcp_server_new(&(struct mcp_server_options){.loop = s->loop,
                                                    .seams = a->seams,
                                                    .log = a->log,
                                                    .handler = hub_handler(troupe_hub(a->troupe))});
    const struct mcp_stdio_options io = {
        .in = STDIN_FILENO, .out = STDOUT_FILENO, .view = view, .ended = on_ended, .ctx = s};
    struct mcp_stdio *client = NULL;
    struct loop_tick *tick;
    enum status st = mcp_stdio_new(server, &io, &client, err);

    if (!st) {
        tick = loop_tick_new(s->loop, look_for_signal, s);
        a->signal->wake = s->loop;
        while (!s->ended && !a->signal->signo)
            loop_run(s->loop);
        a->signal->wake = NULL;
        loop_tick_free(tick);
        mcp_server_stop(server);
    }
    mcp_stdio_free(client);
    mcp_server_free(server);
    return st;
}

/* Tasks of its client alone: other processes keep the other runs of the store. */
static enum status watch_tasks(struct serving *s, struct error *err)
{
    struct troupe_watch_options o = {.only_own = true, .run = s->drive.options, .ctx = s};

    o.run.model = NULL; /* runs that are continued keep their models */
    o.run.n_models = 0;
    return troupe_watch_start(s->a->troupe, &o, &s->watch, err);
}

/* Blueprints, agents and tools of this Troupe. Their runs are in the store, and all calls are. */
static enum status open_offers(struct serving *s, struct error *err)
{
    struct app *a = s->a;
    const struct mcp_offers_options o = {.troupe = a->troupe,
                                         .seams = a->seams,
                                         .log = a->log,
                                         .config = &s->config,
                                         .run = &s->drive.options,
                                         .watch = &s->watch};
    struct store *store;
    enum status st = app_store(a, true, &store, err);

    if (!st)
        st = app_serve_warm(a, &s->config, err);
    if (!st && s->config.n_offers > 0)
        st = watch_tasks(s, err);
    return st ? st : mcp_offers_open(&o, err);
}

static int serve_main(void *app)
{
    struct app *a = app;
    struct serving s = {.a = a};
    const char *view = option_text(a->options, OPT_VIEW);
    struct error err = ERROR_INIT;
    enum status st = troupe_loop(a->troupe, &s.loop, &err);

    app_drive_init(&s.drive, a);
    s.drive.options.listener = (struct troupe_listener){.ctx = NULL};
    if (!st)
        st = app_serve_config(a, &s.config, &err);
    if (!st)
        st = app_mcp_open(a, APP_MCP_ALL, &err);
    if (!st)
        st = check_view(a, view, &err);
    if (!st)
        st = open_offers(&s, &err);
    if (!st)
        st = serve(&s, view, &err);
    if (!troupe_is_idle(a->troupe)) { /* a signal: runs can be resumed */
        troupe_interrupt(a->troupe);
        loop_run(s.loop);
    }
    troupe_watch_free(s.watch);
    serve_config_deinit(&s.config);
    app_drive_deinit(&s.drive);
    return st ? app_fail(a, &err) : EXIT_OK;
}

static const enum option_id serve_options[] = {
    OPT_VIEW,    OPT_TRUST_PROJECT, OPT_ROOT,        OPT_DEVICE,  OPT_THREADS, OPT_KV_MEMORY,
    OPT_CONTEXT, OPT_CPU_ISA,       OPT_WEIGHT_TYPE, OPT_KV_TYPE, OPT_END};
const struct command_spec cmd_mcp_serve = {
    "mcp serve",
    "tools",
    "",
    "serve all tools as one MCP server over standard input and output",
    "For programs that start their MCP servers: the command is `troupe`, its arguments are `mcp "
    "serve`.\nThe working folder is the one whose .mcp.json and troupe.yaml count.",
    serve_options,
    0,
    0,
    serve_main};
