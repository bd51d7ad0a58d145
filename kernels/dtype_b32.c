/* dtype_b32.c - types in blocks of 32: a scale (and a minimum) and 4, 5 or 8 bits an element.
 *
 * Four bits: byte j of a block has element j below and element j + 16 above. The fifth bit of
 * element j is bit j of a 32-bit word. Scales are f16, of MXFP4 a power of two.
 * A symmetric 4 or 5 bit block (Q4_0, Q5_0) has its largest element at the lowest code, so its
 * scale may be negative. SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "kernels/dtype_blocks.h"

#define B32 32

const int8_t dtype_iq4_level[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                    1,    13,   25,  38,  53,  69,  89,  113};
static const int8_t e2m1_doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static int nibble(const uint8_t *codes, int i)
{
    return i < B32 / 2 ? codes[i] & 15 : codes[i - B32 / 2] >> 4;
}

static int fifth_bit(const uint8_t *bits, int i)
{
    return bits[i / 8] >> (i % 8) & 1;
}

DTYPE_READER(q8_0)
{
    const uint8_t *p = from;

    for (int64_t b = 0; b < n; b += B32, p += 34)
        for (int i = 0; i < B32; i++)
            to[b + i] = (float)(int8_t)p[2 + i] * load_f16(p);
}

DTYPE_READER(q4_0)
{
    const uint8_t *p = from;

    for (int64_t b = 0; b < n; b += B32, p += 18)
        for (int i = 0; i < B32; i++)
            to[b + i] = load_f16(p) * (float)(nibble(p + 2, i) - 8);
}

DTYPE_READER(q4_1)
{
    const uint8_t *p = from;

    for (int64_t b = 0; b < n; b += B32, p += 20)
        for (int i = 0; i < B32; i++)
            to[b + i] = load_f16(p) * (float)nibble(p + 4, i) + load_f16(p + 2);
}

DTYPE_READER(q5_0)
{
    const uint8_t *p = from;

    for (int64_t b = 0; b < n; b += B32, p += 22)
        for (int i = 0; i < B32; i++) {
            int q = nibble(p + 6, i) | fifth_bit(p + 2, i) << 4;

            to[b + i] = load_f16(p) * (float)(q - 16);
        }
}

DTYPE_READER(q5_1)
{
    const uint8_t *p = from;

    for (int64_t b = 0; b < n; b += B32, p += 24)
        for (int i = 0; i < B32; i++) {
            int q = nibble(p + 8, i) | fifth_bit(p + 4, i) << 4;

            to[b + i] = load_f16(p) * (float)q + load_f16(p + 2);
        }
}

/* 2^(e-128): half the E8M0 scale, since the levels are doubled. The two smallest are subnormal. */
static float half_scale(uint8_t e)
{
    uint32_t u = e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23;
    float f;

    memcpy(&f, &u, 4);
    return f;
}

DTYPE_READER(mxfp4)
{
    const uint8_t *p = from;

    for (int64_t b = 0; b < n; b += B32, p += 17)
        for (int i = 0; i < B32; i++)
            to[b + i] = half_scale(p[0]) * (float)e2m1_doubled[nibble(p + 1, i)];
}

DTYPE_READER(iq4_nl)
{
    const uint8_t *p = from;

    for (int64_t b = 0; b < n; b += B32, p += 18)
        for (int i = 0; i < B32; i++)
            to[b + i] = load_f16(p) * (float)dtype_iq4_level[nibble(p + 2, i)];
}

/* ---- writers */

/* The first element of the largest magnitude. */
static float largest(const float *x)
{
    float most = 0.0f;

    for (int i = 0; i < B32; i++)
        if (fabsf(x[i]) > fabsf(most))
            most = x[i];
    return most;
}

static float inverse(float d)
{
    return d == 0.0f ? 0.0f : 1.0f / d;
}

DTYPE_WRITER(q8_0)
{
    uint8_t *p = to;

    for (int64_t b = 0; b < n; b += B32, p += 34) {
        float d = fabsf(largest(from + b)) / 127.0f, id = inverse(d);

        store_f16(p, d);
        for (int i = 0; i < B32; i++)
            p[2 + i] = (uint8_t)(int8_t)clamp_code(roundf(from[b + i] * id), -127, 127);
    }
}

/* Codes of 4 bits, or of 5 with the fifth at `high`. */
static void put_codes(const int *q, uint8_t *low, uint8_t *high)
{
    for (int i = 0; i < B32 / 2; i++)
        low[i] = (uint8_t)((q[i] & 15) | (q[i + B32 / 2] & 15) << 4);
    for (int i = 0; high && i < B32; i++)
        high[i / 8] = (uint8_t)((i % 8 ? high[i / 8] : 0) | (q[i] >> 4) << (i % 8));
}

/* Scale d with the largest element at code 0; the zero is at `middle`. */
static void write_symmetric(const float *x, int middle, uint8_t *scale, uint8_t *high, uint8_t *low)
{
    float d = largest(x) / -(float)middle, id = inverse(d);
    int q[B32];

    store_f16(scale, d);
    for (int i = 0; i < B32; i++)
        q[i] = clamp_code(x[i] * id + ((float)middle + 0.5f), 0, 2 * middle - 1);
    put_codes(q, low, high);
}

static void write_from_minimum(const float *x, int last, uint8_t *scales, uint8_t *high,
                               uint8_t *low)
{
    float lo = x[0], hi = x[0], d, id;
    int q[B32];

    for (int i = 1; i < B32; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    d = (hi - lo) / (float)last;
    id = inverse(d);
    store_f16(scales, d);
    store_f16(scales + 2, lo);
    for (int i = 0; i < B32; i++)
        q[i] = clamp_code((x[i] - lo) * id + 0.5f, 0, last);
    put_codes(q, low, high);
}

DTYPE_WRITER(q4_0)
{
    uint8_t *p = to;

    for (int64_t b = 0; b < n; b += B32, p += 18)
        write_symmetric(from + b, 8, p, NULL, p + 2);
}

DTYPE_WRITER(q4_1)
{
    uint8_t *p = to;

    for (int64_t b = 0; b < n; b += B32, p += 20)
        write_from_minimum(from + b, 15, p, NULL, p + 4);
}

DTYPE_WRITER(q5_0)
{
    uint8_t *p = to;

    for (int64_t b = 0; b < n; b += B32, p += 22)
        write_symmetric(from + b, 16, p, p + 2, p + 6);
}

DTYPE_WRITER(q5_1)
{
    uint8_t *p = to;

    for (int64_t b = 0; b < n; b += B32, p += 24)
        write_from_minimum(from + b, 31, p, p + 4, p + 8);
}

/* The exponent that gives the largest element a level of 4 to 6 (specification, 6.3). */
static uint8_t shared_exponent(const float *x)
{
    float most = fabsf(largest(x));
    int e;

    if (most == 0.0f)
        return 0;
    (void)frexpf(most, &e); /* most is in [2^(e-1), 2^e) */
    return (uint8_t)clamp_code((float)(e - 1 - 2 + 127), 0, 254);
}

DTYPE_WRITER(mxfp4)
{
    uint8_t *p = to;

    for (int64_t b = 0; b < n; b += B32, p += 17) {
        int q[B32];

        p[0] = shared_exponent(from + b);
        for (int i = 0; i < B32; i++) {
            float best = INFINITY;

            q[i] = 0;
            for (int k = 0; k < 16; k++) { /* of two as near, the lower code */
                float off = fabsf(half_scale(p[0]) * (float)e2m1_doubled[k] - from[b + i]);

                if (off < best) {
                    best = off;
                    q[i] = k;
                }
            }
        }
        put_codes(q, p + 1, NULL);
    }
}
