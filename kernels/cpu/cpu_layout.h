/* cpu_layout.h - how packed plain weights and KV pages lie in memory, for every instruction set
 * alike. Quantised weights: cpu_qpanel.h.
 *
 * Panel p of a weight has columns (outputs) 32p .. 32p+31 as (n_in, 32), zero padded, so that the
 * inner loop of a product reads it in order; f32 or bf16 like the weight (f16 is widened to f32).
 *
 * KV pages are f32 or bf16. Page p has keys (G, D, KV_PAGE_TOKENS), transposed, so that 16 scores
 * are one FMA chain over D each; values (G, KV_PAGE_TOKENS, D).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_LAYOUT_H
#define TROUPE_KERNELS_CPU_CPU_LAYOUT_H

#define MATRIX_PANEL 32 /* output columns of a packed panel */

#endif
