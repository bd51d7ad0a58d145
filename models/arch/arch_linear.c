/* arch_linear.c - see arch_linear.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/arch/arch_linear.h"

#include <assert.h>

size_t linear_rounded_bytes(const struct weights *w, int32_t R)
{
    int32_t widest = weights_rounded_inputs(w);

    return widest ? weights_backend(w)->quantised_bytes(R, widest) : 0;
}

void linear_forward(const struct weights *w, const struct lane *l, int32_t tensor,
                    struct linear_input *in, float beta, float *y, int64_t ldy)
{
    const struct backend *b = weights_backend(w);
    const struct matrix *m = &weights_at(w, tensor)->m;

    assert(m->n_in == in->n_in);
    if (dtype_is_plain(m->dtype)) {
        b->matmul(l, m, in->x, in->ld, in->R, beta, y, ldy);
        return;
    }
    assert(in->rounded);
    if (!in->is_rounded)
        b->quantise_rows(l, in->x, in->ld, in->R, in->n_in, in->rounded);
    in->is_rounded = true;
    b->matmul_q(l, m, in->rounded, in->R, beta, y, ldy);
}

void linear_backward(const struct weights *w, const struct lane *l, int32_t tensor, const float *dy,
                     int64_t lddy, const float *x, int32_t R, float beta, float *dx, float *dw)
{
    const struct backend *b = weights_backend(w);
    const struct matrix *m = &weights_at(w, tensor)->m;

    b->matmul_dx(l, m, dy, lddy, R, beta, dx, m->n_in);
    if (dtype_is_plain(m->dtype))
        b->matmul_dw(l, m->n_out, m->n_in, dy, lddy, x, m->n_in, R, dw);
}

void linear_add_bias(const struct weights *w, const struct lane *l, int32_t tensor, int32_t R,
                     float *y, int64_t ldy)
{
    const struct matrix *bias = &weights_at(w, tensor)->m;

    weights_backend(w)->bias_add(l, bias->rows, R, bias->n_in, y, ldy);
}

void linear_bias_backward(const struct weights *w, const struct lane *l, int32_t tensor,
                          const float *dy, int64_t lddy, int32_t R, float *db)
{
    weights_backend(w)->bias_back(l, dy, lddy, R, weights_at(w, tensor)->m.n_in, db);
}
