/* cpu_qpack.h - packing of quantised weights; contracts: pack and panels_bytes of
 * kernels/backend.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_QPACK_H
#define TROUPE_KERNELS_CPU_CPU_QPACK_H

#include "kernels/cpu/cpu_qpanel.h"

size_t cpu_qpanels_bytes(const struct matrix *w);
void cpu_qpack(const struct lane *l, const struct matrix *w, void *panels);

#endif
