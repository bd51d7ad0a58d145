/* cpu_qtile_vnni.h - a tile of matmul_q with vpdpbusd: 16 outputs by four inputs an instruction.
 *
 * The 32 x 16 codes of a block and half a panel are in eight registers while all rows go by; a
 * row's codes come as broadcast operands. Zero points enter as the first value of the dot.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_QTILE_VNNI_H
#define TROUPE_KERNELS_CPU_CPU_QTILE_VNNI_H

V16_INLINE __m512i qload(const uint8_t *p)
{
    return _mm512_loadu_si512(p);
}

V16_INLINE __m512 qload_f16(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i_u *)p));
}

V16_INLINE __m512 qload_u8(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i_u *)p)));
}

V16_INLINE __m512 qload_s8(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i_u *)p)));
}

/* The eight vectors of codes of half h; at: the block's high bits. */
V16_INLINE void qcodes(const struct qlayout *q, const uint8_t *at, int h, __m512i *w)
{
    const uint8_t *codes = at + q->high_bytes + h * q->code_bytes / 2;
    const uint8_t *high = at + h * q->high_bytes / 2;
    __m512i low = _mm512_set1_epi8(15);

    if (q->bits == 8) {
        V16_UNROLL for (int g = 0; g < QGROUPS; g++) w[g] = qload(codes + g * 64);
        return;
    }
    V16_UNROLL for (int i = 0; i < 4; i++)
    {
        __m512i v = qload(codes + i * 64);
        w[i] = _mm512_and_si512(v, low);
        w[i + 4] = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
    }
    if (q->bits == 5)
        V16_UNROLL for (int g = 0; g < QGROUPS; g++)
        {
            uint64_t bits;
            memcpy(&bits, high + g * 8, 8);
            w[g] = _mm512_mask_add_epi8(w[g], bits, w[g], _mm512_set1_epi8(16));
        }
    if (q->bits == 6)
        V16_UNROLL for (int g = 0; g < QGROUPS; g++)
        {
            __m512i v = qload(high + g / 4 * 64), two = _mm512_set1_epi8(0x30);
            int t = 2 * (g % 4);
            v = t < 4 ? _mm512_sll_epi16(v, _mm_cvtsi32_si128(4 - t))
                      : _mm512_srl_epi16(v, _mm_cvtsi32_si128(t - 4));
            w[g] = _mm512_or_si512(w[g], _mm512_and_si512(v, two));
        }
}

struct qscales {
    __m512 d, m;    /* w = d q + m */
    __m512 low, up; /* QSCALE_K_HALF: of inputs 0-15 and 16-31 */
};

V16_INLINE void qscales(const struct qlayout *q, const uint8_t *at, const uint8_t *super, int h,
                        struct qscales *s)
{
    if (q->scale == QSCALE_D || q->scale == QSCALE_DM)
        s->d = qload_f16(at + h * 32);
    else
        s->d = qload_f16(super + h * 32);
    if (q->scale == QSCALE_DM)
        s->m = qload_f16(at + 64 + h * 32);
    if (q->scale == QSCALE_K) {
        s->d = _mm512_mul_ps(s->d, qload_u8(at + h * 16));
        s->m = _mm512_mul_ps(_mm512_sub_ps(_mm512_setzero_ps(), qload_f16(super + 64 + h * 32)),
                             qload_u8(at + 32 + h * 16));
    }
    if (q->scale == QSCALE_K_HALF) {
        s->low = qload_s8(at + h * 16);
        s->up = qload_s8(at + 32 + h * 16);
    }
}

V16_INLINE __m512i qbroadcast(const char *p)
{
    int32_t i;
    memcpy(&i, p, 4);
    return _mm512_set1_epi32(i);
}

V16_INLINE __m512 qbroadcast_f32(const char *p)
{
    float f;
    memcpy(&f, p, 4);
    return _mm512_set1_ps(f);
}

/* dot += the four products of each lane's codes w and the row's four codes at x. Written out, since
 * gcc 12 copies registers around the intrinsic and loads the broadcast on its own. */
V16_INLINE void qdot(__m512i *dot, __m512i w, const char *x)
{
    __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(*dot) : "v"(w), "m"(*(const char(*)[4])x));
}

/* The dots of groups from .. to-1 start at -zero point * sum, from what rows store at `zero`. */
V16_INLINE __m512i qstart(const struct qlayout *q, __m512i zero)
{
    return q->zero_shift == QZERO_NONE
               ? _mm512_setzero_si512()
               : _mm512_srai_epi32(zero, (unsigned)(QZERO_SHIFT_0 - q->zero_shift));
}

/* rows (a constant, at most four) by half a panel. */
V16_INLINE void qrows(const struct qlayout *q, int rows, const __m512i *w, const struct qscales *s,
                      const char *codes, const char *numbers, __m512 *acc)
{
    bool half = q->scale == QSCALE_K_HALF;
    __m512i dot[4], up[4];

    V16_UNROLL for (int r = 0; r < rows; r++)
    {
        const char *n = numbers + r * 16;
        dot[r] = qstart(q, qbroadcast(n + (half ? 12 : 8)));
        if (half)
            up[r] = qstart(q, _mm512_sub_epi32(qbroadcast(n + 8), qbroadcast(n + 12)));
    }
    V16_UNROLL for (int g = 0; g < QGROUPS; g++)
    {
        V16_UNROLL for (int r = 0; r < rows; r++)
        {
            qdot(half && g >= 4 ? &up[r] : &dot[r], w[g], codes + r * QBLOCK + g * 4);
        }
    }
    V16_UNROLL for (int r = 0; r < rows; r++)
    {
        const char *n = numbers + r * 16;
        __m512 f = _mm512_cvtepi32_ps(dot[r]);
        if (half) /* below 2^24, so exact */
            f = _mm512_fmadd_ps(_mm512_cvtepi32_ps(up[r]), s->up, _mm512_mul_ps(f, s->low));
        acc[r] = _mm512_fmadd_ps(f, _mm512_mul_ps(s->d, qbroadcast_f32(n)), acc[r]);
        if (q->scale == QSCALE_DM || q->scale == QSCALE_K)
            acc[r] = _mm512_fmadd_ps(s->m, qbroadcast_f32(n + 4), acc[r]);
    }
}

V16_INLINE void qtile_body(const struct qlayout *q, int rows, const struct qtile *t)
{
    __m512 acc[2][QROW_TILE];
    const uint8_t *panel = t->panel, *super = panel;
    const char *x = t->x;

    V16_UNROLL for (int r = 0; r < rows; r++)
    {
        acc[0][r] = t->from_y ? v16_load_n(t->y + r * t->ldy, t->n) : v16_zero();
        acc[1][r] = t->from_y ? v16_load_n(t->y + r * t->ldy + (t->n > 16 ? 16 : 0), t->n - 16)
                              : v16_zero();
    }
    for (int32_t b = 0; b < t->n_blocks; b++, x += rows * QROW_BYTES) {
        for (int64_t i = 0; i < t->next_step; i += 64)
            _mm_prefetch((const char *)t->next + b * t->next_step + i, _MM_HINT_T1);
        if (q->super_bytes && b % QSUPER == 0) {
            super = panel;
            panel += q->super_bytes;
        }
        V16_UNROLL for (int h = 0; h < 2; h++)
        {
            __m512i w[QGROUPS];
            struct qscales s;
            qcodes(q, panel + q->scale_bytes, h, w);
            qscales(q, panel, super, h, &s);
            V16_UNROLL for (int r = 0; r < rows; r += 4)
                qrows(q, rows - r < 4 ? rows - r : 4, w, &s, x + r * QBLOCK,
                      x + rows * QBLOCK + r * 16, acc[h] + r);
        }
        panel += qblock_bytes(q);
    }
    V16_UNROLL for (int r = 0; r < rows; r++)
    {
        v16_store_n(t->y + r * t->ldy, acc[0][r], t->n);
        v16_store_n(t->y + r * t->ldy + (t->n > 16 ? 16 : 0), acc[1][r], t->n - 16);
    }
}

#endif
