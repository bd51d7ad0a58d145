/* gguf_tensors.h - the tensors of a GGUF model as a tensor_file, under the names of folders.
 *
 * One dimension more or less: (in, out) of the file is (out, in) here. Rows of q and k that the
 * family keeps in pairs are marked (tensor_file.h). A tensor that the family does not have keeps
 * its name of the file, so that a load names it. SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_GGUF_TENSORS_H
#define TROUPE_MODELS_FORMATS_GGUF_TENSORS_H

#include "models/formats/gguf.h"
#include "models/formats/model_config.h"
#include "models/formats/tensor_file.h"

/* Takes a reference of g until the tensor_file is closed. */
MUST_CHECK enum status gguf_tensors(struct gguf *g, const struct model_config *c,
                                    struct tensor_file **out, struct error *err);

#endif
