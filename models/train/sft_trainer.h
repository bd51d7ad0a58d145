/* sft_trainer.h - the state of a running sft_run, shared by the sft_*.c files alone.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_SFT_TRAINER_H
#define TROUPE_MODELS_TRAIN_SFT_TRAINER_H

#include "models/train/checkpoint.h"
#include "models/train/example_order.h"
#include "models/train/fixed_options.h"
#include "models/train/metrics.h"
#include "models/train/optimizer.h"
#include "models/train/sft.h"
#include "models/train/sharded_pass.h"
#include "models/train/skill_probe.h"

struct trainer {
    const struct sft_options *o;
    struct pool *pool;
    struct weights *work; /* fp32 master rounded; only this holds it until the end */
    int64_t first_version;
    int64_t schedule; /* updates that learning rate and curriculum are made for */
    struct optimizer optimizer;
    struct sharded_pass *pass;
    float *grad;
    struct example_order data;
    struct sequences batch, held_out;
    struct metrics metrics;
    struct checkpoint_state state; /* also the source of the result */
    struct skill_probe probe;
    /* Speed: of this process, not of the run. */
    double peak_flops, flops;                                         /* flops: since begin_us */
    int64_t begin_us, shown_us, began_update, began_tokens, spent_us; /* spent: in updates alone */
    double lr, grad_norm;
};

/* ---- sft_setup.c */
MUST_CHECK enum status trainer_open(struct trainer *t, struct pool *pool, struct weights *start,
                                    const struct sft_options *o, struct error *err);
void trainer_close(struct trainer *t); /* also half-built */

/* ---- sft_update.c */
/* STATUS_CANCELLED: interrupted between micro-batches, as if it had not begun. */
MUST_CHECK enum status trainer_update(struct trainer *t, struct error *err);

/* ---- sft_eval.c */
MUST_CHECK enum status trainer_prepare_eval(struct trainer *t, struct error *err);
/* Held-out loss into state; NaN without held-out data. */
MUST_CHECK enum status trainer_eval(struct trainer *t, struct error *err);
/* Runs the sample, and all questions when the sample passes or `full` is set. */
MUST_CHECK enum status trainer_probe(struct trainer *t, bool full, struct error *err);
void trainer_close_eval(struct trainer *t);

#endif
