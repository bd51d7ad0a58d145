/* gguf_config.h - the metadata of a GGUF model as a model_config.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_GGUF_CONFIG_H
#define TROUPE_MODELS_FORMATS_GGUF_CONFIG_H

#include "models/formats/gguf.h"
#include "models/formats/model_config.h"

/* STATUS_UNSUPPORTED names an architecture, a kind of RoPE or another feature that no family has.
 * The dtype is that of most bytes. The result is checked (model_config_check). */
MUST_CHECK enum status gguf_config(const struct gguf *g, struct model_config *out,
                                   struct error *err);

#endif
