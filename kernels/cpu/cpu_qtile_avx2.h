/* cpu_qtile_avx2.h - a tile of matmul_q with products of bytes added up in 16 bits.
 *
 * vpmaddubsw adds two products of an unsigned and a signed byte and saturates at 16 bits. Codes of
 * up to 6 bits are far from that: 127 * 2 * 15, 31 or 63 lets 8, 4 or 2 groups add up before they
 * are widened. Codes of 8 bits are taken as magnitudes up to 128, with their signs moved to
 * the row: 128 * 127 * 2 is below 2^15, so nothing saturates.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_QTILE_AVX2_H
#define TROUPE_KERNELS_CPU_CPU_QTILE_AVX2_H

enum { QQUARTERS = 4, QQUARTER_ROWS = 4 };

V16_INLINE __m256i qload(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i_u *)p);
}

V16_INLINE __m256 qload_f16(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i_u *)p));
}

V16_INLINE __m256 qload_u8(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i_u *)p)));
}

V16_INLINE __m256 qload_s8(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i_u *)p)));
}

V16_INLINE int32_t qint(const char *p)
{
    int32_t i;
    memcpy(&i, p, 4);
    return i;
}

/* 16 in each byte whose bit of `bits` is set. */
V16_INLINE __m256i qfifth(int32_t bits)
{
    __m256i each =
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    __m256i bit = _mm256_set1_epi64x((int64_t)0x8040201008040201u);
    __m256i v = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits), each), bit);
    return _mm256_and_si256(_mm256_cmpeq_epi8(v, bit), _mm256_set1_epi8(16));
}

/* Group g of quarter v; at: the block's high bits. */
V16_INLINE __m256i qcodes(const struct qlayout *q, const uint8_t *at, int v, int g)
{
    const uint8_t *codes = at + q->high_bytes + v / 2 * q->code_bytes / 2 + v % 2 * 32;
    const uint8_t *high = at + v / 2 * q->high_bytes / 2;
    __m256i low = _mm256_set1_epi8(15), w, two;

    if (q->bits == 8) /* signed again */
        return _mm256_xor_si256(qload(codes + g * 64), _mm256_set1_epi8(-128));
    w = qload(codes + g % 4 * 64);
    w = _mm256_and_si256(g < 4 ? w : _mm256_srli_epi16(w, 4), low);
    if (q->bits == 5)
        w = _mm256_or_si256(w, qfifth(qint((const char *)high + g * 8 + v % 2 * 4)));
    if (q->bits == 6) {
        int t = 2 * (g % 4);
        two = qload(high + g / 4 * 64 + v % 2 * 32);
        two = t < 4 ? _mm256_sll_epi16(two, _mm_cvtsi32_si128(4 - t))
                    : _mm256_srl_epi16(two, _mm_cvtsi32_si128(t - 4));
        w = _mm256_or_si256(w, _mm256_and_si256(two, _mm256_set1_epi8(0x30)));
    }
    return w;
}

struct qscales {
    __m256 d, m, low, up; /* as in the form of plain C */
};

V16_INLINE void qscales(const struct qlayout *q, const uint8_t *at, const uint8_t *super, int v,
                        struct qscales *s)
{
    if (q->scale == QSCALE_D || q->scale == QSCALE_DM)
        s->d = qload_f16(at + v * 16);
    else
        s->d = qload_f16(super + v * 16);
    if (q->scale == QSCALE_DM)
        s->m = qload_f16(at + 64 + v * 16);
    if (q->scale == QSCALE_K) {
        s->d = _mm256_mul_ps(s->d, qload_u8(at + v * 8));
        s->m = _mm256_sub_ps(_mm256_setzero_ps(), qload_f16(super + 64 + v * 16));
        s->m = _mm256_mul_ps(s->m, qload_u8(at + 32 + v * 8));
    }
    if (q->scale == QSCALE_K_HALF) {
        s->low = qload_s8(at + v * 8);
        s->up = qload_s8(at + 32 + v * 8);
    }
}

/* Dots of groups from .. to-1 of `rows` (a constant) rows are added to dot. */
V16_INLINE void qdots(const struct qlayout *q, int rows, const uint8_t *at, int v, int from, int to,
                      const char *codes, __m256i *dot)
{
    int span = q->bits == 4 ? 8 : q->bits == 5 ? 4 : q->bits == 6 ? 2 : 1;
    __m256i ones = _mm256_set1_epi16(1), sum[QQUARTER_ROWS];

    V16_UNROLL for (int g = from; g < to; g++)
    {
        __m256i w = qcodes(q, at, v, g);
        __m256i size = q->bits == 8 ? _mm256_abs_epi8(w) : w;
        V16_UNROLL for (int r = 0; r < rows; r++)
        {
            __m256i x = _mm256_set1_epi32(qint(codes + r * QBLOCK + g * 4)), two;
            two = _mm256_maddubs_epi16(size, q->bits == 8 ? _mm256_sign_epi8(x, w) : x);
            sum[r] = (g - from) % span == 0 ? two : _mm256_add_epi16(sum[r], two);
            if ((g - from) % span == span - 1 || g == to - 1)
                dot[r] = _mm256_add_epi32(dot[r], _mm256_madd_epi16(sum[r], ones));
        }
    }
}

V16_INLINE __m256i qstart(const struct qlayout *q, int32_t zero)
{
    return q->zero_shift == QZERO_NONE || q->bits == 8 /* signed */
               ? _mm256_setzero_si256()
               : _mm256_srai_epi32(_mm256_set1_epi32(zero), QZERO_SHIFT_0 - q->zero_shift);
}

/* rows (a constant, at most four) by quarter v of one block. */
V16_INLINE void qrows(const struct qlayout *q, int rows, const uint8_t *at, const uint8_t *super,
                      int v, const char *codes, const char *numbers, __m256 *acc)
{
    bool half = q->scale == QSCALE_K_HALF;
    __m256i dot[QQUARTER_ROWS], up[QQUARTER_ROWS];
    struct qscales s;

    V16_UNROLL for (int r = 0; r < rows; r++)
    {
        int32_t zero = qint(numbers + r * 16 + 8), low = qint(numbers + r * 16 + 12);
        dot[r] = qstart(q, half ? low : zero);
        up[r] = qstart(q, zero - low);
    }
    qdots(q, rows, at + q->scale_bytes, v, 0, half ? 4 : QGROUPS, codes, dot);
    if (half)
        qdots(q, rows, at + q->scale_bytes, v, 4, QGROUPS, codes, up);
    qscales(q, at, super, v, &s);
    V16_UNROLL for (int r = 0; r < rows; r++)
    {
        __m256 d = _mm256_broadcast_ss((const float *)(numbers + r * 16));
        __m256 f = _mm256_cvtepi32_ps(dot[r]);
        if (half) /* below 2^24, so exact */
            f = _mm256_fmadd_ps(_mm256_cvtepi32_ps(up[r]), s.up, _mm256_mul_ps(f, s.low));
        acc[r] = _mm256_fmadd_ps(f, _mm256_mul_ps(s.d, d), acc[r]);
        if (q->scale == QSCALE_DM || q->scale == QSCALE_K)
            acc[r] = _mm256_fmadd_ps(
                s.m, _mm256_broadcast_ss((const float *)(numbers + r * 16 + 4)), acc[r]);
    }
}

/* Rows first .. first+some-1 of a tile of `rows` rows by quarter v of the panel; y (some, 8). */
V16_INLINE void qquarter(const struct qlayout *q, int rows, int first, int some,
                         const uint8_t *panel, const char *x, int32_t n_blocks, int v, float *y)
{
    const uint8_t *super = panel;
    __m256 acc[QQUARTER_ROWS];

    V16_UNROLL for (int r = 0; r < some; r++) acc[r] = _mm256_loadu_ps(y + (first + r) * 32);
    for (int32_t b = 0; b < n_blocks; b++, x += rows * QROW_BYTES) {
        if (q->super_bytes && b % QSUPER == 0) {
            super = panel;
            panel += q->super_bytes;
        }
        qrows(q, some, panel, super, v, x + first * QBLOCK, x + rows * QBLOCK + first * 16, acc);
        panel += qblock_bytes(q);
    }
    V16_UNROLL for (int r = 0; r < some; r++) _mm256_storeu_ps(y + (first + r) * 32, acc[r]);
}

V16_INLINE void qtile_body(const struct qlayout *q, int rows, const struct qtile *t)
{
    float acc[QROW_TILE * MATRIX_PANEL] __attribute__((aligned(64)));

    memset(acc, 0, sizeof(acc));
    for (int r = 0; r < rows && t->from_y; r++)
        memcpy(acc + r * MATRIX_PANEL, t->y + r * t->ldy, (size_t)t->n * sizeof(float));
    for (int v = 0; v < QQUARTERS && v * 8 < t->n; v++) {
        qquarter(q, rows, 0, rows < 4 ? rows : 4, t->panel, t->x, t->n_blocks, v, acc + v * 8);
        if (rows > 4)
            qquarter(q, rows, 4, rows - 4, t->panel, t->x, t->n_blocks, v, acc + v * 8);
    }
    for (int r = 0; r < rows; r++)
        memcpy(t->y + r * t->ldy, acc + r * MATRIX_PANEL, (size_t)t->n * sizeof(float));
}

#endif
