/* engine_source.h - the source of a model's files: a folder, the binary, or the caller's weights.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ENGINE_ENGINE_SOURCE_H
#define TROUPE_MODELS_ENGINE_ENGINE_SOURCE_H

#include "models/engine/engine.h"

struct engine_source {
    struct model_source *files; /* NULL: weights alone, without files */
    struct model_config config;
    const struct arch *arch;
    struct tensor_file *tensors; /* opened for the plan; NULL: none, or they cannot be opened */
    struct tokenizer *tokenizer; /* NULL: the model has none */
    struct tokenizer_config texts;
};

/* Reads the config, checks that the backend runs its architecture, and opens the weights, of which
 * nothing is read yet: enough for the plan. */
MUST_CHECK enum status engine_source_config(struct engine_source *s, const struct engine_options *o,
                                            struct error *err);
/* The tokenizer and its texts. */
MUST_CHECK enum status engine_source_texts(struct engine_source *s, const struct engine_options *o,
                                           struct error *err);
MUST_CHECK enum status engine_source_weights(struct engine_source *s,
                                             const struct engine_options *o, struct weights **out,
                                             struct error *err);
void engine_source_deinit(struct engine_source *s); /* also a zeroed one */

#endif
