/* v16_plain.h - v16 in plain C: the reference for the other two, and the form for any CPU.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_V16_PLAIN_H
#define TROUPE_KERNELS_CPU_V16_PLAIN_H

/* A typedef, against the house rule, because elsewhere v16 is a register. */
typedef struct {
    float f[16];
} v16;

#define V16_EACH(expr)                                                                             \
    do {                                                                                           \
        for (int i = 0; i < 16; i++)                                                               \
            y.f[i] = (expr);                                                                       \
    } while (0)

V16_INLINE v16 v16_set1(float x)
{
    v16 y;
    V16_EACH(x);
    return y;
}

V16_INLINE v16 v16_zero(void)
{
    return v16_set1(0.0f);
}

V16_INLINE v16 v16_load(const float *p)
{
    v16 y;
    memcpy(y.f, p, sizeof(y.f));
    return y;
}

V16_INLINE void v16_store(float *p, v16 v)
{
    memcpy(p, v.f, sizeof(v.f));
}

V16_INLINE v16 v16_load_n(const float *p, int32_t n)
{
    if (V16_WHOLE(n))
        return v16_load(p);
    v16 y;
    V16_EACH(i < n ? p[i] : 0.0f);
    return y;
}

V16_INLINE void v16_store_n(float *p, v16 v, int32_t n)
{
    if (V16_WHOLE(n)) {
        v16_store(p, v);
        return;
    }
    for (int i = 0; i < 16 && i < n; i++)
        p[i] = v.f[i];
}

V16_INLINE v16 v16_load_bf16(const uint16_t *p)
{
    v16 y;
    V16_EACH(bf16_to_f32(p[i]));
    return y;
}

V16_INLINE v16 v16_load_bf16_n(const uint16_t *p, int32_t n)
{
    v16 y;
    V16_EACH(i < n ? bf16_to_f32(p[i]) : 0.0f);
    return y;
}

V16_INLINE v16 v16_load_s8(const int8_t *p)
{
    v16 y;
    V16_EACH((float)p[i]);
    return y;
}

/* Lanes that are whole numbers from -128 to 127; others give any value. */
V16_INLINE void v16_store_s8(int8_t *p, v16 v)
{
    for (int i = 0; i < 16; i++)
        p[i] = v.f[i] >= -128.0f && v.f[i] <= 127.0f ? (int8_t)v.f[i] : 0;
}

V16_INLINE v16 v16_add(v16 a, v16 b)
{
    v16 y;
    V16_EACH(a.f[i] + b.f[i]);
    return y;
}

V16_INLINE v16 v16_sub(v16 a, v16 b)
{
    v16 y;
    V16_EACH(a.f[i] - b.f[i]);
    return y;
}

V16_INLINE v16 v16_mul(v16 a, v16 b)
{
    v16 y;
    V16_EACH(a.f[i] * b.f[i]);
    return y;
}

V16_INLINE v16 v16_div(v16 a, v16 b)
{
    v16 y;
    V16_EACH(a.f[i] / b.f[i]);
    return y;
}

/* a*b + c and c - a*b, rounded once. */
V16_INLINE v16 v16_fma(v16 a, v16 b, v16 c)
{
    v16 y;
    V16_EACH(fmaf(a.f[i], b.f[i], c.f[i]));
    return y;
}

V16_INLINE v16 v16_fnma(v16 a, v16 b, v16 c)
{
    v16 y;
    V16_EACH(fmaf(-a.f[i], b.f[i], c.f[i]));
    return y;
}

/* As vmaxps: b where a > b does not hold. */
V16_INLINE v16 v16_max(v16 a, v16 b)
{
    v16 y;
    V16_EACH(a.f[i] > b.f[i] ? a.f[i] : b.f[i]);
    return y;
}

V16_INLINE v16 v16_sqrt(v16 a)
{
    v16 y;
    V16_EACH(sqrtf(a.f[i]));
    return y;
}

/* a < b ? x : z */
V16_INLINE v16 v16_select_lt(v16 a, v16 b, v16 x, v16 z)
{
    v16 y;
    V16_EACH(a.f[i] < b.f[i] ? x.f[i] : z.f[i]);
    return y;
}

V16_INLINE v16 v16_blend_n(int32_t n, v16 below, v16 above)
{
    if (V16_WHOLE(n))
        return below;
    v16 y;
    V16_EACH(i < n ? below.f[i] : above.f[i]);
    return y;
}

/* v * 2^n, where t = FMATH_MAGIC + n: the low bits of t added to the exponents of v. */
V16_INLINE v16 v16_scale2(v16 v, v16 t)
{
    v16 y;
    V16_EACH(fmath_float(fmath_bits(v.f[i]) + (fmath_bits(t.f[i]) << 23)));
    return y;
}

V16_INLINE float v16_sum(v16 v)
{
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            v.f[i] = v.f[i] + v.f[i + half];
    return v.f[0];
}

V16_INLINE float v16_hmax(v16 v)
{
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            v.f[i] = v.f[i] > v.f[i + half] ? v.f[i] : v.f[i + half];
    return v.f[0];
}

#define V16_HOLD(v) ((void)0)

/* t[i] lane j and t[j] lane i change places. */
V16_INLINE void v16_transpose(v16 *t)
{
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < i; k++) {
            float x = t[i].f[k];
            t[i].f[k] = t[k].f[i];
            t[k].f[i] = x;
        }
}

#endif
