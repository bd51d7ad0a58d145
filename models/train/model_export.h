/* model_export.h - trained weights as a Hugging Face folder.
 *
 * model.safetensors, config.json and generation_config.json from the weights; everything else
 * (tokenizer, chat template, model card) comes from the caller, byte for byte.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_MODEL_EXPORT_H
#define TROUPE_MODELS_TRAIN_MODEL_EXPORT_H

#include "models/arch/weights.h"
#include "runtime/base/seams.h"

struct export_file {
    const char *name; /* in the folder */
    const void *bytes;
    size_t n;
};

/* `dir` is created if missing. dtype DTYPE_N: each tensor in its own type. */
MUST_CHECK enum status model_export(const char *dir, const struct weights *w, enum dtype dtype,
                                    const struct export_file *files, size_t n_files,
                                    const struct seams *seams, struct error *err);

#endif
