/* cpu_rope.c - rotary positions, two halves as in transformers, forward and inverse.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_ops.h"

struct rope_job {
    float *x; /* (R, n_heads, D) */
    int32_t n_heads, head_dim, rotary_dim;
    const int32_t *pos;
    const float *cos, *sin; /* (max_pos, rotary_dim/2) */
    bool inverse;
};

/* (a, b) becomes (a c - b s, b c + a s), with s negated for the inverse. */
V16_INLINE void rope_vector(float *x, int32_t half, const float *cos, const float *sin, int32_t i,
                            int32_t lanes, bool inverse)
{
    v16 a = v16_load_n(x + i, lanes), b = v16_load_n(x + half + i, lanes);
    v16 c = v16_load_n(cos + i, lanes), s = v16_load_n(sin + i, lanes);
    v16 ac = v16_mul(a, c), bc = v16_mul(b, c);

    v16_store_n(x + i, inverse ? v16_fma(b, s, ac) : v16_fnma(b, s, ac), lanes);
    v16_store_n(x + half + i, inverse ? v16_fnma(a, s, bc) : v16_fma(a, s, bc), lanes);
}

static void rope_head(float *x, int32_t half, const float *cos, const float *sin, bool inverse)
{
    int32_t i = 0;

    for (; i + 16 <= half; i += 16)
        rope_vector(x, half, cos, sin, i, 16, inverse);
    if (i < half)
        rope_vector(x, half, cos, sin, i, half - i, inverse);
}

static void rope_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct rope_job *j = ctx;
    int32_t half = j->rotary_dim / 2;

    for (int64_t r = begin; r < end; r++) {
        const float *cos = j->cos + (int64_t)j->pos[r] * half;
        const float *sin = j->sin + (int64_t)j->pos[r] * half;
        for (int32_t h = 0; h < j->n_heads; h++)
            rope_head(j->x + (r * j->n_heads + h) * j->head_dim, half, cos, sin, j->inverse);
    }
}

void CPU_OP(rope)(const struct lane *l, float *x, int32_t R, int32_t n_heads, int32_t head_dim,
                  int32_t rotary_dim, const int32_t *pos, const float *cos, const float *sin)
{
    struct rope_job j = {x, n_heads, head_dim, rotary_dim, pos, cos, sin, false};
    cpu_for(l, R, 16, 1, rope_rows, &j);
}

void CPU_OP(rope_back)(const struct lane *l, float *dx, int32_t R, int32_t n_heads,
                       int32_t head_dim, int32_t rotary_dim, const int32_t *pos, const float *cos,
                       const float *sin)
{
    struct rope_job j = {dx, n_heads, head_dim, rotary_dim, pos, cos, sin, true};
    cpu_for(l, R, 16, 1, rope_rows, &j);
}
