/* cpu_rope.c - rotary positions, two halves as in transformers, forward and inverse.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_ops.h"

struct rope_job {
    float *x; /* (R, n_heads, D) */
    int32_t n_heads, head_dim;
    const int32_t *pos;
    const float *cos, *sin; /* (max_pos, D/2) */
    bool inverse;
};

/* (a, b) becomes (a c - b s, b c + a s), with s negated for the inverse. */
static void rope_head(float *x, int32_t half, const float *cos, const float *sin, bool inverse)
{
    for (int32_t i = 0; i < half; i += 16) {
        int32_t n = half - i;
        v16 a = v16_load_n(x + i, n), b = v16_load_n(x + half + i, n);
        v16 c = v16_load_n(cos + i, n), s = v16_load_n(sin + i, n);
        v16 ac = v16_mul(a, c), bc = v16_mul(b, c);
        v16_store_n(x + i, inverse ? v16_fma(b, s, ac) : v16_fnma(b, s, ac), n);
        v16_store_n(x + half + i, inverse ? v16_fnma(a, s, bc) : v16_fma(a, s, bc), n);
    }
}

static void rope_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct rope_job *j = ctx;
    int32_t half = j->head_dim / 2;

    for (int64_t r = begin; r < end; r++) {
        const float *cos = j->cos + (int64_t)j->pos[r] * half;
        const float *sin = j->sin + (int64_t)j->pos[r] * half;
        for (int32_t h = 0; h < j->n_heads; h++)
            rope_head(j->x + (r * j->n_heads + h) * j->head_dim, half, cos, sin, j->inverse);
    }
}

void CPU_OP(rope)(const struct lane *l, float *x, int32_t R, int32_t n_heads, int32_t head_dim,
                  const int32_t *pos, const float *cos, const float *sin)
{
    struct rope_job j = {x, n_heads, head_dim, pos, cos, sin, false};
    cpu_for(l, R, 16, 1, rope_rows, &j);
}

void CPU_OP(rope_back)(const struct lane *l, float *dx, int32_t R, int32_t n_heads,
                       int32_t head_dim, const int32_t *pos, const float *cos, const float *sin)
{
    struct rope_job j = {dx, n_heads, head_dim, pos, cos, sin, true};
    cpu_for(l, R, 16, 1, rope_rows, &j);
}
