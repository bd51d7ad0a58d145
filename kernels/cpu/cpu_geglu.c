/* cpu_geglu.c - gelu(gate) * up (Shazeer 2020), forward and backward.
 *
 * gelu(g) = g / 2 (1 + tanh(u)) = g p, u = sqrt(2/pi) (g + .044715 g^3), p = 1 / (1 + exp(-2u)): in
 * this form small values keep their digits. gelu'(g) = p + g p (1 - p) 2u'.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_ops.h"

#define TWO_ROOT_2_PI 1.5957691216057308f /* 2 sqrt(2/pi) */
#define CUBE          0.044715f

struct geglu_job {
    const float *gu; /* (R, 2F) */
    const float *dy; /* (R, F) */
    float *y, *dgu;  /* (R, F), (R, 2F) */
    int32_t F;
};

/* 1 + exp(-2u) */
V16_INLINE v16 geglu_denominator(v16 g)
{
    v16 cubed = v16_fma(v16_mul(v16_set1(CUBE), g), v16_mul(g, g), g);

    return v16_add(v16_set1(1.0f), v16_exp(v16_mul(cubed, v16_set1(-TWO_ROOT_2_PI))));
}

V16_INLINE void geglu_vector(const float *gate, const float *up, float *y, int32_t lanes)
{
    v16 g = v16_load_n(gate, lanes);
    v16_store_n(y, v16_mul(v16_div(g, geglu_denominator(g)), v16_load_n(up, lanes)), lanes);
}

static void geglu_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct geglu_job *j = ctx;
    int64_t F = j->F;

    for (int64_t r = begin; r < end; r++) {
        const float *gate = j->gu + r * 2 * F, *up = gate + F;
        float *y = j->y + r * F;
        int64_t i = 0;
        for (; i + 16 <= F; i += 16)
            geglu_vector(gate + i, up + i, y + i, 16);
        if (i < F)
            geglu_vector(gate + i, up + i, y + i, (int32_t)(F - i));
    }
}

void CPU_OP(geglu)(const struct lane *l, const float *gu, int32_t R, int32_t F, float *y)
{
    struct geglu_job j = {.gu = gu, .y = y, .F = F};
    cpu_for(l, R, 4, 1, geglu_rows, &j);
}

V16_INLINE void geglu_back_vector(const float *gate, const float *up, const float *dy, float *dgate,
                                  float *dup, int32_t lanes)
{
    v16 one = v16_set1(1.0f), g = v16_load_n(gate, lanes), d = v16_load_n(dy, lanes);
    v16 p = v16_div(one, geglu_denominator(g));
    v16 gp = v16_mul(g, p);
    v16 inner =
        v16_fma(v16_set1(3.0f * CUBE * TWO_ROOT_2_PI), v16_mul(g, g), v16_set1(TWO_ROOT_2_PI));
    v16 slope = v16_fma(v16_mul(gp, v16_sub(one, p)), inner, p);

    v16_store_n(dgate, v16_mul(v16_mul(d, v16_load_n(up, lanes)), slope), lanes);
    v16_store_n(dup, v16_mul(d, gp), lanes);
}

static void geglu_back_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct geglu_job *j = ctx;
    int64_t F = j->F;

    for (int64_t r = begin; r < end; r++) {
        const float *gate = j->gu + r * 2 * F, *up = gate + F, *dy = j->dy + r * F;
        float *dgate = j->dgu + r * 2 * F, *dup = dgate + F;
        int64_t i = 0;
        for (; i + 16 <= F; i += 16)
            geglu_back_vector(gate + i, up + i, dy + i, dgate + i, dup + i, 16);
        if (i < F)
            geglu_back_vector(gate + i, up + i, dy + i, dgate + i, dup + i, (int32_t)(F - i));
    }
}

void CPU_OP(geglu_back)(const struct lane *l, const float *gu, const float *dy, int32_t R,
                        int32_t F, float *dgu)
{
    struct geglu_job j = {.gu = gu, .dy = dy, .dgu = dgu, .F = F};
    cpu_for(l, R, 4, 1, geglu_back_rows, &j);
}
