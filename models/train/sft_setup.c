/* sft_setup.c - what the first update needs: checks, memory, and the state of a run
 * that goes on.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "models/train/sft_trainer.h"
#include "runtime/base/memory.h"

#define MIB (1 << 20)

static enum status check_options(const struct sft_options *o, const struct weights *start,
                                 struct error *err)
{
    const struct model_config *c = weights_config(start);
    enum status st;

    if (!o->out || !*o->out)
        return error_set(err, STATUS_USAGE, "no output folder is given");
    if (o->updates < 1 || o->batch_tokens < 1 || o->accumulate < 1)
        return error_set(err, STATUS_USAGE,
                         "updates, batch_tokens and accumulate must be at least 1");
    if (o->max_len < 2 || o->max_len > c->max_position_embeddings + 1)
        return error_set(err, STATUS_USAGE, "max_len must be 2 to %d, the limit of the model",
                         c->max_position_embeddings + 1);
    st = learning_check(&o->learning, err);
    if (st)
        return st;
    if (o->stop_on && strcmp(o->stop_on, "probe") != 0)
        return error_set(err, STATUS_USAGE, "stop_on must be \"probe\", not \"%s\"", o->stop_on);
    if (o->stop_on && (!o->data->probe || o->data->n_probes < 1 || o->eval_every < 1))
        return error_set(err, STATUS_USAGE,
                         "stop_on probe needs data with a skill probe, and eval_every above 0");
    return STATUS_OK;
}

/* The options that decide the bits: not threads, recomputation, evaluation or kept checkpoints. */
static void fix_options(const struct sft_options *o, const struct weights *start, int64_t schedule,
                        struct fixed_options *f)
{
    char hex[65];

    fixed_init(f);
    sha256_hex(weights_hash(start), hex);
    fixed_put(f, "model", "initial model (--model)", jv_string(hex));
    if (o->tokenizer)
        fixed_put(f, "tokenizer", "tokenizer of the model (--model)", jv_string(o->tokenizer));
    fixed_put(f, "data", "data (--data, --env, --kind)", jv_string(o->data->id ? o->data->id : ""));
    fixed_put(f, "data_examples", "number of examples", jv_int(o->data->n));
    fixed_put(f, "seed", "seed (--seed)", jv_int((int64_t)o->seed));
    fixed_put(f, "updates", "number of updates (--updates)", jv_int(schedule));
    fixed_put(f, "batch_tokens", "tokens per batch (--batch-tokens)", jv_int(o->batch_tokens));
    fixed_put(f, "accumulate", "batches per update (--accumulate)", jv_int(o->accumulate));
    fixed_put(f, "max_len", "longest example (--max-len)", jv_int(o->max_len));
    learning_fix(&o->learning, f);
}

enum status sft_check_resume(const struct sft_options *o, const struct weights *start,
                             struct error *err)
{
    struct fixed_options f;
    int64_t schedule = o->updates;
    enum status st = learning_schedule(&o->learning, o->out, &schedule, err);

    if (st)
        return st;
    fix_options(o, start, schedule, &f);
    st = fixed_compare_newest(o->out, &f, err);
    fixed_deinit(&f);
    return st;
}

static enum status resume(struct trainer *t, const struct fixed_options *now, struct error *err)
{
    const struct sft_options *o = t->o;
    const struct lane lane = {.pool = t->pool};
    int64_t last = checkpoint_last(o->out);
    enum status st;

    if (last < 0)
        return STATUS_OK;
    if (!o->resume)
        return fixed_refuse(o->out, err);
    st = checkpoint_read(o->out, last, &t->state, &t->optimizer, err);
    if (!st)
        st = fixed_compare(t->state.options, now, o->out, err);
    if (st)
        return st;
    t->data.next = t->state.next_example;
    t->data.n_truncated = t->state.n_truncated;
    t->data.n_skipped = t->state.n_skipped;
    st = weights_set_flat(t->work, &lane, t->optimizer.master, t->first_version + t->state.update,
                          err);
    if (st)
        return st;
    if (o->log)
        log_write(o->log, LOG_INFO, "resuming from update %lld of %lld", (long long)last,
                  (long long)o->updates);
    return STATUS_OK;
}

/* Restores the state of the run: checks its options and reads a checkpoint, if there is one. */
static enum status open_state(struct trainer *t, const struct weights *start, struct error *err)
{
    const struct sft_options *o = t->o;
    struct fixed_options now;
    enum status st;

    t->schedule = o->updates;
    st = learning_schedule(&o->learning, o->out, &t->schedule, err);
    if (st)
        return st;
    fix_options(o, start, t->schedule, &now);
    t->state.options = jv_ref(now.values);
    st = resume(t, &now, err);
    fixed_deinit(&now);
    return st;
}

static void tell_memory(const struct trainer *t, const struct sharded_pass_options *p)
{
    int64_t n = t->optimizer.n_params;
    int64_t weights = weights_bytes(t->work);
    int64_t optimizer = 4 * n * (int64_t)sizeof(float);
    int64_t pass = sharded_pass_bytes(t->work, p);

    if (t->o->log)
        log_write(
            t->o->log, LOG_INFO,
            "%lld parameters; memory: weights %.1f MiB, optimiser and gradient %.1f, activations "
            "and shards %.1f",
            (long long)n, (double)weights / MIB, (double)optimizer / MIB, (double)pass / MIB);
}

static enum status open_memory(struct trainer *t, struct weights *start, struct error *err)
{
    const struct sft_options *o = t->o;
    const struct backend *b = weights_backend(start);
    struct sharded_pass_options p = {
        .pool = t->pool, .max_len = o->max_len, .training = true, .recompute = o->recompute};
    enum status st = optimizer_init_weights(&t->optimizer, start, err);

    if (!st)
        st = weights_from_flat(start, t->optimizer.master, weights_version(start), &t->work, err);
    if (st)
        return st;
    tell_memory(t, &p);
    t->grad = b->alloc(b->ctx, (size_t)t->optimizer.n_params * sizeof(float));
    if (!t->grad)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a gradient of %lld weights",
                         (long long)t->optimizer.n_params);
    st = sharded_pass_new(t->work, &p, &t->pass, err);
    if (!st)
        st = example_order_init(&t->data, o->data, o->seed, o->max_len,
                                weights_config(t->work)->vocab_size, false, err);
    return st;
}

enum status trainer_open(struct trainer *t, struct pool *pool, struct weights *start,
                         const struct sft_options *o, struct error *err)
{
    const struct lane lane = {.pool = pool};
    enum status st;

    memset(t, 0, sizeof(*t));
    t->o = o;
    t->pool = pool;
    t->first_version = weights_version(start);
    t->state.loss = t->state.held_out_loss = t->state.best_loss = NAN;
    t->state.best_update = -1;
    st = check_options(o, start, err);
    if (st)
        return st;
    st = dir_make(o->out, err);
    if (!st)
        st = open_memory(t, start, err);
    if (st)
        return st;
    st = open_state(t, start, err);
    if (!st)
        st = metrics_open(&t->metrics, o->seams, o->out, t->state.metrics_bytes, err);
    if (!st)
        st = trainer_prepare_eval(t, err);
    if (st)
        return st;
    if (o->log && weights_backend(start)->peak_flops)
        t->peak_flops = weights_backend(start)->peak_flops(&lane);
    t->begin_us = seams_mono_us(o->seams);
    t->began_update = t->state.update;
    t->began_tokens = t->state.tokens;
    return STATUS_OK;
}

void trainer_close(struct trainer *t)
{
    trainer_close_eval(t);
    metrics_close(&t->metrics);
    checkpoint_state_deinit(&t->state);
    example_order_deinit(&t->data);
    sequences_deinit(&t->batch);
    sharded_pass_free(t->pass);
    if (t->grad)
        t->optimizer.backend->release(t->optimizer.backend->ctx, t->grad);
    weights_unref(t->work);
    optimizer_deinit(&t->optimizer);
}
