/* cpu_host.h - memory and layouts of weights: one form for every instruction set.
 *
 * Contracts are in kernels/backend.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_HOST_H
#define TROUPE_KERNELS_CPU_CPU_HOST_H

#include "kernels/backend.h"

void *cpu_alloc(void *ctx, size_t bytes);
void cpu_release(void *ctx, void *p);
void cpu_copy(void *ctx, void *dst, const void *src, size_t bytes);

size_t cpu_panels_bytes(const struct matrix *w);
void cpu_pack(const struct lane *l, const struct matrix *w, void *panels);

size_t cpu_quantised_bytes(int32_t R, int32_t n_in);

double cpu_peak_flops(const struct lane *l);

#endif
