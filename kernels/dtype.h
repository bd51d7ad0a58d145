/* dtype.h - element types as values, never as build options: one table (dtype.def).
 *
 * F32, BF16 and F16 have one element a block. The others are the blocks of GGUF files: a row is a
 * whole number of blocks. Readers and writers are plain C and the reference for every kernel. A
 * reader takes any bytes; it gives the float values that the file format defines, bit for bit. Of a
 * writer, values are finite and at most DTYPE_MAX_VALUE.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_DTYPE_H
#define TROUPE_KERNELS_DTYPE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum dtype {
#define DTYPE(id, name, block, bytes, to_f32, from_f32) DTYPE_##id,
#include "kernels/dtype.def"
#undef DTYPE
    DTYPE_N
};

#define DTYPE_MAX_VALUE 65504.0f /* the largest f16: scales are f16 */

struct dtype_info {
    const char *name;
    int32_t block;       /* elements */
    int32_t block_bytes; /* without alignment: bytes are copied where they are read */
    /* n elements, a multiple of `block`. */
    void (*to_f32)(const void *from, int64_t n, float *to);
    void (*from_f32)(const float *from, int64_t n, void *to); /* NULL: read only */
};

const struct dtype_info *dtype_info(enum dtype t); /* t is below DTYPE_N */
enum dtype dtype_find(const char *name);           /* DTYPE_N: no such type */

static inline const char *dtype_name(enum dtype t)
{
    return dtype_info(t)->name;
}

/* One element a block: what the ops compute from and caches hold. */
static inline bool dtype_is_plain(enum dtype t)
{
    return t < DTYPE_N && dtype_info(t)->block == 1;
}

/* Bytes of one element of a plain type. */
static inline size_t dtype_size(enum dtype t)
{
    assert(dtype_is_plain(t));
    return (size_t)dtype_info(t)->block_bytes;
}

/* Bytes of a row of n elements, whole blocks; n * block_bytes does not overflow. */
static inline size_t dtype_row_bytes(enum dtype t, int64_t n)
{
    const struct dtype_info *d = dtype_info(t);

    assert(n >= 0 && n % d->block == 0);
    return (size_t)(n / d->block) * (size_t)d->block_bytes;
}

static inline float bf16_to_f32(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

/* Round to nearest even; NaN stays NaN. */
static inline uint16_t f32_to_bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((u >> 16) | 0x40u);
    u += 0x7fffu + ((u >> 16) & 1u);
    return (uint16_t)(u >> 16);
}

float f16_to_f32(uint16_t h); /* kernels/dtype_plain.c */
uint16_t f32_to_f16(float f);

#endif
