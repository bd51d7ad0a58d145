/* cpu_qtile.h - the inner loops of matmul_q: one panel of 32 outputs by one tile of rows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_QTILE_H
#define TROUPE_KERNELS_CPU_CPU_QTILE_H

#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/cpu_qpanel.h"

struct qtile {
    const uint8_t *panel;
    const char *x; /* a tile of rounded rows */
    int32_t n_blocks;
    int32_t n;   /* outputs, at most 32 */
    bool from_y; /* else from +0 */
    float *y;    /* (rows, n) */
    int64_t ldy;
    const uint8_t *next; /* what to fetch meanwhile: next_step bytes with each block */
    int64_t next_step;
};

typedef void (*qtile_fn)(const struct qtile *t);

/* rows from 1 to QROW_TILE; t is a type of cpu_qlayout. */
qtile_fn cpu_plain_qtile(enum dtype t, int32_t rows);
qtile_fn cpu_avx2_qtile(enum dtype t, int32_t rows);
qtile_fn cpu_vnni_qtile(enum dtype t, int32_t rows);

#endif
