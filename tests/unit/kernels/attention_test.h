/* attention_test.h - a small paged cache with known contents, and attention in double over it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_ATTENTION_TEST_H
#define TROUPE_TESTS_ATTENTION_TEST_H

#include "tests/unit/kernels/kernel_test.h"

enum { MAX_SEQ = 6, MAX_PAGES = 48, MAX_ROWS = 1200 };

/* Sequences of given lengths, pages handed out in a scattered order, every element that no
 * position owns poisoned with NaN. */
struct cache {
    struct attention_shape s;
    struct kv_layer kv;
    int32_t n_seq, n_pages, length[MAX_SEQ];
    int32_t table[MAX_SEQ][MAX_PAGES];
    const int32_t *page[MAX_SEQ];
    double *k, *v; /* (seq, MAX_PAGES * 16, G, D): what the cache holds after rounding */
    int32_t row_seq[MAX_ROWS], row_pos[MAX_ROWS];
    struct row_span rows;
};

struct cache *cache_new(struct guard *g, struct draw *d, struct attention_shape s, enum dtype dtype,
                        int32_t n_seq, const int32_t *length);
void cache_free(struct cache *c);
/* Adds a row; q and the like are (rows.n, H, D). */
void cache_row(struct cache *c, int32_t seq, int32_t pos);
size_t cache_floats(const struct cache *c); /* of a page pool */
double *cache_at(const struct cache *c, double *of, int32_t seq, int32_t pos, int32_t g);
/* Index in a page pool of element d of the key, and of the value, of a position. */
size_t cache_k_index(const struct cache *c, int32_t seq, int32_t pos, int32_t g, int32_t d);
size_t cache_v_index(const struct cache *c, int32_t seq, int32_t pos, int32_t g, int32_t d);
/* out (R, H, D), lse (R, H), both optional. */
void cache_reference(const struct cache *c, const double *q, double *out, double *lse);

#endif
