/* fmath.h - exp and log with fixed bits, one value at a time.
 *
 * The same steps as the vector exp of kernels/cpu/v16.h, hence the same bits. About 1 ulp.
 * exp: below -87.33 (where results would be subnormal) 0, above 88.7228 infinity.
 * log: subnormal arguments count as 0 (minus infinity), negative ones give NaN.
 * Coefficients: polynomials through Chebyshev nodes, of (exp(r)-1-r)/r^2 on |r| <= ln2/2 and of
 * (log(1+f)-f+f^2/2)/f^3 for 1+f from sqrt(1/2) to sqrt(2), and of (tanh(x)-x)/x^3 on x^2 (vectors
 * alone have it: v16.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_FMATH_H
#define TROUPE_KERNELS_FMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define FMATH_LOG2E 1.4426950216293335f
#define FMATH_MAGIC                                                                                \
    12582912.0f /* 1.5 * 2^23: adding it rounds to an integer, left in the low bits */
#define FMATH_LN2_HI  0.693359375f
#define FMATH_LN2_LO  (-0.00021219444170128554f)
#define FMATH_EXP_MIN (-87.33f)
#define FMATH_EXP_MAX 88.72283f /* the largest float whose exp is finite */
#define FMATH_EXP_C0  0.5f
#define FMATH_EXP_C1  0.16666576266288757f
#define FMATH_EXP_C2  0.04166655242443085f
#define FMATH_EXP_C3  0.00836323294788599f
#define FMATH_EXP_C4  0.0013926250394433737f

#define FMATH_TANH_NEAR 0.625f /* below it the polynomial is used */
#define FMATH_TANH_C0   (-0.333333283662796f)
#define FMATH_TANH_C1   0.1333276927471161f
#define FMATH_TANH_C2   (-0.05385090783238411f)
#define FMATH_TANH_C3   0.020997179672122f
#define FMATH_TANH_C4   (-0.006096714176237583f)

static inline uint32_t fmath_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

static inline float fmath_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static inline float fmath_exp(float x)
{
    float t = fmaf(x, FMATH_LOG2E, FMATH_MAGIC);
    float n = t - FMATH_MAGIC;
    float r = fmaf(n, -FMATH_LN2_LO, fmaf(n, -FMATH_LN2_HI, x));
    float q = fmaf(FMATH_EXP_C4, r, FMATH_EXP_C3);
    float y;
    q = fmaf(q, r, FMATH_EXP_C2);
    q = fmaf(q, r, FMATH_EXP_C1);
    q = fmaf(q, r, FMATH_EXP_C0);
    y = fmaf(q, r * r, r) + 1.0f;
    y = fmath_float(fmath_bits(y) + (fmath_bits(t) << 23)); /* y * 2^n */
    if (x < FMATH_EXP_MIN)
        y = 0.0f;
    if (FMATH_EXP_MAX < x)
        y = fmath_float(0x7f800000u);
    return y;
}

static inline float fmath_log(float x)
{
    static const float c[9] = {
        0.3333333134651184f,  -0.2499999701976776f,  0.20000715553760529f,
        -0.1666780263185501f, 0.14249058067798615f,  -0.12425687164068222f,
        0.11685419827699661f, -0.11479733884334564f, 0.06971611827611923f,
    };
    uint32_t u = fmath_bits(x), e;
    float f, n, q;
    if (u - 0x00800000u >= 0x7f000000u) { /* zero, subnormal, negative, infinite or NaN */
        if ((u & 0x7fffffffu) < 0x00800000u)
            return fmath_float(0xff800000u);
        return u == 0x7f800000u ? x : fmath_float(0x7fc00000u);
    }
    e = u - 0x3f3504f3u; /* bits of sqrt(1/2): the exponent counts from there */
    n = (float)((int32_t)e >> 23);
    f = fmath_float((e & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    q = c[8];
    for (int i = 7; i >= 0; i--)
        q = fmaf(q, f, c[i]);
    q = fmaf(q * f, f * f, -0.5f * (f * f));
    return fmaf(n, FMATH_LN2_HI, f + fmaf(n, FMATH_LN2_LO, q));
}

#endif
