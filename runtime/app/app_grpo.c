/* app_grpo.c - see app_grpo.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_grpo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/eval.h"
#include "agents/example_env.h"
#include "agents/rollouts.h"
#include "runtime/app/app_env.h"
#include "runtime/app/app_model.h"
#include "runtime/app/app_new_model.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"

#define TASK_MAX     1024
#define CHAT_MAX_LEN 4096 /* ids of a chain of a chat model, unless told otherwise */

/* ---- options whose default is another than that of supervised training */

static double number_or(const struct options *o, enum option_id id, double otherwise)
{
    return option_is_set(o, id) ? option_number(o, id) : otherwise;
}

static int64_t int_or(const struct options *o, enum option_id id, int64_t otherwise)
{
    return option_is_set(o, id) ? option_int(o, id) : otherwise;
}

struct point {
    int64_t from;
    double value;
};

/* "0:0.2,15:0.4" or a single value. */
static enum status read_schedule(const struct options *o, enum option_id id, struct point *out,
                                 int32_t *n, struct error *err)
{
    char *text = xstrdup(option_text(o, id)), *save = NULL;
    enum status st = STATUS_OK;

    *n = 0;
    for (char *w = strtok_r(text, ",", &save); w && !st; w = strtok_r(NULL, ",", &save)) {
        struct point p = {0};
        char *colon = strchr(w, ':');
        const char *value = colon ? colon + 1 : w;

        if (colon)
            *colon = 0;
        if ((colon && (!text_to_i64(w, &p.from) || p.from < 0)) || (!colon && *n > 0) ||
            !text_to_double(value, &p.value))
            st = error_set(err, STATUS_USAGE, "--%s: \"%s\" is not UPDATE:VALUE",
                           option_spec(id)->name, value);
        else if (*n == GRPO_MAX_PHASES)
            st = error_set(err, STATUS_USAGE, "--%s: at most %d phases", option_spec(id)->name,
                           GRPO_MAX_PHASES);
        else if (p.from != 0 && (*n == 0 || p.from <= out[*n - 1].from))
            st = error_set(err, STATUS_USAGE, "--%s begins at update 0 and goes upward",
                           option_spec(id)->name);
        else
            out[(*n)++] = p;
    }
    if (!st && *n == 0)
        st = error_set(err, STATUS_USAGE, "--%s is empty", option_spec(id)->name);
    free(text);
    return st;
}

static double value_at(const struct point *p, int32_t n, int64_t update)
{
    double value = p[0].value;

    for (int32_t i = 1; i < n; i++)
        if (p[i].from <= update)
            value = p[i].value;
    return value;
}

/* Both schedules as one list of phases. */
static enum status fill_phases(const struct options *o, struct grpo_options *g, struct error *err)
{
    struct point noise[GRPO_MAX_PHASES], horizon[GRPO_MAX_PHASES];
    int32_t n_noise = 0, n_horizon = 0, i = 0, k = 0;
    enum status st = read_schedule(o, OPT_NOISE_SCHEDULE, noise, &n_noise, err);

    if (!st)
        st = read_schedule(o, OPT_HORIZON_SCHEDULE, horizon, &n_horizon, err);
    while (!st && (i < n_noise || k < n_horizon)) {
        int64_t a = i < n_noise ? noise[i].from : INT64_MAX;
        int64_t b = k < n_horizon ? horizon[k].from : INT64_MAX, from = a < b ? a : b;
        double steps = value_at(horizon, n_horizon, from);

        i += a == from;
        k += b == from;
        if (g->n_phases == GRPO_MAX_PHASES)
            return error_set(err, STATUS_USAGE, "the schedules have more than %d phases together",
                             GRPO_MAX_PHASES);
        if (!(steps >= 1 && steps <= 100000))
            return error_set(err, STATUS_USAGE, "--horizon-schedule: %g steps", steps);
        g->phase[g->n_phases++] = (struct grpo_phase){
            .from = from, .noise = value_at(noise, n_noise, from), .horizon = (int32_t)steps};
    }
    return st;
}

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
        .gamma = option_number(o, OPT_GAMMA),
        .gigpo_weight = option_number(o, OPT_GIGPO_WEIGHT),
        .drop_agreed = !option_flag(o, OPT_TRAIN_AGREED),
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

/* ---- what the trainer asks of us */

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

/* The same validation tasks each time, greedily, at the environment's own rate of faults. */
static enum status evaluate(void *ctx, int64_t update, double *success, struct json **more,
                            struct error *err)
{
    const struct grpo_job *j = ctx;
    const struct options *o = j->app->options;
    const struct eval_row_spec spec = {.horizon = (int32_t)option_int(o, OPT_EVAL_HORIZON),
                                       .noise = -1,
                                       .episodes = (int32_t)option_int(o, OPT_EVAL_EPISODES)};
    struct eval_row row = {.n = 0};
    struct eval_options e = {.env = j->env,
                             .profile = app_profile(j->app),
                             .faults = j->faults,
                             .model = engine_model(j->engine),
                             .row = &spec,
                             .n_rows = 1,
                             .seed = ENV_SEED_VALIDATION,
                             .store = j->store,
                             .seams = j->app->seams,
                             .interrupted = j->app->interrupted};
    char uuid[37];
    enum status st = eval_run(&e, &row, uuid, err);

    if (st)
        return st;
    (void)update;
    *success = row.success;
    *more = eval_row_json(&e, &row);
    jv_set_string(*more, "run", uuid);
    return STATUS_OK;
}

/* ---- opening */

static void fill_training(struct grpo_job *j)
{
    const struct app *a = j->app;
    const struct options *o = a->options;
    struct grpo_options *g = &j->options;

    g->seed = option_is_set(o, OPT_SEED) ? option_seed(o, OPT_SEED) : 1;
    g->updates = int_or(o, OPT_UPDATES, 60);
    g->groups = (int32_t)option_int(o, OPT_GROUPS);
    g->group_size = (int32_t)option_int(o, OPT_GROUP_SIZE);
    g->shared_faults = option_flag(o, OPT_SHARED_FAULTS);
    g->minibatch_chains = (int32_t)option_int(o, OPT_MINIBATCH);
    g->max_chains = (int32_t)option_int(o, OPT_MAX_CHAINS);
    g->epochs = (int32_t)option_int(o, OPT_EPOCHS);
    g->max_refills = (int32_t)option_int(o, OPT_REFILLS);
    g->lr = number_or(o, OPT_LR, 1e-4);
    g->lr_min = number_or(o, OPT_LR_MIN, 1e-5);
    g->warmup = int_or(o, OPT_WARMUP, 5);
    g->beta1 = option_number(o, OPT_BETA1);
    g->beta2 = number_or(o, OPT_BETA2, .95);
    g->eps = 1e-8;
    g->weight_decay = number_or(o, OPT_WEIGHT_DECAY, 0);
    g->clip = option_number(o, OPT_CLIP);
    g->temperature = (float)number_or(o, OPT_TEMPERATURE, 1.2);
    g->eval_every = (int32_t)int_or(o, OPT_EVAL_EVERY, 20);
    g->checkpoint_every = (int32_t)int_or(o, OPT_CHECKPOINT_EVERY, 10);
    g->keep_last = (int32_t)option_int(o, OPT_KEEP_LAST);
    g->probe_floor = option_number(o, OPT_PROBE_FLOOR);
    g->patience = (int32_t)option_int(o, OPT_PATIENCE);
    g->resume = option_flag(o, OPT_RESUME);
    g->recompute = option_flag(o, OPT_RECOMPUTE);
    g->max_len = (int32_t)option_int(o, OPT_MAX_LEN);
    if (g->max_len == 0) /* the environment knows its compact text, not what a template makes */
        g->max_len = strcmp(weights_config(j->start)->codec, "compact") == 0
                         ? j->env->max_context_tokens + j->env->max_reply_tokens
                         : CHAT_MAX_LEN;
    if (g->max_len > weights_config(j->start)->max_position_embeddings)
        g->max_len = weights_config(j->start)->max_position_embeddings;
    fill_credit(o, &g->credit);
    fill_policy(o, g->max_len, &g->policy);
    g->seams = a->seams;
    g->log = a->log;
    g->interrupted = a->interrupted;
}

static void take_pool(void *arg, struct lane lane)
{
    struct grpo_job *j = arg;

    j->pool = lane.pool;
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
        engine_run_exclusive(j->engine, take_pool, j);
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
    struct rollouts_options r = {.env = j->env,
                                 .profile = app_profile(a),
                                 .faults = j->faults,
                                 .model = engine_model(j->engine),
                                 .in_flight = (int32_t)option_int(o, OPT_IN_FLIGHT),
                                 .timeout_ms = option_int(o, OPT_EPISODE_TIMEOUT),
                                 .store = record || keep > 0 ? j->store : NULL,
                                 .keep_updates = record ? 0 : keep,
                                 .seams = a->seams,
                                 .log = a->log,
                                 .interrupted = a->interrupted};

    if (j->options.credit.kind == CREDIT_GIGPO && !j->env->anchor)
        return error_set(err, STATUS_UNSUPPORTED,
                         "--credit gigpo compares equal states, which %s does not tell",
                         j->env->name);
    return rollouts_new(&r, &j->rollouts, err);
}

static void name_task(struct grpo_job *j)
{
    str_puts(&j->task, j->env->name);
    if (app_profile(j->app) == ENV_HARD)
        str_puts(&j->task, " hard");
    if (j->faults) {
        str_puts(&j->task, " faults=");
        env_faults_text(j->env, j->faults, &j->task);
    }
}

enum status grpo_job_open(struct grpo_job *j, struct app *a, const char *out, bool writes,
                          struct error *err)
{
    const char *env = option_text(a->options, OPT_ENV);
    enum status st;

    memset(j, 0, sizeof(*j));
    str_init(&j->task, TASK_MAX);
    j->app = a;
    j->model = app_model_name(a, NULL, "embedded");
    if (!env)
        return error_set(err, STATUS_USAGE, "--env ENV is missing: where to act");
    if (strcmp(j->model, "new") == 0) {
        (void)error_set(err, STATUS_USAGE,
                        "--model new: what never acts rightly by chance finds nothing to learn");
        error_hint(err, "begin with `troupe train sft --model new --env %s`", env);
        return STATUS_USAGE;
    }
    j->env = app_env(env, err);
    if (!j->env)
        return STATUS_USAGE;
    st = env_faults_of(j->env, option_text(a->options, OPT_FAULTS), &j->faults, err);
    if (!st)
        st = fill_phases(a->options, &j->options, err);
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
    if (!st && writes && j->env->probe)
        st = example_env_new(j->env, NULL, j->tokenizer, &j->probe, err);
    j->options.out = out;
    name_task(j);
    j->options.task = str_cstr(&j->task);
    j->options.rollouts = j->rollouts;
    j->options.probe = j->probe;
    j->options.publish = publish;
    j->options.exclusive = exclusive;
    j->options.evaluate = writes ? evaluate : NULL;
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
    example_env_free(j->probe);
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
                                           OPT_LR,
                                           OPT_LR_MIN,
                                           OPT_WARMUP,
                                           OPT_BETA1,
                                           OPT_BETA2,
                                           OPT_WEIGHT_DECAY,
                                           OPT_CLIP,
                                           OPT_EVAL_EVERY,
                                           OPT_EVAL_HORIZON,
                                           OPT_EVAL_EPISODES,
                                           OPT_PATIENCE,
                                           OPT_PROBE_FLOOR,
                                           OPT_CHECKPOINT_EVERY,
                                           OPT_KEEP_LAST,
                                           OPT_RECORD,
                                           OPT_KEEP_ROLLOUTS,
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
                                           OPT_END};
