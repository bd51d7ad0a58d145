/* arch_dense.h - shared by forward and backward of the dense decoder: tensor order and buffers.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ARCH_ARCH_DENSE_H
#define TROUPE_MODELS_ARCH_ARCH_DENSE_H

#include "models/arch/arch.h"
#include "models/arch/arch_linear.h"

/* Order within a layer; tensor 0 is the embedding, after the layers come the final norm and,
 * untied, the head. q, k, v and gate, up are neighbours. */
enum dense_tensor {
    DENSE_NORM_1,
    DENSE_Q,
    DENSE_K,
    DENSE_V,
    DENSE_Q_NORM,
    DENSE_K_NORM,
    DENSE_O,
    DENSE_NORM_2,
    DENSE_GATE,
    DENSE_UP,
    DENSE_DOWN,
    DENSE_PER_LAYER
};

static inline int32_t dense_index(int32_t layer, enum dense_tensor t)
{
    return 1 + layer * DENSE_PER_LAYER + (int32_t)t;
}

/* Widths: C hidden, Q = H*D, K = G*D, F feed-forward. R rows in, T rows that are wanted
 * out (T < R only in the last layer). */
struct dense_layer {
    float *x;      /* (R, C) input; becomes x2, then y where those are the same buffer */
    float *n1;     /* (R, C) normed */
    float *rstd1;  /* (R) */
    float *n1_out; /* (T, C) the rows of n1 that are wanted; n1 itself when T is R */
    float *q;      /* (T, Q) before QK norm */
    float *rstd_q; /* (T, H) */
    float *q_rot;  /* (T, Q) normed and rotated; may be q */
    float *k;      /* (R, K) before QK norm */
    float *rstd_k; /* (R, G) */
    float *k_rot;  /* (R, K) may be k */
    float *v;      /* (R, K) */
    float *att;    /* (T, Q) */
    float *lse;    /* (T, H) or NULL */
    float *x2;     /* (T, C) after attention; may be x */
    float *n2;     /* (T, C) */
    float *rstd2;  /* (T) */
    float *gu;     /* (T, 2F) */
    float *h;      /* (T, F) */
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

/* Buffers of layer l, as forward fills them and backward reads them. */
void dense_kept_layer(const struct arch_pass *p, int32_t l, struct dense_layer *out);
void dense_kept_final(const struct arch_pass *p, struct dense_kept *out);
void dense_rows_init(const struct arch_pass *p, struct dense_rows *rows);
/* One layer; `last` narrows to rows->out after the keys are written. */
void dense_layer_forward(const struct arch_pass *p, const struct dense_rows *rows, int32_t l,
                         const struct dense_layer *b);
uintptr_t dense_carve(uintptr_t at, int64_t n_floats, float **out);

void dense_backward(const struct arch_pass *p, const float *d_hidden, float *const *dk,
                    float *const *dv, void *back_scratch, float *grad);
size_t dense_back_scratch_bytes(const struct model_config *c, int32_t n_rows);

#endif
