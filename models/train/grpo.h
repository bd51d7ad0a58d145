/* grpo.h - group-relative policy optimisation: rollouts, credit, update, publish, evaluate.
 *
 * Each update plays `groups` tasks `group_size` times with the weights that the engine serves,
 * turns verdicts into advantages (credit.h), trains on the chains (grpo_update.h), and publishes
 * the new weights. Seeds of tasks, faults and sampling are derived from (seed, update, group)
 * alone; training seeds stay below 2^20. A checkpoint resumes bit for bit: rollouts that were not
 * trained yet are played again.
 *
 * Safety: an update whose groups all lack spread is reported and skipped; one whose gradient is not
 * finite ends the run with the last good checkpoint; a skill probe that drops below `probe_floor`
 * of its first value stops it; many truncated replies, a large KL or a gap between recorded
 * and trained log-probs give warnings. SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_GRPO_H
#define TROUPE_MODELS_TRAIN_GRPO_H

#include "models/train/credit.h"
#include "models/train/example_source.h"
#include "models/train/grpo_update.h"
#include "models/train/learning.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/seams.h"

/* Training seeds are below this, validation seeds from here to twice this. */
#define GRPO_TRAINING_SEEDS ((uint64_t)1 << 20)

struct grpo_options {
    const char *out;       /* folder: checkpoints, metrics.jsonl, events */
    const char *task;      /* environment and profile: equal in a resumed run */
    const char *tokenizer; /* its hash, equal in a resumed run; NULL: not known */
    uint64_t seed;
    int64_t updates;
    int32_t groups, group_size;
    struct credit_options credit;
    struct policy_options policy;
    int32_t minibatch_chains, max_chains, epochs;
    int32_t
        max_refills; /* at most so many times per update: more groups when too few have spread */
    struct learning learning;
    float temperature;
    int32_t max_len; /* ids of the longest chain */
    int32_t eval_every, checkpoint_every, keep_last;
    double probe_floor; /* share of the first probe that must stay right; 0: no check */
    int32_t patience;   /* stops after so many evaluations without a better one; 0: never */
    bool resume, recompute;
    const struct rollout_source *rollouts;
    const struct example_source *probe; /* its skill probe, or NULL */
    /* The engine uses these weights from now on (a reference is taken). */
    void (*publish)(void *ctx, struct weights *w);
    /* Runs fn while nothing else computes, with the pool of grpo_run; NULL: fn is called directly.
     */
    void (*exclusive)(void *ctx, void (*fn)(void *arg, struct lane lane), void *arg);
    /* Success on validation seeds with the published weights, 0 .. 1, and further values for the
     * metrics (new, or NULL). NULL: no evaluation. */
    enum status (*evaluate)(void *ctx, int64_t update, double *success, struct json **more,
                            struct error *err);
    /* Makes room for `bytes` bytes in `out`, but keeps the checkpoint of update `best` (-1: none)
     * and the newest. A failure ends the run; earlier checkpoints remain. NULL: no limit. */
    enum status (*make_room)(void *ctx, int64_t bytes, int64_t best, struct error *err);
    void *ctx;
    const struct seams *seams;
    struct log *log;
    const volatile int *interrupted;
};

struct grpo_result {
    int64_t updates, rollouts, sampled_tokens, trained_tokens, skipped;
    double first_success, best_success, last_reward;  /* NaN: never measured */
    double wall_s, rollout_s, env_s, train_s, eval_s; /* of this process */
    int64_t best_update;                              /* -1: none */
    double largest_first_gap;                         /* max over updates: 0 on an exact backend */
    const char *ended;       /* "updates", "interrupted", "probe", "patience" */
    struct weights *weights; /* the best by validation, else the last: a reference */
};

/* STATUS_USAGE when the run in o->out cannot be resumed with these options; the error lists the
 * differences. grpo_run makes the same check, but later. */
MUST_CHECK enum status grpo_check_resume(const struct grpo_options *o, const struct weights *start,
                                         struct error *err);
/* STATUS_CANCELLED when interrupted: the state is saved. */
MUST_CHECK enum status grpo_run(struct pool *pool, struct weights *start,
                                const struct grpo_options *o, struct grpo_result *out,
                                struct error *err);

struct grpo_replayed {
    int64_t from; /* the checkpoint that it started from; 0: the start */
    char recorded[65],
        now[65]; /* SHA-256 of the tensors after the update; "": not in the metrics */
};
/* Runs update `update` (from 1) once more, from the newest kept checkpoint before it, and compares
 * the weights with what the metrics recorded. Writes no files. */
MUST_CHECK enum status grpo_replay(struct pool *pool, struct weights *start,
                                   const struct grpo_options *o, int64_t update,
                                   struct grpo_replayed *out, struct error *err);

#endif
