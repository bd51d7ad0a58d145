/* row_batch.c - see row_batch.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/row_batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

int32_t row_batch_pages(int32_t max_rows)
{
    return max_rows / 8 + 8;
}

enum status row_batch_init(struct row_batch *b, int32_t max_rows, struct error *err)
{
    size_t n = (size_t)max_rows;
    size_t pages = (size_t)row_batch_pages(max_rows);
    int32_t *at;

    memset(b, 0, sizeof(*b));
    b->block = mem_alloc(5 * n + pages, sizeof(int32_t));
    b->page = mem_alloc(n, sizeof(*b->page));
    if (!b->block || !b->page) {
        row_batch_deinit(b);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a pass of %d rows", max_rows);
    }
    at = b->block;
    b->token = at;
    b->seq = at + n;
    b->pos = at + 2 * n;
    b->out_row = at + 3 * n;
    b->target = at + 4 * n;
    b->page_id = at + 5 * n;
    b->max_rows = max_rows;
    b->max_pages = (int32_t)pages;
    for (int32_t i = 0; i < b->max_pages; i++)
        b->page_id[i] = i;
    return STATUS_OK;
}

void row_batch_deinit(struct row_batch *b)
{
    free(b->block);
    free(b->page);
    memset(b, 0, sizeof(*b));
}

void row_batch_clear(struct row_batch *b)
{
    b->n_rows = b->n_seqs = b->n_out = b->n_pages = 0;
}

bool row_batch_add(struct row_batch *b, const int32_t *ids, const uint8_t *train, int32_t n)
{
    int32_t rows = n - 1;
    int32_t pages = (rows + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS;

    assert(n >= 2);
    if (rows > b->max_rows - b->n_rows || pages > b->max_pages - b->n_pages)
        return false;
    b->page[b->n_seqs] = b->page_id + b->n_pages;
    for (int32_t i = 0; i < rows; i++) {
        int32_t r = b->n_rows + i;

        b->token[r] = ids[i];
        b->seq[r] = b->n_seqs;
        b->pos[r] = i;
        if (train && !train[i + 1])
            continue;
        b->out_row[b->n_out] = r;
        b->target[b->n_out++] = ids[i + 1];
    }
    b->n_rows += rows;
    b->n_pages += pages;
    b->n_seqs++;
    return true;
}
