/* cpu_ops.h - the ops of one instruction set. Every cpu_*.c that includes this file is compiled
 * once for each set (see CMakeLists.txt), and CPU_OP gives the set's names.
 *
 * Contracts are in kernels/backend.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_OPS_H
#define TROUPE_KERNELS_CPU_CPU_OPS_H

#include "kernels/backend.h"
#include "kernels/cpu/cpu_parallel.h"
#include "kernels/cpu/v16.h"

#if defined(CPU_BUILD_VNNI) /* a part of AVX-512: cpu_qtile.c alone */
#define CPU_OP(name) cpu_vnni_##name
#elif defined(CPU_BUILD_AVX512)
#define CPU_OP(name) cpu_avx512_##name
#define CPU_NAME     "cpu-avx512"
#elif defined(CPU_BUILD_AVX2)
#define CPU_OP(name) cpu_avx2_##name
#define CPU_NAME     "cpu-avx2"
#else
#define CPU_OP(name) cpu_plain_##name
#define CPU_NAME     "cpu-plain"
#endif

extern const struct backend CPU_OP(backend);

void CPU_OP(embed)(const struct lane *l, const struct matrix *table, const int32_t *token,
                   int32_t R, float *out);
void CPU_OP(embed_back)(const struct lane *l, const float *dy, const int32_t *token, int32_t R,
                        int32_t C, float *d_table);
void CPU_OP(matmul)(const struct lane *l, const struct matrix *w, const float *x, int64_t ldx,
                    int32_t R, float beta, float *y, int64_t ldy);
void CPU_OP(matmul_dx)(const struct lane *l, const struct matrix *w, const float *dy, int64_t lddy,
                       int32_t R, float beta, float *dx, int64_t lddx);
void CPU_OP(matmul_dw)(const struct lane *l, int32_t n_out, int32_t n_in, const float *dy,
                       int64_t lddy, const float *x, int64_t ldx, int32_t R, float *dw);
void CPU_OP(quantise_rows)(const struct lane *l, const float *x, int64_t ldx, int32_t R,
                           int32_t n_in, void *out);
void CPU_OP(matmul_q)(const struct lane *l, const struct matrix *w, const void *x, int32_t R,
                      float beta, float *y, int64_t ldy);
void CPU_OP(rmsnorm)(const struct lane *l, const float *x, const float *w, int32_t R, int32_t n,
                     float eps, float *y, float *rstd);
void CPU_OP(rmsnorm_back)(const struct lane *l, const float *x, const float *w, const float *rstd,
                          const float *dy, int32_t R, int32_t n, float beta, float *dx, float *dw);
void CPU_OP(rope)(const struct lane *l, float *x, int32_t R, int32_t n_heads, int32_t head_dim,
                  int32_t rotary_dim, const int32_t *pos, const float *cos, const float *sin);
void CPU_OP(rope_back)(const struct lane *l, float *dx, int32_t R, int32_t n_heads,
                       int32_t head_dim, int32_t rotary_dim, const int32_t *pos, const float *cos,
                       const float *sin);
void CPU_OP(attention)(const struct lane *l, const struct attention_shape *s,
                       const struct row_span *r, const float *q, const struct kv_layer *kv,
                       float *out, float *lse);
void CPU_OP(attention_back)(const struct lane *l, const struct attention_shape *s,
                            const struct row_span *r, const float *q, const struct kv_layer *kv,
                            const float *out, const float *lse, const float *dout, float *dq,
                            float *dk_pages, float *dv_pages);
void CPU_OP(swiglu)(const struct lane *l, const float *gu, int32_t R, int32_t F, float *y);
void CPU_OP(swiglu_back)(const struct lane *l, const float *gu, const float *dy, int32_t R,
                         int32_t F, float *dgu);
void CPU_OP(geglu)(const struct lane *l, const float *gu, int32_t R, int32_t F, float *y);
void CPU_OP(geglu_back)(const struct lane *l, const float *gu, const float *dy, int32_t R,
                        int32_t F, float *dgu);
void CPU_OP(bias_add)(const struct lane *l, const float *bias, int32_t R, int32_t n, float *y,
                      int64_t ldy);
void CPU_OP(bias_back)(const struct lane *l, const float *dy, int64_t lddy, int32_t R, int32_t n,
                       float *db);
void CPU_OP(scale)(const struct lane *l, float factor, int64_t n, float *x);
void CPU_OP(softcap)(const struct lane *l, float cap, float *x, int64_t ldx, int32_t R, int32_t n,
                     float *slope);
void CPU_OP(softcap_back)(const struct lane *l, const float *slope, int32_t R, int32_t n, float *dx,
                          int64_t lddx);
void CPU_OP(logsumexp)(const struct lane *l, const float *logits, int64_t ld, int32_t R, int32_t V,
                       const float *inv_temperature, float *lse);
void CPU_OP(logsumexp_part)(const struct lane *l, const float *logits, int64_t ld, int32_t R,
                            int32_t n, const float *inv_temperature, float *max, float *sum);
void CPU_OP(softmax_grad)(const struct lane *l, float *logits, int64_t ld, int32_t R, int32_t v0,
                          int32_t n, const int32_t *target, const float *inv_temperature,
                          const float *lse, const float *coef);
void CPU_OP(add)(const struct lane *l, const float *x, int64_t n, float *y);
double CPU_OP(sum_squares)(const struct lane *l, const float *x, int64_t n);
void CPU_OP(adamw)(const struct lane *l, const struct adamw_step *s, int64_t n, const float *grad,
                   float *m, float *v, float *w);

#endif
