/* sft.h - supervised fine-tuning, and training from scratch: cross-entropy over a token mask.
 *
 * Bit-exact: the result depends on options and data alone, not on threads or interruptions. Weight
 * gradients add up in GRADIENT_SHARDS shards; sequences are packed with boundaries; a checkpoint
 * holds master weights, AdamW moments, position and schedule, and resumes bit for bit.
 *
 * Writes out/checkpoints, out/metrics.jsonl and out/events.out.tfevents.troupe. The caller writes
 * the model folder from the result (model_export.h).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_SFT_H
#define TROUPE_MODELS_TRAIN_SFT_H

#include "models/arch/weights.h"
#include "models/train/example_source.h"
#include "models/train/learning.h"
#include "runtime/base/log.h"
#include "runtime/base/seams.h"

struct sft_options {
    const char *out; /* folder; created if missing */
    uint64_t seed;
    int64_t updates;
    int32_t batch_tokens; /* rows of one update, about */
    int32_t accumulate;   /* micro-batches an update */
    int32_t max_len;      /* of an example */
    struct learning learning;
    int32_t eval_every, n_eval_batches;  /* held-out examples: HELD_OUT_FIRST on; 0: never */
    int32_t checkpoint_every, keep_last; /* 0: only at the end; keep_last 0: all */
    bool keep_best, recompute;
    bool resume;         /* continue from out/checkpoints, or start if there is none */
    const char *stop_on; /* NULL, or "probe": end when the skill probe passes */
    const struct example_source *data, *held_out; /* held_out may be NULL */
    const char *tokenizer; /* its hash, equal in a resumed run; NULL: not checked */
    const struct seams *seams;
    struct log *log;                 /* may be NULL */
    const volatile int *interrupted; /* set by a signal: state is saved, STATUS_CANCELLED */
};

struct sft_result {
    int64_t updates, tokens, trained_tokens, n_truncated;
    double loss, held_out_loss, wall_s, tokens_per_s; /* held_out_loss NaN: never measured */
    bool probe_held;
    struct weights *weights; /* the last version: a reference */
};

/* STATUS_USAGE when the run in o->out cannot be resumed with these options; the error lists the
 * differences. sft_run makes the same check, but later. */
MUST_CHECK enum status sft_check_resume(const struct sft_options *o, const struct weights *start,
                                        struct error *err);
MUST_CHECK enum status sft_run(struct pool *pool, struct weights *start,
                               const struct sft_options *o, struct sft_result *out,
                               struct error *err);

/* log-probs of ids[1..n) given the ids before each, by the training forward pass. They equal the
 * recorded log-probs of a rollout, bit for bit. logp (n): entry 0 is 0. temperature 0 counts as 1.
 */
MUST_CHECK enum status train_logp(struct pool *pool, struct weights *w, const int32_t *ids,
                                  int32_t n, float temperature, float *logp, struct error *err);

#endif
