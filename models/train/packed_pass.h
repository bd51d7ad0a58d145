/* packed_pass.h - forward, loss and backward of one row batch on one lane.
 *
 * Owns all its memory, allocated once: pages, activations, a chunk of logits. The head
 * and the cross-entropy are fused over chunks of rows, so the full logits are never stored: the
 * log-sum-exp of a row is one op over the whole vocabulary, as in the sampler, so a log-prob here
 * equals the recorded one, bit for bit. One thread uses a pass at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_PACKED_PASS_H
#define TROUPE_MODELS_TRAIN_PACKED_PASS_H

#include "models/arch/arch.h"
#include "models/train/row_batch.h"

struct packed_pass;

struct packed_pass_shape {
    int32_t max_rows;
    int32_t max_pos; /* positions of the longest sequence */
    bool training;   /* keep what backward needs */
    bool recompute;
};

/* `w` gives architecture, backend and config; a pass may be run with any version of them. */
MUST_CHECK enum status packed_pass_new(const struct weights *w,
                                       const struct packed_pass_shape *shape,
                                       struct packed_pass **out, struct error *err);
void packed_pass_free(struct packed_pass *p);
int64_t packed_pass_bytes(const struct weights *w, const struct packed_pass_shape *shape);

/* Output of the head for the wanted rows, in host memory; each pointer (n_out) or NULL. */
struct head_output {
    float *logp;     /* of the target at the temperature */
    int32_t *argmax; /* lowest id among equals */
    float *logits;   /* (n_out, V), for tests and tools */
    /* Between a row's forward and its backward: coef (n) of rows first .. from their logp (n);
     * logp must not be NULL. Replaces the coefficients; NULL: uses those. */
    void (*weigh)(void *ctx, int32_t first, int32_t n, const float *logp, float *coef);
    void *ctx;
};

/* Forward and head. temperature 1 for training on data. Fails where the device does. */
MUST_CHECK enum status packed_pass_forward(struct packed_pass *p, const struct weights *w,
                                           struct lane lane, const struct row_batch *b,
                                           float temperature, const struct head_output *out,
                                           struct error *err);
/* The same, then the gradient of -sum coef[i] * logp[i] (coef NULL: all 1) is added into grad
 * (flat, backend memory). The pass must be made for training. */
MUST_CHECK enum status packed_pass_train(struct packed_pass *p, const struct weights *w,
                                         struct lane lane, const struct row_batch *b,
                                         float temperature, const float *coef,
                                         const struct head_output *out, float *grad,
                                         struct error *err);

#endif
