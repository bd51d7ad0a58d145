/* cpu_qtile.h - the inner loops of matmul_q: one panel of 32 outputs by one tile of rows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_QTILE_H
#define TROUPE_KERNELS_CPU_CPU_QTILE_H

#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/cpu_qpanel.h"

/* y (rows, n), n at most 32, from +0 or from y. x is a tile of rounded rows. */
typedef void (*qtile_fn)(const uint8_t *panel, const char *x, int32_t n_blocks, float *y,
                         int64_t ldy, int32_t n, bool from_y);

/* rows from 1 to QROW_TILE; t is a type of cpu_qlayout. */
qtile_fn cpu_plain_qtile(enum dtype t, int32_t rows);
qtile_fn cpu_avx2_qtile(enum dtype t, int32_t rows);
qtile_fn cpu_vnni_qtile(enum dtype t, int32_t rows);

#endif
