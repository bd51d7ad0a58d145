/* cpu_qtile_plain.h - a tile of matmul_q in plain C: the reference for the other two.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_QTILE_PLAIN_H
#define TROUPE_KERNELS_CPU_CPU_QTILE_PLAIN_H

/* The unsigned code of output o and input i of a block; at: the block's high bits. */
static inline int qcode(const struct qlayout *q, const uint8_t *at, int o, int i)
{
    int half = o / QHALF, g = i / 4, lane = o % QHALF * 4 + i % 4;
    const uint8_t *codes = at + q->high_bytes + half * q->code_bytes / 2;
    const uint8_t *high = at + half * q->high_bytes / 2;
    int c;

    if (q->bits == 8)
        return codes[g * 64 + lane];
    c = codes[g % 4 * 64 + lane] >> (g < 4 ? 0 : 4) & 15;
    if (q->bits == 5)
        c |= (high[g * 8 + lane / 8] >> lane % 8 & 1) << 4;
    else if (q->bits == 6)
        c |= (high[g / 4 * 64 + lane] >> 2 * (g % 4) & 3) << 4;
    return c;
}

static inline float qf16(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return f16_to_f32(h);
}

/* One block unpacked: w = d q + m; `low`, `up` scale the dots of inputs 0-15 and 16-31. */
struct qplain {
    uint8_t code[QBLOCK][MATRIX_PANEL];
    float d[MATRIX_PANEL], m[MATRIX_PANEL];
    int32_t low[MATRIX_PANEL], up[MATRIX_PANEL];
};

static void qplain_unpack(const struct qlayout *q, const uint8_t *at, const uint8_t *super,
                          struct qplain *u)
{
    for (int o = 0; o < MATRIX_PANEL; o++) {
        bool k = q->scale == QSCALE_K || q->scale == QSCALE_K_HALF;

        for (int i = 0; i < QBLOCK; i++)
            u->code[i][o] = (uint8_t)qcode(q, at + q->scale_bytes, o, i);
        u->d[o] = qf16((k ? super : at) + 2 * o);
        u->m[o] = 0.0f;
        u->low[o] = u->up[o] = 1;
        if (q->scale == QSCALE_DM)
            u->m[o] = qf16(at + 64 + 2 * o);
        if (q->scale == QSCALE_K) {
            u->d[o] *= (float)at[o];
            u->m[o] = (0.0f - qf16(super + 64 + 2 * o)) * (float)at[MATRIX_PANEL + o];
        }
        if (q->scale == QSCALE_K_HALF) {
            u->low[o] = (int8_t)at[o];
            u->up[o] = (int8_t)at[MATRIX_PANEL + o];
        }
    }
}

/* One row through one block. */
static void qplain_row(const struct qlayout *q, const struct qplain *u, const int8_t *codes,
                       const struct qrow_numbers *n, float *acc)
{
    int32_t dot[2][MATRIX_PANEL], zero[2] = {0, 0};

    if (q->zero_shift != QZERO_NONE) { /* exact: both are multiples of 128 */
        zero[0] = n->zero_low / 128 * (1 << q->zero_shift);
        zero[1] = (n->zero - n->zero_low) / 128 * (1 << q->zero_shift);
    }
    for (int o = 0; o < MATRIX_PANEL; o++) {
        dot[0][o] = zero[0];
        dot[1][o] = zero[1];
    }
    for (int i = 0; i < QBLOCK; i++)
        for (int o = 0; o < MATRIX_PANEL; o++)
            dot[i / 16][o] += codes[i] * u->code[i][o];
    for (int o = 0; o < MATRIX_PANEL; o++) {
        int32_t s = u->low[o] * dot[0][o] + u->up[o] * dot[1][o];

        acc[o] = fmaf((float)s, u->d[o] * n->d, acc[o]);
        if (q->scale == QSCALE_DM || q->scale == QSCALE_K)
            acc[o] = fmaf(u->m[o], n->dsum, acc[o]);
    }
}

/* Not inlined: the layout and the rows need not be constants here. */
static void qtile_body(const struct qlayout *q, int rows, const struct qtile *t)
{
    float acc[QROW_TILE][MATRIX_PANEL] = {{0}};
    const uint8_t *panel = t->panel, *super = panel;
    const char *x = t->x;

    for (int r = 0; r < rows && t->from_y; r++)
        memcpy(acc[r], t->y + r * t->ldy, (size_t)t->n * sizeof(float));
    for (int32_t b = 0; b < t->n_blocks; b++, x += rows * QROW_BYTES) {
        struct qplain u;

        if (q->super_bytes && b % QSUPER == 0) {
            super = panel;
            panel += q->super_bytes;
        }
        qplain_unpack(q, panel, super, &u);
        for (int r = 0; r < rows; r++) {
            struct qrow_numbers numbers;
            memcpy(&numbers, x + rows * QBLOCK + r * (int)sizeof(numbers), sizeof(numbers));
            qplain_row(q, &u, (const int8_t *)x + r * QBLOCK, &numbers, acc[r]);
        }
        panel += qblock_bytes(q);
    }
    for (int r = 0; r < rows; r++)
        memcpy(t->y + r * t->ldy, acc[r], (size_t)t->n * sizeof(float));
}

#endif
