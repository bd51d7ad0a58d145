/* cpu_tile.c - the inner loops of matrix products.
 *
 * One body, inlined with constant sizes for each entry of the tables below. AVX-512 has 32
 * registers: 14 x 2 accumulators, two vectors of b and one broadcast. AVX2 has 16, and a v16 takes
 * two: 6 x 1. Thin tiles take more columns instead, so that there are enough chains (eight or more)
 * to hide the latency of an FMA.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_tile.h"

#define TILE_FUNCTION static __attribute__((noinline))

enum { MAX_ACC = 28 };

V16_INLINE v16 load_b(const void *b, int64_t at, bool bf16)
{
    return bf16 ? v16_load_bf16((const uint16_t *)b + at) : v16_load((const float *)b + at);
}

/* All loops over rows and vectors have constant counts and vanish. `a_row` and `a_step` are the
 * constant distances of the packed a. */
V16_INLINE void tile_body(int rows, int nv, bool bf16, int a_row, int a_step, const float *a,
                          const void *b, int64_t ldb, int64_t pair_stride, int32_t k, float *y,
                          int64_t ldy, bool from_y)
{
    v16 acc[MAX_ACC];

    V16_UNROLL for (int r = 0; r < rows; r++)
    {
        V16_UNROLL for (int v = 0; v < nv; v++) acc[r * nv + v] =
            from_y ? v16_load(y + r * ldy + v * 16) : v16_zero();
    }
    for (int64_t i = 0, at = 0; i < k; i++, at += ldb) {
        if (nv <= 4) {
            v16 w[4];
            V16_UNROLL for (int v = 0; v < nv; v++) w[v] =
                load_b(b, at + (v / 2) * pair_stride + (v % 2) * 16, bf16);
            V16_UNROLL for (int r = 0; r < rows; r++)
            {
                v16 x = v16_set1(a[r * a_row + i * a_step]);
                V16_UNROLL for (int v = 0; v < nv; v++) acc[r * nv + v] =
                    v16_fma(x, w[v], acc[r * nv + v]);
            }
        } else { /* three rows of eight: hold the broadcasts, let b pass through */
            v16 x[3];
            V16_UNROLL for (int r = 0; r < rows; r++) x[r] = v16_set1(a[r * a_row + i * a_step]);
            V16_UNROLL for (int v = 0; v < nv; v++)
            {
                v16 w = load_b(b, at + (v / 2) * pair_stride + (v % 2) * 16, bf16);
                V16_UNROLL for (int r = 0; r < rows; r++) acc[r * nv + v] =
                    v16_fma(x[r], w, acc[r * nv + v]);
            }
        }
    }
    V16_UNROLL for (int r = 0; r < rows; r++)
    {
        V16_UNROLL for (int v = 0; v < nv; v++) v16_store(y + r * ldy + v * 16, acc[r * nv + v]);
    }
}

#define TILE_A_ROW(rows) ((rows) <= 3 ? 1040 : (rows) <= 6 ? 528 : 272)

#define TILE_NAMED(name, rows, nv, bf16, a_row, a_step)                                            \
    TILE_FUNCTION void name(const float *a, const void *b, int64_t ldb, int64_t pair_stride,       \
                            int32_t k, float *y, int64_t ldy, bool from_y)                         \
    {                                                                                              \
        tile_body(rows, nv, bf16, a_row, a_step, a, b, ldb, pair_stride, k, y, ldy, from_y);       \
    }
#define TILE(rows, nv)                                                                             \
    TILE_NAMED(tile_f32_##rows##x##nv, rows, nv, false, TILE_A_ROW(rows), 1)                       \
    TILE_NAMED(tile_bf16_##rows##x##nv, rows, nv, true, TILE_A_ROW(rows), 1)
#define TILE_COLUMNS(rows, nv) TILE_NAMED(tile_columns_##rows##x##nv, rows, nv, false, 1, 16)

/* clang-format off */
#if defined(CPU_BUILD_AVX512)
#define MAX_ROWS 14
#define EACH_1(X)
#define EACH_2(X) X(1, 2) X(2, 2) X(3, 2) X(4, 2) X(5, 2) X(6, 2) X(7, 2) X(8, 2) X(9, 2) X(10, 2) \
                  X(11, 2) X(12, 2) X(13, 2) X(14, 2)
#define EACH_4(X) X(1, 4) X(2, 4) X(3, 4) X(4, 4) X(5, 4) X(6, 4)
#define EACH_8(X) X(1, 8) X(2, 8) X(3, 8)
#define EACH_COLUMNS(X) EACH_2(X)
#elif defined(CPU_BUILD_AVX2)
#define MAX_ROWS 6
#define EACH_1(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1)
#define EACH_2(X) X(1, 2) X(2, 2) X(3, 2)
#define EACH_4(X) X(1, 4)
#define EACH_8(X)
#define EACH_COLUMNS(X) EACH_1(X)
#else
#define MAX_ROWS 4
#define EACH_1(X)
#define EACH_2(X) X(1, 2) X(2, 2) X(3, 2) X(4, 2)
#define EACH_4(X)
#define EACH_8(X)
#define EACH_COLUMNS(X) EACH_2(X)
#endif
/* clang-format on */

EACH_1(TILE)
EACH_2(TILE)
EACH_4(TILE)
EACH_8(TILE)
EACH_COLUMNS(TILE_COLUMNS)

struct tile_entry {
    int8_t rows, nv;
    tile_fn f32, bf16;
};

#define ENTRY(rows, nv)         {rows, nv, tile_f32_##rows##x##nv, tile_bf16_##rows##x##nv},
#define ENTRY_COLUMNS(rows, nv) {rows, nv, tile_columns_##rows##x##nv, NULL},

static const struct tile_entry tiles[] = {EACH_1(ENTRY) EACH_2(ENTRY) EACH_4(ENTRY) EACH_8(ENTRY)};
static const struct tile_entry column_tiles[] = {EACH_COLUMNS(ENTRY_COLUMNS)};

int32_t CPU_OP(tile_max_rows)(void)
{
    return MAX_ROWS;
}

int32_t CPU_OP(tile_max_vectors)(int32_t rows)
{
#if defined(CPU_BUILD_AVX512)
    return rows <= 3 ? 8 : rows <= 6 ? 4 : 2;
#elif defined(CPU_BUILD_AVX2)
    return rows <= 1 ? 4 : rows <= 3 ? 2 : 1;
#else
    (void)rows;
    return 2;
#endif
}

tile_fn CPU_OP(tile)(int32_t rows, int32_t nv, enum dtype b)
{
    for (size_t i = 0; i < sizeof(tiles) / sizeof(tiles[0]); i++)
        if (tiles[i].rows == rows && tiles[i].nv == nv)
            return b == DTYPE_BF16 ? tiles[i].bf16 : tiles[i].f32;
    return NULL;
}

tile_fn CPU_OP(tile_columns)(int32_t rows, int32_t nv)
{
    for (size_t i = 0; i < sizeof(column_tiles) / sizeof(column_tiles[0]); i++)
        if (column_tiles[i].rows == rows && column_tiles[i].nv == nv)
            return column_tiles[i].f32;
    return NULL;
}
