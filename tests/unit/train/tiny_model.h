/* tiny_model.h - small models and batches for the tests of models/arch and models/train.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_UNIT_TRAIN_TINY_MODEL_H
#define TROUPE_TESTS_UNIT_TRAIN_TINY_MODEL_H

#include "kernels/cpu/cpu_backend.h"
#include "models/arch/arch.h"
#include "models/train/sequences.h"

struct model_config tiny_config(bool tied);
/* A small model of each dense family, untied, with all that the family may have: windows, caps,
 * scales, part of the heads rotating. */
#define TINY_FAMILIES 7
struct model_config tiny_family(int i);
/* Random values with weights large enough that every part matters; norms around 1. */
struct weights *tiny_weights(const struct model_config *c, const struct backend *b, uint64_t seed);
/* n sequences of lengths 2 .. max_len, about two thirds of the positions trained. */
void tiny_batch(struct sequences *s, const struct model_config *c, uint64_t seed, int32_t n,
                int32_t max_len);

#endif
