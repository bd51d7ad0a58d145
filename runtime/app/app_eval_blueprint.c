/* app_eval_blueprint.c - runs a blueprint many times and counts how the runs end.
 *
 * A run succeeds when it ends ok and the verdict of its last step with `env`, if it has one, is a
 * success; what the blueprint outputs does not count. Every other end counts as a failure.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/eval.h"
#include "runtime/api/run_summary.h"
#include "runtime/app/app_eval.h"
#include "runtime/app/app_run.h"
#include "runtime/app/table.h"
#include "runtime/base/memory.h"

struct blueprint_eval {
    struct app *app;
    struct plan *plan;
    struct json *inputs;       /* as given */
    const struct json *models; /* the models of its agents, by name; lent */
    const char *model;         /* of the first agent, as recorded */
    struct app_drive drive;    /* of each run */
    struct troupe_run *run;    /* the evaluation itself: never started */
    uint64_t seed;
    int64_t episodes;
    struct json *runs; /* array of {run, seed, status, success, verdict} */
    struct json *statuses;
    char *first_error; /* of the first run that failed, or NULL */
    int64_t n, n_ok, n_success, n_verdicts, steps, tokens, wall_ms;
};

/* How one run ended, as the store has it. */
struct ending {
    enum run_status status;
    struct json *verdict; /* or NULL */
    char *error;          /* or NULL */
    int64_t steps, tokens, wall_ms;
};

static bool read_end(void *ctx, const struct run_row *r)
{
    struct ending *e = ctx;

    e->status = r->status;
    e->error = r->error ? xstrdup(r->error) : NULL;
    e->steps = r->n_steps;
    e->tokens = r->tok_in + r->tok_out;
    e->wall_ms = r->ended_ms ? r->ended_ms - r->created_ms : 0;
    return true;
}

static bool read_verdict(void *ctx, const struct step_row *s)
{
    struct ending *e = ctx;
    const struct json *verdict = run_step_verdict(s);

    if (verdict) {
        jv_unref(e->verdict);
        e->verdict = jv_deep_copy(verdict);
    }
    return true;
}

static void count_end(struct blueprint_eval *v, const char *uuid, uint64_t seed,
                      const struct ending *e)
{
    bool ok = e->status == RUN_OK;
    bool success = ok && (!e->verdict || jv_get_bool(jv_get(e->verdict, "success"), false));
    const char *word = run_status_word(e->status);
    struct json *o = jv_object();

    v->n++;
    v->n_ok += ok;
    if (!v->first_error && e->error)
        v->first_error = xstrdup(e->error);
    v->n_success += success;
    v->n_verdicts += e->verdict != NULL;
    v->steps += e->steps;
    v->tokens += e->tokens;
    v->wall_ms += e->wall_ms;
    jv_set_int(v->statuses, word, jv_get_int(jv_get(v->statuses, word), 0) + 1);
    jv_set_string(o, "run", uuid);
    jv_set_adopt(o, "seed", jv_int((int64_t)seed));
    jv_set_string(o, "status", word);
    jv_set_bool(o, "success", success);
    jv_set_adopt(o, "verdict", e->verdict ? jv_ref(e->verdict) : jv_null());
    jv_append_adopt(v->runs, o);
}

/* One run, from its row to its end. A run that cannot begin is an error of the evaluation. */
static enum status play_one(struct blueprint_eval *v, uint64_t seed, struct error *err)
{
    const struct troupe_run_spec spec = {
        .kind = "run", .plan = v->plan, .inputs = v->inputs, .seed = seed};
    struct store_reader *q = NULL;
    struct ending end = {.verdict = NULL};
    struct troupe_run *run = NULL;
    char uuid[37];
    enum status st = troupe_run_new(v->app->troupe, &spec, &v->drive.options, &run, err);

    if (st)
        return st;
    snprintf(uuid, sizeof(uuid), "%s", troupe_run_uuid(run));
    (void)app_drive(&v->drive, run); /* its end is in the store */
    st = app_reader(v->app, &q, err);
    if (!st)
        st = query_run(q, uuid, read_end, &end, err);
    if (!st)
        st = query_steps(q, uuid, NULL, -1, false, read_verdict, &end, err);
    /* A run that a signal interrupted has not ended; it can be resumed by its own id. */
    if (!st && !(*v->app->interrupted && end.status == RUN_INTERRUPTED))
        count_end(v, uuid, seed, &end);
    jv_unref(end.verdict);
    free(end.error);
    return st;
}

static enum status begin(struct blueprint_eval *v, const char *path, struct error *err)
{
    struct app *a = v->app;
    struct json *more = jv_object();
    char store_path[APP_PATH_MAX];
    struct store_options store;
    struct troupe_run_spec spec = {.kind = "eval", .seed = v->seed, .more = more, .store = &store};
    enum status st = eval_check_seed(v->seed, v->episodes, err);

    if (!st)
        st = app_store_options(a, store_path, &store, err);
    if (!st)
        st = app_load_plan(a, path, &v->plan, &v->inputs, err);
    if (!st) {
        jv_set_string(more, "blueprint", v->plan->name);
        jv_set_int(more, "episodes", v->episodes);
        spec.plan = v->plan;
        spec.inputs = v->inputs;
        st = troupe_run_new(a->troupe, &spec, &v->drive.options, &v->run, err);
    }
    if (!st) {
        const struct json *config = run_config(troupe_run_row(v->run));

        v->models = jv_get(config, "weights");
        v->model = jv_get_string(jv_get(config, "model"), "");
    }
    jv_unref(more);
    return st;
}

static struct json *row_json(const struct blueprint_eval *v)
{
    struct json *row = jv_object();
    double low, high, n = v->n > 0 ? (double)v->n : 1;

    wilson_interval(v->n_success, v->n, &low, &high);
    jv_set_int(row, "episodes", v->n);
    jv_set_int(row, "successes", v->n_success);
    jv_set_real(row, "success", (double)v->n_success / n);
    jv_set_real(row, "success_low", low);
    jv_set_real(row, "success_high", high);
    jv_set_adopt(row, "statuses", jv_ref(v->statuses));
    jv_set_int(row, "with_verdict", v->n_verdicts);
    jv_set_real(row, "steps_per_run", (double)v->steps / n);
    jv_set_real(row, "tokens_per_run", (double)v->tokens / n);
    jv_set_real(row, "wall_s_per_run", (double)v->wall_ms / 1000 / n);
    return row;
}

/* {"rows", "runs"}: stored with the evaluation and part of its document. */
static void put_output(const struct blueprint_eval *v, struct json *o)
{
    struct json *rows = jv_array();

    jv_append_adopt(rows, row_json(v));
    jv_set_adopt(o, "rows", rows);
    jv_set_adopt(o, "runs", jv_ref(v->runs));
}

static enum status conclude(struct blueprint_eval *v, enum run_status status, struct error *err)
{
    struct json *output = jv_object();
    struct run *row = troupe_run_row(v->run);

    put_output(v, output);
    run_set_status(row, status, output, NULL);
    jv_unref(output);
    return journal_sync(row, err);
}

static void put_table(const struct blueprint_eval *v, struct str *out)
{
    static const char *const columns[] = {">runs",     ">success",   "95 %",        ">ok",
                                          ">verdicts", ">steps/run", ">tokens/run", ">s/run"};
    enum { COLUMNS = 8 };
    struct table *t = table_new(columns, COLUMNS);
    double low, high, n = v->n > 0 ? (double)v->n : 1;
    char cell[COLUMNS][32];
    const char *cells[COLUMNS], *key;
    struct json *value;

    wilson_interval(v->n_success, v->n, &low, &high);
    snprintf(cell[0], 32, "%lld", (long long)v->n);
    snprintf(cell[1], 32, "%.3f", (double)v->n_success / n);
    snprintf(cell[2], 32, "%.3f-%.3f", low, high);
    snprintf(cell[3], 32, "%lld", (long long)v->n_ok);
    snprintf(cell[4], 32, "%lld", (long long)v->n_verdicts);
    snprintf(cell[5], 32, "%.1f", (double)v->steps / n);
    snprintf(cell[6], 32, "%.0f", (double)v->tokens / n);
    snprintf(cell[7], 32, "%.2f", (double)v->wall_ms / 1000 / n);
    for (int k = 0; k < COLUMNS; k++)
        cells[k] = cell[k];
    table_row(t, cells);
    table_write(t, out);
    table_free(t);
    if (v->n > v->n_ok) {
        str_puts(out, "other ends:");
        for (void *it = NULL; (it = jv_next(v->statuses, it, &key, &value));)
            if (strcmp(key, "ok") != 0)
                str_printf(out, " %lld %s", (long long)jv_get_int(value, 0), key);
        str_putc(out, '\n');
        if (v->first_error)
            str_printf(out, "the first error: %s\n", v->first_error);
    }
}

/* Every model that an agent of it uses. */
static void put_models(const struct blueprint_eval *v, struct str *out)
{
    const char *key;
    bool first = true;

    for (void *it = NULL; (it = jv_next(v->models, it, &key, NULL)) != NULL; first = false)
        str_printf(out, "%s%s",
                   !first                   ? ", "
                   : jv_size(v->models) > 1 ? ", models "
                                            : ", model ",
                   key);
}

static int print(const struct blueprint_eval *v)
{
    const char *uuid = troupe_run_uuid(v->run);
    struct str out = STR_INIT;
    int code;

    log_progress_end(v->app->log);
    if (v->app->json) {
        struct json *doc = app_document("eval");

        jv_set_string(doc, "blueprint", v->plan->name);
        jv_set_adopt(doc, "model", v->plan->n_agents > 0 ? jv_string(v->model) : jv_null());
        jv_set_string(doc, "run", uuid);
        jv_set_adopt(doc, "seed", jv_int((int64_t)v->seed));
        put_output(v, doc);
        return app_print_json(doc);
    }
    str_printf(&out, "blueprint %s", v->plan->name);
    put_models(v, &out);
    str_printf(&out, ", seeds %llu ...\n", (unsigned long long)v->seed);
    put_table(v, &out);
    str_printf(&out,
               "success: the run ended ok, and the verdict of its last step with `env`, if it has "
               "one, is a success\n"
               "recorded as %s, which lists the runs: `troupe show %.36s --json`\n",
               uuid, uuid);
    code = app_print(&out);
    str_deinit(&out);
    return code;
}

static enum status play(struct blueprint_eval *v, struct error *err)
{
    enum status st = STATUS_OK;

    log_progress_begin(v->app->log);
    for (int64_t i = 0; !st && i < v->episodes && !*v->app->interrupted; i++) {
        st = play_one(v, v->seed + (uint64_t)i, err);
        log_progress(v->app->log, "%s: %lld/%lld runs, %lld success%s", v->plan->name,
                     (long long)v->n, (long long)v->episodes, (long long)v->n_success,
                     v->n_success == 1 ? "" : "es");
    }
    if (!st && *v->app->interrupted)
        st = error_set(err, STATUS_CANCELLED,
                       "interrupted; %lld of %lld runs have ended and are recorded",
                       (long long)v->n, (long long)v->episodes);
    return st;
}

/* Stores the results so far. The error that led here is the one to report. */
static void give_up(struct blueprint_eval *v, enum run_status status)
{
    struct error own = ERROR_INIT;

    if (conclude(v, status, &own))
        log_write(v->app->log, LOG_WARN, "%s", own.message);
}

int app_eval_blueprint(struct app *a, const char *path)
{
    struct blueprint_eval v = {.app = a,
                               .seed = option_seed(a->options, OPT_SEED),
                               .episodes = option_int(a->options, OPT_EPISODES),
                               .runs = jv_array(),
                               .statuses = jv_object()};
    struct error err = ERROR_INIT;
    int code;
    enum status st;

    app_drive_init(&v.drive, a);
    v.drive.quiet = true;
    st = begin(&v, path, &err);

    if (!st) {
        st = play(&v, &err);
        if (st)
            give_up(&v, st == STATUS_CANCELLED ? RUN_CANCELLED : RUN_ERROR);
        else
            st = conclude(&v, RUN_OK, &err);
    }
    code = st ? app_fail(a, &err) : print(&v);
    troupe_run_free(v.run);
    app_drive_deinit(&v.drive);
    jv_unref(v.runs);
    jv_unref(v.statuses);
    free(v.first_error);
    jv_unref(v.inputs);
    plan_free(v.plan);
    return code;
}
