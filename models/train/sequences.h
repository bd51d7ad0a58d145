/* sequences.h - token sequences with their training masks, one after the other.
 *
 * Grows up to a maximum of tokens; clearing keeps the memory.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_SEQUENCES_H
#define TROUPE_MODELS_TRAIN_SEQUENCES_H

#include <stdint.h>

#include "runtime/base/status.h"

struct sequences {
    int32_t n, cap; /* sequences */
    int64_t n_tokens, cap_tokens;
    int64_t n_rows,
        n_trained;  /* rows: tokens less one a sequence; trained: not counting position 0 */
    int32_t *ids;   /* (n_tokens) */
    uint8_t *train; /* (n_tokens) position i is to be predicted from those before */
    int64_t *start; /* (n + 1) */
};

void sequences_deinit(struct sequences *s); /* also of a zeroed one */
void sequences_clear(struct sequences *s);
/* Copies. train NULL: all positions. n at least 2. */
MUST_CHECK enum status sequences_add(struct sequences *s, const int32_t *ids, const uint8_t *train,
                                     int32_t n, struct error *err);
static inline int32_t sequences_length(const struct sequences *s, int32_t i)
{
    return (int32_t)(s->start[i + 1] - s->start[i]);
}

#endif
