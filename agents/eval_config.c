/* eval_config.c - the options of an evaluation: checked, stored with its run, and compared on a
 * resume.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "agents/eval_internal.h"
#include "models/formats/tokenizer.h"
#include "runtime/base/rng.h"

void eval_params(const struct eval_options *o, const struct eval_row_spec *row, int32_t episode,
                 struct env_params *out)
{
    uint64_t task = o->seed + (uint64_t)episode;

    *out = (struct env_params){
        .horizon = row->horizon,
        .noise = row->noise < 0 ? o->env->default_noise : row->noise,
        .profile = o->profile,
        .ablation = o->ablation,
        .faults = o->faults,
        .task_seed = task,
        .fault_seed = env_fault_seed(task),
    };
}

double eval_ceiling(const struct eval_options *o, const struct eval_row_spec *row)
{
    struct env_params params;
    double sum = 0;

    for (int32_t i = 0; i < row->episodes; i++) {
        eval_params(o, row, i, &params);
        sum += o->env->ceiling(&params);
    }
    return sum / row->episodes;
}

static enum status check_row(const struct eval_options *o, int32_t r, struct error *err)
{
    const struct eval_row_spec *row = &o->row[r];
    struct env_params params;
    struct env *env = NULL;
    enum status st;

    if (row->episodes < 1)
        return error_set(err, STATUS_USAGE, "row %d: expected at least 1 episode, got %d", r,
                         row->episodes);
    st = eval_check_seed(o->seed, row->episodes, err);
    if (st)
        return st;
    if (!(row->temperature >= 0))
        return error_set(err, STATUS_USAGE, "row %d: the temperature %g is below 0", r,
                         (double)row->temperature);
    eval_params(o, row, 0, &params);
    st = o->env->create(&params, &env, err);
    if (!st)
        o->env->free(env);
    return st;
}

static enum status check_votes(const struct eval_options *o, struct error *err)
{
    if (o->expert)
        return error_set(err, STATUS_USAGE,
                         "a vote needs a model: a script gives the same reply each time");
    if (!o->model->info.takes_ids)
        return error_set(err, STATUS_UNSUPPORTED,
                         "a vote needs token ids, which model %s does not give",
                         o->model->info.name);
    for (int32_t r = 0; r < o->n_rows; r++)
        if (o->row[r].temperature <= 0)
            return error_set(
                err, STATUS_USAGE,
                "%d greedy samples are all the same: a vote needs a temperature above 0", o->votes);
    return STATUS_OK;
}

enum status eval_check_seed(uint64_t seed, int64_t episodes, struct error *err)
{
    if (seed < ENV_SEED_VALIDATION) {
        (void)error_set(err, STATUS_USAGE, "seed %llu is below 2^20, which is for training tasks",
                        (unsigned long long)seed);
        error_hint(err, "use 2^21 = %llu or above", (unsigned long long)ENV_SEED_REPORTED);
        return STATUS_USAGE;
    }
    if (seed > UINT64_MAX - (uint64_t)episodes)
        return error_set(err, STATUS_USAGE, "the seeds of %lld episodes would exceed 2^64",
                         (long long)episodes);
    return STATUS_OK;
}

enum status eval_check(const struct eval_options *o, struct error *err)
{
    enum status st = eval_check_seed(o->seed, 1, err);

    if (st)
        return st;
    if (!o->expert && !o->model)
        return error_set(err, STATUS_USAGE, "an evaluation needs a model or a script");
    st = o->expert ? env_check_expert(o->env, o->expert, err) : STATUS_OK;
    if (st)
        return st;
    st = o->votes > 1 ? check_votes(o, err) : STATUS_OK;
    if (st)
        return st;
    if (o->n_rows < 1)
        return error_set(err, STATUS_USAGE, "an evaluation needs at least one row");
    for (int32_t r = 0; r < o->n_rows; r++) {
        st = check_row(o, r, err);
        if (st)
            return st;
    }
    return STATUS_OK;
}

/* Only values other than the default, so that evaluations from before the option still resume. */
static void put_faults(struct json *v, const struct eval_options *o)
{
    struct str words = STR_INIT;

    if (o->faults == 0)
        return;
    env_faults_text(o->env, o->faults, &words);
    jv_set_string(v, "faults", str_cstr(&words));
    str_deinit(&words);
}

static struct json *config_of(const struct eval_options *o)
{
    static const char *const profile[] = {[ENV_STD] = "std", [ENV_HARD] = "hard"};
    struct json *v = jv_object(), *rows = jv_array();
    char hex[65];

    jv_set_string(v, "env", o->env->name);
    if (o->expert) {
        jv_set_string(v, "expert", o->expert);
    } else {
        sha256_hex(&o->model->info.hash, hex);
        jv_set_string(v, "model", o->model_name ? o->model_name : o->model->info.name);
        jv_set_string(v, "model_hash", hex);
        if (o->model->info.tokenizer) {
            struct sha256 tokenizer = tokenizer_hash(o->model->info.tokenizer);

            sha256_hex(&tokenizer, hex);
            jv_set_string(v, "tokenizer", hex);
        }
    }
    jv_set_string(v, "profile", profile[o->profile]);
    jv_set_string(v, "ablation", env_ablation_name(o->ablation));
    put_faults(v, o);
    if (o->votes > 1)
        jv_set_int(v, "vote", o->votes);
    jv_set_int(v, "seed", (int64_t)o->seed);
    for (int32_t r = 0; r < o->n_rows; r++) {
        struct json *row = jv_object();
        struct env_params params;

        eval_params(o, &o->row[r], 0, &params);
        jv_set_int(row, "horizon", o->row[r].horizon);
        jv_set_real(row, "p", params.noise);
        jv_set_real(row, "temperature", (double)o->row[r].temperature);
        jv_set_int(row, "episodes", o->row[r].episodes);
        jv_append_adopt(rows, row);
    }
    jv_set_adopt(v, "rows", rows);
    return v;
}

static enum status compare_value(const struct json *was, const struct json *is, const char *key,
                                 struct error *err)
{
    struct str a = STR_INIT, b = STR_INIT;
    enum status st = STATUS_OK;

    /* As text: what was stored as 1.0 may be read back as 1. */
    jv_write_canonical(jv_get(was, key), &a);
    jv_write_canonical(jv_get(is, key), &b);
    if (strcmp(str_cstr(&a), str_cstr(&b)) != 0)
        st = error_set(err, STATUS_CONFIG, "the evaluation was started with %s %.200s, not %.200s",
                       key, str_cstr(&a), str_cstr(&b));
    str_deinit(&a);
    str_deinit(&b);
    return st;
}

/* Compares both ways, because default values are not stored. A model is identified by its weights:
 * its name may be another path to the same folder. */
static enum status compare(const struct json *was, const struct json *is, struct error *err)
{
    const char *key = NULL;
    struct json *value = NULL;
    enum status st = STATUS_OK;

    for (void *it = NULL; !st && (it = jv_next(is, it, &key, &value));)
        st = strcmp(key, "model") == 0 ? STATUS_OK : compare_value(was, is, key, err);
    for (void *it = NULL; !st && (it = jv_next(was, it, &key, &value));)
        st = strcmp(key, "model") == 0 ? STATUS_OK : compare_value(was, is, key, err);
    return st;
}

static enum status take(const struct eval_options *o, const struct json *config, struct run **out,
                        struct error *err)
{
    struct run *run = NULL;
    enum status st = run_take(o->store, o->resume, &run, err);

    if (st)
        return st;
    st = compare(run_config(run), config, err);
    if (st)
        run_close(run);
    else
        *out = run;
    return st;
}

enum status eval_open_run(const struct eval_options *o, struct run **out, struct error *err)
{
    struct json *config = config_of(o);
    struct error own = ERROR_INIT;
    struct run_spec spec = {.kind = "eval",
                            .name = o->env->name,
                            .config = config,
                            .seed = o->seed,
                            .model_hash = o->expert ? NULL : &o->model->info.hash,
                            .backend = o->expert ? NULL : o->model->info.backend};
    enum status st =
        o->resume ? take(o, config, out, &own) : run_create(o->store, &spec, out, &own);

    if (st && err)
        *err = own;
    jv_unref(config);
    return st;
}

struct loading {
    uint8_t *is_done;
    int32_t episodes;
    struct eval_tally *tally;
    enum status status;
    struct error *err;
};

static int32_t count_of(const struct json *v, const char *key)
{
    return (int32_t)jv_get_int(jv_get(v, key), 0);
}

static void read_verdict(const struct json *v, struct env_verdict *out)
{
    *out = (struct env_verdict){
        .success = jv_get_bool(jv_get(v, "success"), false),
        .steps = count_of(v, "steps"),
#define COUNTER(name) .name = count_of(v, #name),
#include "tools/environments/counters.def"
#undef COUNTER
        .capped = jv_get_bool(jv_get(v, "capped"), false),
        .over_budget = jv_get_bool(jv_get(v, "over_budget"), false),
    };
}

/* Older records do not have these counts and are left out of them. */
static void read_after(const struct json *v, struct eval_after *out)
{
    *out = (struct eval_after){
        .wrong = count_of(v, "after_wrong"),
        .wrong_right = count_of(v, "after_wrong_right"),
        .right = count_of(v, "after_right"),
        .right_right = count_of(v, "after_right_right"),
    };
}

static bool load_episode(void *ctx, const struct episode_row *e)
{
    struct loading *l = ctx;
    struct json *v = NULL;
    struct env_verdict verdict;
    struct eval_after after;
    int row, i;

    if (sscanf(e->path, "row[%d]/episode[%d]", &row, &i) != 2 || i < 0 || i >= l->episodes ||
        l->is_done[i])
        return true;
    l->is_done[i] = 1;
    if (e->status != STEP_OK) {
        l->tally->n_failed_outside++;
        return true;
    }
    l->status = jv_parse(e->verdict, strlen(e->verdict), e->path, &v, l->err);
    if (l->status)
        return false;
    read_verdict(v, &verdict);
    read_after(v, &after);
    jv_unref(v);
    eval_tally_add(l->tally, &verdict, &after);
    return true;
}

enum status eval_load_row(const struct eval_options *o, const char *uuid, int32_t r,
                          uint8_t *is_done, struct eval_tally *t, struct error *err)
{
    struct loading l = {.is_done = is_done, .episodes = o->row[r].episodes, .tally = t, .err = err};
    struct store_reader *q = NULL;
    char under[32];
    enum status st = store_reader_open(o->store, &q, err);

    if (st)
        return st;
    (void)snprintf(under, sizeof(under), "row[%d]", r);
    st = query_episodes(q, uuid, under, false, load_episode, &l, err);
    store_reader_close(q);
    return st ? st : l.status;
}
