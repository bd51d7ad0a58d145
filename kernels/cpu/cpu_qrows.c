/* cpu_qrows.c - activations rounded to int8 in blocks of 32, for matmul_q.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/cpu_qpanel.h"

#define LEAST_D 0x1p-126f /* below it 1/d is not finite; such a block is rounded to zeros */
#define ROUND   0x1.8p23f /* added and taken away: to nearest, ties to even */

struct qrows_job {
    const float *x;
    int64_t ldx;
    int32_t R, n_in;
    char *out;
};

/* Lane j: the sum of t[j] (or its maximum); t is lost. Over whole numbers any order is exact. */
V16_INLINE v16 sums_of(v16 *t)
{
    v16_transpose(t);
    for (int step = 8; step > 0; step /= 2)
        for (int i = 0; i < step; i++)
            t[i] = v16_add(t[i], t[i + step]);
    return t[0];
}

V16_INLINE v16 maxima_of(v16 *t)
{
    v16_transpose(t);
    for (int step = 8; step > 0; step /= 2)
        for (int i = 0; i < step; i++)
            t[i] = v16_max(t[i], t[i + step]);
    return t[0];
}

V16_INLINE v16 magnitude(v16 v)
{
    return v16_max(v, v16_sub(v16_zero(), v));
}

V16_INLINE v16 rounded(v16 v, v16 inv)
{
    v16 magic = v16_set1(ROUND);
    return v16_sub(v16_add(v16_mul(v, inv), magic), magic);
}

/* Up to 16 blocks of one row: of their n inputs, codes go to `to` and numbers to to + numbers_at, a
 * block's `step` bytes after the one before. */
enum { STRIP = 16 };

struct strip_numbers {
    float d[STRIP], inv[STRIP], low[STRIP], all[STRIP];
};

static void strip_scales(const float *x, int32_t n, struct strip_numbers *s)
{
    v16 most[STRIP];

    for (int i = 0; i < STRIP; i++) {
        const float *at = x + (i * QBLOCK < n ? i * QBLOCK : 0);
        int32_t left = n - i * QBLOCK;
        v16 lo = v16_load_n(at, left), hi = v16_load_n(left > 16 ? at + 16 : at, left - 16);
        most[i] = v16_max(magnitude(lo), magnitude(hi));
    }
    v16_store(s->d, v16_div(maxima_of(most), v16_set1(127.0f)));
    for (int i = 0; i < STRIP; i++) /* a NaN compares false; it comes back in the sums */
        if (!(s->d[i] >= LEAST_D))
            s->d[i] = 0.0f;
    v16_store(s->inv, v16_div(v16_set1(1.0f), v16_load(s->d)));
    for (int i = 0; i < STRIP; i++)
        s->inv[i] = s->d[i] > 0.0f ? s->inv[i] : 0.0f;
}

static void strip_numbers_out(const struct strip_numbers *s, int i, struct qrow_numbers *to)
{
    to->d = s->d[i];
    to->dsum = s->d[i] * s->all[i];
    to->zero = -128 * (int32_t)s->all[i];
    to->zero_low = -128 * (int32_t)s->low[i];
}

static void round_strip(const float *x, int32_t n, char *to, int64_t numbers_at, int64_t step)
{
    struct strip_numbers s;
    v16 low[STRIP], all[STRIP];
    int blocks = n < STRIP * QBLOCK ? (n + QBLOCK - 1) / QBLOCK : STRIP;

    strip_scales(x, n, &s);
    for (int i = 0; i < STRIP; i++)
        low[i] = all[i] = v16_zero();
    for (int i = 0; i < blocks; i++) {
        const float *at = x + i * QBLOCK;
        int32_t left = n - i * QBLOCK;
        v16 inv = v16_set1(s.inv[i]), hi;
        low[i] = rounded(v16_load_n(at, left), inv);
        hi = rounded(v16_load_n(left > 16 ? at + 16 : at, left - 16), inv);
        all[i] = v16_add(low[i], hi);
        v16_store_s8((int8_t *)to + i * step, low[i]);
        v16_store_s8((int8_t *)to + i * step + 16, hi);
    }
    v16_store(s.low, sums_of(low));
    v16_store(s.all, sums_of(all));
    for (int i = 0; i < blocks; i++) {
        struct qrow_numbers numbers;
        if (s.all[i] != s.all[i]) { /* an input is not finite */
            memset(to + i * step, 0, QBLOCK);
            s.d[i] = fmath_float(0x7fc00000u);
            s.low[i] = s.all[i] = 0.0f;
        }
        strip_numbers_out(&s, i, &numbers);
        memcpy(to + numbers_at + i * step, &numbers, sizeof(numbers));
    }
}

static void round_tiles(void *ctx, int64_t begin, int64_t end)
{
    const struct qrows_job *j = ctx;
    struct qrow_cut cut = qrow_cut(j->R);
    int64_t n_blocks = ((int64_t)j->n_in + QBLOCK - 1) / QBLOCK;

    for (int32_t t = (int32_t)begin; t < end; t++) {
        int32_t rows = qrow_tile_rows(&cut, t), first = qrow_tile_begin(&cut, t);
        char *tile = j->out + first * n_blocks * QROW_BYTES;

        for (int32_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < j->n_in; i += STRIP * QBLOCK) {
                int64_t left = j->n_in - i, step = (int64_t)rows * QROW_BYTES;
                round_strip(j->x + (first + r) * j->ldx + i,
                            (int32_t)(left < STRIP * QBLOCK ? left : STRIP * QBLOCK),
                            tile + i / QBLOCK * step + r * QBLOCK,
                            rows * QBLOCK + r * (int64_t)sizeof(struct qrow_numbers) - r * QBLOCK,
                            step);
            }
    }
}

void CPU_OP(quantise_rows)(const struct lane *l, const float *x, int64_t ldx, int32_t R,
                           int32_t n_in, void *out)
{
    enum { TASK_ELEMENTS = 1 << 14 };
    struct qrows_job j = {x, ldx, R, n_in, out};

    if (R > 0 && n_in > 0)
        cpu_for(l, qrow_cut(R).n_tiles, TASK_ELEMENTS / ((int64_t)n_in * QROW_TILE) + 1, 1,
                round_tiles, &j);
}
