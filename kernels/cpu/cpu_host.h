/* cpu_host.h - memory and layouts of weights: one form for every instruction set.
 *
 * Contracts are in kernels/backend.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_HOST_H
#define TROUPE_KERNELS_CPU_CPU_HOST_H

#include "kernels/backend.h"
#include "kernels/cpu/cpu_layout.h"

void *cpu_alloc(void *ctx, size_t bytes);
void cpu_release(void *ctx, void *p);
void cpu_copy(const struct lane *l, void *dst, const void *src, size_t bytes);
void cpu_zero(const struct lane *l, void *dst, size_t bytes);
MUST_CHECK enum status cpu_sync(const struct lane *l, struct error *err);

size_t cpu_panels_bytes(const struct matrix *w);
void cpu_pack(const struct lane *l, const struct matrix *w, void *panels);

size_t cpu_quantised_bytes(int32_t R, int32_t n_in);
size_t cpu_kv_half_bytes(int32_t n_kv_heads, int32_t head_dim, enum dtype dtype);

double cpu_peak_flops(const struct lane *l);

#endif
