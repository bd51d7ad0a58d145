/* sft_eval.c - measurements besides the training loss: held-out loss and the skill probe.
 *
 * The held-out sequences are made once, so every measurement is of the same examples.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "models/train/sft_trainer.h"

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

enum status trainer_prepare_eval(struct trainer *t, struct error *err)
{
    const struct sft_options *o = t->o;
    enum status st = STATUS_OK;

    if (o->held_out && o->eval_every > 0 && o->n_eval_batches > 0)
        st = collect_held_out(t, err);
    if (!st && o->data->probe && o->data->n_probes > 0 && (o->eval_every > 0 || o->stop_on))
        st = skill_probe_init(&t->probe, o->data, o->max_len, weights_config(t->work)->vocab_size,
                              err);
    return st;
}

void trainer_close_eval(struct trainer *t)
{
    sequences_deinit(&t->held_out);
    skill_probe_deinit(&t->probe);
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

enum status trainer_probe(struct trainer *t, bool full, struct error *err)
{
    struct skill_probe *p = &t->probe;
    enum status st;

    if (!p->all.n)
        return STATUS_OK;
    st = skill_probe_ask(p, false, t->pass, t->work, err);
    if (!st && (p->held || full))
        st = skill_probe_ask(p, true, t->pass, t->work, err);
    return st ? st : metrics_write(&t->metrics, t->state.update, "probe", skill_probe_json(p), err);
}
