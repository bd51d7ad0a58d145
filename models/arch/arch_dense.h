/* arch_dense.h - shared by the files of the dense decoder: its tensors and its buffers.
 *
 * Families differ by the flags of model_family.def and by the numbers of their config: a tensor
 * that a family lacks has no index, a step that it lacks is left out.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ARCH_ARCH_DENSE_H
#define TROUPE_MODELS_ARCH_ARCH_DENSE_H

#include "models/arch/arch.h"
#include "models/arch/arch_linear.h"

/* Order within a layer; tensor 0 is the embedding, after the layers come the final norm and,
 * untied, the head. q, k, v and gate, up are neighbours: some folders have them as one tensor. */
enum dense_tensor {
    DENSE_NORM_1,
    DENSE_Q,
    DENSE_K,
    DENSE_V,
    DENSE_Q_BIAS,
    DENSE_K_BIAS,
    DENSE_V_BIAS,
    DENSE_Q_NORM,
    DENSE_K_NORM,
    DENSE_O,
    DENSE_POST_NORM_1, /* of the output of attention */
    DENSE_NORM_2,
    DENSE_GATE,
    DENSE_UP,
    DENSE_DOWN,
    DENSE_POST_NORM_2, /* of the output of the feed-forward half */
    DENSE_TENSORS
};

struct dense_layout {
    unsigned flags; /* of the family */
    int32_t n_layers, per_layer;
    int8_t at[DENSE_TENSORS]; /* within a layer; -1: the family has no such tensor */
};

struct dense_layout dense_layout_of(const struct model_config *c);
int32_t dense_n_tensors(const struct model_config *c);
void dense_describe(const struct model_config *c, int32_t i, struct arch_tensor *out);
int32_t dense_head(const struct model_config *c);

static inline int32_t dense_index(const struct dense_layout *d, int32_t layer, enum dense_tensor t)
{
    return 1 + layer * d->per_layer + d->at[t];
}

static inline int32_t dense_final_norm(const struct dense_layout *d)
{
    return 1 + d->n_layers * d->per_layer;
}

/* Widths: C hidden, Q = H*D, K = G*D, F feed-forward. R rows in, T rows that are wanted
 * out (T < R only in the last layer). */
struct dense_layer {
    float *x;      /* (R, C) input; becomes x2, then y where those are the same buffer */
    float *n1;     /* (R, C) normed */
    float *rstd1;  /* (R) */
    float *n1_out; /* (T, C) the rows of n1 that are wanted; n1 itself when T is R */
    float *q;      /* (T, Q) before QK norm; without one q_rot */
    float *rstd_q; /* (T, H) */
    float *q_rot;  /* (T, Q) normed and rotated; may be q */
    float *k;      /* (R, K) before QK norm; without one k_rot */
    float *rstd_k; /* (R, G) */
    float *k_rot;  /* (R, K) may be k */
    float *v;      /* (R, K) */
    float *att;    /* (T, Q) */
    float *lse;    /* (T, H) or NULL */
    float *o;      /* (T, C) output of attention, where a norm follows */
    float *rstd_o; /* (T) */
    float *x2;     /* (T, C) after attention; may be x */
    float *n2;     /* (T, C) */
    float *rstd2;  /* (T) */
    float *gu;     /* (T, 2F) */
    float *h;      /* (T, F) */
    float *d;      /* (T, C) output of the feed-forward half, where a norm follows */
    float *rstd_d; /* (T) */
    float *post;   /* (T, C) o or d normed; may be both */
    float *y;      /* (T, C) output; may be x2; NULL: not wanted */
};

/* Row lists of a pass: all rows, and those of the last layer's second half. */
struct dense_rows {
    const int32_t *all; /* 0 .. R-1 */
    struct row_span out;
    bool narrow; /* T < R */
};

/* Values that forward stores for backward, in addition to the layers. */
struct dense_kept {
    float *x_final; /* (T, C) input of the final norm */
    float *rstd;    /* (T) */
};

/* What every step of a pass needs. */
struct dense {
    const struct arch_pass *p;
    const struct model_config *c;
    const struct backend *o;
    struct dense_layout layout;
    struct dense_rows rows;
};

/* Sizes and places of the buffers (arch_dense_buffers.c). */
uintptr_t dense_carve(uintptr_t at, int64_t n_floats, float **out);
size_t dense_scratch_bytes(const struct model_config *c, int32_t n_rows);
size_t dense_acts_bytes(const struct model_config *c, int32_t n_rows, bool recompute);
/* Buffers of layer l: of inference, or as forward fills them and backward reads them. */
void dense_layer_buffers(const struct dense *d, int32_t l, struct dense_layer *out);
void dense_kept_final(const struct dense *d, struct dense_kept *out);
void dense_begin(const struct arch_pass *p, struct dense *out);

/* Attention of layer l, and the rotations of its queries and keys. */
struct attention_shape dense_attention(const struct model_config *c, int32_t l);
const struct rope_table *dense_rope(const struct dense *d, int32_t l);
/* One layer; the last narrows to rows.out after the keys are written. */
void dense_layer_forward(const struct dense *d, int32_t l, const struct dense_layer *b);
float dense_embedding_scale(const struct model_config *c);

void dense_backward(const struct arch_pass *p, const float *d_hidden, float *const *dk,
                    float *const *dv, void *back_scratch, float *grad);
size_t dense_back_scratch_bytes(const struct model_config *c, int32_t n_rows);

#endif
