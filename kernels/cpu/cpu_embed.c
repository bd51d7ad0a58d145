/* cpu_embed.c - table look-up and its gradient.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_ops.h"

struct embed_job {
    const struct matrix *table;
    const int32_t *token;
    float *out;
    const float *dy;
    float *d_table;
    int32_t R, C;
};

static void embed_row(const struct matrix *t, int32_t token, float *out)
{
    const char *row = (const char *)t->rows + (size_t)token * dtype_row_bytes(t->dtype, t->n_in);

    dtype_info(t->dtype)->to_f32(row, t->n_in, out);
}

static void embed_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct embed_job *j = ctx;
    for (int64_t r = begin; r < end; r++)
        embed_row(j->table, j->token[r], j->out + r * j->table->n_in);
}

void CPU_OP(embed)(const struct lane *l, const struct matrix *table, const int32_t *token,
                   int32_t R, float *out)
{
    struct embed_job j = {.table = table, .token = token, .out = out};
    cpu_for(l, R, 16, 1, embed_rows, &j);
}

/* Columns 16*begin .. 16*end-1 of every row, rows in order: two rows may name one token. */
static void embed_back_columns(void *ctx, int64_t begin, int64_t end)
{
    const struct embed_job *j = ctx;

    for (int64_t r = 0; r < j->R; r++) {
        const float *dy = j->dy + r * j->C;
        float *d = j->d_table + (int64_t)j->token[r] * j->C;
        for (int64_t c = begin * 16; c < end * 16 && c < j->C; c += 16) {
            int32_t n = (int32_t)(j->C - c);
            v16_store_n(d + c, v16_add(v16_load_n(d + c, n), v16_load_n(dy + c, n)), n);
        }
    }
}

void CPU_OP(embed_back)(const struct lane *l, const float *dy, const int32_t *token, int32_t R,
                        int32_t C, float *d_table)
{
    struct embed_job j = {.dy = dy, .token = token, .d_table = d_table, .R = R, .C = C};
    cpu_for(l, ((int64_t)C + 15) / 16, 4, 1, embed_back_columns, &j);
}
