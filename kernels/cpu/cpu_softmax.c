/* cpu_softmax.c - log-sum-exp over the vocabulary and the gradient of cross-entropy.
 *
 * Columns are taken in blocks of LSE_BLOCK, each giving (max, sum of exp(x - max)); blocks merge in
 * order, so that a caller that passes whole blocks at a time gets the same bits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_host.h"
#include "kernels/cpu/cpu_ops.h"

struct softmax_job {
    const float *logits;
    float *grad;
    int64_t ld;
    int32_t n, v0;
    const float *inv_t; /* (R), NULL: 1 */
    float *max, *sum;   /* (R) running, for the parts */
    float *lse_out;
    const float *lse, *coef;
    const int32_t *target;
};

V16_INLINE v16 scaled(const float *x, int32_t lanes, v16 scale)
{
    return v16_mul(v16_load_n(x, lanes), scale);
}

/* (max, sum) of up to LSE_BLOCK scaled columns. */
static void lse_block(const float *x, int32_t n, float inv_t, float *max, float *sum)
{
    float infinity = fmath_float(0x7f800000u);
    v16 scale = v16_set1(inv_t), m = v16_set1(-infinity), s = v16_zero(), base;
    int32_t whole = n / 16 * 16, rest = n - whole;

    for (int32_t i = 0; i < whole; i += 16)
        m = v16_max(scaled(x + i, 16, scale), m);
    if (rest)
        m = v16_max(v16_keep(scaled(x + whole, rest, scale), rest, -infinity), m);
    *max = v16_hmax(m);
    /* a block that is masked whole sums to 0, not NaN */
    base = v16_set1(*max == -infinity ? 0.0f : *max);
    for (int32_t i = 0; i < whole; i += 16)
        s = v16_add(s, v16_exp(v16_sub(scaled(x + i, 16, scale), base)));
    if (rest) {
        v16 e = v16_exp(v16_sub(scaled(x + whole, rest, scale), base));
        s = v16_add(s, v16_keep(e, rest, 0.0f));
    }
    *sum = v16_sum(s);
}

/* Adds a block to (max, sum); from (-infinity, 0) it gives the block itself. */
static void lse_merge(float *max, float *sum, float block_max, float block_sum)
{
    float infinity = fmath_float(0x7f800000u);
    float m = *max > block_max ? *max : block_max;
    float from = m == -infinity ? 0.0f : m;

    *sum = fmaf(*sum, fmath_exp(*max - from), block_sum * fmath_exp(block_max - from));
    *max = m;
}

static void lse_row(const struct softmax_job *j, int64_t r, float *max, float *sum)
{
    const float *x = j->logits + r * j->ld;
    float inv_t = j->inv_t ? j->inv_t[r] : 1.0f, block_max, block_sum;

    for (int32_t i = 0; i < j->n; i += LSE_BLOCK) {
        int32_t n = j->n - i < LSE_BLOCK ? j->n - i : LSE_BLOCK;
        lse_block(x + i, n, inv_t, &block_max, &block_sum);
        lse_merge(max, sum, block_max, block_sum);
    }
}

static void lse_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct softmax_job *j = ctx;

    for (int64_t r = begin; r < end; r++) {
        float max = -fmath_float(0x7f800000u), sum = 0.0f;
        lse_row(j, r, &max, &sum);
        j->lse_out[r] = max + fmath_log(sum);
    }
}

static void lse_part_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct softmax_job *j = ctx;
    for (int64_t r = begin; r < end; r++)
        lse_row(j, r, &j->max[r], &j->sum[r]);
}

void CPU_OP(logsumexp)(const struct lane *l, const float *logits, int64_t ld, int32_t R, int32_t V,
                       const float *inv_temperature, float *lse)
{
    struct softmax_job j = {
        .logits = logits, .ld = ld, .n = V, .inv_t = inv_temperature, .lse_out = lse};
    cpu_for(l, R, 1, 1, lse_rows, &j);
}

void CPU_OP(logsumexp_part)(const struct lane *l, const float *logits, int64_t ld, int32_t R,
                            int32_t n, const float *inv_temperature, float *max, float *sum)
{
    struct softmax_job j = {
        .logits = logits, .ld = ld, .n = n, .inv_t = inv_temperature, .max = max, .sum = sum};
    cpu_for(l, R, 1, 1, lse_part_rows, &j);
}

V16_INLINE void grad_vector(float *x, int32_t lanes, v16 inv_t, v16 lse, v16 coef)
{
    v16 p = v16_exp(v16_sub(scaled(x, lanes, inv_t), lse));
    v16_store_n(x, v16_mul(p, coef), lanes);
}

static void softmax_grad_row(const struct softmax_job *j, int64_t r)
{
    float *x = j->grad + r * j->ld, inv_t = j->inv_t ? j->inv_t[r] : 1.0f, lse = j->lse[r];
    float coef = j->coef[r] * inv_t, at_target = 0.0f;
    int64_t hit = (int64_t)j->target[r] - j->v0;
    v16 vt = v16_set1(inv_t), vl = v16_set1(lse), vc = v16_set1(coef);
    int32_t i = 0;

    if (hit >= 0 && hit < j->n)
        at_target = (fmath_exp(x[hit] * inv_t - lse) - 1.0f) * coef;
    for (; i + 16 <= j->n; i += 16)
        grad_vector(x + i, 16, vt, vl, vc);
    if (i < j->n)
        grad_vector(x + i, j->n - i, vt, vl, vc);
    if (hit >= 0 && hit < j->n)
        x[hit] = at_target;
}

static void softmax_grad_rows(void *ctx, int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r++)
        softmax_grad_row(ctx, r);
}

void CPU_OP(softmax_grad)(const struct lane *l, float *logits, int64_t ld, int32_t R, int32_t v0,
                          int32_t n, const int32_t *target, const float *inv_temperature,
                          const float *lse, const float *coef)
{
    struct softmax_job j = {.grad = logits,
                            .ld = ld,
                            .n = n,
                            .v0 = v0,
                            .inv_t = inv_temperature,
                            .lse = lse,
                            .coef = coef,
                            .target = target};
    cpu_for(l, R, 1, 1, softmax_grad_rows, &j);
}
