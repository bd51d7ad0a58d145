/* kv_cache.c - a stack of free pages, a count of references for each, one pool a layer.
 *
 * The stack gives the page that was freed last: it is the most likely to be in a CPU's cache.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/engine/kv_cache.h"

#include <assert.h>
#include <stdlib.h>

#include "runtime/base/memory.h"

struct kv_cache {
    const struct backend *backend;
    struct kv_layer *layer; /* (n_layers) */
    int32_t n_layers;
    size_t half_bytes; /* keys, or values, of one page of one layer */
    int32_t n_pages;
    int32_t *refs; /* (n_pages) 0: free */
    int32_t *free; /* (n_pages) a stack */
    int32_t n_free;
};

int64_t kv_page_bytes(const struct backend *b, const struct model_config *c, enum dtype dtype)
{
    return (int64_t)b->kv_half_bytes(c->n_kv_heads, c->head_dim, dtype) * 2 * c->n_layers;
}

enum status kv_cache_new(const struct backend *b, const struct model_config *c, enum dtype dtype,
                         int32_t n_pages, struct kv_cache **out, struct error *err)
{
    struct kv_cache *kv = xcalloc(1, sizeof(*kv));
    size_t bytes;

    kv->backend = b;
    kv->n_pages = n_pages;
    kv->half_bytes = b->kv_half_bytes(c->n_kv_heads, c->head_dim, dtype);
    kv->layer = mem_alloc((size_t)c->n_layers, sizeof(*kv->layer));
    kv->refs = mem_alloc((size_t)n_pages, sizeof(*kv->refs));
    kv->free = mem_alloc((size_t)n_pages, sizeof(*kv->free));
    if (!kv->layer || !kv->refs || !kv->free ||
        __builtin_mul_overflow(kv->half_bytes, (size_t)n_pages, &bytes))
        goto no_memory;
    for (; kv->n_layers < c->n_layers; kv->n_layers++) {
        struct kv_layer *l = &kv->layer[kv->n_layers];

        l->dtype = dtype;
        l->k = b->alloc(b->ctx, bytes);
        l->v = b->alloc(b->ctx, bytes);
        if (!l->k || !l->v) {
            kv->n_layers++;
            goto no_memory;
        }
    }
    for (int32_t i = 0; i < n_pages; i++)
        kv->free[i] = n_pages - 1 - i; /* page 0 is given first */
    kv->n_free = n_pages;
    *out = kv;
    return STATUS_OK;

no_memory:
    kv_cache_free(kv);
    return error_set(err, STATUS_NO_MEMORY, "no memory for %d KV pages (%lld MiB)", (int)n_pages,
                     (long long)(kv_page_bytes(b, c, dtype) * n_pages >> 20));
}

void kv_cache_free(struct kv_cache *kv)
{
    if (!kv)
        return;
    for (int32_t i = 0; i < kv->n_layers; i++) {
        if (kv->layer[i].k)
            kv->backend->release(kv->backend->ctx, kv->layer[i].k);
        if (kv->layer[i].v)
            kv->backend->release(kv->backend->ctx, kv->layer[i].v);
    }
    free(kv->layer);
    free(kv->refs);
    free(kv->free);
    free(kv);
}

struct kv_layer *kv_cache_layers(struct kv_cache *kv)
{
    return kv->layer;
}

int32_t kv_cache_n_pages(const struct kv_cache *kv)
{
    return kv->n_pages;
}

int32_t kv_cache_n_free(const struct kv_cache *kv)
{
    return kv->n_free;
}

int32_t kv_page_alloc(struct kv_cache *kv)
{
    int32_t page;

    if (kv->n_free == 0)
        return KV_PAGE_NONE;
    page = kv->free[--kv->n_free];
    assert(kv->refs[page] == 0);
    kv->refs[page] = 1;
    return page;
}

void kv_page_ref(struct kv_cache *kv, int32_t page)
{
    assert(kv->refs[page] > 0);
    kv->refs[page]++;
}

void kv_page_unref(struct kv_cache *kv, int32_t page)
{
    assert(kv->refs[page] > 0);
    if (--kv->refs[page] == 0)
        kv->free[kv->n_free++] = page;
}

int32_t kv_page_refs(const struct kv_cache *kv, int32_t page)
{
    return kv->refs[page];
}

bool kv_page_own(struct kv_cache *kv, int32_t *page)
{
    const struct lane alone = {0};
    int32_t copy;

    if (kv->refs[*page] == 1)
        return true;
    copy = kv_page_alloc(kv);
    if (copy == KV_PAGE_NONE)
        return false;
    for (int32_t i = 0; i < kv->n_layers; i++) {
        const struct kv_layer *l = &kv->layer[i];
        size_t to = (size_t)copy * kv->half_bytes;
        size_t from = (size_t)*page * kv->half_bytes;

        kv->backend->copy(&alone, (char *)l->k + to, (char *)l->k + from, kv->half_bytes);
        kv->backend->copy(&alone, (char *)l->v + to, (char *)l->v + from, kv->half_bytes);
    }
    kv_page_unref(kv, *page);
    *page = copy;
    return true;
}
