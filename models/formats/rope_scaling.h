/* rope_scaling.h - the frequencies by which pairs of a head rotate, for every kind of scaling.
 *
 * Formulas as in transformers: linear (Chen et al. 2023), llama3 (Llama
 * 3.1), YaRN (Peng et al. 2023), LongRoPE (Ding et al. 2024).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_ROPE_SCALING_H
#define TROUPE_MODELS_FORMATS_ROPE_SCALING_H

#include "models/formats/model_config.h"

/* Elements of a head that rotate; half as many pairs (i, i + half) have a frequency each. */
int32_t rope_rotary_dim(const struct model_config *c);
/* Radians a position of each pair, and what cos and sin are multiplied by. `windowed`: of layers
 * with a window, which a base of their own takes out of all scaling. */
void rope_frequencies(const struct model_config *c, bool windowed, double *frequency,
                      double *factor);
/* What llama3 divides the frequency of each pair by, from its numbers. */
void rope_llama3_divisors(const struct model_config *c, float *out);
/* At most `context` positions will be used; 0: all that the model has. Longrope has other divisors
 * for texts within the original positions. */
void rope_set_context(struct model_config *c, int32_t context);
/* Whether layers with a window rotate by a table of their own. */
bool rope_has_window_table(const struct model_config *c);
/* Numbers that a kind needs and ranges; STATUS_INVALID names them. */
MUST_CHECK enum status rope_scaling_check(const struct model_config *c, const char *name,
                                          struct error *err);

#endif
