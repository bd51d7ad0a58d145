/* dtype_b256.c - readers of the types in blocks of 256 with scales of 4 to 8 bits.
 *
 * A block has 8 groups of 32 or 16 groups of 16 elements, each with a small integer scale (and
 * minimum) times the f16 scale of the block. Of a run of 64 (Q4_K, Q5_K) or 128 elements (Q2_K,
 * Q3_K, Q6_K), byte l holds bits of elements l, l + 32, ... from the low bits up.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/dtype_blocks.h"

#define B256 256

DTYPE_READER(q2_k) /* scales 16, codes 64, d, dmin */
{
    const uint8_t *p = from;

    for (int64_t b = 0; b < n; b += B256, p += 84) {
        const float d = load_f16(p + 80), dmin = load_f16(p + 82);

        for (int i = 0; i < B256; i++) {
            int q = p[16 + i / 128 * 32 + i % 32] >> (2 * (i % 128 / 32)) & 3;
            float scale = d * (float)(p[i / 16] & 15), low = dmin * (float)(p[i / 16] >> 4);

            to[b + i] = scale * (float)q - low;
        }
    }
}

/* Group i's scale of Q3_K: four low bits in the first 8 bytes, two high bits in the last 4. */
static int q3_scale(const uint8_t *s, int i)
{
    int low = i < 8 ? s[i] & 15 : s[i - 8] >> 4;

    return (low | (s[8 + i % 4] >> (2 * (i / 4)) & 3) << 4) - 32;
}

DTYPE_READER(q3_k) /* high bits 32, codes 64, scales 12, d */
{
    const uint8_t *p = from;

    for (int64_t b = 0; b < n; b += B256, p += 110) {
        const float d = load_f16(p + 108);

        for (int i = 0; i < B256; i++) {
            int low = p[32 + i / 128 * 32 + i % 32] >> (2 * (i % 128 / 32)) & 3;
            int high = p[i % 32] >> (i / 32) & 1; /* a bit that is set adds 4; codes are -4 to 3 */

            to[b + i] = d * (float)q3_scale(p + 96, i / 16) * (float)(low + 4 * high - 4);
        }
    }
}

/* Scale and minimum of group j, 6 bits each in 12 bytes: four groups are whole in bytes 0-3 and
 * 4-7, whose top two bits belong to the other four; their low bits are in bytes 8-11. */
static void q4_scale(const uint8_t *s, int j, int *scale, int *low)
{
    if (j < 4) {
        *scale = s[j] & 63;
        *low = s[j + 4] & 63;
    } else {
        *scale = (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
        *low = s[j + 4] >> 4 | s[j] >> 6 << 4;
    }
}

/* d, dmin, scales 12, high bits (Q5_K: 32), codes 128 */
static void read_q4_or_q5(const uint8_t *p, const uint8_t *high, const uint8_t *codes, float *to)
{
    const float d = load_f16(p), dmin = load_f16(p + 2);

    for (int j = 0; j < 8; j++) {
        int scale, low;

        q4_scale(p + 4, j, &scale, &low);
        for (int l = 0; l < 32; l++) {
            int q = codes[j / 2 * 32 + l] >> (j % 2 * 4) & 15;

            if (high)
                q |= (high[l] >> j & 1) << 4;
            to[j * 32 + l] = d * (float)scale * (float)q - dmin * (float)low;
        }
    }
}

DTYPE_READER(q4_k)
{
    const uint8_t *p = from;

    for (int64_t b = 0; b < n; b += B256, p += 144)
        read_q4_or_q5(p, NULL, p + 16, to + b);
}

DTYPE_READER(q5_k)
{
    const uint8_t *p = from;

    for (int64_t b = 0; b < n; b += B256, p += 176)
        read_q4_or_q5(p, p + 16, p + 48, to + b);
}

DTYPE_READER(q6_k) /* low bits 128, high bits 64, scales 16, d */
{
    const uint8_t *p = from;

    for (int64_t b = 0; b < n; b += B256, p += 210) {
        const float d = load_f16(p + 208);

        for (int i = 0; i < B256; i++) {
            int half = i / 128, at = i % 128; /* low nibbles: elements 0-63 of the half */
            int low = p[half * 64 + at % 64] >> (at / 64 * 4) & 15;
            int high = p[128 + half * 32 + at % 32] >> (at / 32 * 2) & 3;

            to[b + i] = d * (float)(int8_t)p[192 + i / 16] * (float)((low | high << 4) - 32);
        }
    }
}

DTYPE_READER(iq4_xs) /* d, high scale bits 2, low scale bits 4, codes 128 */
{
    const uint8_t *p = from;

    for (int64_t b = 0; b < n; b += B256, p += 136) {
        const float d = load_f16(p);

        for (int i = 0; i < B256; i++) {
            int j = i / 32, l = i % 32;
            int scale = (p[4 + j / 2] >> (j % 2 * 4) & 15) | ((p[2] | p[3] << 8) >> (2 * j) & 3)
                                                                 << 4;
            int code = p[8 + j * 16 + l % 16] >> (l / 16 * 4) & 15;

            to[b + i] = d * (float)(scale - 32) * (float)dtype_iq4_level[code];
        }
    }
}
