/* grpo_trainer.h - the state of a running grpo_run, shared by the grpo_*.c files alone.
 *
 * All of it belongs to the thread that called grpo_run; what computes runs through
 * grpo_exclusive, while that thread waits. SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_GRPO_TRAINER_H
#define TROUPE_MODELS_TRAIN_GRPO_TRAINER_H

#include "models/train/checkpoint.h"
#include "models/train/fixed_options.h"
#include "models/train/grpo.h"
#include "models/train/metrics.h"
#include "models/train/skill_probe.h"

/* State to resume with in addition to weights and counters; in checkpoint_state.extra. */
struct grpo_progress {
    int64_t rollouts;
    double first_success, best_success; /* NaN: never measured */
    int64_t best_update;
    int32_t since_best; /* evaluations */
    int64_t evaluated;  /* update of the last evaluation; -1: none */
    bool has_probe;
    double first_probe[PROBE_MAX_CATEGORIES]; /* shares, all questions */
};

struct grpo_times {
    double rollout_s, env_s, train_s, eval_s;
};

struct grpo_trainer {
    const struct grpo_options *o;
    struct pool *pool;
    struct weights *start;  /* also the reference of the KL term */
    struct weights *work;   /* only this holds it */
    struct weights *served; /* published last */
    int64_t first_version;
    int64_t schedule; /* updates that the learning rate's schedule is made for */
    struct optimizer optimizer;
    struct sharded_pass *pass;
    float *grad;
    bool writes; /* false: a replay, which writes no files */
    struct metrics metrics;
    struct checkpoint_state state;
    struct grpo_progress progress;
    struct skill_probe probe;

    /* ---- the current update */
    struct rollout_set set, batch; /* all groups; those of one request */
    uint64_t *seeds;               /* (2 * groups) */
    double *advantage;             /* (set.n_chains) */
    int32_t cap_advantage;
    int32_t n_groups, n_flat, n_refills; /* groups played; without any advantage; refill requests */
    int32_t n_long;                      /* chains beyond max_len, which are not trained */
    struct credit_stats credit;
    struct grpo_update_stats update;
    double lr;
    char hash[65]; /* of the weights after it */

    /* ---- of this process */
    struct grpo_times times, last; /* all; the current update */
    double largest_gap, flops, peak_flops, row_flops;
    int64_t begin_us, shown_us, began_update, sampled;
    bool warned_cut, warned_gap, warned_clip, warned_long;
    const char *ended;
};

/* ---- grpo_options.c */
MUST_CHECK enum status grpo_check_options(const struct grpo_options *o, const struct weights *start,
                                          struct error *err);
/* The options that decide the bits: not threads, evaluation or kept checkpoints. f is the caller's
 * to free. */
void grpo_fix_options(const struct grpo_options *o, const struct weights *start, int64_t schedule,
                      struct fixed_options *f);

/* ---- grpo_setup.c */
/* Starts from the newest checkpoint up to `update`, -1: the newest. writes: see above. */
MUST_CHECK enum status grpo_open(struct grpo_trainer *t, struct pool *pool, struct weights *start,
                                 const struct grpo_options *o, bool writes, int64_t update,
                                 struct error *err);
void grpo_close(struct grpo_trainer *t); /* also half-built */
MUST_CHECK enum status grpo_save(struct grpo_trainer *t, struct error *err);
/* The master weights as a new version, published. */
MUST_CHECK enum status grpo_publish(struct grpo_trainer *t, struct error *err);
/* `out->weights` for the result: of the best update where there is one. */
MUST_CHECK enum status grpo_best_weights(struct grpo_trainer *t, struct weights **out,
                                         struct error *err);
void grpo_exclusive(struct grpo_trainer *t, void (*fn)(void *arg, struct lane lane), void *arg);

/* ---- grpo_play.c */
/* Rollouts of update state.update into set, credit into advantage. *any_advantage: any advantage.
 */
MUST_CHECK enum status grpo_play(struct grpo_trainer *t, bool *any_advantage, struct error *err);

/* ---- grpo_watch.c: reports and measurements */
MUST_CHECK enum status grpo_report(struct grpo_trainer *t, bool any_advantage, struct error *err);
MUST_CHECK enum status grpo_measure(struct grpo_trainer *t, bool *better, struct error *err);
/* *dropped: the skill is below its floor. */
MUST_CHECK enum status grpo_check_skill(struct grpo_trainer *t, bool *dropped, struct error *err);
void grpo_show(struct grpo_trainer *t);

#endif
