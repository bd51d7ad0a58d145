/* sft_eval.c - what is measured beside the training loss: held-out loss and the skill probe.
 *
 * Both sets of sequences are made once, so every measurement is of the same examples. A probe is
 * right when each position of the expected reply has the largest logit (the lowest id among equals,
 * as a greedy sampler chooses): teacher-forced, which for a right reply is what decoding gives.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/sft_trainer.h"
#include "runtime/base/memory.h"

#define SAMPLE_EVERY 16

static enum status collect_held_out(struct trainer *t, struct error *err)
{
    const struct sft_options *o = t->o;
    int32_t vocab = weights_config(t->work)->vocab_size;
    int64_t n_rows = (int64_t)o->batch_tokens * o->n_eval_batches;
    struct example_order order;
    enum status st;

    st = example_order_init(&order, o->held_out, o->seed, o->max_len, vocab, true, err);
    if (st)
        return st;
    while (!st && t->held_out.n_rows < n_rows && (!o->held_out->n || order.next < o->held_out->n))
        st = example_order_fill(&order, t->held_out.n_rows + 1, 1.0, &t->held_out, err);
    example_order_deinit(&order);
    if (st)
        error_note(err, "held-out data");
    return st;
}

static enum status category_index(struct sft_probe *p, const struct example_source *s,
                                  const char *name, uint8_t *out, struct error *err)
{
    for (int32_t i = 0; i < p->n_categories; i++)
        if (strcmp(p->table[i].name, name) == 0) {
            *out = (uint8_t)i;
            return STATUS_OK;
        }
    if (p->n_categories == PROBE_MAX_CATEGORIES)
        return error_set(err, STATUS_LIMIT, "the probe has more than %d categories",
                         PROBE_MAX_CATEGORIES);
    *out = (uint8_t)p->n_categories;
    p->table[p->n_categories++] = (struct probe_category){
        .name = name, .need = s->probe_need ? s->probe_need(s->ctx, name) : 1.0};
    return STATUS_OK;
}

/* ids = prompt and reply; trained where the reply stands. */
static enum status add_probe(struct sft_probe *p, const struct example_source *s, int32_t index,
                             struct example *ex, int32_t vocab, struct error *err)
{
    int32_t want[64], n_want = 0;
    const char *name = "";
    uint8_t category = 0;
    enum status st;

    ex->n = 0;
    st = s->probe(s->ctx, index, ex, want, (int32_t)ARRAY_LEN(want), &n_want, &name, err);
    if (!st)
        st = category_index(p, s, name, &category, err);
    if (st)
        return st;
    if (ex->n < 1 || n_want < 1 || ex->n + n_want > ex->cap)
        return error_set(err, STATUS_INVALID, "probe %d: %d and %d ids do not fit into max_len %d",
                         index, ex->n, n_want, ex->cap);
    memset(ex->train, 0, (size_t)ex->n);
    memset(ex->train + ex->n, 1, (size_t)n_want);
    memcpy(ex->ids + ex->n, want, (size_t)n_want * sizeof(*want));
    for (int32_t i = 0; i < ex->n + n_want; i++)
        if (ex->ids[i] < 0 || ex->ids[i] >= vocab)
            return error_set(err, STATUS_INVALID, "probe %d: id %d is outside the vocabulary of %d",
                             index, ex->ids[i], vocab);
    p->category[p->all.n] = category;
    st = sequences_add(&p->all, ex->ids, ex->train, ex->n + n_want, err);
    if (st || index % SAMPLE_EVERY)
        return st;
    p->sample_category[p->sample.n] = category;
    return sequences_add(&p->sample, ex->ids, ex->train, ex->n + n_want, err);
}

static enum status collect_probe(struct trainer *t, struct error *err)
{
    const struct example_source *s = t->o->data;
    struct sft_probe *p = &t->probe;
    enum status st = STATUS_OK;

    p->category = mem_alloc((size_t)s->n_probes, 1);
    p->sample_category = mem_alloc((size_t)s->n_probes, 1);
    if (!p->category || !p->sample_category)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d probes", s->n_probes);
    for (int32_t i = 0; i < s->n_probes && !st; i++)
        st = add_probe(p, s, i, &t->data.ex, weights_config(t->work)->vocab_size, err);
    return st;
}

enum status trainer_prepare_eval(struct trainer *t, struct error *err)
{
    const struct sft_options *o = t->o;
    enum status st = STATUS_OK;

    if (o->held_out && o->eval_every > 0 && o->n_eval_batches > 0)
        st = collect_held_out(t, err);
    if (!st && o->data->probe && o->data->n_probes > 0 && (o->eval_every > 0 || o->stop_on))
        st = collect_probe(t, err);
    return st;
}

void trainer_close_eval(struct trainer *t)
{
    sequences_deinit(&t->held_out);
    sequences_deinit(&t->probe.all);
    sequences_deinit(&t->probe.sample);
    free(t->probe.category);
    free(t->probe.sample_category);
}

enum status trainer_eval(struct trainer *t, struct error *err)
{
    struct sharded_pass_output out = {0};
    struct json *line;
    enum status st;

    if (!t->held_out.n)
        return STATUS_OK;
    st = sharded_pass_forward(t->pass, t->work, &t->held_out, 1.0f, &out, err);
    if (st)
        return st;
    t->state.held_out_loss = out.loss / (double)t->held_out.n_trained;
    line = jv_object();
    jv_set_real(line, "held_out_loss", t->state.held_out_loss);
    return metrics_write(&t->metrics, t->state.update, "eval", line, err);
}

static enum status count_right(struct trainer *t, const struct sequences *s,
                               const uint8_t *category, struct error *err)
{
    struct sft_probe *p = &t->probe;
    struct sharded_pass_output out = {.right = mem_alloc((size_t)s->n, 1)};
    enum status st;

    if (!out.right)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d probes", s->n);
    for (int32_t i = 0; i < p->n_categories; i++)
        p->table[i].n = p->table[i].n_right = 0;
    st = sharded_pass_forward(t->pass, t->work, s, 1.0f, &out, err);
    p->held = !st;
    for (int32_t i = 0; i < s->n && !st; i++) {
        p->table[category[i]].n++;
        p->table[category[i]].n_right += out.right[i];
    }
    for (int32_t i = 0; i < p->n_categories; i++)
        if ((double)p->table[i].n_right < p->table[i].need * (double)p->table[i].n)
            p->held = false;
    free(out.right);
    return st;
}

static enum status tell(struct trainer *t, struct error *err)
{
    const struct sft_probe *p = &t->probe;
    struct json *line = jv_object();

    jv_set_bool(line, "full", p->full);
    jv_set_bool(line, "held", p->full && p->held);
    for (int32_t i = 0; i < p->n_categories; i++) {
        struct json *counts = jv_object();

        jv_set_int(counts, "right", p->table[i].n_right);
        jv_set_int(counts, "of", p->table[i].n);
        jv_set_real(counts, "need", p->table[i].need);
        jv_set_adopt(line, p->table[i].name, counts);
    }
    return metrics_write(&t->metrics, t->state.update, "probe", line, err);
}

enum status trainer_probe(struct trainer *t, bool full, struct error *err)
{
    struct sft_probe *p = &t->probe;
    enum status st;

    if (!p->all.n)
        return STATUS_OK;
    st = count_right(t, &p->sample, p->sample_category, err);
    p->full = false;
    if (!st && (p->held || full)) {
        st = count_right(t, &p->all, p->category, err);
        p->full = true;
    }
    return st ? st : tell(t, err);
}
