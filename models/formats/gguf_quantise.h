/* gguf_quantise.h - writes a model as a GGUF with other types of weights.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_GGUF_QUANTISE_H
#define TROUPE_MODELS_FORMATS_GGUF_QUANTISE_H

#include "models/formats/model_source.h"
#include "runtime/base/seams.h"

#define GGUF_RECIPES "f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q4_k_m"

/* `recipe`: one of GGUF_RECIPES. Of a GGUF all keys are kept but those of types and parts; of a
 * folder the config, the tokenizer and the chat template become keys. Values go through float. A
 * matrix whose rows are not whole blocks of its type gets a larger type (Q5_0, Q8_0, F16); vectors
 * are F32. `path` is replaced when the new
 * file is whole. */
MUST_CHECK enum status gguf_quantise(struct model_source *from, const char *recipe,
                                     const char *path, const struct seams *seams,
                                     struct error *err);

#endif
