/* v16.h - sixteen floats, the virtual lanes of every kernel, for three instruction sets.
 *
 * The same source compiled over each form gives the same bits, because every operation here
 * is exactly rounded and works lane by lane, and because sums over lanes are one fixed tree.
 * load_n and store_n touch lanes below n only (n >= 16: all); load_n fills with +0.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_V16_H
#define TROUPE_KERNELS_CPU_V16_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernels/dtype.h"
#include "kernels/fmath.h"

/* Under the sanitizers the plain form keeps its loops in functions of their own: sixteen checked
 * lanes, inlined everywhere, would take minutes to compile. */
#if defined(V16_OUT_OF_LINE)
#define V16_INLINE static __attribute__((noinline, unused))
#else
#define V16_INLINE static inline __attribute__((always_inline, unused))
#endif

/* Loops pass a constant 16 for their whole vectors, so that only the last one pays for masks. */
#define V16_WHOLE(n) (__builtin_constant_p(n) && (n) >= 16)

/* Before a loop of constant count that must vanish, so that its vectors stay in registers. The
 * plain form has no registers to keep, and would take minutes to compile when unrolled. */
#if !defined(CPU_BUILD_AVX512) && !defined(CPU_BUILD_AVX2)
#define V16_UNROLL
#elif defined(__clang__) /* "full": else it unrolls in part before it inlines, and then no more */
#define V16_UNROLL _Pragma("clang loop unroll(full)")
#else
#define V16_UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(CPU_BUILD_AVX512)
#include "kernels/cpu/v16_avx512.h"
#elif defined(CPU_BUILD_AVX2)
#include "kernels/cpu/v16_avx2.h"
#else
#include "kernels/cpu/v16_plain.h"
#endif

/* As fmath_exp, lane by lane. */
V16_INLINE v16 v16_exp(v16 x)
{
    v16 magic = v16_set1(FMATH_MAGIC);
    v16 t = v16_fma(x, v16_set1(FMATH_LOG2E), magic);
    v16 n = v16_sub(t, magic);
    v16 r = v16_fma(n, v16_set1(-FMATH_LN2_LO), v16_fma(n, v16_set1(-FMATH_LN2_HI), x));
    v16 q = v16_fma(v16_set1(FMATH_EXP_C4), r, v16_set1(FMATH_EXP_C3));
    v16 y;
    q = v16_fma(q, r, v16_set1(FMATH_EXP_C2));
    q = v16_fma(q, r, v16_set1(FMATH_EXP_C1));
    q = v16_fma(q, r, v16_set1(FMATH_EXP_C0));
    y = v16_add(v16_fma(q, v16_mul(r, r), r), v16_set1(1.0f));
    y = v16_scale2(y, t);
    y = v16_select_lt(x, v16_set1(FMATH_EXP_MIN), v16_zero(), y);
    return v16_select_lt(v16_set1(FMATH_EXP_MAX), x, v16_set1(fmath_float(0x7f800000u)), y);
}

/* tanh, about 1 ulp: near 0 an odd polynomial, beyond it 1 - 2 / (exp(2|x|) + 1). */
V16_INLINE v16 v16_tanh(v16 x)
{
    v16 zero = v16_zero(), one = v16_set1(1.0f), minus = v16_sub(zero, x);
    v16 size = v16_max(x, minus), z = v16_mul(x, x);
    v16 far = v16_div(v16_set1(2.0f), v16_add(v16_exp(v16_add(size, size)), one));
    v16 q = v16_fma(v16_set1(FMATH_TANH_C4), z, v16_set1(FMATH_TANH_C3));
    q = v16_fma(q, z, v16_set1(FMATH_TANH_C2));
    q = v16_fma(q, z, v16_set1(FMATH_TANH_C1));
    q = v16_fma(q, z, v16_set1(FMATH_TANH_C0));
    q = v16_fma(v16_mul(q, z), x, x);
    far = v16_sub(one, far);
    far = v16_select_lt(x, zero, v16_sub(zero, far), far);
    return v16_select_lt(size, v16_set1(FMATH_TANH_NEAR), q, far);
}

/* Lanes below n of v, elsewhere fill. */
V16_INLINE v16 v16_keep(v16 v, int32_t n, float fill)
{
    return v16_blend_n(n, v, v16_set1(fill));
}

/* Lanes from n on of v, below fill. */
V16_INLINE v16 v16_drop(v16 v, int32_t n, float fill)
{
    return v16_blend_n(n, v16_set1(fill), v);
}

#endif
