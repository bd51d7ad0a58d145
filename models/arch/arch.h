/* arch.h - an architecture: names and shapes of its tensors, forward, backward.
 *
 * One file an architecture (arch_dense.c), listed in arch.def. Forward and backward take
 * a list of rows over page tables: decode, chunked prefill, packed training and trees are the
 * same call, so their bits are the same. All run on the lane that the caller passes.
 *
 * Memory: tables of whole numbers are host memory, all else is the backend's. `scratch` is the
 * caller's, at least scratch_bytes(rows), 64-byte aligned; for training the forward stores what
 * backward needs in `acts`. Nothing is allocated.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ARCH_ARCH_H
#define TROUPE_MODELS_ARCH_ARCH_H

#include "models/arch/rope_table.h"
#include "models/arch/weights.h"
#include "models/formats/model_family.h"

#define ARCH_INIT_ONES  0.0f  /* a norm's weight */
#define ARCH_INIT_ZEROS -1.0f /* a bias */

struct arch_tensor {
    char name[96];
    int32_t rows, cols; /* a vector: 1 x n */
    /* Of a folder: rows first_row to first_row + rows - 1 of the tensor `stored`, which has
     * stored_rows. The parts of a tensor follow each other. */
    char stored[96];
    int32_t first_row, stored_rows;
    float offset; /* added to the values of a folder; a GGUF has them with it */
    bool is_product;
    float init; /* initial std over config.initializer_range, or one of the constants below */
};

struct arch_pass {
    const struct weights *weights;
    struct lane lane;
    const int32_t *token; /* (R) */
    struct row_span rows; /* seq, pos, pages */
    struct kv_layer *kv;  /* (L) */
    const struct rope_tables *rope;
    void *scratch;
    int32_t *index; /* (3 R) host memory for row tables of the pass itself */
    void *rounded;  /* linear_rounded_bytes (arch_linear.h) of the weights and R; NULL when 0 */
    /* Rows whose final hidden state is wanted: (n_out) indices below R, ascending. For the
     * other rows only keys and values are written. */
    const int32_t *out_row;
    int32_t n_out;
    float *hidden;  /* (n_out, C): after the final norm */
    void *acts;     /* training: kept activations, acts_bytes; NULL: inference */
    bool recompute; /* acts keep the inputs of layers alone; backward runs each again */
};

struct arch {
    const char *name;                           /* "dense" */
    bool (*runs)(const struct model_family *f); /* whether models of this family are its own */
    /* Fails and names what of the config this architecture does not support. */
    MUST_CHECK enum status (*check)(const struct model_config *c, struct error *err);
    /* The ops that forward calls, or those that backward calls in addition. Products with weights
     * of a quantised type are not among them. */
    op_set (*ops)(const struct model_config *c, bool backward);
    int32_t (*n_tensors)(const struct model_config *c);
    void (*tensor)(const struct model_config *c, int32_t i,
                   struct arch_tensor *out); /* 0: embedding */
    size_t (*scratch_bytes)(const struct model_config *c, int32_t n_rows);
    size_t (*acts_bytes)(const struct model_config *c, int32_t n_rows, bool recompute);
    size_t (*back_scratch_bytes)(const struct model_config *c, int32_t n_rows);
    void (*forward)(const struct arch_pass *p);
    /* The pass is the one that forward ran, with its acts, scratch and pages unchanged.
     * d_hidden (n_out, C) is the gradient at `hidden`. Adds weight gradients into grad (flat,
     * in the order of tensors). dk, dv: zeroed f32 page pools per layer (L pointers), shaped like
     * kv. */
    void (*backward)(const struct arch_pass *p, const float *d_hidden, float *const *dk,
                     float *const *dv, void *back_scratch, float *grad);
    /* Index of the tensor that turns hidden into logits (the embedding when tied). */
    int32_t (*head)(const struct model_config *c);
};

/* By a config's architecture. NULL: not supported. */
const struct arch *arch_find(const char *hf_name);
/* Fails and names what the architecture does not support of the config, or which op of its forward
 * the backend lacks. */
MUST_CHECK enum status arch_check(const struct arch *a, const struct model_config *c,
                                  const struct backend *b, struct error *err);
/* The same for the ops of its backward. */
MUST_CHECK enum status arch_check_training(const struct arch *a, const struct model_config *c,
                                           const struct backend *b, struct error *err);

struct linear_input;
/* logits (R, V) of R rows of hidden states: the head's product, capped if the model does so. slope
 * (R, V), not NULL, gets the cap's derivative (ops.def: softcap) and is for capped models alone. */
void arch_logits(const struct weights *w, const struct lane *l, struct linear_input *hidden,
                 float *logits, float *slope);

#endif
