/* cpu_qpack.h - packing of quantised weights, and back; contracts: pack and panels_bytes of
 * kernels/backend.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_QPACK_H
#define TROUPE_KERNELS_CPU_CPU_QPACK_H

#include "kernels/cpu/cpu_qpanel.h"

size_t cpu_qpanels_bytes(const struct matrix *w);
void cpu_qpack(const struct lane *l, const struct matrix *w, void *panels);

/* Blocks block .. block + n_blocks - 1 of a panel as to (MATRIX_PANEL, n_blocks * QBLOCK): the
 * values that dtype_info(t)->to_f32 gives. Outputs past the matrix are not meant. */
void cpu_qunpack(enum dtype t, const uint8_t *panel, int64_t block, int32_t n_blocks, float *to);

#endif
