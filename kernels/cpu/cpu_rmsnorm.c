/* cpu_rmsnorm.c - root-mean-square norm (Zhang and Sennrich 2019), forward and backward.
 *
 * y_i = x_i s w_i, s = 1/sqrt(mean(x^2) + eps).
 * dx_i = s (w_i dy_i - x_i s^2 / n sum_j(dy_j w_j x_j)), dw_i = sum over rows of dy_i x_i s.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_ops.h"

struct rmsnorm_job {
    const float *x, *w; /* (R, n), (n) */
    float *y, *rstd;    /* (R, n), (R) or NULL */
    const float *rstd_in, *dy;
    float *dx, *dw;
    int32_t R, n;
    float eps, beta;
};

static float sum_of_squares(const float *x, int32_t n)
{
    v16 sum = v16_zero();
    int32_t i = 0;

    for (; i + 16 <= n; i += 16) {
        v16 v = v16_load(x + i);
        sum = v16_fma(v, v, sum);
    }
    if (i < n) {
        v16 v = v16_load_n(x + i, n - i);
        sum = v16_fma(v, v, sum);
    }
    return v16_sum(sum);
}

static void rmsnorm_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct rmsnorm_job *j = ctx;
    int32_t n = j->n;

    for (int64_t r = begin; r < end; r++) {
        const float *x = j->x + r * n;
        float *y = j->y + r * n;
        float s = 1.0f / sqrtf(sum_of_squares(x, n) / (float)n + j->eps);
        v16 scale = v16_set1(s);
        int32_t i = 0;
        for (; i + 16 <= n; i += 16)
            v16_store(y + i, v16_mul(v16_mul(v16_load(x + i), scale), v16_load(j->w + i)));
        if (i < n) {
            v16 v = v16_mul(v16_load_n(x + i, n - i), scale);
            v16_store_n(y + i, v16_mul(v, v16_load_n(j->w + i, n - i)), n - i);
        }
        if (j->rstd)
            j->rstd[r] = s;
    }
}

void CPU_OP(rmsnorm)(const struct lane *l, const float *x, const float *w, int32_t R, int32_t n,
                     float eps, float *y, float *rstd)
{
    struct rmsnorm_job j = {.x = x, .w = w, .y = y, .rstd = rstd, .R = R, .n = n, .eps = eps};
    cpu_for(l, R, 16, 1, rmsnorm_rows, &j);
}

/* One vector of columns of dw, rows in order. */
V16_INLINE void dw_vector(const struct rmsnorm_job *j, int64_t c, int32_t lanes)
{
    v16 dw = v16_load_n(j->dw + c, lanes);

    for (int64_t r = 0; r < j->R; r++) {
        v16 x = v16_mul(v16_load_n(j->x + r * j->n + c, lanes), v16_set1(j->rstd_in[r]));
        dw = v16_fma(v16_load_n(j->dy + r * j->n + c, lanes), x, dw);
    }
    v16_store_n(j->dw + c, dw, lanes);
}

static void rmsnorm_dw(void *ctx, int64_t begin, int64_t end)
{
    const struct rmsnorm_job *j = ctx;

    for (int64_t c = begin * 16; c < end * 16 && c < j->n; c += 16)
        if (c + 16 <= j->n)
            dw_vector(j, c, 16);
        else
            dw_vector(j, c, (int32_t)(j->n - c));
}

/* dy w, and its sum with x. */
V16_INLINE v16 dot_vector(const struct rmsnorm_job *j, int64_t at, int32_t i, int32_t lanes,
                          v16 sum)
{
    v16 g = v16_mul(v16_load_n(j->dy + at + i, lanes), v16_load_n(j->w + i, lanes));
    return v16_fma(g, v16_load_n(j->x + at + i, lanes), sum);
}

V16_INLINE void dx_vector(const struct rmsnorm_job *j, int64_t at, int32_t i, int32_t lanes, v16 t,
                          v16 s)
{
    v16 g = v16_mul(v16_load_n(j->dy + at + i, lanes), v16_load_n(j->w + i, lanes));
    g = v16_mul(v16_fnma(v16_load_n(j->x + at + i, lanes), t, g), s);
    if (j->beta != 0.0f)
        g = v16_add(v16_load_n(j->dx + at + i, lanes), g);
    v16_store_n(j->dx + at + i, g, lanes);
}

static void rmsnorm_dx(void *ctx, int64_t begin, int64_t end)
{
    const struct rmsnorm_job *j = ctx;
    int32_t n = j->n, whole = n / 16 * 16;

    for (int64_t r = begin; r < end; r++) {
        float s = j->rstd_in[r];
        v16 sum = v16_zero(), t;
        for (int32_t i = 0; i < whole; i += 16)
            sum = dot_vector(j, r * n, i, 16, sum);
        if (whole < n)
            sum = dot_vector(j, r * n, whole, n - whole, sum);
        t = v16_set1(v16_sum(sum) / (float)n * (s * s));
        for (int32_t i = 0; i < whole; i += 16)
            dx_vector(j, r * n, i, 16, t, v16_set1(s));
        if (whole < n)
            dx_vector(j, r * n, whole, n - whole, t, v16_set1(s));
    }
}

void CPU_OP(rmsnorm_back)(const struct lane *l, const float *x, const float *w, const float *rstd,
                          const float *dy, int32_t R, int32_t n, float beta, float *dx, float *dw)
{
    struct rmsnorm_job j = {.x = x,
                            .w = w,
                            .rstd_in = rstd,
                            .dy = dy,
                            .dx = dx,
                            .dw = dw,
                            .R = R,
                            .n = n,
                            .beta = beta};
    if (dw) /* before dx, which may be dy */
        cpu_for(l, ((int64_t)n + 15) / 16, 1, 1, rmsnorm_dw, &j);
    cpu_for(l, R, 16, 1, rmsnorm_dx, &j);
}
