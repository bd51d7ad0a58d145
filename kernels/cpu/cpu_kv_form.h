/* cpu_kv_form.h - how one kv head of a page lies in memory, for each type of keys and values.
 *
 * Keys are (D, 16) over the positions of the page, so that 16 scores are one FMA chain over D each;
 * values are (16, D). Of q8 these are codes c of one byte, followed by fp32 scales (blocks of 32 of
 * D, 16 positions): the block's d = max|x| / 127, c = x * (1/d) to the nearest integer, ties to
 * even, and the value is c * d, rounded once. A block with d below 2^-126 is zeros; one with a
 * value that is not finite has a NaN for d.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_KV_FORM_H
#define TROUPE_KERNELS_CPU_CPU_KV_FORM_H

#include "kernels/backend.h"

enum kv_form { KV_FORM_F32, KV_FORM_BF16, KV_FORM_Q8, KV_FORM_NONE };

enum { KV_Q8_BLOCK = 32 };

static inline int kv_form_of(enum dtype t)
{
    return t == DTYPE_F32    ? KV_FORM_F32
           : t == DTYPE_BF16 ? KV_FORM_BF16
           : t == DTYPE_Q8_0 ? KV_FORM_Q8
                             : KV_FORM_NONE;
}

/* Keys or values of one head: elements, of q8 bytes with the scales. */
static inline int64_t kv_form_head(int64_t head_dim, int form)
{
    int64_t codes = head_dim * KV_PAGE_TOKENS;

    return form != KV_FORM_Q8
               ? codes
               : codes + (head_dim + KV_Q8_BLOCK - 1) / KV_Q8_BLOCK * KV_PAGE_TOKENS * 4;
}

#endif
