/* cpu_adamw.c - the optimiser's ops: AdamW, adding, and the norm.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_ops.h"

enum {
    CHUNK = 4096,   /* elements a range is made of */
    NORM_PARTS = 64 /* parts of a sum of squares, whatever the threads */
};

struct adamw_job {
    const struct adamw_step *s;
    int64_t n;
    const float *grad, *x;
    float *m, *v, *w, *y;
    double *part;
};

V16_INLINE void adamw_vector(const struct adamw_job *j, int64_t i, int32_t lanes)
{
    const struct adamw_step *s = j->s;
    v16 g = v16_mul(v16_load_n(j->grad + i, lanes), v16_set1(s->grad_scale));
    v16 w = v16_load_n(j->w + i, lanes), m, v, root, step;

    m = v16_mul(v16_set1(1.0f - s->beta1), g);
    m = v16_fma(v16_set1(s->beta1), v16_load_n(j->m + i, lanes), m);
    v = v16_mul(v16_set1(1.0f - s->beta2), v16_mul(g, g));
    v = v16_fma(v16_set1(s->beta2), v16_load_n(j->v + i, lanes), v);
    root = v16_sqrt(v16_div(v, v16_set1(s->bias2)));
    step = v16_div(v16_div(m, v16_set1(s->bias1)), v16_add(root, v16_set1(s->eps)));
    step = v16_fma(v16_set1(s->weight_decay), w, step);
    v16_store_n(j->m + i, m, lanes);
    v16_store_n(j->v + i, v, lanes);
    v16_store_n(j->w + i, v16_fnma(v16_set1(s->lr), step, w), lanes);
}

static void adamw_chunks(void *ctx, int64_t begin, int64_t end)
{
    const struct adamw_job *j = ctx;
    int64_t stop = end * CHUNK < j->n ? end * CHUNK : j->n, i = begin * CHUNK;

    for (; i + 16 <= stop; i += 16)
        adamw_vector(j, i, 16);
    if (i < stop)
        adamw_vector(j, i, (int32_t)(stop - i));
}

void CPU_OP(adamw)(const struct lane *l, const struct adamw_step *s, int64_t n, const float *grad,
                   float *m, float *v, float *w)
{
    struct adamw_job j = {.s = s, .n = n, .grad = grad, .m = m, .v = v, .w = w};
    cpu_for(l, (n + CHUNK - 1) / CHUNK, 4, 1, adamw_chunks, &j);
}

V16_INLINE void add_vector(const float *x, float *y, int32_t lanes)
{
    v16_store_n(y, v16_add(v16_load_n(y, lanes), v16_load_n(x, lanes)), lanes);
}

static void add_chunks(void *ctx, int64_t begin, int64_t end)
{
    const struct adamw_job *j = ctx;
    int64_t stop = end * CHUNK < j->n ? end * CHUNK : j->n, i = begin * CHUNK;

    for (; i + 16 <= stop; i += 16)
        add_vector(j->x + i, j->y + i, 16);
    if (i < stop)
        add_vector(j->x + i, j->y + i, (int32_t)(stop - i));
}

void CPU_OP(add)(const struct lane *l, const float *x, int64_t n, float *y)
{
    struct adamw_job j = {.n = n, .x = x, .y = y};
    cpu_for(l, (n + CHUNK - 1) / CHUNK, 4, 1, add_chunks, &j);
}

/* One part in double, over sixteen lanes; a square of a float is exact there. */
static double squares(const float *x, int64_t n)
{
    double lane[16] = {0};
    int64_t i = 0;

    for (; i + 16 <= n; i += 16)
        for (int k = 0; k < 16; k++)
            lane[k] += (double)x[i + k] * (double)x[i + k];
    for (int k = 0; i + k < n; k++)
        lane[k] += (double)x[i + k] * (double)x[i + k];
    for (int half = 8; half > 0; half /= 2)
        for (int k = 0; k < half; k++)
            lane[k] += lane[k + half];
    return lane[0];
}

static void square_parts(void *ctx, int64_t begin, int64_t end)
{
    const struct adamw_job *j = ctx;
    int64_t size = (j->n + NORM_PARTS - 1) / NORM_PARTS;

    for (int64_t p = begin; p < end; p++) {
        int64_t from = p * size, to = from + size < j->n ? from + size : j->n;
        j->part[p] = from < to ? squares(j->x + from, to - from) : 0.0;
    }
}

void CPU_OP(sum_squares)(const struct lane *l, const float *x, int64_t n, double *sum)
{
    double part[NORM_PARTS], all = 0.0;
    struct adamw_job j = {.n = n, .x = x, .part = part};

    cpu_for(l, NORM_PARTS, 8, 1, square_parts, &j);
    for (int p = 0; p < NORM_PARTS; p++)
        all += part[p];
    *sum = all;
}
