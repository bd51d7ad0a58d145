/* cpu_host.h - the ops that move data rather than compute: one form for every instruction set.
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

void cpu_kv_write(const struct lane *l, const struct attention_shape *s, const struct row_span *r,
                  const float *k, const float *v, const struct kv_layer *kv);
void cpu_kv_gather(const struct lane *l, const struct attention_shape *s, const struct row_span *r,
                   const float *dk_pages, const float *dv_pages, float *dk, float *dv);

void cpu_logsumexp_end(const struct lane *l, int32_t R, const float *max, const float *sum,
                       float *lse);

double cpu_peak_flops(const struct lane *l);

#endif
