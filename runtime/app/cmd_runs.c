/* cmd_runs.c - runs: the list; rm: delete one; cancel: stop one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/app/app.h"
#include "runtime/app/app_run.h"
#include "runtime/app/run_summary.h"
#include "runtime/app/table.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/store/query.h"

struct listing {
    struct store_reader *q;
    struct table *table;
    struct json *rows;
    int64_t now_ms;
};

/* --status as a set of one, or of all. */
static enum status take_status(const char *said, uint32_t *out, struct error *err)
{
    const char *words[RUN_STATUS_N], *near;
    struct str list = STR_INIT;
    enum run_status status;

    *out = 0;
    if (!said)
        return STATUS_OK;
    if (run_status_from_word(said, strlen(said), &status)) {
        *out = RUN_STATUS_BIT(status);
        return STATUS_OK;
    }
    for (int i = 0; i < RUN_STATUS_N; i++) {
        words[i] = run_status_word((enum run_status)i);
        str_printf(&list, "%s%s", i ? ", " : "", words[i]);
    }
    near = nearest_word(said, words, RUN_STATUS_N);
    error_set(err, STATUS_USAGE, "--status: unknown status \"%s\"", said);
    error_hint(err, "%s%s%s%s", near ? "did you mean " : "", near ? near : "",
               near ? "? The statuses are " : "the statuses are ", str_cstr(&list));
    str_deinit(&list);
    return STATUS_USAGE;
}

static struct json *run_json(const struct run_row *r, struct store_reader *q)
{
    struct json *o = jv_object();
    struct run_counts c = run_count(r, q);

    jv_set_string(o, "run", r->uuid);
    jv_set_string(o, "kind", r->kind);
    jv_set_string(o, "name", r->name);
    jv_set_string(o, "status", run_status_word(r->status));
    jv_set_bool(o, "owned", r->owned);
    if (r->error)
        jv_set_string(o, "error", r->error);
    jv_set_adopt(o, "seed", jv_int((int64_t)r->seed));
    jv_set_int(o, "epoch", r->epoch);
    if (run_model_name(r->config))
        jv_set_string(o, "model", run_model_name(r->config));
    jv_set_adopt(o, "steps", run_count_json(c.steps));
    jv_set_adopt(o, "tokens", run_count_json(c.tokens));
    jv_set_adopt(o, "tokens_in", run_count_json(c.tok_in));
    jv_set_adopt(o, "tokens_out", run_count_json(c.tok_out));
    jv_set_int(o, "created_ms", r->created_ms);
    if (r->ended_ms)
        jv_set_int(o, "ended_ms", r->ended_ms);
    return o;
}

static bool list_run(void *ctx, const struct run_row *r)
{
    struct listing *l = ctx;
    struct run_counts c = run_count(r, l->q);
    struct str model = STR_INIT;
    char created[32], took[32], steps[24] = "-", tokens[24] = "-";
    struct error ignored = ERROR_INIT;
    char id[37] = "";

    if (l->rows) {
        jv_append_adopt(l->rows, run_json(r, l->q));
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
    const char *cells[] = {
        id,   r->kind, r->name, str_cstr(&model), run_status_word(r->status), created,
        took, steps,   tokens};
    table_row(l->table, cells);
    str_deinit(&model);
    return true;
}

static int runs_main(void *app)
{
    static const char *const columns[] = {"run",   "kind",  "name",   "model",  "status",
                                          "begun", ">took", ">steps", ">tokens"};
    struct app *a = app;
    struct listing l = {.now_ms = seams_wall_ms(a->seams)};
    struct error err = ERROR_INIT;
    struct str out = STR_INIT;
    uint32_t statuses;
    int64_t since = 0;
    int code;
    enum status st;

    st = take_status(option_text(a->options, OPT_STATUS), &statuses, &err);
    if (!st)
        st = app_reader(a, &l.q, &err);
    if (option_is_set(a->options, OPT_SINCE))
        since = l.now_ms - option_int(a->options, OPT_SINCE);
    if (a->json)
        l.rows = jv_array();
    else
        l.table = table_new(columns, 9);
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
