/* sharded_pass.h - forward, and backward, of many sequences on all threads, with fixed bits.
 *
 * Sequences are assigned to GRADIENT_SHARDS shards by length and index alone; a shard runs its
 * sequences in order, in groups that fit the cache; shards are added in order. The thread
 * that runs a shard changes no bit. Small models run one shard a thread, each with a gradient of
 * its own; a model whose gradients would be large runs shard after shard on the whole pool, with
 * two. One thread calls at a time. SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_SHARDED_PASS_H
#define TROUPE_MODELS_TRAIN_SHARDED_PASS_H

#include "models/arch/arch.h"
#include "models/train/sequences.h"

struct sharded_pass;

struct sharded_pass_options {
    struct pool *pool;  /* lent; NULL: the calling thread alone */
    int32_t max_len;    /* ids of the longest sequence */
    int32_t group_rows; /* 0: by the model's size */
    bool training, recompute;
    bool one_gradient; /* shard after shard also where the model is small: less memory, same bits */
    /* The shards that this pass computes, of GRADIENT_SHARDS; n_shards 0: all from the first on.
     * Several ranks own whole shards: each is given all sequences, assigns them alike and computes
     * its own. The bits are those of one pass when ranks add to one gradient in their order, each
     * to what the one before left in it. */
    int32_t first_shard, n_shards;
};

/* STATUS_INVALID: there are no such shards. */

MUST_CHECK enum status sharded_pass_new(const struct weights *w,
                                        const struct sharded_pass_options *o,
                                        struct sharded_pass **out, struct error *err);
void sharded_pass_free(struct sharded_pass *p);
int64_t sharded_pass_bytes(const struct weights *w, const struct sharded_pass_options *o);

struct sharded_pass_output {
    double loss;    /* sum of -logp over trained tokens: of the shards, in order */
    float *logp;    /* (n_tokens) or NULL: 0 where nothing is trained, or another pass's */
    uint8_t *right; /* (n) or NULL: each trained position has the largest logit; 1 of another's */
    double shard_loss[GRADIENT_SHARDS]; /* their sums; 0 of another pass's */
};

/* Coefficients that depend on the log-probs of the pass itself: coef (n) of the trained tokens at
 * position (n) in the sequences. Called from the pass's threads, for each token once. */
struct token_weigher {
    void (*weigh)(void *ctx, const int64_t *position, const float *logp, int32_t n, float *coef);
    void *ctx;
};

/* Only reads the weights. */
MUST_CHECK enum status sharded_pass_forward(struct sharded_pass *p, const struct weights *w,
                                            const struct sequences *s, float temperature,
                                            struct sharded_pass_output *out, struct error *err);
/* Adds the gradient of -sum coef * logp into grad (flat, backend memory). coef (n_tokens) or NULL:
 * 1 each. */
MUST_CHECK enum status sharded_pass_train(struct sharded_pass *p, const struct weights *w,
                                          const struct sequences *s, float temperature,
                                          const float *coef, struct sharded_pass_output *out,
                                          float *grad, struct error *err);
/* The same with coefficients from `by`. */
MUST_CHECK enum status sharded_pass_train_by(struct sharded_pass *p, const struct weights *w,
                                             const struct sequences *s, float temperature,
                                             const struct token_weigher *by,
                                             struct sharded_pass_output *out, float *grad,
                                             struct error *err);

#endif
