/* cpu_softcap.c - values held below a cap by tanh, the gradient of that, and values scaled.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_ops.h"

enum { CHUNK = 4096 }; /* elements a range of `scale` is made of */

struct cap_job {
    float *x;  /* (R, n) */
    float *to; /* slopes, written */
    const float *slope;
    int64_t ld;
    int32_t n;
    float cap;
};

V16_INLINE void cap_vector(float *x, float *slope, v16 cap, int32_t lanes)
{
    v16 t = v16_tanh(v16_div(v16_load_n(x, lanes), cap));

    v16_store_n(x, v16_mul(cap, t), lanes);
    if (slope)
        v16_store_n(slope, v16_fnma(t, t, v16_set1(1.0f)), lanes);
}

static void cap_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct cap_job *j = ctx;
    v16 cap = v16_set1(j->cap);

    for (int64_t r = begin; r < end; r++) {
        float *slope = j->to ? j->to + r * j->n : NULL;
        for (int32_t i = 0; i < j->n; i += 16)
            cap_vector(j->x + r * j->ld + i, slope ? slope + i : NULL, cap, j->n - i);
    }
}

void CPU_OP(softcap)(const struct lane *l, float cap, float *x, int64_t ldx, int32_t R, int32_t n,
                     float *slope)
{
    struct cap_job j = {.x = x, .to = slope, .ld = ldx, .n = n, .cap = cap};
    cpu_for(l, R, 1, 1, cap_rows, &j);
}

static void back_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct cap_job *j = ctx;

    for (int64_t r = begin; r < end; r++) {
        float *dx = j->x + r * j->ld;
        const float *slope = j->slope + r * j->n;
        for (int32_t i = 0; i < j->n; i += 16)
            v16_store_n(dx + i,
                        v16_mul(v16_load_n(dx + i, j->n - i), v16_load_n(slope + i, j->n - i)),
                        j->n - i);
    }
}

void CPU_OP(softcap_back)(const struct lane *l, const float *slope, int32_t R, int32_t n, float *dx,
                          int64_t lddx)
{
    struct cap_job j = {.x = dx, .slope = slope, .ld = lddx, .n = n};
    cpu_for(l, R, 1, 1, back_rows, &j);
}

struct scale_job {
    float *x;
    int64_t n;
    float factor;
};

static void scale_chunks(void *ctx, int64_t begin, int64_t end)
{
    const struct scale_job *j = ctx;
    int64_t stop = end * CHUNK < j->n ? end * CHUNK : j->n, i = begin * CHUNK;
    v16 factor = v16_set1(j->factor);

    for (; i + 16 <= stop; i += 16)
        v16_store(j->x + i, v16_mul(v16_load(j->x + i), factor));
    if (i < stop)
        v16_store_n(j->x + i, v16_mul(v16_load_n(j->x + i, (int32_t)(stop - i)), factor),
                    (int32_t)(stop - i));
}

void CPU_OP(scale)(const struct lane *l, float factor, int64_t n, float *x)
{
    struct scale_job j = {x, n, factor};
    cpu_for(l, (n + CHUNK - 1) / CHUNK, 1, 1, scale_chunks, &j);
}
