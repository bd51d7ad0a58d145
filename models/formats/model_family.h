/* model_family.h - what is the same in all models of a family, and under which names files have it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_MODEL_FAMILY_H
#define TROUPE_MODELS_FORMATS_MODEL_FAMILY_H

#include <stddef.h>

#include "runtime/base/str.h"

enum model_family_flag {
    FAMILY_PAIRED_ROWS = 1, /* GGUF has the rows of q and k in adjacent pairs (tensor_file.h) */
    FAMILY_QKV_BIAS = 2,
    FAMILY_QK_NORM = 4,
    FAMILY_GEMMA =
        8, /* four norms a layer, stored without their 1 in folders and with it in GGUF */
    FAMILY_FUSED = 16 /* q, k, v are one tensor, and so are gate and up */
};

struct model_family {
    const char *gguf;       /* general.architecture */
    const char *model_type; /* of config.json */
    const char *hf_name;    /* its class: "LlamaForCausalLM" */
    unsigned flags;
};

const struct model_family *model_family_at(size_t i); /* NULL past the end */
const struct model_family *model_family_of_gguf(const char *architecture, size_t n); /* or NULL */
const struct model_family *model_family_of_class(const char *hf_name);               /* or NULL */

/* A tensor's name in a GGUF ("blk.3.attn_q.weight") as the name in a folder
 * ("model.layers.3.self_attn.q_proj.weight"), and back. Appends; false: the family has no such
 * tensor. */
bool model_family_hf_tensor(const struct model_family *f, const char *gguf, struct str *out);
bool model_family_gguf_tensor(const struct model_family *f, const char *hf, struct str *out);

#endif
