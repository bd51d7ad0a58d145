/* v16_avx512.h - v16 as one 512-bit register.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_V16_AVX512_H
#define TROUPE_KERNELS_CPU_V16_AVX512_H

#include <immintrin.h>

typedef __m512 v16;

V16_INLINE v16 v16_set1(float x)
{
    return _mm512_set1_ps(x);
}

V16_INLINE v16 v16_zero(void)
{
    return _mm512_setzero_ps();
}

V16_INLINE v16 v16_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

V16_INLINE void v16_store(float *p, v16 v)
{
    _mm512_storeu_ps(p, v);
}

V16_INLINE __mmask16 v16_mask(int32_t n)
{
    uint32_t ones = n >= 16 ? 0xffffu : n <= 0 ? 0u : (1u << n) - 1u;
    return (__mmask16)ones;
}

V16_INLINE v16 v16_load_n(const float *p, int32_t n)
{
    if (V16_WHOLE(n))
        return v16_load(p);
    return _mm512_maskz_loadu_ps(v16_mask(n), p);
}

V16_INLINE void v16_store_n(float *p, v16 v, int32_t n)
{
    if (V16_WHOLE(n)) {
        v16_store(p, v);
        return;
    }
    _mm512_mask_storeu_ps(p, v16_mask(n), v);
}

V16_INLINE v16 v16_widen(__m256i h)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

V16_INLINE v16 v16_load_bf16(const uint16_t *p)
{
    return v16_widen(_mm256_loadu_si256((const __m256i_u *)p));
}

V16_INLINE v16 v16_load_s8(const int8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i_u *)p)));
}

V16_INLINE v16 v16_load_bf16_n(const uint16_t *p, int32_t n)
{
    return v16_widen(_mm256_maskz_loadu_epi16(v16_mask(n), p));
}

/* Lanes that are whole numbers from -128 to 127; others give any value. */
V16_INLINE void v16_store_s8(int8_t *p, v16 v)
{
    _mm_storeu_si128((__m128i_u *)p, _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(v)));
}

V16_INLINE v16 v16_add(v16 a, v16 b)
{
    return _mm512_add_ps(a, b);
}

V16_INLINE v16 v16_sub(v16 a, v16 b)
{
    return _mm512_sub_ps(a, b);
}

V16_INLINE v16 v16_mul(v16 a, v16 b)
{
    return _mm512_mul_ps(a, b);
}

V16_INLINE v16 v16_div(v16 a, v16 b)
{
    return _mm512_div_ps(a, b);
}

V16_INLINE v16 v16_fma(v16 a, v16 b, v16 c)
{
    return _mm512_fmadd_ps(a, b, c);
}

V16_INLINE v16 v16_fnma(v16 a, v16 b, v16 c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

V16_INLINE v16 v16_max(v16 a, v16 b)
{
    return _mm512_max_ps(a, b);
}

V16_INLINE v16 v16_sqrt(v16 a)
{
    return _mm512_sqrt_ps(a);
}

V16_INLINE v16 v16_select_lt(v16 a, v16 b, v16 x, v16 z)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), z, x);
}

V16_INLINE v16 v16_blend_n(int32_t n, v16 below, v16 above)
{
    if (V16_WHOLE(n))
        return below;
    return _mm512_mask_blend_ps(v16_mask(n), above, below);
}

V16_INLINE v16 v16_scale2(v16 v, v16 t)
{
    __m512i n = _mm512_slli_epi32(_mm512_castps_si512(t), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(v), n));
}

V16_INLINE __m256 v16_low(v16 v)
{
    return _mm512_castps512_ps256(v);
}

V16_INLINE __m256 v16_high(v16 v)
{
    return _mm512_extractf32x8_ps(v, 1);
}

V16_INLINE float v16_sum(v16 v)
{
    __m256 a = _mm256_add_ps(v16_low(v), v16_high(v));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    b = _mm_add_ss(b, _mm_movehdup_ps(b));
    return _mm_cvtss_f32(b);
}

V16_INLINE float v16_hmax(v16 v)
{
    __m256 a = _mm256_max_ps(v16_low(v), v16_high(v));
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    b = _mm_max_ss(b, _mm_movehdup_ps(b));
    return _mm_cvtss_f32(b);
}

/* Keeps a loaded vector in its register: left alone, gcc 12 loads it again at each use. */
#define V16_HOLD(v) __asm__("" : "+v"(v))

/* t[i] lane j and t[j] lane i change places: 4 x 4 blocks of 4 x 4. */
V16_INLINE void v16_transpose(v16 *t)
{
    v16 a[16];

    V16_UNROLL for (int i = 0; i < 16; i += 4)
    {
        v16 x0 = _mm512_unpacklo_ps(t[i], t[i + 1]), x1 = _mm512_unpackhi_ps(t[i], t[i + 1]);
        v16 x2 = _mm512_unpacklo_ps(t[i + 2], t[i + 3]);
        v16 x3 = _mm512_unpackhi_ps(t[i + 2], t[i + 3]);
        a[i] = _mm512_shuffle_ps(x0, x2, 0x44);
        a[i + 1] = _mm512_shuffle_ps(x0, x2, 0xee);
        a[i + 2] = _mm512_shuffle_ps(x1, x3, 0x44);
        a[i + 3] = _mm512_shuffle_ps(x1, x3, 0xee);
    }
    V16_UNROLL for (int i = 0; i < 4; i++)
    { /* 128-bit parts: a[i + 4 r] part c goes to row 4 c + i, part r */
        v16 x0 = _mm512_shuffle_f32x4(a[i], a[i + 4], 0x88);
        v16 x1 = _mm512_shuffle_f32x4(a[i], a[i + 4], 0xdd);
        v16 x2 = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0x88);
        v16 x3 = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0xdd);
        t[i] = _mm512_shuffle_f32x4(x0, x2, 0x88);
        t[i + 8] = _mm512_shuffle_f32x4(x0, x2, 0xdd);
        t[i + 4] = _mm512_shuffle_f32x4(x1, x3, 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(x1, x3, 0xdd);
    }
}

#endif
