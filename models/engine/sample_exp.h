/* sample_exp.h - exp for drawing tokens: four lanes of the baseline instruction set.
 *
 * The draw needs the same bits on every machine, and speed on rows that are short; it does not
 * need the bits of the backend's exp. So this is multiplication and addition only, each rounded (no
 * FMA, which the baseline lacks), which every instruction set does alike. Relative error about
 * 1e-7; below -87 it gives 0. Polynomial: Taylor of degree 6 on |r| <= ln2/2, after
 * Cody and Waite's reduction.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ENGINE_SAMPLE_EXP_H
#define TROUPE_MODELS_ENGINE_SAMPLE_EXP_H

#include <stdint.h>

/* Typedefs against the house rule, because they are registers. */
typedef float sample_v4 __attribute__((vector_size(16)));
typedef int32_t sample_i4 __attribute__((vector_size(16)));

static inline sample_v4 sample_set4(float x)
{
    return (sample_v4){x, x, x, x};
}

static inline sample_v4 sample_exp4(sample_v4 x)
{
    const sample_v4 magic = sample_set4(12582912.0f); /* 1.5 * 2^23: rounds to an integer */
    sample_v4 t = x * sample_set4(1.44269504f) + magic;
    sample_v4 n = t - magic;
    sample_v4 r = x - n * sample_set4(0.693359375f) - n * sample_set4(-2.12194440e-4f);
    sample_v4 p = sample_set4(1.0f / 720);
    sample_i4 bits;

    p = p * r + sample_set4(1.0f / 120);
    p = p * r + sample_set4(1.0f / 24);
    p = p * r + sample_set4(1.0f / 6);
    p = p * r + sample_set4(0.5f);
    p = p * r + sample_set4(1.0f);
    p = p * r + sample_set4(1.0f);
    /* n is in the low bits of t: shifted into the exponent, it multiplies by 2^n. */
    bits = (sample_i4)p + ((sample_i4)t << 23);
    bits &= x >= sample_set4(-87.0f);
    return (sample_v4)bits;
}

#endif
