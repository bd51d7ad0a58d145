/* cmd_runs.c - runs: the list; rm: delete one; cancel: stop one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api/run_summary.h"
#include "runtime/app/app.h"
#include "runtime/app/app_run.h"
#include "runtime/app/run_text.h"
#include "runtime/app/table.h"
#include "runtime/base/memory.h"
#include "runtime/store/query.h"

struct listing {
    struct store_reader *q;
    struct table *table;
    struct json *rows;
    int64_t now_ms;
};

static bool list_run(void *ctx, const struct run_row *r)
{
    struct listing *l = ctx;
    struct run_counts c = run_count(r, l->q);
    struct str model = STR_INIT, cost = STR_INIT;
    char created[32], took[32], steps[24] = "-", tokens[24] = "-";
    struct error ignored = ERROR_INIT;
    char id[37] = "";

    if (l->rows) {
        jv_append_adopt(l->rows, run_summary_json(r, l->q));
        return true;
    }
    if (query_short_id(l->q, r->uuid, id, &ignored))
        snprintf(id, sizeof(id), "%s", r->uuid);
    format_time_ms(r->created_ms, created, sizeof(created));
    format_duration_ms((r->ended_ms ? r->ended_ms : l->now_ms) - r->created_ms, took, sizeof(took));
    if (c.steps >= 0)
        snprintf(steps, sizeof(steps), "%lld", (long long)c.steps);
    if (c.tokens >= 0)
        snprintf(tokens, sizeof(tokens), "%lld", (long long)c.tokens);
    run_put_model(r->config, &model);
    if (r->cost_nano > 0)
        run_put_dollars(r->cost_nano, &cost);
    else
        str_puts(&cost, "-");
    const char *cells[] = {id,      r->kind, r->name, str_cstr(&model), run_status_word(r->status),
                           created, took,    steps,   tokens,           str_cstr(&cost)};
    table_row(l->table, cells);
    str_deinit(&model);
    str_deinit(&cost);
    return true;
}

static int runs_main(void *app)
{
    static const char *const columns[] = {"run",   "kind",  "name",   "model",   "status",
                                          "begun", ">took", ">steps", ">tokens", "?>cost"};
    struct app *a = app;
    struct listing l = {.now_ms = seams_wall_ms(a->seams)};
    struct error err = ERROR_INIT;
    struct str out = STR_INIT;
    uint32_t statuses;
    int64_t since = 0;
    int code;
    enum status st;

    st = run_statuses_parse(option_text(a->options, OPT_STATUS), &statuses, &err);
    if (st)
        error_note(&err, "--status");
    else
        st = app_reader(a, &l.q, &err);
    if (option_is_set(a->options, OPT_SINCE))
        since = l.now_ms - option_int(a->options, OPT_SINCE);
    if (a->json)
        l.rows = jv_array();
    else
        l.table = table_new(columns, ARRAY_LEN(columns));
    if (!st)
        st = query_runs(l.q, statuses, since, list_run, &l, &err);
    if (st) {
        code = app_fail(a, &err);
        jv_unref(l.rows);
    } else if (a->json) {
        struct json *doc = app_document("runs");
        jv_set_adopt(doc, "runs", l.rows);
        code = app_print_json(doc);
    } else {
        table_write(l.table, &out);
        code = app_print(&out);
    }
    str_deinit(&out);
    table_free(l.table);
    return code;
}

static const enum option_id runs_options[] = {OPT_STATUS, OPT_SINCE, OPT_END};
const struct command_spec cmd_runs = {
    "runs", "look", "", "list runs, newest first", NULL, runs_options, 0, 0, runs_main};

static bool is_ended(void *ctx, const struct run_row *r)
{
    bool *ended = ctx;

    *ended = run_status_is_final(r->status);
    return false;
}

/* The common part of rm and cancel: finds the run, changes it, reports it; `later` if the run has
 * not ended by then. */
static int change_run(struct app *a, const char *document,
                      enum status (*change)(struct store *s, const char *uuid, struct error *err),
                      const char *said, const char *later)
{
    struct store *s;
    struct store_reader *q;
    char uuid[37];
    bool ended = true;
    struct error err = ERROR_INIT;
    enum status st = app_store(a, false, &s, &err);

    if (!st)
        st = app_reader(a, &q, &err);
    if (!st)
        st = query_resolve_run(q, options_arg(a->options, 0), uuid, &err);
    if (!st)
        st = change(s, uuid, &err);
    if (!st && later)
        st = query_run(q, uuid, is_ended, &ended, &err);
    if (st)
        return app_fail(a, &err);
    log_write(a->log, LOG_INFO, "%s: %s", uuid, ended ? said : later);
    return app_print_done(a, document, "run", uuid);
}

static int rm_main(void *app)
{
    return change_run(app, "rm", store_remove_run, "removed; `troupe store gc` frees its space",
                      NULL);
}

const struct command_spec cmd_rm = {"rm",
                                    "look",
                                    "RUN",
                                    "delete a run",
                                    "A run that a process drives cannot be deleted. `troupe store "
                                    "gc` frees its space.",
                                    NULL,
                                    1,
                                    1,
                                    rm_main};

static int cancel_main(void *app)
{
    return change_run(app, "cancel", store_cancel, "cancelled", "will stop before its next step");
}

const struct command_spec cmd_cancel = {
    "cancel",
    "work",
    "RUN",
    "end a run for good",
    "The process that drives the run stops before the next step. A run that no process drives is "
    "cancelled at once.\nIt cannot be resumed. (Ctrl-C stops `troupe run` so that `troupe resume` "
    "can continue.)",
    NULL,
    1,
    1,
    cancel_main};
