/* cmd_eval.c - eval: many episodes of an environment, a table with intervals, always recorded.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/api/run_models.h"
#include "runtime/app/app_env.h"
#include "runtime/app/app_eval.h"
#include "runtime/app/app_model.h"
#include "runtime/app/eval_text.h"

#define MAX_ROWS 64

/* One row for each horizon at each temperature, by temperature. */
static enum status fill_rows(struct app *a, struct eval_row_spec *spec, int32_t *n,
                             struct error *err)
{
    int32_t horizon[MAX_ROWS], n_horizons;
    double temperature[MAX_ROWS] = {0};
    int32_t n_temperatures = option_numbers(a->options, OPT_TEMPERATURE, temperature, MAX_ROWS);
    enum status st = app_horizons(a, horizon, MAX_ROWS, &n_horizons, err);

    if (st)
        return st;
    if (n_temperatures > 1 && option_is_set(a->options, OPT_EXPERT))
        return error_set(err, STATUS_USAGE,
                         "a script takes no temperature, but --temperature gives %d",
                         n_temperatures);
    if (n_temperatures > MAX_ROWS || n_horizons > MAX_ROWS / n_temperatures)
        return error_set(err, STATUS_USAGE,
                         "%d horizons at %d temperatures are too many rows: at most %d", n_horizons,
                         n_temperatures, MAX_ROWS);
    *n = n_horizons * n_temperatures;
    for (int32_t i = 0; i < *n; i++)
        spec[i] = (struct eval_row_spec){.horizon = horizon[i % n_horizons],
                                         .noise = app_noise(a),
                                         .temperature = (float)temperature[i / n_horizons],
                                         .episodes = (int32_t)option_int(a->options, OPT_EPISODES)};
    return STATUS_OK;
}

/* An argument that is not an environment and does not look like a file is a misspelt environment.
 */
static bool is_blueprint(const char *what)
{
    const char *dot = strrchr(what, '.');

    return !env_find(what) && (file_exists(what) || strchr(what, '/') ||
                               (dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0)));
}

/* Refuses options on the command line that do not apply to the argument. */
static enum status refuse_others(const struct app *a, bool blueprint, struct error *err)
{
    static const enum option_id of_environments[] = {
        OPT_HORIZON,     OPT_NOISE,  OPT_PROFILE, OPT_FAULTS,    OPT_ABLATE,
        OPT_TEMPERATURE, OPT_EXPERT, OPT_VOTE,    OPT_IN_FLIGHT, OPT_END};
    static const enum option_id of_blueprints[] = {OPT_VAR, OPT_TIMEOUT, OPT_ROOT, OPT_END};

    for (const enum option_id *id = blueprint ? of_environments : of_blueprints; *id != OPT_END;
         id++)
        if (strcmp(option_origin(a->options, *id), "flag") == 0)
            return error_set(err, STATUS_USAGE, "--%s is for %s%s", option_spec(*id)->name,
                             blueprint ? "environments" : "blueprints",
                             blueprint ? "; a blueprint has inputs: --var NAME=VALUE" : "");
    return STATUS_OK;
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
    bool blueprint = is_blueprint(options_arg(a->options, 0));
    enum status st = refuse_others(a, blueprint, &err);

    if (st)
        return app_fail(a, &err);
    if (blueprint)
        return app_eval_blueprint(a, options_arg(a->options, 0));
    st = app_model_is_one(a, &err);
    if (st)
        return app_fail(a, &err);
    o.env = app_env(options_arg(a->options, 0), &err);
    if (!o.env) {
        struct error unknown = err;

        (void)error_set(&err, STATUS_USAGE,
                        "unknown environment \"%s\"; expected an environment or a blueprint file",
                        options_arg(a->options, 0));
        error_hint(&err, "%s", unknown.hint);
        return app_fail(a, &err);
    }
    o.profile = app_profile(a);
    o.ablation = app_ablation(a);
    st = env_faults_of(o.env, option_text(a->options, OPT_FAULTS), &o.faults, &err);
    o.expert = option_text(a->options, OPT_EXPERT);
    if (!st && o.expert)
        st = env_check_expert(o.env, o.expert, &err);
    o.votes = (int32_t)option_int(a->options, OPT_VOTE);
    o.in_flight = (int32_t)option_int(a->options, OPT_IN_FLIGHT);
    o.seed = option_seed(a->options, OPT_SEED);
    if (!st)
        st = fill_rows(a, spec, &o.n_rows, &err);
    if (!st)
        st = app_store(a, true, &o.store, &err);
    if (!st && !o.expert)
        st = app_model(a, model, &o.model, &err);
    if (!st)
        st = eval_run(&o, rows, uuid, &err);
    if (st == STATUS_CANCELLED && uuid[0])
        error_hint(&err, "`troupe resume %s` continues it", uuid);
    if (st)
        return app_fail(a, &err);
    return eval_print(a, &o, rows, o.expert ? o.expert : model, uuid, NULL);
}

enum status app_resume_eval(struct app *a, const char *uuid, const struct json *config,
                            struct json *list, int *code, struct error *err)
{
    const char *was = jv_get_string(jv_get(config, "model"), "embedded");
    const char *is = app_model_name(a, NULL, was);
    const char *blueprint = jv_get_string(jv_get(config, "blueprint"), NULL);
    struct eval_row_spec spec[MAX_ROWS];
    struct eval_row rows[MAX_ROWS] = {0};
    char same[37];
    struct eval_options o = {
        .resume = uuid, .seams = a->seams, .log = a->log, .interrupted = a->interrupted};
    enum status st;

    if (blueprint)
        return error_set(
            err, STATUS_UNSUPPORTED,
            "the evaluation of blueprint %s cannot be resumed; start it again; its runs "
            "are recorded one by one",
            blueprint);
    st = app_model_is_one(a, err);
    if (!st)
        st = eval_options_read(config, &o, spec, MAX_ROWS, err);
    if (!st && !o.expert)
        st = app_model(a, is, &o.model, err);
    if (!st && !o.expert)
        st = check_same_weights(was, jv_get_string(jv_get(config, "model_hash"), NULL), is, o.model,
                                err);
    if (!st)
        st = app_store(a, false, &o.store, err);
    if (!st)
        st = eval_run(&o, rows, same, err);
    if (!st)
        *code = eval_print(a, &o, rows, o.expert ? o.expert : is, uuid, list);
    return st;
}

static const enum option_id eval_options[] = {
    OPT_TRUST_PROJECT, OPT_MODEL,   OPT_HORIZON, OPT_EPISODES,  OPT_NOISE,   OPT_PROFILE,
    OPT_TEMPERATURE,   OPT_FAULTS,  OPT_ABLATE,  OPT_EXPERT,    OPT_VOTE,    OPT_SEED,
    OPT_IN_FLIGHT,     OPT_DEVICE,  OPT_THREADS, OPT_KV_MEMORY, OPT_CONTEXT, OPT_CPU_ISA,
    OPT_WEIGHT_TYPE,   OPT_KV_TYPE, OPT_VAR,     OPT_TIMEOUT,   OPT_ROOT,    OPT_END};
const struct command_spec cmd_eval = {
    "eval",
    "learn",
    "ENV|BLUEPRINT",
    "play many episodes and print success rates with intervals",
    "The horizon (H) is the number of steps of an episode. A BLUEPRINT (a file) runs "
    "EPISODES times, one run after\nthe other, with SEED, SEED+1 and so on. A run is a "
    "success when it ends ok and the verdict of its\nlast step with `env`, if it has one, is "
    "a success; a step that fails is a criterion of your own.\n--var and --timeout apply to each "
    "run.\nSeveral horizons and temperatures (--temperature 0,1) "
    "give one row each. H50, H80 and H95 are the numbers of\nsteps at which a fitted curve "
    "passes 50, 80 and 95 %: a logistic curve in log H, and a Weibull "
    "curve\n(exp(-(H/a)^k); k = 1 is a constant hazard). A fit needs two horizons that have"
    " both successes and failures.\nEvaluations are always recorded. Tasks are SEED ... "
    "SEED+EPISODES-1. Seeds below 2^20 are for training and\nrefused here; seeds below 2^21"
    " are for validation during training; use seeds from 2^21 on (the default) for\nresults"
    " that you report.",
    eval_options,
    1,
    1,
    eval_main};
