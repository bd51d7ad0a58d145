/* cpu_qpack.c - quantised rows of a file into panels of 32 outputs (layout: cpu_qpanel.h).
 *
 * Codes are moved, never changed, except that those of Q8_0 become unsigned.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_qpack.h"

#include <string.h>

#include "kernels/cpu/cpu_host.h"
#include "kernels/cpu/cpu_parallel.h"

const struct qlayout *cpu_qlayout(enum dtype t)
{
#define QLAYOUT_OF(type) static const struct qlayout layout_##type = QLAYOUT_##type;
    QLAYOUT_EACH(QLAYOUT_OF)
    switch (t) {
#define QLAYOUT_CASE(type)                                                                         \
    case DTYPE_##type:                                                                             \
        return &layout_##type;
        QLAYOUT_EACH(QLAYOUT_CASE)
    default:
        return NULL;
    }
}

/* One block of 32 inputs of one output, out of the file's block. */
struct unpacked {
    uint8_t code[QBLOCK];
    uint8_t scale[4];        /* d and m as f16, or the K types' integers */
    const uint8_t *super[2]; /* f16 d and dmin of K types */
};

static uint8_t nibble_of(const uint8_t *codes, int i)
{
    return (uint8_t)(i < 16 ? codes[i] & 15 : codes[i - 16] >> 4);
}

static void take_scales(struct unpacked *u, const uint8_t *d, const uint8_t *m)
{
    memcpy(u->scale, d, 2);
    if (m)
        memcpy(u->scale + 2, m, 2);
}

/* Blocks of 32 of 4 and 5 bits: scales, the fifth bits if any, codes. */
static void unpack_small(const uint8_t *p, bool minimum, bool fifth, struct unpacked *u)
{
    const uint8_t *bits = p + (minimum ? 4 : 2), *codes = bits + (fifth ? 4 : 0);

    take_scales(u, p, minimum ? p + 2 : NULL);
    for (int i = 0; i < QBLOCK; i++) {
        int high = fifth ? bits[i / 8] >> (i % 8) & 1 : 0;
        u->code[i] = (uint8_t)(nibble_of(codes, i) | high << 4);
    }
}

static void unpack_q8_0(const uint8_t *p, struct unpacked *u)
{
    take_scales(u, p, NULL);
    for (int i = 0; i < QBLOCK; i++)
        u->code[i] = p[2 + i] ^ 0x80;
}

/* Block `part` of the eight of a Q4_K or Q5_K block: {d, dmin, 12 bytes of scales, fifth bits of
 * Q5_K, codes}. A pair of parts shares 32 bytes of codes: the even one is below. */
static void unpack_k(const uint8_t *p, int part, bool fifth, struct unpacked *u)
{
    const uint8_t *s = p + 4, *bits = p + 16, *codes = bits + (fifth ? 32 : 0) + part / 2 * 32;

    u->super[0] = p;
    u->super[1] = p + 2;
    if (part < 4) {
        u->scale[0] = s[part] & 63;
        u->scale[1] = s[part + 4] & 63;
    } else {
        u->scale[0] = (uint8_t)((s[part + 4] & 15) | s[part - 4] >> 6 << 4);
        u->scale[1] = (uint8_t)(s[part + 4] >> 4 | s[part] >> 6 << 4);
    }
    for (int i = 0; i < QBLOCK; i++) {
        int high = fifth ? bits[i] >> part & 1 : 0;
        u->code[i] = (uint8_t)((part % 2 ? codes[i] >> 4 : codes[i] & 15) | high << 4);
    }
}

/* Q6_K: 128 bytes of low bits, 64 of high bits, 16 scales, d. Each half of 128 elements has four
 * runs of 32 (ggml's layout). */
static void unpack_q6_k(const uint8_t *p, int part, struct unpacked *u)
{
    int run = part % 4;
    const uint8_t *low = p + part / 4 * 64 + run % 2 * 32, *high = p + 128 + part / 4 * 32;

    u->super[0] = p + 208;
    u->super[1] = NULL;
    u->scale[0] = p[192 + 2 * part];
    u->scale[1] = p[192 + 2 * part + 1];
    for (int i = 0; i < QBLOCK; i++)
        u->code[i] =
            (uint8_t)((run < 2 ? low[i] & 15 : low[i] >> 4) | (high[i] >> 2 * run & 3) << 4);
}

static void unpack(enum dtype t, const uint8_t *row, int64_t b, struct unpacked *u)
{
    const struct dtype_info *d = dtype_info(t);
    const uint8_t *p = row + b * QBLOCK / d->block * d->block_bytes;
    int part = (int)(b % QSUPER);

    if (t == DTYPE_Q8_0)
        unpack_q8_0(p, u);
    else if (t == DTYPE_Q6_K)
        unpack_q6_k(p, part, u);
    else if (t == DTYPE_Q4_K || t == DTYPE_Q5_K)
        unpack_k(p, part, t == DTYPE_Q5_K, u);
    else
        unpack_small(p, t == DTYPE_Q4_1 || t == DTYPE_Q5_1, t == DTYPE_Q5_0 || t == DTYPE_Q5_1, u);
}

/* ---- into the panel; the panel is zero before */

static void put_scales(const struct qlayout *q, const struct unpacked *u, bool first, int o,
                       uint8_t *at)
{
    if (q->scale == QSCALE_D || q->scale == QSCALE_DM) {
        for (int i = 0; i < q->scale_bytes / 64; i++)
            memcpy(at + 64 * i + 2 * o, u->scale + 2 * i, 2);
        return;
    }
    at[o] = u->scale[0];
    at[MATRIX_PANEL + o] = u->scale[1];
    for (int i = 0; first && i < q->super_bytes / 64; i++)
        memcpy(at - q->super_bytes + 64 * i + 2 * o, u->super[i], 2);
}

static void put_codes(const struct qlayout *q, const struct unpacked *u, int o, uint8_t *high)
{
    int half = o / QHALF, lane = o % QHALF * 4;
    uint8_t *codes = high + q->high_bytes + half * q->code_bytes / 2;

    high += half * q->high_bytes / 2;
    for (int i = 0; i < QBLOCK; i++) {
        int g = i / 4, at = lane + i % 4, c = u->code[i], top = c >> 4;

        if (q->bits == 8) {
            codes[g * 64 + at] = (uint8_t)c;
            continue;
        }
        codes[g % 4 * 64 + at] |= (uint8_t)((c & 15) << (g < 4 ? 0 : 4));
        if (q->bits == 5)
            high[g * 8 + at / 8] |= (uint8_t)(top << at % 8);
        else if (q->bits == 6)
            high[g / 4 * 64 + at] |= (uint8_t)(top << 2 * (g % 4));
    }
}

struct qpack_job {
    const struct matrix *w;
    const struct qlayout *q;
    uint8_t *panels;
};

static void pack_panels(void *ctx, int64_t begin, int64_t end)
{
    const struct qpack_job *j = ctx;
    const struct matrix *w = j->w;
    int64_t n_blocks = w->n_in / QBLOCK, bytes = qpanel_bytes(j->q, n_blocks);
    int64_t row_bytes = (int64_t)dtype_row_bytes(w->dtype, w->n_in);

    for (int64_t p = begin; p < end; p++) {
        uint8_t *panel = j->panels + p * bytes;

        memset(panel, 0, (size_t)bytes);
        for (int o = 0; o < MATRIX_PANEL && p * MATRIX_PANEL + o < w->n_out; o++) {
            const uint8_t *row = (const uint8_t *)w->rows + (p * MATRIX_PANEL + o) * row_bytes;

            for (int64_t b = 0; b < n_blocks; b++) {
                uint8_t *at = panel + qblock_at(j->q, b);
                struct unpacked u;

                unpack(w->dtype, row, b, &u);
                put_scales(j->q, &u, b % QSUPER == 0, o, at);
                put_codes(j->q, &u, o, at + j->q->scale_bytes);
            }
        }
    }
}

size_t cpu_qpanels_bytes(const struct matrix *w)
{
    int64_t n_panels = ((int64_t)w->n_out + MATRIX_PANEL - 1) / MATRIX_PANEL;

    return (size_t)(n_panels * qpanel_bytes(cpu_qlayout(w->dtype), w->n_in / QBLOCK));
}

void cpu_qpack(const struct lane *l, const struct matrix *w, void *panels)
{
    struct qpack_job j = {w, cpu_qlayout(w->dtype), panels};

    assert(j.q && w->n_in % dtype_info(w->dtype)->block == 0);
    cpu_for(l, ((int64_t)w->n_out + MATRIX_PANEL - 1) / MATRIX_PANEL, 1, 1, pack_panels, &j);
}

size_t cpu_quantised_bytes(int32_t R, int32_t n_in)
{
    return (size_t)R * (((size_t)n_in + QBLOCK - 1) / QBLOCK) * QROW_BYTES;
}
