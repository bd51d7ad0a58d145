/* cmd_train_grpo.c - train grpo: reinforcement in an environment, into a model folder.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/app/app_grpo.h"
#include "runtime/app/app_new_model.h"
#include "runtime/app/app_training.h"
#include "runtime/app/table.h"
#include "runtime/base/text.h"

static void report(const struct grpo_job *j, const struct grpo_result *r)
{
    struct log *log = j->app->log;
    struct str word = STR_INIT;
    char took[32];

    format_duration_ms((int64_t)(r->wall_s * 1000), took, sizeof(took));
    log_write(
        log, LOG_INFO,
        "%lld update%s (%lld skipped), %lld rollout%s, %lld tokens sampled, %lld trained, %s: "
        "rollout %.1f s (environment %.1f), training %.1f, validation %.1f",
        (long long)r->updates, plural_s(r->updates), (long long)r->skipped, (long long)r->rollouts,
        plural_s(r->rollouts), (long long)r->sampled_tokens, (long long)r->trained_tokens, took,
        r->rollout_s, r->env_s, r->train_s, r->eval_s);
    log_write(log, LOG_INFO, "largest gap between log-probs of rollout and training: %g",
              r->largest_first_gap);
    if (!isnan(r->best_success))
        log_write(log, LOG_INFO, "validation success %.3f before, %.3f at update %lld",
                  r->first_success, r->best_success, (long long)r->best_update);
    if (strcmp(r->ended, "updates") != 0)
        log_write(log, LOG_WARN, "ended early: %s", r->ended);
    text_put_shell_word(j->options.out, &word);
    log_write(log, LOG_INFO, "wrote %s/model; `troupe plot %s` shows the curves", j->options.out,
              str_cstr(&word));
    str_deinit(&word);
}

static int print_json(const struct grpo_job *j, const struct grpo_result *r)
{
    struct json *doc = app_document("train_grpo");
    char path[1100];

    snprintf(path, sizeof(path), "%s/model", j->options.out);
    jv_set_string(doc, "model", path);
    jv_set_string(doc, "ended", r->ended);
    jv_set_int(doc, "updates", r->updates);
    jv_set_int(doc, "skipped", r->skipped);
    jv_set_int(doc, "rollouts", r->rollouts);
    jv_set_int(doc, "sampled_tokens", r->sampled_tokens);
    jv_set_int(doc, "trained_tokens", r->trained_tokens);
    jv_set_real(doc, "first_success", r->first_success);
    jv_set_real(doc, "best_success", r->best_success);
    jv_set_int(doc, "best_update", r->best_update);
    jv_set_real(doc, "largest_first_gap", r->largest_first_gap);
    jv_set_real(doc, "wall_s", r->wall_s);
    jv_set_real(doc, "rollout_s", r->rollout_s);
    jv_set_real(doc, "env_s", r->env_s);
    jv_set_real(doc, "train_s", r->train_s);
    jv_set_real(doc, "eval_s", r->eval_s);
    return app_print_json(doc);
}

/* Trains with the options of `a`. from_folder: they are those that the folder was begun with. */
static enum status train(struct grpo_job *j, struct app *a, bool from_folder, struct grpo_result *r,
                         struct error *err)
{
    const char *out = option_text(a->options, OPT_OUT);
    enum status st = option_one(a->options, OPT_TEMPERATURE, err);

    if (!st)
        st = grpo_job_open(j, a, out, from_folder, true, err);
    if (!st)
        st = grpo_check_resume(&j->options, j->start, err);
    if (!st)
        st = app_training_write(a, out, err);
    if (!st)
        app_training_warn(a);
    if (!st)
        st = grpo_run(j->pool, j->start, &j->options, r, err);
    if (!st) /* the model that is written at the end counts too */
        st = disk_budget_make_room(&j->budget, 4 * weights_n_params(r->weights), r->best_update,
                                   err);
    if (!st)
        st = app_write_model(a, j->model, r->weights, out, err);
    return st;
}

static int train_main(void *app)
{
    struct app *a = app, then = *a;
    struct grpo_job j = {.app = app};
    bool from_folder = false;
    struct grpo_result r = {0};
    struct error err = ERROR_INIT;
    int code = EXIT_OK;
    enum status st = app_training_open(a, &then, &from_folder, &err);

    if (!st)
        st = train(&j, &then, from_folder, &r, &err);
    if (st) {
        code = app_training_failed(a, st, &err);
    } else {
        report(&j, &r);
        if (a->json)
            code = print_json(&j, &r);
    }
    weights_unref(r.weights);
    grpo_job_close(&j);
    app_training_close(a, &then);
    return code;
}

const struct command_spec cmd_train_grpo = {
    "train grpo",
    "learn",
    "",
    "train by reinforcement in an environment (GRPO); write a Hugging Face folder",
    "A rollout is one try at a task, a group all tries at it, a chain one context of a rollout: "
    "what the model read\nand wrote from an empty context on.\nEach update plays --groups tasks "
    "--group-size times with the current model and compares the "
    "rollouts of each\ntask: it trains on how much better or worse each did than the others. "
    "Training tasks have seeds below 2^20;\nvalidation, which chooses the best checkpoint, uses "
    "seeds from 2^20 to 2^21. The result depends on the options\nalone, not on threads or "
    "interruptions; `train replay` repeats an update. --resume takes all other options from\n"
    "--out. Several environments share a batch: groups are dealt in turn, and validation is the "
    "mean over "
    "them. Each\ncan have its own noise: --noise-schedule 'ledger=0:0.2,30:0.05;courier=0:0.1' (a "
    "part without a name is for the rest).",
    grpo_job_options,
    0,
    0,
    train_main};
