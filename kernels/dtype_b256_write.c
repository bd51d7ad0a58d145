/* dtype_b256_write.c - writers of Q4_K, Q5_K and Q6_K.
 *
 * The format does not say how to choose scales. Each group tries a few scales around the one that
 * spans its elements; of each, codes are rounded, then scale and minimum are solved by weighted
 * least squares for these codes, and the pair with the smallest error stays. Large elements weigh
 * more, since they move a product more. Then scales are rounded to the block's own, and codes are
 * taken again for the rounded scales. SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "kernels/dtype_blocks.h"

#define B256     256
#define N_TRIALS 21

/* x is about scale * q - low, with q in 0 .. last and low at least 0. */
struct span {
    float scale, low;
};

static float span_error(const float *x, const float *weight, struct span s, int last)
{
    float inverse = s.scale > 0.0f ? 1.0f / s.scale : 0.0f, sum = 0.0f;

    for (int i = 0; i < 32; i++) {
        float q = (float)clamp_code(rintf((x[i] + s.low) * inverse), 0, last);
        float off = s.scale * q - s.low - x[i];

        sum += weight[i] * off * off;
    }
    return sum;
}

/* The least squares for the codes that `s` gives; `s` itself where it has no solution. */
static struct span solve_span(const float *x, const float *weight, struct span s, int last)
{
    double w = 0, wq = 0, wqq = 0, wx = 0, wqx = 0, det, scale, low;

    for (int i = 0; i < 32; i++) {
        double q = clamp_code(rintf((x[i] + s.low) / s.scale), 0, last), g = (double)weight[i];

        w += g;
        wq += g * q;
        wqq += g * q * q;
        wx += g * (double)x[i];
        wqx += g * q * (double)x[i];
    }
    det = w * wqq - wq * wq;
    if (!(det > 0))
        return s;
    scale = (w * wqx - wq * wx) / det;
    low = (wq * wqx - wqq * wx) / det;
    if (low < 0) { /* only a minimum at or below 0 can be stored */
        low = 0;
        scale = wqq > 0 ? wqx / wqq : 0;
    }
    return scale > 0 ? (struct span){(float)scale, (float)low} : s;
}

static struct span best_span(const float *x, int last)
{
    float lo = 0.0f, hi = x[0], squares = 0.0f, weight[32], least;
    struct span best;

    for (int i = 0; i < 32; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
        squares += x[i] * x[i];
    }
    if (!(hi > lo))
        return (struct span){0.0f, -lo};
    for (int i = 0; i < 32; i++)
        weight[i] = sqrtf(squares / 32.0f) + fabsf(x[i]);
    best = (struct span){(hi - lo) / (float)last, -lo};
    least = span_error(x, weight, best, last);
    for (int k = 0; k < N_TRIALS; k++) {
        struct span s = {(hi - lo) / ((float)last - 1.0f + 0.1f * (float)k), -lo};
        float off;

        s = solve_span(x, weight, s, last);
        off = span_error(x, weight, s, last);
        if (off < least) {
            least = off;
            best = s;
        }
    }
    return best;
}

/* The layout that q4_scale in dtype_b256.c reads. */
static void put_scales(const int *scale, const int *low, uint8_t *s)
{
    for (int j = 0; j < 4; j++) {
        s[j] = (uint8_t)(scale[j] | scale[j + 4] >> 4 << 6);
        s[j + 4] = (uint8_t)(low[j] | low[j + 4] >> 4 << 6);
        s[j + 8] = (uint8_t)((scale[j + 4] & 15) | (low[j + 4] & 15) << 4);
    }
}

static float reciprocal(float x)
{
    return x > 0.0f ? 1.0f / x : 0.0f;
}

/* Codes of a block of 256 and its first 16 bytes: d, dmin, scales. */
static void write_spans(const float *x, int last, uint8_t *head, int *q)
{
    struct span span[8];
    float most_scale = 0.0f, most_low = 0.0f, d, dmin;
    int scale[8], low[8];

    for (int j = 0; j < 8; j++) {
        span[j] = best_span(x + 32 * j, last);
        most_scale = span[j].scale > most_scale ? span[j].scale : most_scale;
        most_low = span[j].low > most_low ? span[j].low : most_low;
    }
    store_f16(head, most_scale / 63.0f);
    store_f16(head + 2, most_low / 63.0f);
    d = load_f16(head);
    dmin = load_f16(head + 2);
    for (int j = 0; j < 8; j++) {
        float one;

        scale[j] = clamp_code(rintf(span[j].scale * reciprocal(d)), 0, 63);
        low[j] = clamp_code(rintf(span[j].low * reciprocal(dmin)), 0, 63);
        one = d * (float)scale[j];
        for (int i = 32 * j; i < 32 * j + 32; i++)
            q[i] = clamp_code(rintf((x[i] + dmin * (float)low[j]) * reciprocal(one)), 0, last);
    }
    put_scales(scale, low, head + 4);
}

static void put_nibbles(const int *q, uint8_t *codes)
{
    for (int i = 0; i < B256 / 2; i++) {
        const int *run = q + i / 32 * 64 + i % 32;

        codes[i] = (uint8_t)((run[0] & 15) | (run[32] & 15) << 4);
    }
}

DTYPE_WRITER(q4_k)
{
    uint8_t *p = to;

    for (int64_t b = 0; b < n; b += B256, p += 144) {
        int q[B256];

        write_spans(from + b, 15, p, q);
        put_nibbles(q, p + 16);
    }
}

DTYPE_WRITER(q5_k)
{
    uint8_t *p = to;

    for (int64_t b = 0; b < n; b += B256, p += 176) {
        int q[B256];

        write_spans(from + b, 31, p, q);
        memset(p + 16, 0, 32);
        for (int i = 0; i < B256; i++)
            p[16 + i % 32] = (uint8_t)(p[16 + i % 32] | (q[i] >> 4) << (i / 32));
        put_nibbles(q, p + 48);
    }
}

/* Sixteen elements as scale * q with q in -32 .. 31: of some scales around the one that puts the
 * largest element at -32, the one whose codes explain most of the (squared) elements. */
static float best_scale(const float *x)
{
    float most = 0.0f, best = 0.0f, gain = 0.0f;

    for (int i = 0; i < 16; i++)
        most = fabsf(x[i]) > fabsf(most) ? x[i] : most;
    if (most == 0.0f)
        return 0.0f;
    for (int k = 0; k < N_TRIALS; k++) {
        float inverse = -(31.0f + 0.1f * (float)k) / most, xq = 0.0f, qq = 0.0f;

        for (int i = 0; i < 16; i++) {
            float q = (float)clamp_code(rintf(x[i] * inverse), -32, 31), w = x[i] * x[i];

            xq += w * x[i] * q;
            qq += w * q * q;
        }
        if (qq > 0.0f && xq * xq > gain * qq) {
            gain = xq * xq / qq;
            best = xq / qq;
        }
    }
    return best != 0.0f ? best : most / -32.0f;
}

static void write_q6_block(const float *x, uint8_t *p)
{
    float scale[16], most = 0.0f, d;

    for (int j = 0; j < 16; j++) {
        scale[j] = best_scale(x + 16 * j);
        most = fabsf(scale[j]) > fabsf(most) ? scale[j] : most;
    }
    memset(p, 0, 192);
    store_f16(p + 208, most / -128.0f);
    d = load_f16(p + 208);
    for (int j = 0; j < 16; j++) {
        int s = clamp_code(d == 0.0f ? 0.0f : rintf(scale[j] / d), -128, 127);
        float one = d * (float)s;

        p[192 + j] = (uint8_t)(int8_t)s;
        for (int i = 16 * j; i < 16 * j + 16; i++) {
            int q = clamp_code(one == 0.0f ? 0.0f : rintf(x[i] / one), -32, 31) + 32;
            int half = i / 128, at = i % 128;
            uint8_t *low = p + half * 64 + at % 64, *high = p + 128 + half * 32 + at % 32;

            *low = (uint8_t)(*low | (q & 15) << (at / 64 * 4));
            *high = (uint8_t)(*high | (q >> 4) << (at / 32 * 2));
        }
    }
}

DTYPE_WRITER(q6_k)
{
    uint8_t *p = to;

    for (int64_t b = 0; b < n; b += B256, p += 210)
        write_q6_block(from + b, p);
}
