/* cpu_swiglu.c - silu(gate) * up (Shazeer 2020), forward and backward.
 *
 * silu(g) = g / (1 + exp(-g)); silu'(g) = p + g p (1 - p), p = 1 / (1 + exp(-g)).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_ops.h"

struct swiglu_job {
    const float *gu; /* (R, 2F) */
    const float *dy; /* (R, F) */
    float *y, *dgu;  /* (R, F), (R, 2F) */
    int32_t F;
};

static inline v16 one_plus_exp(v16 g)
{
    return v16_add(v16_set1(1.0f), v16_exp(v16_sub(v16_zero(), g)));
}

V16_INLINE void swiglu_vector(const float *gate, const float *up, float *y, int32_t lanes)
{
    v16 g = v16_load_n(gate, lanes);
    v16_store_n(y, v16_mul(v16_div(g, one_plus_exp(g)), v16_load_n(up, lanes)), lanes);
}

static void swiglu_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct swiglu_job *j = ctx;
    int64_t F = j->F;

    for (int64_t r = begin; r < end; r++) {
        const float *gate = j->gu + r * 2 * F, *up = gate + F;
        float *y = j->y + r * F;
        int64_t i = 0;
        for (; i + 16 <= F; i += 16)
            swiglu_vector(gate + i, up + i, y + i, 16);
        if (i < F)
            swiglu_vector(gate + i, up + i, y + i, (int32_t)(F - i));
    }
}

void CPU_OP(swiglu)(const struct lane *l, const float *gu, int32_t R, int32_t F, float *y)
{
    struct swiglu_job j = {.gu = gu, .y = y, .F = F};
    cpu_for(l, R, 4, 1, swiglu_rows, &j);
}

V16_INLINE void swiglu_back_vector(const float *gate, const float *up, const float *dy,
                                   float *dgate, float *dup, int32_t lanes)
{
    v16 one = v16_set1(1.0f), g = v16_load_n(gate, lanes), d = v16_load_n(dy, lanes);
    v16 p = v16_div(one, one_plus_exp(g));
    v16 gp = v16_mul(g, p);
    v16 slope = v16_fma(gp, v16_sub(one, p), p);

    v16_store_n(dgate, v16_mul(v16_mul(d, v16_load_n(up, lanes)), slope), lanes);
    v16_store_n(dup, v16_mul(d, gp), lanes);
}

static void swiglu_back_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct swiglu_job *j = ctx;
    int64_t F = j->F;

    for (int64_t r = begin; r < end; r++) {
        const float *gate = j->gu + r * 2 * F, *up = gate + F, *dy = j->dy + r * F;
        float *dgate = j->dgu + r * 2 * F, *dup = dgate + F;
        int64_t i = 0;
        for (; i + 16 <= F; i += 16)
            swiglu_back_vector(gate + i, up + i, dy + i, dgate + i, dup + i, 16);
        if (i < F)
            swiglu_back_vector(gate + i, up + i, dy + i, dgate + i, dup + i, (int32_t)(F - i));
    }
}

void CPU_OP(swiglu_back)(const struct lane *l, const float *gu, const float *dy, int32_t R,
                         int32_t F, float *dgu)
{
    struct swiglu_job j = {.gu = gu, .dy = dy, .dgu = dgu, .F = F};
    cpu_for(l, R, 4, 1, swiglu_back_rows, &j);
}
