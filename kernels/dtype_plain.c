/* dtype_plain.c - the types of one element a block. IEEE binary16 is converted in integers, so that
 * every machine agrees.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/dtype_blocks.h"

static float float_of_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}

float f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t exponent = (h >> 10) & 31u;
    uint32_t fraction = h & 0x3ffu;

    if (exponent == 31) /* infinity, or NaN with its payload */
        return float_of_bits(sign | 0x7f800000u | (fraction << 13));
    if (exponent == 0 && fraction == 0)
        return float_of_bits(sign);
    if (exponent == 0) { /* subnormal: fraction * 2^-24 is exact in float */
        float f = (float)fraction * (1.0f / 16777216.0f);
        return sign ? -f : f;
    }
    return float_of_bits(sign | ((exponent + 112u) << 23) | (fraction << 13));
}

/* Shifts right by n (1..24) and rounds to nearest, ties to even. */
static uint32_t shift_round(uint32_t x, uint32_t n)
{
    uint32_t half = 1u << (n - 1);
    uint32_t kept = x >> n;
    uint32_t rest = x & ((half << 1) - 1u);
    return kept + (rest > half || (rest == half && (kept & 1u)) ? 1u : 0u);
}

uint16_t f32_to_f16(float f)
{
    uint32_t u, sign, magnitude, h;
    memcpy(&u, &f, 4);
    sign = (u >> 16) & 0x8000u;
    magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) /* NaN stays a quiet NaN */
        h = 0x7e00u | ((magnitude >> 13) & 0x1ffu);
    else if (magnitude >= 0x47800000u) /* 65536 and above, infinity */
        h = 0x7c00u;
    else if (magnitude >= 0x38800000u) /* normal; a carry may reach infinity, which is right */
        h = shift_round(magnitude - (112u << 23), 13);
    else if (magnitude >= 0x33000000u) { /* subnormal: 2^-25 and above */
        uint32_t fraction = (magnitude & 0x7fffffu) | 0x800000u;
        h = shift_round(fraction, 126u - (magnitude >> 23));
    } else
        h = 0;
    return (uint16_t)(sign | h);
}

DTYPE_READER(f32)
{
    memcpy(to, from, (size_t)n * sizeof(float));
}

DTYPE_WRITER(f32)
{
    memcpy(to, from, (size_t)n * sizeof(float));
}

static uint16_t load_u16(const void *from, int64_t i)
{
    uint16_t h;

    memcpy(&h, (const char *)from + 2 * i, 2);
    return h;
}

static void store_u16(void *to, int64_t i, uint16_t h)
{
    memcpy((char *)to + 2 * i, &h, 2);
}

DTYPE_READER(bf16)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = bf16_to_f32(load_u16(from, i));
}

DTYPE_WRITER(bf16)
{
    for (int64_t i = 0; i < n; i++)
        store_u16(to, i, f32_to_bf16(from[i]));
}

DTYPE_READER(f16)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = f16_to_f32(load_u16(from, i));
}

DTYPE_WRITER(f16)
{
    for (int64_t i = 0; i < n; i++)
        store_u16(to, i, f32_to_f16(from[i]));
}
