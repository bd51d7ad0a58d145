/* cpu_tile.h - the inner loops of matrix products: a few rows by a few vectors of columns, held in
 * registers.
 *
 * A tile adds a (rows, k) times b (k, 16 nv) to y (rows, 16 nv), one FMA chain an element in
 * the order of k, from +0 or from y. Products with more k than a tile takes continue
 * from y, which changes no bits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_TILE_H
#define TROUPE_KERNELS_CPU_CPU_TILE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/cpu/cpu_ops.h"

enum {
    TILE_A_FLOATS = 4096, /* room for the packed a of any tile */
    TILE_DEPTH_DW = 256   /* most k of a column tile */
};

/* Row r of the packed `a` begins at r * tile_a_stride(rows); 16 floats of padding keep rows off
 * the same cache set. Fewer rows go deeper, so that thin products stream W in long runs. */
static inline int32_t tile_a_stride(int32_t rows)
{
    return rows <= 3 ? 1024 + 16 : rows <= 6 ? 512 + 16 : 256 + 16;
}

static inline int32_t tile_depth(int32_t rows)
{
    return tile_a_stride(rows) - 16;
}

/* b: vector v of row i is at b + (v/2) * pair_stride + i * ldb + (v%2) * 16, in elements. */
typedef void (*tile_fn)(const float *a, const void *b, int64_t ldb, int64_t pair_stride, int32_t k,
                        float *y, int64_t ldy, bool from_y);

int32_t CPU_OP(tile_max_rows)(void);
/* Most vectors a tile of so many rows is built for: 1, 2, 4 or 8. */
int32_t CPU_OP(tile_max_vectors)(int32_t rows);
/* nv up to tile_max_vectors(rows). dtype f32 or bf16. */
tile_fn CPU_OP(tile)(int32_t rows, int32_t nv, enum dtype b);
/* The same for a packed (k, 16): column r of it is row r of the tile. nv 1 or 2 as above, f32. */
tile_fn CPU_OP(tile_columns)(int32_t rows, int32_t nv);

#endif
