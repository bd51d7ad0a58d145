/* sampler.h - from a row of logits to a token, with both log-probs.
 *
 * Order of the processors, as in transformers: bias, repetition penalty, temperature, top-k,
 * top-p, min-p. Ties go to the lower id everywhere. The draw is a function of (seed, call id,
 * position) and the logits alone, with the same bits on every instruction set.
 *
 * A sampler is scratch of one worker: it keeps nothing of a sequence between calls, so an idle
 * session costs no memory for penalties. It allocates only in sampler_new.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ENGINE_SAMPLER_H
#define TROUPE_MODELS_ENGINE_SAMPLER_H

#include "kernels/backend.h"
#include "models/model.h"

struct sampler;

/* Checks the parameters for this vocabulary; the error names the field. */
MUST_CHECK enum status sampling_check(const struct sampling *how, int32_t vocab, struct error *err);

MUST_CHECK enum status sampler_new(const struct backend *b, int32_t vocab, struct sampler **out,
                                   struct error *err);
void sampler_free(struct sampler *s);
int64_t sampler_plan_bytes(int32_t vocab);

/* The factor of the logits: 1 / temperature, and 1 when greedy. */
float sampling_inv_temperature(const struct sampling *how);

struct sample_row {
    const struct sampling *how;
    const float *logits;    /* (V) host memory */
    float lse;              /* log-sum-exp of logits * inv_temperature over V */
    const int32_t *history; /* (n_history) ids so far, for the repetition penalty */
    int32_t n_history;
    uint64_t seed, call_id;
    int32_t position; /* of the token to be drawn */
};
struct sample {
    int32_t id;
    float logp;         /* full vocabulary, at the sampling temperature */
    float logp_sampled; /* after processors; equal to logp when not processed */
    bool processed;     /* the sampled distribution differs from the model's */
};
/* False: no token can be drawn (a NaN, or every token banned). */
MUST_CHECK bool sampler_pick(struct sampler *s, const struct sample_row *row, struct sample *out);

#endif
