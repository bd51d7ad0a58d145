/* app_grpo.c - see app_grpo.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_grpo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/eval.h"
#include "agents/example_mix.h"
#include "agents/rollouts.h"
#include "runtime/app/app_env.h"
#include "runtime/app/app_model.h"
#include "runtime/app/app_new_model.h"
#include "runtime/app/app_training.h"
#include "runtime/base/memory.h"

#define TASK_MAX     1024
#define CHAT_MAX_LEN 4096 /* ids of a chain of a chat model, by default */

/* A choice's index among its words. */
static int choice(const struct options *o, enum option_id id)
{
    const char *words = option_spec(id)->metavar, *value = option_text(o, id);
    size_t n = strlen(value);

    for (int i = 0; *words; i++) {
        size_t len = strcspn(words, "|");
        if (len == n && strncmp(words, value, n) == 0)
            return i;
        words += len + (words[len] == '|');
    }
    return 0;
}

static void fill_credit(const struct options *o, struct credit_options *c)
{
    int32_t overlong = (int32_t)option_int(o, OPT_OVERLONG);

    *c = (struct credit_options){
        .norm = choice(o, OPT_NORM) == 0 ? CREDIT_NORM_BATCH : CREDIT_NORM_GROUP,
        .call_cost = option_number(o, OPT_CALL_COST),
        .call_target = option_number(o, OPT_CALL_TARGET),
        .call_price_rate = option_number(o, OPT_CALL_PRICE_RATE),
        .gamma = option_number(o, OPT_GAMMA),
        .gigpo_weight = option_number(o, OPT_GIGPO_WEIGHT),
        /* The price of a call must also apply to groups in which every step was right. */
        .drop_agreed = !option_flag(o, OPT_TRAIN_AGREED) && option_number(o, OPT_CALL_TARGET) <= 0,
        .mask_truncated = option_flag(o, OPT_MASK_TRUNCATED),
        .overlong_max = overlong,
        .overlong_soft = (overlong + 1) / 2,
        .shuffle = option_flag(o, OPT_SHUFFLE_ADVANTAGES),
    };
    (void)credit_of_name(option_text(o, OPT_CREDIT), &c->kind);
    (void)advantage_of_name(option_text(o, OPT_ADVANTAGE), &c->advantage);
}

static void fill_policy(const struct options *o, int32_t max_completion, struct policy_options *p)
{
    static const enum policy_kl kl[] = {POLICY_KL_NONE, POLICY_KL_K1, POLICY_KL_K2, POLICY_KL_K3,
                                        POLICY_KL_K3_NEMO};
    static const enum policy_aggregation aggregation[] = {POLICY_TOKEN, POLICY_SEQUENCE,
                                                          POLICY_CONSTANT};

    *p = (struct policy_options){
        .aggregation = aggregation[choice(o, OPT_AGGREGATION)],
        .clip_low = option_number(o, OPT_CLIP_LOW),
        .clip_high = option_number(o, OPT_CLIP_HIGH),
        .dual_clip = option_number(o, OPT_DUAL_CLIP),
        .kl = kl[choice(o, OPT_KL)],
        .kl_beta = option_number(o, OPT_KL_BETA),
        .max_completion = max_completion,
    };
    (void)policy_objective_of_name(option_text(o, OPT_OBJECTIVE), &p->objective);
}

/* ---- callbacks of the trainer */

static void publish(void *ctx, struct weights *w)
{
    const struct grpo_job *j = ctx;

    engine_publish(j->engine, w);
}

static void exclusive(void *ctx, void (*fn)(void *arg, struct lane lane), void *arg)
{
    const struct grpo_job *j = ctx;

    engine_run_exclusive(j->engine, fn, arg);
}

/* The same validation tasks each time, greedy, with the default noise of the environment. */
static enum status evaluate_one(const struct grpo_job *j, int32_t k, int64_t update,
                                double *success, struct json **more, struct error *err)
{
    const struct options *o = j->app->options;
    struct str name = STR_INIT;
    const struct eval_row_spec spec = {.horizon = (int32_t)option_int(o, OPT_EVAL_HORIZON),
                                       .noise = -1,
                                       .episodes = (int32_t)option_int(o, OPT_EVAL_EPISODES)};
    struct eval_row row = {.n = 0};
    struct eval_options e = {.env = j->mix.env[k],
                             .profile = app_profile(j->app),
                             .faults = j->mix.faults[k],
                             .model = engine_model(j->engine),
                             .row = &spec,
                             .n_rows = 1,
                             .seed = ENV_SEED_VALIDATION,
                             .store = j->store,
                             .seams = j->app->seams,
                             .interrupted = j->app->interrupted};
    char uuid[37];
    enum status st;

    str_printf(&name, "%s, update %lld", j->options.out, (long long)update);
    e.model_name = str_cstr(&name);
    st = eval_run(&e, &row, uuid, err);
    str_deinit(&name);
    if (st)
        return st;
    *success = row.success;
    *more = eval_row_json(&e, &row);
    jv_set_string(*more, "run", uuid);
    return STATUS_OK;
}

/* Several environments: the mean over them, and their rows by name. */
static enum status evaluate(void *ctx, int64_t update, double *success, struct json **more,
                            struct error *err)
{
    const struct grpo_job *j = ctx;
    struct json *tasks;
    double sum = 0;
    enum status st = STATUS_OK;

    if (j->mix.n == 1)
        return evaluate_one(j, 0, update, success, more, err);
    tasks = jv_object();
    for (int32_t k = 0; k < j->mix.n && !st; k++) {
        struct json *row = NULL;
        double one = 0;

        st = evaluate_one(j, k, update, &one, &row, err);
        sum += one;
        if (!st)
            jv_set_adopt(tasks, j->mix.env[k]->name, row);
    }
    if (st) {
        jv_unref(tasks);
        return st;
    }
    *success = sum / j->mix.n;
    *more = jv_object();
    jv_set_adopt(*more, "tasks", tasks);
    return STATUS_OK;
}

static enum status make_room(void *ctx, int64_t bytes, int64_t best, struct error *err)
{
    struct grpo_job *j = ctx;

    return disk_budget_make_room(&j->budget, bytes, best, err);
}

/* ---- opening */

static void fill_training(struct grpo_job *j)
{
    const struct app *a = j->app;
    const struct options *o = a->options;
    struct grpo_options *g = &j->options;

    g->seed = option_seed(a->options, OPT_SEED);
    g->updates = option_int(o, OPT_UPDATES);
    g->groups = (int32_t)option_int(o, OPT_GROUPS);
    g->group_size = (int32_t)option_int(o, OPT_GROUP_SIZE);
    g->minibatch_chains = (int32_t)option_int(o, OPT_MINIBATCH);
    g->max_chains = (int32_t)option_int(o, OPT_MAX_CHAINS);
    g->epochs = (int32_t)option_int(o, OPT_EPOCHS);
    g->max_refills = (int32_t)option_int(o, OPT_REFILLS);
    g->learning = app_learning(a);
    g->temperature = (float)option_number(o, OPT_TEMPERATURE);
    g->eval_every = (int32_t)option_int(o, OPT_EVAL_EVERY);
    g->checkpoint_every = (int32_t)option_int(o, OPT_CHECKPOINT_EVERY);
    g->keep_last = (int32_t)option_int(o, OPT_KEEP_LAST);
    g->probe_floor = option_number(o, OPT_PROBE_FLOOR);
    g->patience = (int32_t)option_int(o, OPT_PATIENCE);
    g->resume = option_flag(o, OPT_RESUME);
    g->recompute = option_flag(o, OPT_RECOMPUTE);
    g->max_len = (int32_t)option_int(o, OPT_MAX_LEN);
    if (g->max_len ==
        0) /* the environment knows the length of its compact text, not that of a chat template */
        g->max_len = strcmp(weights_config(j->start)->codec, "compact") == 0
                         ? app_mix_chain(&j->mix)
                         : CHAT_MAX_LEN;
    if (g->max_len > weights_config(j->start)->max_position_embeddings)
        g->max_len = weights_config(j->start)->max_position_embeddings;
    fill_credit(o, &g->credit);
    fill_policy(o, g->max_len, &g->policy);
    g->seams = a->seams;
    g->log = a->log;
    g->interrupted = a->interrupted;
}

static enum status open_engine(struct grpo_job *j, struct error *err)
{
    struct engine_options eo;
    char folder[1024];
    enum status st = app_engine_options(j->app, j->model, folder, &eo, err);

    if (st)
        return st;
    eo.weights = j->start;
    st = engine_open(&eo, &j->engine, err);
    if (!st)
        j->pool = engine_pool(j->engine);
    return st;
}

static enum status open_store(struct grpo_job *j, const char *out, struct error *err)
{
    struct str path = STR_INIT;
    struct store_options so = {.durability = STORE_NORMAL, .create = true, .seams = j->app->seams};
    enum status st = dir_make(out, err);

    str_printf(&path, "%s/rollouts.db", out);
    so.path = str_cstr(&path);
    if (!st)
        st = store_open(&so, &j->store, err);
    str_deinit(&path);
    return st;
}

static enum status open_rollouts(struct grpo_job *j, struct error *err)
{
    const struct app *a = j->app;
    const struct options *o = a->options;
    int32_t keep = (int32_t)option_int(o, OPT_KEEP_ROLLOUTS);
    bool record = option_flag(o, OPT_RECORD);
    struct rollouts_options r = {.env = j->mix.env,
                                 .faults = j->mix.faults,
                                 .n_env = j->mix.n,
                                 .curriculum = &j->curriculum,
                                 .shared_faults = option_flag(o, OPT_SHARED_FAULTS),
                                 .profile = app_profile(a),
                                 .unbounded = option_flag(o, OPT_NO_BUDGET),
                                 .model = engine_model(j->engine),
                                 .in_flight = (int32_t)option_int(o, OPT_IN_FLIGHT),
                                 .timeout_ms = option_int(o, OPT_EPISODE_TIMEOUT),
                                 .store = record || keep > 0 ? j->store : NULL,
                                 .keep_updates = record ? 0 : keep,
                                 .seams = a->seams,
                                 .log = a->log,
                                 .interrupted = a->interrupted};

    for (int32_t k = 0; k < j->mix.n; k++)
        if (j->options.credit.kind == CREDIT_GIGPO && !j->mix.env[k]->anchor)
            return error_set(err, STATUS_UNSUPPORTED,
                             "--credit gigpo compares equal states, but environment %s has no "
                             "fingerprints of states",
                             j->mix.env[k]->name);
    return rollouts_new(&r, &j->rollouts, err);
}

static void name_task(struct grpo_job *j)
{
    struct sha256 hash;

    for (int32_t k = 0; k < j->mix.n; k++) {
        str_printf(&j->task, "%s%s", k ? "," : "", j->mix.env[k]->name);
        if (j->mix.faults[k]) {
            str_puts(&j->task, " faults=");
            env_faults_text(j->mix.env[k], j->mix.faults[k], &j->task);
        }
    }
    if (app_profile(j->app) == ENV_HARD)
        str_puts(&j->task, " hard");
    if (option_flag(j->app->options, OPT_NO_BUDGET))
        str_puts(&j->task, " no-budget");
    hash = tokenizer_hash(j->tokenizer);
    sha256_hex(&hash, j->tokenizer_hash);
    j->options.tokenizer = j->tokenizer_hash;
    j->options.task = str_cstr(&j->task);
}

enum status grpo_job_open(struct grpo_job *j, struct app *a, const char *out, bool from_folder,
                          bool writes, struct error *err)
{
    const char *env = option_text(a->options, OPT_ENV);
    enum status st;

    memset(j, 0, sizeof(*j));
    str_init(&j->task, TASK_MAX);
    j->app = a;
    if (!env)
        return error_set(err, STATUS_USAGE, "--env ENV is required: the environment to train in");
    st = app_mix_read(env, &j->mix, err);
    if (!st)
        st = app_training_model(a, from_folder, &j->model, err);
    if (st)
        return st;
    if (strcmp(j->model, "new") == 0) {
        (void)error_set(err, STATUS_USAGE,
                        "--model new: random weights earn no reward to learn from");
        error_hint(err, "start with `troupe train sft --model new --env %s`", env);
        return STATUS_USAGE;
    }
    if (j->mix.n > 1 && option_number(a->options, OPT_CALL_TARGET) > 0)
        st = error_set(
            err, STATUS_USAGE,
            "--call-target works with one environment only: calls per step differ between them");
    if (!st)
        st = app_mix_faults(&j->mix, option_text(a->options, OPT_FAULTS), err);
    if (!st)
        st = app_mix_phases(&j->mix, a->options, &j->curriculum, err);
    if (!st)
        st = app_new_model(a, j->model, &j->tokenizer, &j->start, err);
    if (st)
        return st;
    fill_training(j);
    st = open_engine(j, err);
    if (!st && writes)
        st = open_store(j, out, err);
    if (!st)
        st = open_rollouts(j, err);
    if (!st && writes)
        st = example_mix_new(j->mix.env, j->mix.n, NULL, j->tokenizer, &j->probe, err);
    j->options.out = out;
    name_task(j);
    j->options.rollouts = j->rollouts;
    j->options.probe = j->probe;
    j->options.publish = publish;
    j->options.exclusive = exclusive;
    j->options.evaluate = writes ? evaluate : NULL;
    j->budget = (struct disk_budget){.out = out,
                                     .bytes = option_int(a->options, OPT_DISK_BUDGET),
                                     .store = j->store,
                                     .log = a->log};
    j->options.make_room = writes && j->budget.bytes > 0 ? make_room : NULL;
    j->options.ctx = j;
    return st;
}

void grpo_job_close(struct grpo_job *j)
{
    str_deinit(&j->task);
    rollouts_free(j->rollouts);
    if (j->engine)
        engine_close(j->engine);
    if (j->store)
        store_close(j->store);
    example_mix_free(j->probe);
    tokenizer_free(j->tokenizer);
    weights_unref(j->start);
}

const enum option_id grpo_job_options[] = {OPT_ENV,
                                           OPT_MODEL,
                                           OPT_OUT,
                                           OPT_RESUME,
                                           OPT_SEED,
                                           OPT_UPDATES,
                                           OPT_GROUPS,
                                           OPT_GROUP_SIZE,
                                           OPT_NOISE_SCHEDULE,
                                           OPT_HORIZON_SCHEDULE,
                                           OPT_NO_BUDGET,
                                           OPT_CALL_TARGET,
                                           OPT_CALL_PRICE_RATE,
                                           OPT_SHARED_FAULTS,
                                           OPT_PROFILE,
                                           OPT_FAULTS,
                                           OPT_CREDIT,
                                           OPT_NORM,
                                           OPT_ADVANTAGE,
                                           OPT_CALL_COST,
                                           OPT_GAMMA,
                                           OPT_GIGPO_WEIGHT,
                                           OPT_TRAIN_AGREED,
                                           OPT_MASK_TRUNCATED,
                                           OPT_OVERLONG,
                                           OPT_SHUFFLE_ADVANTAGES,
                                           OPT_OBJECTIVE,
                                           OPT_AGGREGATION,
                                           OPT_CLIP_LOW,
                                           OPT_CLIP_HIGH,
                                           OPT_DUAL_CLIP,
                                           OPT_KL,
                                           OPT_KL_BETA,
                                           OPT_MINIBATCH,
                                           OPT_MAX_CHAINS,
                                           OPT_EPOCHS,
                                           OPT_REFILLS,
                                           OPT_TEMPERATURE,
                                           APP_LEARNING_OPTIONS,
                                           OPT_EVAL_EVERY,
                                           OPT_EVAL_HORIZON,
                                           OPT_EVAL_EPISODES,
                                           OPT_PATIENCE,
                                           OPT_PROBE_FLOOR,
                                           OPT_CHECKPOINT_EVERY,
                                           OPT_KEEP_LAST,
                                           OPT_RECORD,
                                           OPT_KEEP_ROLLOUTS,
                                           OPT_DISK_BUDGET,
                                           OPT_EPISODE_TIMEOUT,
                                           OPT_IN_FLIGHT,
                                           OPT_MAX_LEN,
                                           OPT_RECOMPUTE,
                                           OPT_THREADS,
                                           OPT_CPU_ISA,
                                           OPT_DEVICE,
                                           OPT_KV_MEMORY,
                                           OPT_CONTEXT,
                                           OPT_WEIGHT_TYPE,
                                           OPT_KV_TYPE,
                                           OPT_END};
