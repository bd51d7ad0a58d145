/* cpu_qunpack.c - panels of quantised weights back to the float values that the file's type
 * defines, for gradients.
 *
 * The expressions are those of the readers of kernels/dtype.h, so the values have the same bits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_qpack.h"

#include <string.h>

static float f16_of(const uint8_t *p, int i)
{
    uint16_t h;

    memcpy(&h, p + 2 * i, 2);
    return f16_to_f32(h);
}

static int code_of(const struct qlayout *q, const uint8_t *high, int o, int i)
{
    int half = o / QHALF, g = i / 4, at = o % QHALF * 4 + i % 4, code;
    const uint8_t *codes = high + q->high_bytes + half * q->code_bytes / 2;

    high += half * q->high_bytes / 2;
    if (q->bits == 8)
        return codes[g * 64 + at];
    code = codes[g % 4 * 64 + at] >> (g < 4 ? 0 : 4) & 15;
    if (q->bits == 5)
        code |= (high[g * 8 + at / 8] >> at % 8 & 1) << 4;
    else if (q->bits == 6)
        code |= (high[g / 4 * 64 + at] >> 2 * (g % 4) & 3) << 4;
    return code;
}

/* Output o of a block whose scales are at `at`, `super` those of 256 inputs. */
static void unpack_output(const struct qlayout *q, const uint8_t *super, const uint8_t *at, int o,
                          float *to)
{
    const uint8_t *high = at + q->scale_bytes;
    int zero = q->zero_shift == QZERO_NONE ? 0 : 1 << q->zero_shift;
    float d, low = 0.0f;

    if (q->scale == QSCALE_K_HALF) {
        d = f16_of(super, o);
        for (int i = 0; i < QBLOCK; i++) {
            int8_t scale = (int8_t)at[i / 16 * MATRIX_PANEL + o];
            to[i] = d * (float)scale * (float)(code_of(q, high, o, i) - zero);
        }
        return;
    }
    if (q->scale == QSCALE_K) {
        d = f16_of(super, o) * (float)at[o];
        low = -(f16_of(super + 64, o) * (float)at[MATRIX_PANEL + o]);
    } else {
        d = f16_of(at, o);
        if (q->scale == QSCALE_DM)
            low = f16_of(at + 64, o);
    }
    for (int i = 0; i < QBLOCK; i++) {
        float v = d * (float)(code_of(q, high, o, i) - zero);
        to[i] = q->scale == QSCALE_D ? v : v + low;
    }
}

void cpu_qunpack(enum dtype t, const uint8_t *panel, int64_t block, int32_t n_blocks, float *to)
{
    const struct qlayout *q = cpu_qlayout(t);

    for (int32_t b = 0; b < n_blocks; b++) {
        int64_t i = block + b;
        const uint8_t *super = panel + qblock_at(q, i / QSUPER * QSUPER) - q->super_bytes;

        for (int o = 0; o < MATRIX_PANEL; o++)
            unpack_output(q, super, panel + qblock_at(q, i), o,
                          to + ((int64_t)o * n_blocks + b) * QBLOCK);
    }
}
