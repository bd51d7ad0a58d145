/* cpu_qpanel.h - how quantised weights and rounded activations lie in memory, for every
 * instruction set alike.
 *
 * A panel holds 32 outputs. It goes block by block, a block being 32 inputs:
 *   scales     f16 d[32], and of types with a minimum f16 m[32]. K types: u8 scale[32], u8 min[32]
 *              (Q6_K: s8 scale[2][32], one for each 16 inputs), and before every eighth block the
 *              scales of 256 inputs, f16 d[32] and f16 dmin[32] (Q6_K: f16 d[32])
 *   high bits  of 5 and 6 bit types
 *   codes      unsigned, as in the file; of Q8_0 plus 128
 * High bits and codes have two halves, of outputs 0-15 and 16-31. A vector is 64 bytes: byte 4o+j
 * belongs to output o of its half and input 4g+j of group g, as dot products of four bytes want it.
 *   8 bits     vector g, for g 0 .. 7
 *   4 bits     vector i: group i below, group i+4 above
 *   fifth bit  bit 4o+j of the 64-bit word g
 *   bits 4, 5  vector i of two, at bit 2t: group 4i+t
 *
 * Rounded rows come in tiles of at most QROW_TILE rows. Of each block in turn a tile has the codes
 * s8 (rows, 32), then struct qrow_numbers of each row.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_QPANEL_H
#define TROUPE_KERNELS_CPU_CPU_QPANEL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/backend.h"
#include "kernels/cpu/cpu_layout.h"

enum {
    QBLOCK = 32,       /* inputs of a block */
    QGROUPS = 8,       /* groups of four inputs in a block */
    QROW_TILE = 8,     /* rows that share a pass over a panel */
    QROW_BYTES = 48,   /* of a row and block: 32 codes and four numbers */
    QHALF = 16,        /* outputs of half a panel */
    QSUPER = 8,        /* blocks of K types that share d and dmin */
    QZERO_SHIFT_0 = 7, /* rows hold the correction of a zero point of 2^7 */
};

/* What a product needs of 32 rounded inputs besides their codes c. */
struct qrow_numbers {
    float d;          /* x is nearly d c */
    float dsum;       /* d * sum of c */
    int32_t zero;     /* -128 * sum of c */
    int32_t zero_low; /* the same of the first 16 */
};

/* The forms of scales. */
enum qscale {
    QSCALE_D,      /* f16 d */
    QSCALE_DM,     /* f16 d, f16 m: w = d q + m */
    QSCALE_K,      /* w = d scale q - dmin min */
    QSCALE_K_HALF, /* w = d scale q, two scales a block */
};

struct qlayout {
    enum qscale scale;
    int32_t bits;        /* 4, 5, 6 or 8 */
    int32_t zero_shift;  /* the zero point is 2^zero_shift; QZERO_NONE: none */
    int32_t super_bytes; /* before every QSUPER blocks */
    int32_t scale_bytes; /* before each block */
    int32_t high_bytes, code_bytes;
};

enum { QZERO_NONE = -1 };

/* clang-format off: one line a type */
#define QLAYOUT_Q8_0                                                                               \
    {                                                                                              \
        QSCALE_D, 8, 7, 0, 64, 0, 1024                                                             \
    }
#define QLAYOUT_Q4_0                                                                               \
    {                                                                                              \
        QSCALE_D, 4, 3, 0, 64, 0, 512                                                              \
    }
#define QLAYOUT_Q4_1                                                                               \
    {                                                                                              \
        QSCALE_DM, 4, QZERO_NONE, 0, 128, 0, 512                                                   \
    }
#define QLAYOUT_Q5_0                                                                               \
    {                                                                                              \
        QSCALE_D, 5, 4, 0, 64, 128, 512                                                            \
    }
#define QLAYOUT_Q5_1                                                                               \
    {                                                                                              \
        QSCALE_DM, 5, QZERO_NONE, 0, 128, 128, 512                                                 \
    }
#define QLAYOUT_Q4_K                                                                               \
    {                                                                                              \
        QSCALE_K, 4, QZERO_NONE, 128, 64, 0, 512                                                   \
    }
#define QLAYOUT_Q5_K                                                                               \
    {                                                                                              \
        QSCALE_K, 5, QZERO_NONE, 128, 64, 128, 512                                                 \
    }
#define QLAYOUT_Q6_K                                                                               \
    {                                                                                              \
        QSCALE_K_HALF, 6, 5, 64, 64, 256, 512                                                      \
    }
/* clang-format on */

/* Every type that matmul_q takes. */
#define QLAYOUT_EACH(X) X(Q8_0) X(Q4_0) X(Q4_1) X(Q5_0) X(Q5_1) X(Q4_K) X(Q5_K) X(Q6_K)

/* NULL: not a type of matmul_q. */
const struct qlayout *cpu_qlayout(enum dtype t); /* cpu_qpack.c */

/* Bytes of one block of a panel, without super_bytes. */
static inline int64_t qblock_bytes(const struct qlayout *q)
{
    return q->scale_bytes + q->high_bytes + q->code_bytes;
}

/* Where the scales of block b begin in a panel. */
static inline int64_t qblock_at(const struct qlayout *q, int64_t b)
{
    return b * qblock_bytes(q) + (q->super_bytes ? (b / QSUPER + 1) * q->super_bytes : 0);
}

static inline int64_t qpanel_bytes(const struct qlayout *q, int64_t n_blocks)
{
    return n_blocks * qblock_bytes(q) + (n_blocks + QSUPER - 1) / QSUPER * q->super_bytes;
}

/* Rows are cut into tiles of nearly equal size: the first `more` have base + 1 rows. */
struct qrow_cut {
    int32_t n_tiles, base, more;
};

static inline struct qrow_cut qrow_cut(int32_t R)
{
    int32_t n = (R + QROW_TILE - 1) / QROW_TILE;
    struct qrow_cut c = {n, R / n, R % n};
    return c;
}

static inline int32_t qrow_tile_rows(const struct qrow_cut *c, int32_t tile)
{
    return c->base + (tile < c->more ? 1 : 0);
}

static inline int32_t qrow_tile_begin(const struct qrow_cut *c, int32_t tile)
{
    return tile * c->base + (tile < c->more ? tile : c->more);
}

#endif
