/* sft.c - the training run: updates, measurements, checkpoints, the live line.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/sft.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/train/sft_trainer.h"

#define SHOW_EVERY_US 200000

static void format_left(double seconds, char *out, size_t n)
{
    long long s = (long long)(seconds + 0.5);

    if (s >= 3600)
        snprintf(out, n, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(out, n, "%lldm%02llds", s / 60, s % 60);
    else
        snprintf(out, n, "%llds", s);
}

static void show_progress(struct trainer *t)
{
    const struct sft_options *o = t->o;
    int64_t now = seams_mono_us(o->seams);
    int64_t done = t->state.update - t->began_update;
    double spent = (double)t->spent_us * 1e-6, wall = (double)(now - t->begin_us) * 1e-6;
    char left[32], share[32] = "";

    if (!o->log || now - t->shown_us < SHOW_EVERY_US || spent <= 0)
        return;
    t->shown_us = now;
    format_left(wall / (double)done * (double)(o->updates - t->state.update), left, sizeof(left));
    if (t->peak_flops > 0)
        snprintf(share, sizeof(share), "  %.0f %% of peak",
                 100.0 * t->flops / spent / t->peak_flops);
    log_progress(o->log,
                 "update %lld/%lld  loss %.4f  learning rate %.2g  %.0f tokens/s%s  %s left",
                 (long long)t->state.update, (long long)o->updates, t->state.loss, t->lr,
                 (double)(t->state.tokens - t->began_tokens) / spent, share, left);
}

static enum status save(struct trainer *t, struct error *err)
{
    enum status st = metrics_sync(&t->metrics, err);

    t->state.metrics_bytes[0] = t->metrics.bytes[0];
    t->state.metrics_bytes[1] = t->metrics.bytes[1];
    jv_unref(t->state.extra); /* the requested number; the options have that of the schedule */
    t->state.extra = jv_object();
    jv_set_int(t->state.extra, "updates", t->o->updates);
    if (!st)
        st = checkpoint_write(t->o->seams, t->o->out, &t->state, &t->optimizer, err);
    if (!st)
        checkpoint_prune(t->o->out, t->o->keep_last, t->o->keep_best ? t->state.best_update : -1);
    return st;
}

static bool due(int64_t update, int32_t every)
{
    return every > 0 && update % every == 0;
}

/* True in *better when the held-out loss is the lowest so far. */
static enum status measure(struct trainer *t, bool last, bool *better, struct error *err)
{
    enum status st = trainer_eval(t, err);

    if (!st)
        st = trainer_probe(t, last, err);
    if (st)
        return st;
    *better = !isnan(t->state.held_out_loss) &&
              !(t->state.held_out_loss >= t->state.best_loss); /* also when there is none yet */
    if (*better) {
        t->state.best_loss = t->state.held_out_loss;
        t->state.best_update = t->state.update;
    }
    t->state.probe_held = t->probe.full && t->probe.held;
    if (t->o->log && t->held_out.n)
        log_write(t->o->log, LOG_INFO, "update %lld: loss %.4f, held out %.4f",
                  (long long)t->state.update, t->state.loss, t->state.held_out_loss);
    for (int32_t i = 0; t->o->log && i < t->probe.n_categories; i++)
        log_write(t->o->log, LOG_INFO, "update %lld: probe %s %lld of %lld%s",
                  (long long)t->state.update, t->probe.table[i].name,
                  (long long)t->probe.table[i].n_right, (long long)t->probe.table[i].n,
                  t->probe.full ? "" : " (sample)");
    return STATUS_OK;
}

static bool finished(const struct trainer *t)
{
    return t->state.update >= t->o->updates || (t->o->stop_on && t->state.probe_held);
}

static enum status train(struct trainer *t, struct error *err)
{
    const struct sft_options *o = t->o;
    enum status st;

    while (!finished(t)) {
        bool last, better = false;

        st = trainer_update(t, err);
        if (st == STATUS_CANCELLED) {
            struct error other = ERROR_INIT;

            st = save(t, &other);
            if (st)
                *err = other; /* the failure to save is the error to report */
            return st ? st : STATUS_CANCELLED;
        }
        if (st)
            return st;
        show_progress(t);
        last = t->state.update == o->updates;
        if (due(t->state.update, o->eval_every) || (last && o->eval_every > 0)) {
            st = measure(t, last, &better, err);
            if (st)
                return st;
        }
        if (finished(t) || due(t->state.update, o->checkpoint_every) || (better && o->keep_best)) {
            st = save(t, err);
            if (st)
                return st;
        }
    }
    return STATUS_OK;
}

static void fill_result(const struct trainer *t, struct sft_result *out)
{
    double spent = (double)t->spent_us * 1e-6;

    out->updates = t->state.update;
    out->tokens = t->state.tokens;
    out->trained_tokens = t->state.trained_tokens;
    out->n_truncated = t->state.n_truncated;
    out->loss = t->state.loss;
    out->held_out_loss = t->state.held_out_loss;
    out->probe_held = t->state.probe_held;
    out->wall_s = (double)(seams_mono_us(t->o->seams) - t->begin_us) * 1e-6;
    out->tokens_per_s = spent > 0 ? (double)(t->state.tokens - t->began_tokens) / spent : 0;
}

enum status sft_run(struct pool *pool, struct weights *start, const struct sft_options *o,
                    struct sft_result *out, struct error *err)
{
    struct trainer t;
    enum status st = trainer_open(&t, pool, start, o, err);

    if (!st) {
        st = train(&t, err);
        if (o->log)
            log_progress_end(o->log);
    }
    if (!st) {
        memset(out, 0, sizeof(*out));
        fill_result(&t, out);
        out->weights = weights_ref(t.work);
    }
    trainer_close(&t);
    return st;
}
