/* arch_linear.h - y = x W^T with a weight of the model, and its gradient: the one place that knows
 * how a weight is stored. Architectures and the head call these, never matmul.
 *
 * Products with quantised weights read rounded activations (backend.h: quantise_rows). An input is
 * rounded once, by the first product that needs it, for all products of the same input.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ARCH_ARCH_LINEAR_H
#define TROUPE_MODELS_ARCH_ARCH_LINEAR_H

#include "models/arch/weights.h"

/* Activations x (R, n_in) that several products share. Zero `is_rounded` when x changes. */
struct linear_input {
    const float *x;
    int64_t ld; /* of x, in elements */
    int32_t R, n_in;
    void *rounded; /* backend memory, linear_rounded_bytes; NULL: the model has plain types alone */
    bool is_rounded;
};

/* Backend memory for the rounded activations of a pass of R rows and of its head: of the widest
 * input of a product with quantised weights. 0: w has none. */
size_t linear_rounded_bytes(const struct weights *w, int32_t R);

/* y (R, n_out) = beta*y + x W^T; W is `tensor` of w, beta 0 or 1. */
void linear_forward(const struct weights *w, const struct lane *l, int32_t tensor,
                    struct linear_input *in, float beta, float *y, int64_t ldy);
/* y (R, n) += the bias `tensor` of w, in each row. */
void linear_add_bias(const struct weights *w, const struct lane *l, int32_t tensor, int32_t R,
                     float *y, int64_t ldy);
/* db += dy (R, n) over its rows, where n is the length of the bias `tensor`. */
void linear_bias_backward(const struct weights *w, const struct lane *l, int32_t tensor,
                          const float *dy, int64_t lddy, int32_t R, float *db);
/* dx (R, n_in) = beta*dx + dy (R, n_out) W, then dW (n_out, n_in) += dy^T x, where x (R, n_in) has
 * no gaps between its rows. Quantised weights are constants: dW is left out, and dx passes straight
 * through the rounding of x. */
void linear_backward(const struct weights *w, const struct lane *l, int32_t tensor, const float *dy,
                     int64_t lddy, const float *x, int32_t R, float beta, float *dx, float *dw);

#endif
