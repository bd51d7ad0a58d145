/* dtype_blocks.h - readers and writers of the element types, for the table in dtype.c alone.
 *
 * n is a multiple of the block. Nothing is aligned. Sources of the layouts: the GGUF specification
 * of ggml-org/ggml, the OCP Microscaling Formats specification 1.0 for MXFP4; the
 * values are checked against the Python package gguf (tests/parity/make_gguf_vectors.py).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_DTYPE_BLOCKS_H
#define TROUPE_KERNELS_DTYPE_BLOCKS_H

#include "kernels/dtype.h"

#define DTYPE_READER(type) void dtype_read_##type(const void *from, int64_t n, float *to)
#define DTYPE_WRITER(type) void dtype_write_##type(const float *from, int64_t n, void *to)

/* dtype_plain.c */
DTYPE_READER(f32);
DTYPE_READER(bf16);
DTYPE_READER(f16);
DTYPE_WRITER(f32);
DTYPE_WRITER(bf16);
DTYPE_WRITER(f16);

/* dtype_b32.c: blocks of 32 */
DTYPE_READER(q8_0);
DTYPE_READER(q4_0);
DTYPE_READER(q4_1);
DTYPE_READER(q5_0);
DTYPE_READER(q5_1);
DTYPE_READER(mxfp4);
DTYPE_READER(iq4_nl);
DTYPE_WRITER(q8_0);
DTYPE_WRITER(q4_0);
DTYPE_WRITER(q4_1);
DTYPE_WRITER(q5_0);
DTYPE_WRITER(q5_1);
DTYPE_WRITER(mxfp4);

/* dtype_b256.c and dtype_b256_write.c: blocks of 256 */
DTYPE_READER(q2_k);
DTYPE_READER(q3_k);
DTYPE_READER(q4_k);
DTYPE_READER(q5_k);
DTYPE_READER(q6_k);
DTYPE_READER(iq4_xs);
DTYPE_WRITER(q4_k);
DTYPE_WRITER(q5_k);
DTYPE_WRITER(q6_k);

/* The non-linear levels of IQ4_NL and IQ4_XS, by code. */
extern const int8_t dtype_iq4_level[16];

static inline float load_f16(const uint8_t *p)
{
    return f16_to_f32((uint16_t)(p[0] | p[1] << 8));
}

static inline void store_f16(uint8_t *p, float f)
{
    uint16_t h = f32_to_f16(f);

    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
}

/* A code from a float that is rounded already; NaN gives lo. */
static inline int clamp_code(float x, int lo, int hi)
{
    return !(x > (float)lo) ? lo : x > (float)hi ? hi : (int)x;
}

#endif
