/* row_batch.h - sequences packed into the rows of one pass, each with its own pages.
 *
 * A sequence of n ids becomes n-1 rows (the last id is only predicted); row i is wanted
 * out where id i+1 is trained. Sequences never see each other: each has its own page table and
 * positions from 0. Pages are numbered from 0 in the order of adding.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_ROW_BATCH_H
#define TROUPE_MODELS_TRAIN_ROW_BATCH_H

#include "kernels/backend.h"

struct row_batch {
    int32_t max_rows, max_pages;
    int32_t n_rows, n_seqs, n_out, n_pages;
    int32_t *token, *seq, *pos; /* (max_rows) */
    int32_t *out_row, *target;  /* (max_rows) the first n_out are used */
    const int32_t **page;       /* (max_rows) by sequence */
    int32_t *page_id;           /* (max_pages) page[] points into it */
    void *block;
};

/* Pages for max_rows rows in sequences of at least 8 rows on average. */
int32_t row_batch_pages(int32_t max_rows);
MUST_CHECK enum status row_batch_init(struct row_batch *b, int32_t max_rows, struct error *err);
void row_batch_deinit(struct row_batch *b);
void row_batch_clear(struct row_batch *b);
/* False, with no change, when it does not fit. n at least 2; train NULL: all are trained. */
bool row_batch_add(struct row_batch *b, const int32_t *ids, const uint8_t *train, int32_t n);

#endif
