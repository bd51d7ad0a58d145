/* model_family.h - what is the same in all models of a family, and under which names files have it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_MODEL_FAMILY_H
#define TROUPE_MODELS_FORMATS_MODEL_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/str.h"

struct model_config;

enum model_family_flag {
    FAMILY_PAIRED_ROWS = 1, /* GGUF has the rows of q and k in adjacent pairs (tensor_file.h) */
    FAMILY_QKV_BIAS = 2,
    FAMILY_QK_NORM = 4,
    FAMILY_POST_NORMS = 8, /* four norms a layer: of the inputs and of the outputs of its halves */
    FAMILY_NORM_OFFSET = 16, /* folders have the weights of norms without their 1, GGUF with it */
    FAMILY_GELU = 32,        /* the tanh form, in place of SiLU */
    FAMILY_SCALED_EMBEDDING = 64, /* by the root of the hidden size */
    FAMILY_GEMMA = FAMILY_POST_NORMS | FAMILY_NORM_OFFSET | FAMILY_GELU | FAMILY_SCALED_EMBEDDING,
    FAMILY_FUSED = 128 /* q, k, v are one tensor, and so are gate and up */
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

/* A tensor that every model of the family has, by its config. */
struct family_tensor {
    char name[96]; /* in a folder */
    int32_t n_dims;
    int64_t shape[2];
};
/* The i-th of them, in the order of a pass; false past the last. */
bool model_family_tensor(const struct model_family *f, const struct model_config *c, int32_t i,
                         struct family_tensor *out);

/* A tensor's name in a GGUF ("blk.3.attn_q.weight") as the name in a folder
 * ("model.layers.3.self_attn.q_proj.weight"), and back. Appends; false: the family has no such
 * tensor. */
bool model_family_hf_tensor(const struct model_family *f, const char *gguf, struct str *out);
bool model_family_gguf_tensor(const struct model_family *f, const char *hf, struct str *out);
bool model_family_own_tensor(const char *name); /* of GGUF alone: factors of rotations */
/* Heads whose rows a GGUF has in adjacent pairs (tensor_file.h), by the name in the GGUF; or 0. */
int32_t model_family_paired_heads(const struct model_family *f, const struct model_config *c,
                                  const char *gguf);

#endif
