/* reference_products.c - products with weights, and biases.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "tests/support/reference/reference.h"

/* Panels are the rows as they are. */
size_t reference_panels_bytes(const struct matrix *w)
{
    return (size_t)w->n_out * dtype_row_bytes(w->dtype, w->n_in);
}

void reference_pack(const struct lane *l, const struct matrix *w, void *panels)
{
    (void)l;
    memcpy(panels, w->rows, reference_panels_bytes(w));
}

/* W (n_out, n_in) as floats; to be freed. */
static float *values(const struct matrix *w)
{
    float *out = xmalloc((size_t)w->n_out * (size_t)w->n_in * sizeof(*out));
    size_t row = dtype_row_bytes(w->dtype, w->n_in);

    for (int32_t o = 0; o < w->n_out; o++)
        dtype_info(w->dtype)->to_f32((const char *)w->panels + (size_t)o * row, w->n_in,
                                     out + (int64_t)o * w->n_in);
    return out;
}

void reference_matmul(const struct lane *l, const struct matrix *w, const float *x, int64_t ldx,
                      int32_t R, float beta, float *y, int64_t ldy)
{
    float *W = values(w);

    (void)l;
    for (int32_t r = 0; r < R; r++)
        for (int32_t o = 0; o < w->n_out; o++) {
            double sum = beta == 0 ? 0 : (double)y[r * ldy + o];

            for (int32_t i = 0; i < w->n_in; i++)
                sum += (double)x[r * ldx + i] * (double)W[(int64_t)o * w->n_in + i];
            y[r * ldy + o] = (float)sum;
        }
    free(W);
}

/* Rounded rows are kept as the floats c * d that the integers c stand for. */
size_t reference_quantised_bytes(int32_t R, int32_t n_in)
{
    return (size_t)R * (size_t)n_in * sizeof(float);
}

void reference_quantise_rows(const struct lane *l, const float *x, int64_t ldx, int32_t R,
                             int32_t n_in, void *out)
{
    float *to = out;

    (void)l;
    for (int32_t r = 0; r < R; r++)
        for (int32_t at = 0; at < n_in; at += 32) {
            const float *from = x + r * ldx + at;
            int32_t n = n_in - at < 32 ? n_in - at : 32;
            float most = 0, d, inverse;

            for (int32_t i = 0; i < n; i++)
                most = fmaxf(most, fabsf(from[i]));
            d = most / 127.0f;
            inverse = 1.0f / d;
            for (int32_t i = 0; i < n; i++)
                to[(int64_t)r * n_in + at + i] =
                    d < 0x1p-126f ? 0 : nearbyintf(from[i] * inverse) * d;
        }
}

void reference_matmul_q(const struct lane *l, const struct matrix *w, const void *x, int32_t R,
                        float beta, float *y, int64_t ldy)
{
    reference_matmul(l, w, x, w->n_in, R, beta, y, ldy);
}

void reference_matmul_dx(const struct lane *l, const struct matrix *w, const float *dy,
                         int64_t lddy, int32_t R, float beta, float *dx, int64_t lddx)
{
    float *W = values(w);

    (void)l;
    for (int32_t r = 0; r < R; r++)
        for (int32_t i = 0; i < w->n_in; i++) {
            double sum = beta == 0 ? 0 : (double)beta * (double)dx[r * lddx + i];

            for (int32_t o = 0; o < w->n_out; o++)
                sum += (double)dy[r * lddy + o] * (double)W[(int64_t)o * w->n_in + i];
            dx[r * lddx + i] = (float)sum;
        }
    free(W);
}

void reference_matmul_dw(const struct lane *l, int32_t n_out, int32_t n_in, const float *dy,
                         int64_t lddy, const float *x, int64_t ldx, int32_t R, float *dw)
{
    (void)l;
    for (int32_t o = 0; o < n_out; o++)
        for (int32_t i = 0; i < n_in; i++) {
            double sum = (double)dw[(int64_t)o * n_in + i];

            for (int32_t r = 0; r < R; r++)
                sum += (double)dy[r * lddy + o] * (double)x[r * ldx + i];
            dw[(int64_t)o * n_in + i] = (float)sum;
        }
}

void reference_bias_add(const struct lane *l, const float *bias, int32_t R, int32_t n, float *y,
                        int64_t ldy)
{
    (void)l;
    for (int32_t r = 0; r < R; r++)
        for (int32_t i = 0; i < n; i++)
            y[r * ldy + i] += bias[i];
}

void reference_bias_back(const struct lane *l, const float *dy, int64_t lddy, int32_t R, int32_t n,
                         float *db)
{
    (void)l;
    for (int32_t i = 0; i < n; i++) {
        double sum = (double)db[i];

        for (int32_t r = 0; r < R; r++)
            sum += (double)dy[r * lddy + i];
        db[i] = (float)sum;
    }
}
