/* cmd_train_sft.c - train sft: supervised training on demonstrations or chat data, into a model
 * folder. SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/sft.h"
#include "runtime/app/app_examples.h"
#include "runtime/app/app_new_model.h"
#include "runtime/app/app_training.h"
#include "runtime/app/table.h"

struct sft_job {
    struct app *app;
    const char *model; /* --model: "new", or one to go on from */
    struct tokenizer *tokenizer;
    struct weights *start;
    struct pool *pool;
    char tokenizer_hash[65];
    struct app_examples examples;
    struct sft_options options;
};

/* A resumed training must have the same one. */
static bool needs_tokenizer(const struct app *a)
{
    return app_training_chats(a) || option_is_set(a->options, OPT_FROM_RUNS);
}

static void fill_options(struct sft_job *j)
{
    const struct app *a = j->app;
    const struct options *o = a->options;
    const char *env = option_text(o, OPT_ENV);

    j->options = (struct sft_options){
        .out = option_text(o, OPT_OUT),
        .seed = option_seed(a->options, OPT_SEED),
        .updates = option_int(o, OPT_UPDATES),
        .batch_tokens = (int32_t)option_int(o, OPT_BATCH_TOKENS),
        .accumulate = (int32_t)option_int(o, OPT_ACCUMULATE),
        .max_len = (int32_t)option_int(o, OPT_MAX_LEN),
        .learning = app_learning(a),
        .eval_every = (int32_t)option_int(o, OPT_EVAL_EVERY),
        .n_eval_batches = 4,
        .checkpoint_every = (int32_t)option_int(o, OPT_CHECKPOINT_EVERY),
        .keep_last = (int32_t)option_int(o, OPT_KEEP_LAST),
        .keep_best = true,
        .recompute = option_flag(o, OPT_RECOMPUTE),
        .resume = option_flag(o, OPT_RESUME),
        .stop_on =
            strcmp(option_text(o, OPT_STOP_ON), "none") == 0 ? NULL : option_text(o, OPT_STOP_ON),
        .data = j->examples.data,
        .held_out = j->examples.held_out,
        .tokenizer = needs_tokenizer(a) ? j->tokenizer_hash : NULL,
        .seams = a->seams,
        .log = a->log,
        .interrupted = a->interrupted,
    };
    if (j->options.max_len == 0)
        j->options.max_len = env ? app_mix_context(&j->examples.mix)
                                 : weights_config(j->start)->max_position_embeddings;
}

static void report(struct sft_job *j, const struct sft_result *r)
{
    char took[32], held_out[48] = "";

    format_duration_ms((int64_t)(r->wall_s * 1000), took, sizeof(took));
    if (!isnan(r->held_out_loss))
        snprintf(held_out, sizeof(held_out), ", held out %.4f", r->held_out_loss);
    log_write(j->app->log, LOG_INFO,
              "%lld update%s, %lld token%s (%lld trained), loss %.4f%s, %.0f tokens/s, %s",
              (long long)r->updates, plural_s(r->updates), (long long)r->tokens,
              plural_s(r->tokens), (long long)r->trained_tokens, r->loss, held_out, r->tokens_per_s,
              took);
    if (r->n_truncated > 0)
        log_write(j->app->log, LOG_WARN, "cut %lld example%s that %s longer than --max-len %d",
                  (long long)r->n_truncated, plural_s(r->n_truncated),
                  r->n_truncated == 1 ? "was" : "were", j->options.max_len);
    log_write(j->app->log, LOG_INFO, "wrote %s/model", j->options.out);
}

static int print_json(const struct sft_job *j, const struct sft_result *r)
{
    struct json *doc = app_document("train_sft");
    char path[1100];

    snprintf(path, sizeof(path), "%s/model", j->options.out);
    jv_set_string(doc, "model", path);
    jv_set_int(doc, "updates", r->updates);
    jv_set_int(doc, "tokens", r->tokens);
    jv_set_int(doc, "trained_tokens", r->trained_tokens);
    jv_set_int(doc, "truncated", r->n_truncated);
    jv_set_real(doc, "loss", r->loss);
    jv_set_real(doc, "held_out_loss", r->held_out_loss);
    jv_set_real(doc, "tokens_per_s", r->tokens_per_s);
    jv_set_real(doc, "wall_s", r->wall_s);
    return app_print_json(doc);
}

static enum status prepare(struct sft_job *j, struct error *err)
{
    struct sha256 hash;
    enum status st = app_new_model(j->app, j->model, &j->tokenizer, &j->start, err);

    if (!st)
        st = app_examples_open(j->app, j->model, j->tokenizer, j->start, &j->examples, err);
    if (!st)
        st = pool_new(app_threads(j->app), &j->pool, err);
    if (st)
        return st;
    hash = tokenizer_hash(j->tokenizer);
    sha256_hex(&hash, j->tokenizer_hash);
    fill_options(j);
    return STATUS_OK;
}

static int n_sources(const struct options *o)
{
    return (option_text(o, OPT_ENV) != NULL) + (option_text(o, OPT_DATA) != NULL) +
           (option_text(o, OPT_FROM_RUNS) != NULL);
}

/* Trains with the options of `a`. from_folder: they are those that the folder was begun with. */
static enum status train(struct sft_job *j, struct app *a, bool from_folder, struct sft_result *r,
                         struct error *err)
{
    enum status st;

    j->app = a;
    if (n_sources(a->options) != 1)
        return error_set(err, STATUS_USAGE,
                         "give one of --data FILE.jsonl, --env ENV and --from-runs RUN,...");
    st = app_training_model(a, from_folder, &j->model, err);
    if (!st)
        st = prepare(j, err);
    if (!st)
        st = sft_check_resume(&j->options, j->start, err);
    if (!st)
        st = app_training_write(a, j->options.out, err);
    if (!st)
        app_training_warn(a);
    if (!st)
        st = sft_run(j->pool, j->start, &j->options, r, err);
    if (!st)
        st = app_write_model(a, j->model, r->weights, j->options.out, err);
    return st;
}

static int train_main(void *app)
{
    struct app *a = app, then = *a;
    struct sft_job j = {.app = app};
    struct sft_result r = {0};
    struct error err = ERROR_INIT;
    bool from_folder = false;
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
    weights_unref(j.start);
    app_examples_close(&j.examples);
    pool_free(j.pool);
    tokenizer_free(j.tokenizer);
    app_training_close(a, &then);
    return code;
}

static const enum option_id sft_options[] = {OPT_DATA,         OPT_HOLDOUT,
                                             OPT_FROM_RUNS,    OPT_ENV,
                                             OPT_KIND,         OPT_MODEL,
                                             OPT_OUT,          OPT_RESUME,
                                             OPT_SEED,         OPT_UPDATES,
                                             OPT_BATCH_TOKENS, OPT_ACCUMULATE,
                                             OPT_MAX_LEN,      APP_LEARNING_OPTIONS,
                                             OPT_EVAL_EVERY,   OPT_CHECKPOINT_EVERY,
                                             OPT_KEEP_LAST,    OPT_RECOMPUTE,
                                             OPT_STOP_ON,      OPT_INIT_LAYERS,
                                             OPT_INIT_HIDDEN,  OPT_INIT_HEADS,
                                             OPT_INIT_FFN,     OPT_THREADS,
                                             OPT_CPU_ISA,      OPT_DEVICE,
                                             OPT_KV_MEMORY,    OPT_CONTEXT,
                                             OPT_WEIGHT_TYPE,  OPT_END};
const struct command_spec cmd_train_sft = {
    "train sft",
    "learn",
    "",
    "train on demonstrations or chat data; write a Hugging Face folder",
    "--data takes chat messages, one object per line, rendered with the model's own template. Only "
    "tokens of the\nassistant are trained. --env takes the demonstrations of an environment, or of "
    "several in turn. --from-runs takes the token ids that "
    "runs have recorded, of models in this process and\nof servers that give ids; the model must "
    "have the tokenizer of the ids. --model new starts\nfrom random weights (--init-...) with the "
    "embedded byte "
    "tokenizer. The result depends on options and data alone,\nnot on threads or interruptions.",
    sft_options,
    0,
    0,
    train_main};
