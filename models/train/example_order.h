/* example_order.h - the order of examples, and batches of them.
 *
 * The position is one number that counts examples since the start; a finite source is shuffled
 * again each epoch, by seed and epoch. Examples without a token to train on (a single id, an empty
 * mask) are skipped and counted.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_EXAMPLE_ORDER_H
#define TROUPE_MODELS_TRAIN_EXAMPLE_ORDER_H

#include "models/train/example_source.h"
#include "models/train/sequences.h"

struct example_order {
    const struct example_source *source;
    uint64_t seed;
    int32_t vocab;
    bool shuffle;
    int64_t first; /* index of position 0 of an endless source */
    int64_t next;  /* position of the next example */
    int64_t n_truncated, n_skipped;
    struct example ex; /* (max_len) */
    int64_t epoch;     /* of `shuffled`; -1: none yet */
    int64_t *shuffled; /* (source->n) */
};

MUST_CHECK enum status example_order_init(struct example_order *o,
                                          const struct example_source *source, uint64_t seed,
                                          int32_t max_len, int32_t vocab, bool held_out,
                                          struct error *err);
void example_order_deinit(struct example_order *o); /* also of a zeroed one */
/* Adds examples to `s` until it has n_rows rows or more. */
MUST_CHECK enum status example_order_fill(struct example_order *o, int64_t n_rows, double progress,
                                          struct sequences *s, struct error *err);

#endif
