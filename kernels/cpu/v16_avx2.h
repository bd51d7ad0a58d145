/* v16_avx2.h - v16 as two 256-bit registers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_V16_AVX2_H
#define TROUPE_KERNELS_CPU_V16_AVX2_H

#include <immintrin.h>

/* A typedef, against the house rule, because elsewhere v16 is a register. */
typedef struct {
    __m256 lo, hi;
} v16;

V16_INLINE v16 v16_pair(__m256 lo, __m256 hi)
{
    v16 y = {lo, hi};
    return y;
}

V16_INLINE v16 v16_set1(float x)
{
    __m256 v = _mm256_set1_ps(x);
    return v16_pair(v, v);
}

V16_INLINE v16 v16_zero(void)
{
    return v16_pair(_mm256_setzero_ps(), _mm256_setzero_ps());
}

V16_INLINE v16 v16_load(const float *p)
{
    return v16_pair(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8));
}

V16_INLINE void v16_store(float *p, v16 v)
{
    _mm256_storeu_ps(p, v.lo);
    _mm256_storeu_ps(p + 8, v.hi);
}

/* All ones in lanes below n. */
V16_INLINE __m256i v16_mask8(int32_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

V16_INLINE v16 v16_load_n(const float *p, int32_t n)
{
    if (V16_WHOLE(n))
        return v16_load(p);
    return v16_pair(_mm256_maskload_ps(p, v16_mask8(n)),
                    _mm256_maskload_ps(p + 8, v16_mask8(n - 8)));
}

V16_INLINE void v16_store_n(float *p, v16 v, int32_t n)
{
    if (V16_WHOLE(n)) {
        v16_store(p, v);
        return;
    }
    _mm256_maskstore_ps(p, v16_mask8(n), v.lo);
    _mm256_maskstore_ps(p + 8, v16_mask8(n - 8), v.hi);
}

V16_INLINE __m256 v16_widen8(__m128i h)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

V16_INLINE v16 v16_load_bf16(const uint16_t *p)
{
    return v16_pair(v16_widen8(_mm_loadu_si128((const __m128i_u *)p)),
                    v16_widen8(_mm_loadu_si128((const __m128i_u *)(p + 8))));
}

V16_INLINE v16 v16_load_s8(const int8_t *p)
{
    __m128i v = _mm_loadu_si128((const __m128i_u *)p);
    return v16_pair(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v)),
                    _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(v, 8))));
}

V16_INLINE v16 v16_load_bf16_n(const uint16_t *p, int32_t n)
{
    uint16_t h[16] = {0};
    if (n > 0)
        memcpy(h, p, (size_t)(n > 16 ? 16 : n) * 2);
    return v16_load_bf16(h);
}

/* Lanes that are whole numbers from -128 to 127; others give any value. */
V16_INLINE void v16_store_s8(int8_t *p, v16 v)
{
    __m256i h = _mm256_packs_epi32(_mm256_cvttps_epi32(v.lo), _mm256_cvttps_epi32(v.hi));
    h = _mm256_permute4x64_epi64(h, 0xd8); /* packs works within 128 bits */
    _mm_storeu_si128((__m128i_u *)p,
                     _mm_packs_epi16(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1)));
}

V16_INLINE v16 v16_add(v16 a, v16 b)
{
    return v16_pair(_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi));
}

V16_INLINE v16 v16_sub(v16 a, v16 b)
{
    return v16_pair(_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi));
}

V16_INLINE v16 v16_mul(v16 a, v16 b)
{
    return v16_pair(_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi));
}

V16_INLINE v16 v16_div(v16 a, v16 b)
{
    return v16_pair(_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi));
}

V16_INLINE v16 v16_fma(v16 a, v16 b, v16 c)
{
    return v16_pair(_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi));
}

V16_INLINE v16 v16_fnma(v16 a, v16 b, v16 c)
{
    return v16_pair(_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi));
}

V16_INLINE v16 v16_max(v16 a, v16 b)
{
    return v16_pair(_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi));
}

V16_INLINE v16 v16_sqrt(v16 a)
{
    return v16_pair(_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi));
}

V16_INLINE v16 v16_select_lt(v16 a, v16 b, v16 x, v16 z)
{
    return v16_pair(_mm256_blendv_ps(z.lo, x.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ)),
                    _mm256_blendv_ps(z.hi, x.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ)));
}

V16_INLINE v16 v16_blend_n(int32_t n, v16 below, v16 above)
{
    if (V16_WHOLE(n))
        return below;
    return v16_pair(_mm256_blendv_ps(above.lo, below.lo, _mm256_castsi256_ps(v16_mask8(n))),
                    _mm256_blendv_ps(above.hi, below.hi, _mm256_castsi256_ps(v16_mask8(n - 8))));
}

V16_INLINE __m256 v16_scale8(__m256 v, __m256 t)
{
    __m256i n = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(v), n));
}

V16_INLINE v16 v16_scale2(v16 v, v16 t)
{
    return v16_pair(v16_scale8(v.lo, t.lo), v16_scale8(v.hi, t.hi));
}

V16_INLINE float v16_sum(v16 v)
{
    __m256 a = _mm256_add_ps(v.lo, v.hi);
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    b = _mm_add_ss(b, _mm_movehdup_ps(b));
    return _mm_cvtss_f32(b);
}

V16_INLINE float v16_hmax(v16 v)
{
    __m256 a = _mm256_max_ps(v.lo, v.hi);
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    b = _mm_max_ss(b, _mm_movehdup_ps(b));
    return _mm_cvtss_f32(b);
}

/* Keeps a loaded vector in its registers: left alone, gcc 12 loads it again at each use. */
#define V16_HOLD(v) __asm__("" : "+x"((v).lo), "+x"((v).hi))

V16_INLINE void v16_transpose8(__m256 *t)
{
    __m256 a[8];

    V16_UNROLL for (int i = 0; i < 8; i += 4)
    {
        __m256 x0 = _mm256_unpacklo_ps(t[i], t[i + 1]), x1 = _mm256_unpackhi_ps(t[i], t[i + 1]);
        __m256 x2 = _mm256_unpacklo_ps(t[i + 2], t[i + 3]);
        __m256 x3 = _mm256_unpackhi_ps(t[i + 2], t[i + 3]);
        a[i] = _mm256_shuffle_ps(x0, x2, 0x44);
        a[i + 1] = _mm256_shuffle_ps(x0, x2, 0xee);
        a[i + 2] = _mm256_shuffle_ps(x1, x3, 0x44);
        a[i + 3] = _mm256_shuffle_ps(x1, x3, 0xee);
    }
    V16_UNROLL for (int i = 0; i < 4; i++)
    {
        t[i] = _mm256_permute2f128_ps(a[i], a[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(a[i], a[i + 4], 0x31);
    }
}

/* t[i] lane j and t[j] lane i change places. */
V16_INLINE void v16_transpose(v16 *t)
{
    __m256 part[4][8]; /* upper left, upper right, lower left, lower right */

    for (int i = 0; i < 8; i++) {
        part[0][i] = t[i].lo;
        part[1][i] = t[i].hi;
        part[2][i] = t[i + 8].lo;
        part[3][i] = t[i + 8].hi;
    }
    for (int i = 0; i < 4; i++)
        v16_transpose8(part[i]);
    for (int i = 0; i < 8; i++) {
        t[i] = v16_pair(part[0][i], part[2][i]);
        t[i + 8] = v16_pair(part[1][i], part[3][i]);
    }
}

#endif
