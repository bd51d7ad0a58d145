/* kv_cache.h - the pages that hold keys and values, shared between sequences.
 *
 * A page holds KV_PAGE_TOKENS positions of every layer. Sequences that begin alike share
 * pages by reference; a page is written only while it has one owner (kv_page_own copies it
 * first). Every call is made by the engine thread; workers write into pages that were
 * given to their sequences before the step.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ENGINE_KV_CACHE_H
#define TROUPE_MODELS_ENGINE_KV_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/backend.h"
#include "models/formats/model_config.h"
#include "runtime/base/status.h"

struct kv_cache;
#define KV_PAGE_NONE (-1) /* a page is an index from 0 */

/* Bytes of one page over all layers, keys and values. */
int64_t kv_page_bytes(const struct backend *b, const struct model_config *c, enum dtype dtype);
/* Pages for n positions. */
static inline int32_t kv_pages_for(int64_t n_positions)
{
    return (int32_t)((n_positions + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS);
}

/* Reserves everything here, so that decoding never allocates. */
MUST_CHECK enum status kv_cache_new(const struct backend *b, const struct model_config *c,
                                    enum dtype dtype, int32_t n_pages, struct kv_cache **out,
                                    struct error *err);
void kv_cache_free(struct kv_cache *kv);

struct kv_layer *kv_cache_layers(struct kv_cache *kv); /* (L), lent: what a forward pass takes */
int32_t kv_cache_n_pages(const struct kv_cache *kv);
int32_t kv_cache_n_free(const struct kv_cache *kv);

/* One page, one reference. KV_PAGE_NONE when all are in use; this is not an error: the scheduler
 * then evicts or preempts. */
int32_t kv_page_alloc(struct kv_cache *kv);
void kv_page_ref(struct kv_cache *kv, int32_t page);
void kv_page_unref(struct kv_cache *kv, int32_t page); /* the last one returns it */
int32_t kv_page_refs(const struct kv_cache *kv, int32_t page);
/* Replaces *page by a copy when it is shared, so that the caller holds the only reference. False:
 * no free page for the copy, *page is unchanged. */
MUST_CHECK bool kv_page_own(struct kv_cache *kv, int32_t *page);

#endif
