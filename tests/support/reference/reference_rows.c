/* reference_rows.c - ops on rows: embedding, norm, rotation, activations.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "tests/support/reference/reference.h"

void reference_embed(const struct lane *l, const struct matrix *table, const int32_t *token,
                     int32_t R, float *out)
{
    int32_t C = table->n_in;

    (void)l;
    for (int32_t r = 0; r < R; r++)
        dtype_info(table->dtype)
            ->to_f32(
                (const char *)table->rows + (size_t)token[r] * dtype_row_bytes(table->dtype, C), C,
                out + (int64_t)r * C);
}

void reference_embed_back(const struct lane *l, const float *dy, const int32_t *token, int32_t R,
                          int32_t C, float *d_table)
{
    (void)l;
    for (int32_t r = 0; r < R; r++)
        for (int32_t c = 0; c < C; c++)
            d_table[(int64_t)token[r] * C + c] += dy[(int64_t)r * C + c];
}

void reference_rmsnorm(const struct lane *l, const float *x, const float *w, int32_t R, int32_t n,
                       float eps, float *y, float *rstd)
{
    (void)l;
    for (int32_t r = 0; r < R; r++, x += n, y += n) {
        double sum = 0, s;

        for (int32_t i = 0; i < n; i++)
            sum += (double)x[i] * (double)x[i];
        s = 1 / sqrt(sum / n + (double)eps);
        for (int32_t i = 0; i < n; i++)
            y[i] = (float)((double)x[i] * s * (double)w[i]);
        if (rstd)
            rstd[r] = (float)s;
    }
}

/* With y = x s w and s = (mean(x^2) + eps)^-1/2: dx = s (g - x s^2 mean(g x)), g = dy w. */
void reference_rmsnorm_back(const struct lane *l, const float *x, const float *w, const float *rstd,
                            const float *dy, int32_t R, int32_t n, float beta, float *dx, float *dw)
{
    (void)l;
    for (int32_t r = 0; r < R; r++, x += n, dy += n, dx += n) {
        double s = (double)rstd[r], mean = 0;

        for (int32_t i = 0; i < n; i++)
            mean += (double)dy[i] * (double)w[i] * (double)x[i] / n;
        for (int32_t i = 0; i < n; i++) {
            double g = (double)dy[i], old = beta == 0 ? 0 : (double)dx[i];

            if (dw)
                dw[i] += (float)(g * (double)x[i] * s);
            dx[i] = (float)(old + s * (g * (double)w[i] - (double)x[i] * s * s * mean));
        }
    }
}

/* The pair (x[i], x[i + half]) turns by the angle of its position; sign -1 turns back. */
static void rotate(float *x, int32_t R, int32_t n_heads, int32_t head_dim, int32_t rotary_dim,
                   const int32_t *pos, const float *cos, const float *sin, double sign)
{
    int32_t half = rotary_dim / 2;

    for (int32_t r = 0; r < R; r++)
        for (int32_t h = 0; h < n_heads; h++, x += head_dim)
            for (int32_t i = 0; i < half; i++) {
                double c = (double)cos[(int64_t)pos[r] * half + i];
                double s = sign * (double)sin[(int64_t)pos[r] * half + i];
                double a = (double)x[i], b = (double)x[i + half];

                x[i] = (float)(a * c - b * s);
                x[i + half] = (float)(b * c + a * s);
            }
}

void reference_rope(const struct lane *l, float *x, int32_t R, int32_t n_heads, int32_t head_dim,
                    int32_t rotary_dim, const int32_t *pos, const float *cos, const float *sin)
{
    (void)l;
    rotate(x, R, n_heads, head_dim, rotary_dim, pos, cos, sin, 1);
}

void reference_rope_back(const struct lane *l, float *dx, int32_t R, int32_t n_heads,
                         int32_t head_dim, int32_t rotary_dim, const int32_t *pos, const float *cos,
                         const float *sin)
{
    (void)l;
    rotate(dx, R, n_heads, head_dim, rotary_dim, pos, cos, sin, -1);
}

/* An activation and its derivative at x. */
struct slope {
    double y, dy;
};

static struct slope silu(double x)
{
    double s = 1 / (1 + exp(-x));

    return (struct slope){x * s, s * (1 + x * (1 - s))};
}

static struct slope gelu(double x)
{
    const double k = sqrt(2 / 3.14159265358979323846), a = 0.044715;
    double t = tanh(k * (x + a * x * x * x));

    return (struct slope){0.5 * x * (1 + t),
                          0.5 * (1 + t) + 0.5 * x * (1 - t * t) * k * (1 + 3 * a * x * x)};
}

static void glu(struct slope (*act)(double x), const float *gu, int32_t R, int32_t F, float *y)
{
    for (int32_t r = 0; r < R; r++, gu += 2 * (int64_t)F, y += F)
        for (int32_t i = 0; i < F; i++)
            y[i] = (float)(act((double)gu[i]).y * (double)gu[F + i]);
}

static void glu_back(struct slope (*act)(double x), const float *gu, const float *dy, int32_t R,
                     int32_t F, float *dgu)
{
    for (int32_t r = 0; r < R; r++, gu += 2 * (int64_t)F, dgu += 2 * (int64_t)F, dy += F)
        for (int32_t i = 0; i < F; i++) {
            struct slope a = act((double)gu[i]);

            dgu[i] = (float)((double)dy[i] * (double)gu[F + i] * a.dy);
            dgu[F + i] = (float)((double)dy[i] * a.y);
        }
}

void reference_swiglu(const struct lane *l, const float *gu, int32_t R, int32_t F, float *y)
{
    (void)l;
    glu(silu, gu, R, F, y);
}

void reference_swiglu_back(const struct lane *l, const float *gu, const float *dy, int32_t R,
                           int32_t F, float *dgu)
{
    (void)l;
    glu_back(silu, gu, dy, R, F, dgu);
}

void reference_geglu(const struct lane *l, const float *gu, int32_t R, int32_t F, float *y)
{
    (void)l;
    glu(gelu, gu, R, F, y);
}

void reference_geglu_back(const struct lane *l, const float *gu, const float *dy, int32_t R,
                          int32_t F, float *dgu)
{
    (void)l;
    glu_back(gelu, gu, dy, R, F, dgu);
}

void reference_scale(const struct lane *l, float factor, int64_t n, float *x)
{
    (void)l;
    for (int64_t i = 0; i < n; i++)
        x[i] *= factor;
}

void reference_softcap(const struct lane *l, float cap, float *x, int64_t ldx, int32_t R, int32_t n,
                       float *slope)
{
    (void)l;
    for (int32_t r = 0; r < R; r++)
        for (int32_t i = 0; i < n; i++) {
            double t = tanh((double)x[r * ldx + i] / (double)cap);

            x[r * ldx + i] = (float)((double)cap * t);
            if (slope)
                slope[(int64_t)r * n + i] = (float)(1 - t * t);
        }
}

void reference_softcap_back(const struct lane *l, const float *slope, int32_t R, int32_t n,
                            float *dx, int64_t lddx)
{
    (void)l;
    for (int32_t r = 0; r < R; r++)
        for (int32_t i = 0; i < n; i++)
            dx[r * lddx + i] *= slope[(int64_t)r * n + i];
}
