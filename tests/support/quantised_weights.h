/* quantised_weights.h - weights in any type, as a checkpoint in that type would give them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_QUANTISED_WEIGHTS_H
#define TROUPE_TESTS_QUANTISED_WEIGHTS_H

#include "kernels/cpu/cpu_backend.h"
#include "models/arch/arch.h"
#include "models/formats/tensor_file.h"

/* A small config whose matrices divide into blocks of t. */
struct model_config quantisable_config(enum dtype t, int32_t vocab_size);
/* A checkpoint in memory with the values of w: matrices in type t, vectors in f32. `paired`: rows
 * of q and k in the order of adjacent pairs, as GGUF files of llama have them. */
struct tensor_file *quantised_file(const struct weights *w, enum dtype t, bool paired);
/* w's values (w is given up) in type t on the backend. */
struct weights *quantised_weights(struct weights *w, enum dtype t, const struct backend *b);

/* Every type with products, for loops: ends with DTYPE_N. */
extern const enum dtype quantised_types[];

#endif
