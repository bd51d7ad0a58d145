/* cpu_bias.c - a vector added to every row, and its gradient.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_ops.h"

struct bias_job {
    const float *bias, *dy; /* (n), (R, n) */
    float *y, *db;          /* (R, n), (n) */
    int64_t ld;             /* of dy or y */
    int32_t R, n;
};

static void add_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct bias_job *j = ctx;

    for (int64_t r = begin; r < end; r++) {
        float *y = j->y + r * j->ld;
        for (int32_t i = 0; i < j->n; i += 16)
            v16_store_n(y + i,
                        v16_add(v16_load_n(y + i, j->n - i), v16_load_n(j->bias + i, j->n - i)),
                        j->n - i);
    }
}

void CPU_OP(bias_add)(const struct lane *l, const float *bias, int32_t R, int32_t n, float *y,
                      int64_t ldy)
{
    struct bias_job j = {.bias = bias, .y = y, .ld = ldy, .n = n};
    cpu_for(l, R, 16, 1, add_rows, &j);
}

/* Columns 16*begin .. 16*end-1, rows in order. */
static void back_columns(void *ctx, int64_t begin, int64_t end)
{
    const struct bias_job *j = ctx;

    for (int64_t c = begin * 16; c < end * 16 && c < j->n; c += 16) {
        int32_t n = (int32_t)(j->n - c);
        v16 sum = v16_load_n(j->db + c, n);
        for (int64_t r = 0; r < j->R; r++)
            sum = v16_add(sum, v16_load_n(j->dy + r * j->ld + c, n));
        v16_store_n(j->db + c, sum, n);
    }
}

void CPU_OP(bias_back)(const struct lane *l, const float *dy, int64_t lddy, int32_t R, int32_t n,
                       float *db)
{
    struct bias_job j = {.dy = dy, .db = db, .ld = lddy, .R = R, .n = n};
    cpu_for(l, ((int64_t)n + 15) / 16, 4, 1, back_columns, &j);
}
