/* sft_update.c - one update: micro-batches, gradient, norm, step, new panels.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "models/train/sft_trainer.h"

/* Multiplications and additions of forward and backward (twice the forward's): products over the
 * rows that run through them, and scores and sums of attention. Recomputation is not counted. */
static double batch_flops(const struct weights *w, const struct sequences *s)
{
    const struct model_config *c = weights_config(w);
    double layers = 0, pairs = 0;
    double head = (double)c->vocab_size * c->hidden_size;
    double wanted = s->n_rows ? (double)s->n_trained / (double)s->n_rows : 0;
    double of_last = (c->n_layers - 1 + wanted) / c->n_layers; /* the last layer runs wanted rows */

    for (int32_t i = 0; i < weights_n(w); i++)
        if (weights_at(w, i)->is_product)
            layers += (double)weights_at(w, i)->m.n_out * weights_at(w, i)->m.n_in;
    layers -= head;
    for (int32_t i = 0; i < s->n; i++) {
        double n = sequences_length(s, i) - 1;

        pairs += n * (n + 1) / 2;
    }
    return 6.0 * (layers * of_last * (double)s->n_rows + head * (double)s->n_trained) +
           12.0 * c->n_layers * of_last * c->n_heads * c->head_dim * pairs;
}

static bool interrupted(const struct trainer *t)
{
    return t->o->interrupted && *t->o->interrupted;
}

/* Adds up the gradient of all micro-batches. */
static enum status accumulate(struct trainer *t, double *loss, int64_t *n_rows, int64_t *n_trained,
                              struct error *err)
{
    const struct sft_options *o = t->o;
    const struct lane lane = {.pool = t->pool};
    int64_t done = t->state.update < t->schedule ? t->state.update : t->schedule;
    double progress = (double)done / (double)t->schedule;
    int64_t rows = (o->batch_tokens + o->accumulate - 1) / o->accumulate;

    t->optimizer.backend->zero(&lane, t->grad, (size_t)t->optimizer.n_params * sizeof(float));
    for (int32_t i = 0; i < o->accumulate; i++) {
        struct sharded_pass_output out = {0};
        enum status st;

        if (interrupted(t))
            return error_set(err, STATUS_CANCELLED, "interrupted");
        sequences_clear(&t->batch);
        st = example_order_fill(&t->data, rows, progress, &t->batch, err);
        if (!st)
            st = sharded_pass_train(t->pass, t->work, &t->batch, 1.0f, NULL, &out, t->grad, err);
        if (st)
            return st;
        *loss += out.loss;
        *n_rows += t->batch.n_rows;
        *n_trained += t->batch.n_trained;
        t->flops += batch_flops(t->work, &t->batch);
    }
    return STATUS_OK;
}

static enum status write_metrics(struct trainer *t, int64_t n_trained, double seconds,
                                 int64_t n_rows, struct error *err)
{
    struct json *line = jv_object();

    jv_set_real(line, "loss", t->state.loss);
    jv_set_real(line, "lr", t->lr);
    jv_set_real(line, "grad_norm", t->grad_norm);
    jv_set_int(line, "tokens", t->state.tokens);
    jv_set_int(line, "batch_trained", n_trained);
    jv_set_int(line, "tokens_per_s", seconds > 0 ? (int64_t)((double)n_rows / seconds) : 0);
    return metrics_write(&t->metrics, t->state.update, "train", line, err);
}

enum status trainer_update(struct trainer *t, struct error *err)
{
    const struct sft_options *o = t->o;
    const struct example_order before = t->data;
    const struct lane lane = {.pool = t->pool};
    int64_t n_rows = 0, n_trained = 0, from = seams_mono_us(o->seams), took;
    double loss = 0;
    struct optimizer_step step = o->learning.step;
    enum status st = accumulate(t, &loss, &n_rows, &n_trained, err);

    if (st) {
        t->data.next = before.next;
        t->data.n_truncated = before.n_truncated;
        t->data.n_skipped = before.n_skipped;
        return st;
    }
    step.lr = t->lr = learning_rate(&o->learning, t->state.update, t->schedule, t->schedule);
    step.scale = 1.0 / (double)n_trained;
    st = optimizer_step(&t->optimizer, t->pool, &step, t->grad, &t->grad_norm, err);
    if (st)
        return st;
    if (!isfinite(t->grad_norm) || !isfinite(loss)) {
        error_set(err, STATUS_FAILED, "update %lld: the loss or its gradient is not finite",
                  (long long)t->state.update + 1);
        error_hint(err, "a lower learning rate, longer warm-up or clipping helps");
        return STATUS_FAILED;
    }
    t->state.update++;
    st = weights_set_flat(t->work, &lane, t->optimizer.master, t->first_version + t->state.update,
                          err);
    if (st)
        return st;
    t->state.loss = loss / (double)n_trained;
    t->state.next_example = t->data.next;
    t->state.n_truncated = t->data.n_truncated;
    t->state.n_skipped = t->data.n_skipped;
    t->state.tokens += n_rows;
    t->state.trained_tokens += n_trained;
    took = seams_mono_us(o->seams) - from;
    t->spent_us += took;
    return write_metrics(t, n_trained, (double)took * 1e-6, n_rows, err);
}
