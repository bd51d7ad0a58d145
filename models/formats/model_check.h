/* model_check.h - reads all of a model's weights and compares them with its config.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_MODEL_CHECK_H
#define TROUPE_MODELS_FORMATS_MODEL_CHECK_H

#include "models/formats/model_source.h"

struct model_check {
    int32_t n_tensors;
    int64_t n_values, bytes;
};

/* Every tensor of the family is there with its shape, there is no other (but buffers that exporters
 * write), all types are read, and every value is finite. The error names the tensor. */
MUST_CHECK enum status model_check_tensors(const struct model_config *c,
                                           const struct tensor_file *tensors,
                                           struct model_check *out, struct error *err);
/* A tensor that nothing reads: buffers, and the head of a model that shares its embedding. */
bool model_ignores_tensor(const struct model_config *c, const char *name);

#endif
