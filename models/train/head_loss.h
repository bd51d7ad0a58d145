/* head_loss.h - the head fused with cross-entropy, a chunk of rows at a time.
 *
 * log-prob of the target at inverse temperature i: logit * i - lse, in float, where lse is the
 * logsumexp op over the whole vocabulary at i. The sampler records the same expression.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_HEAD_LOSS_H
#define TROUPE_MODELS_TRAIN_HEAD_LOSS_H

#include "models/arch/arch.h"

struct head_output; /* packed_pass.h */

struct head_loss {
    const struct backend *backend;
    int32_t max_chunk; /* rows */
    /* Backend memory. */
    float *logits;                       /* (max_chunk, V) */
    void *rounded;                       /* lent: that of the pass, of at least max_chunk rows */
    float *slope;                        /* (max_chunk, V) of capped logits, else NULL */
    float *lse, *inv_temperature, *coef; /* (max_chunk) */
    /* Host memory. */
    float *host_logits;         /* (max_chunk, V); NULL where the backend's is the host's */
    float *host_lse, *host_row; /* (max_chunk) */
};

struct head_rows {
    int32_t n;
    const float *hidden;   /* (n, C) backend memory, as are d_hidden and grad */
    const int32_t *target; /* (n) */
    float temperature;
    /* The gradient of -sum coef * logp; all NULL without. */
    const float *coef; /* (n) or NULL: 1 */
    float *d_hidden;   /* (n, C) overwritten */
    float *grad;       /* (V, C) of the head, added to */
};

MUST_CHECK enum status head_loss_init(struct head_loss *h, const struct weights *w,
                                      int32_t max_rows, struct error *err);
void head_loss_deinit(struct head_loss *h); /* also of a zeroed one */
size_t head_loss_bytes(const struct model_config *c, int32_t max_rows);
/* Results that the host gets are there when it returns; whether the device computed them, the
 * lane's next sync says. */
void head_loss_forward(struct head_loss *h, const struct weights *w, const struct lane *l,
                       const struct head_rows *rows, const struct head_output *out);

#endif
