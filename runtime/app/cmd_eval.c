/* cmd_eval.c - eval: many episodes of an environment, a table with intervals, always recorded.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/eval.h"
#include "runtime/app/app_env.h"
#include "runtime/app/app_eval.h"
#include "runtime/app/app_model.h"
#include "runtime/app/table.h"
#include "runtime/base/memory.h"

#define MAX_ROWS 64

static enum status fill_rows(struct app *a, struct eval_row_spec *spec, int32_t *n,
                             struct error *err)
{
    int32_t horizon[MAX_ROWS];
    enum status st = app_horizons(a, horizon, MAX_ROWS, n, err);

    for (int32_t i = 0; !st && i < *n; i++)
        spec[i] = (struct eval_row_spec){
            .horizon = horizon[i],
            .noise =
                option_is_set(a->options, OPT_NOISE) ? option_number(a->options, OPT_NOISE) : -1,
            .temperature = (float)(option_is_set(a->options, OPT_TEMPERATURE)
                                       ? option_number(a->options, OPT_TEMPERATURE)
                                       : 0),
            .episodes = (int32_t)option_int(a->options, OPT_EPISODES)};
    return st;
}

/* A share of nothing is no number. */
static void put_share(char cell[32], int digits, double share)
{
    if (isnan(share))
        snprintf(cell, 32, "-");
    else
        snprintf(cell, 32, "%.*f", digits, share);
}

static void put_rows(const struct eval_row *rows, int32_t n, struct str *out)
{
    static const char *const columns[] = {">H",         ">p",          ">T",       ">episodes",
                                          ">success",   "95 %",        ">ceiling", ">recovered",
                                          ">false al.", ">calls/step", ">tokens/s"};
    struct table *t = table_new(columns, 11);

    for (int32_t i = 0; i < n; i++) {
        const struct eval_row *r = &rows[i];
        char cell[11][32];
        const char *cells[11];
        snprintf(cell[0], 32, "%d", r->spec.horizon);
        snprintf(cell[1], 32, "%g", r->spec.noise);
        snprintf(cell[2], 32, "%g", (double)r->spec.temperature);
        snprintf(cell[3], 32, "%lld", (long long)r->n);
        snprintf(cell[4], 32, "%.3f", r->success);
        snprintf(cell[5], 32, "%.3f-%.3f", r->success_low, r->success_high);
        snprintf(cell[6], 32, "%.3f", r->ceiling);
        put_share(cell[7], 3, r->recovered);
        put_share(cell[8], 4, r->false_alarm);
        snprintf(cell[9], 32, "%.2f", r->calls_per_step);
        snprintf(cell[10], 32, "%.0f", r->tokens_per_s);
        for (int k = 0; k < 11; k++)
            cells[k] = cell[k];
        table_row(t, cells);
    }
    table_write(t, out);
    table_free(t);
}

/* Prints the table; with --json its document, or appends that to `list_of_runs`. */
static int print_eval(struct app *a, const struct eval_options *o, const struct eval_row *rows,
                      const char *model, const char *uuid, struct json *list_of_runs)
{
    struct str out = STR_INIT, faults = STR_INIT;
    int code;

    env_faults_text(o->env, o->faults, &faults);
    if (a->json) {
        struct json *doc = app_document("eval"), *list = jv_array();
        jv_set_string(doc, "env", o->env->name);
        jv_set_string(doc, "model", model);
        jv_set_string(doc, "run", uuid);
        jv_set_string(doc, "faults", str_cstr(&faults));
        jv_set_int(doc, "vote", o->votes);
        jv_set_string(doc, "ablation", env_ablation_name(o->ablation));
        str_deinit(&faults);
        jv_set_adopt(doc, "seed", jv_int((int64_t)o->seed));
        for (int32_t i = 0; i < o->n_rows; i++)
            jv_append_adopt(list, eval_row_json(o, &rows[i]));
        jv_set_adopt(doc, "rows", list);
        if (!list_of_runs)
            return app_print_json(doc);
        jv_append_adopt(list_of_runs, doc);
        return EXIT_OK;
    }
    str_printf(&out, "%s, %s%s", o->env->name, o->expert ? "script " : "model ",
               o->expert ? o->expert : model);
    if (o->faults)
        str_printf(&out, ", faults %s", str_cstr(&faults));
    if (o->votes > 1)
        str_printf(&out, ", vote of %d", o->votes);
    if (o->ablation)
        str_printf(&out, ", ablated: %s", env_ablation_name(o->ablation));
    str_deinit(&faults);
    str_printf(&out, ", tasks %llu ...\n", (unsigned long long)o->seed);
    put_rows(rows, o->n_rows, &out);
    str_printf(
        &out,
        "ceiling: (1-p)^H, what no policy that never looks can pass\n"
        "recorded as %s: `troupe show %.36s`, `troupe show %.36s/row[0]/episode[0] --tokens`\n",
        uuid, uuid, uuid);
    code = app_print(&out);
    str_deinit(&out);
    return code;
}

static int eval_main(void *app)
{
    struct app *a = app;
    const char *model = app_model_name(a, NULL, "embedded");
    struct eval_row_spec spec[MAX_ROWS];
    struct eval_row rows[MAX_ROWS] = {0};
    struct error err = ERROR_INIT;
    char uuid[37] = "";
    struct eval_options o = {
        .row = spec, .seams = a->seams, .log = a->log, .interrupted = a->interrupted};
    enum status st = STATUS_OK;

    o.env = app_env(options_arg(a->options, 0), &err);
    if (!o.env)
        return app_fail(a, &err);
    o.profile = app_profile(a);
    o.ablation = app_ablation(a);
    st = env_faults_of(o.env, option_text(a->options, OPT_FAULTS), &o.faults, &err);
    o.expert = option_text(a->options, OPT_EXPERT);
    o.votes = (int32_t)option_int(a->options, OPT_VOTE);
    o.in_flight = (int32_t)option_int(a->options, OPT_IN_FLIGHT);
    o.seed =
        option_is_set(a->options, OPT_SEED) ? option_seed(a->options, OPT_SEED) : ENV_SEED_REPORTED;
    if (!st)
        st = fill_rows(a, spec, &o.n_rows, &err);
    if (!st)
        st = app_store(a, true, &o.store, &err);
    if (!st && !o.expert)
        st = app_model(a, model, &o.model, &err);
    if (!st)
        st = eval_run(&o, rows, uuid, &err);
    if (st == STATUS_CANCELLED && uuid[0])
        error_hint(&err, "`troupe resume %s` goes on", uuid);
    if (st)
        return app_fail(a, &err);
    return print_eval(a, &o, rows, o.expert ? o.expert : model, uuid, NULL);
}

enum status app_resume_eval(struct app *a, const char *uuid, const struct json *config,
                            struct json *list, int *code, struct error *err)
{
    const char *was = jv_get_string(jv_get(config, "model"), "embedded");
    const char *is = app_model_name(a, NULL, was);
    struct eval_row_spec spec[MAX_ROWS];
    struct eval_row rows[MAX_ROWS] = {0};
    char same[37];
    struct eval_options o = {
        .resume = uuid, .seams = a->seams, .log = a->log, .interrupted = a->interrupted};
    enum status st = eval_options_read(config, &o, spec, MAX_ROWS, err);

    if (!st && !o.expert)
        st = app_model(a, is, &o.model, err);
    if (!st && !o.expert)
        st = app_same_weights(was, jv_get_string(jv_get(config, "model_hash"), NULL), is, o.model,
                              err);
    if (!st)
        st = app_store(a, false, &o.store, err);
    if (!st)
        st = eval_run(&o, rows, same, err);
    if (!st)
        *code = print_eval(a, &o, rows, o.expert ? o.expert : is, uuid, list);
    return st;
}

static const enum option_id eval_options[] = {
    OPT_MODEL,       OPT_HORIZON,   OPT_EPISODES,    OPT_NOISE,   OPT_PROFILE,
    OPT_TEMPERATURE, OPT_FAULTS,    OPT_ABLATE,      OPT_EXPERT,  OPT_VOTE,
    OPT_SEED,        OPT_IN_FLIGHT, OPT_DEVICE,      OPT_THREADS, OPT_KV_MEMORY,
    OPT_CONTEXT,     OPT_CPU_ISA,   OPT_WEIGHT_TYPE, OPT_END};
const struct command_spec cmd_eval = {
    "eval",
    "learn",
    "ENV",
    "plays many episodes and prints success with intervals",
    "Always recorded. Tasks are SEED ... SEED+EPISODES-1. Seeds below 2^20 are for training and "
    "refused here;\nseeds below 2^21 are for validation while training; what is reported is at or "
    "above 2^21 (the default).",
    eval_options,
    1,
    1,
    eval_main};
