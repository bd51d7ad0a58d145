/* prefix_tree.c - nodes in one array, one hash table from (parent, ids) to node, one list by use.
 *
 * A touch moves a node first and its ancestors after it to the front, so a parent is always
 * used more recently than its children, and the last of the list is a leaf. A leaf that a
 * sequence still holds is in use: eviction moves it (and its path) to the front and goes on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/engine/prefix_tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

struct prefix_node {
    int32_t parent;
    int32_t page;
    int32_t n_children;
    uint32_t hash;
    int32_t chain;        /* the next node of the same bucket, or of the free list */
    int32_t newer, older; /* the list by use; PREFIX_NONE ends it */
    int32_t ids[KV_PAGE_TOKENS];
};

struct prefix_tree {
    struct kv_cache *kv;
    struct prefix_node *node; /* (n_max) */
    int32_t *bucket;          /* (mask + 1) first node of a chain, or PREFIX_NONE */
    uint32_t mask;
    int32_t n_max, n;
    int32_t free;           /* first of the free nodes */
    int32_t newest, oldest; /* ends of the list by use */
};

static uint32_t hash_of(int32_t parent, const int32_t *ids)
{
    uint64_t h = (uint64_t)(uint32_t)parent * 0x9E3779B97F4A7C15u;

    /* Two ids a round; the multiplier is that of splitmix64's finaliser. */
    for (int i = 0; i < KV_PAGE_TOKENS; i += 2) {
        h ^= (uint64_t)(uint32_t)ids[i] << 32 | (uint32_t)ids[i + 1];
        h *= 0xBF58476D1CE4E5B9u;
        h ^= h >> 29;
    }
    return (uint32_t)(h >> 32);
}

static void all_free(struct prefix_tree *t)
{
    for (uint32_t i = 0; i <= t->mask; i++)
        t->bucket[i] = PREFIX_NONE;
    for (int32_t i = 0; i < t->n_max; i++)
        t->node[i].chain = i + 1 < t->n_max ? i + 1 : PREFIX_NONE;
    t->free = 0;
    t->n = 0;
    t->newest = t->oldest = PREFIX_NONE;
}

enum status prefix_tree_new(struct kv_cache *kv, struct prefix_tree **out, struct error *err)
{
    struct prefix_tree *t = xcalloc(1, sizeof(*t));
    uint32_t n_buckets = 16;

    t->kv = kv;
    t->n_max = kv_cache_n_pages(kv);
    while (n_buckets < (uint32_t)t->n_max && n_buckets < 1u << 30)
        n_buckets *= 2;
    t->mask = n_buckets - 1;
    t->node = mem_alloc((size_t)t->n_max, sizeof(*t->node));
    t->bucket = mem_alloc(n_buckets, sizeof(*t->bucket));
    if (!t->node || !t->bucket) {
        free(t->node);
        free(t->bucket);
        free(t);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a prefix tree of %d pages",
                         (int)kv_cache_n_pages(kv));
    }
    all_free(t);
    *out = t;
    return STATUS_OK;
}

void prefix_tree_free(struct prefix_tree *t)
{
    if (!t)
        return;
    prefix_tree_clear(t);
    free(t->node);
    free(t->bucket);
    free(t);
}

static void list_remove(struct prefix_tree *t, int32_t i)
{
    struct prefix_node *n = &t->node[i];

    if (n->newer == PREFIX_NONE)
        t->newest = n->older;
    else
        t->node[n->newer].older = n->older;
    if (n->older == PREFIX_NONE)
        t->oldest = n->newer;
    else
        t->node[n->older].newer = n->newer;
}

static void list_push(struct prefix_tree *t, int32_t i)
{
    struct prefix_node *n = &t->node[i];

    n->newer = PREFIX_NONE;
    n->older = t->newest;
    if (t->newest == PREFIX_NONE)
        t->oldest = i;
    else
        t->node[t->newest].newer = i;
    t->newest = i;
}

int32_t prefix_tree_find(const struct prefix_tree *t, int32_t parent, const int32_t *ids)
{
    uint32_t hash = hash_of(parent, ids);
    int32_t i = t->bucket[hash & t->mask];

    for (; i != PREFIX_NONE; i = t->node[i].chain) {
        const struct prefix_node *n = &t->node[i];

        if (n->hash == hash && n->parent == parent && !memcmp(n->ids, ids, sizeof(n->ids)))
            return i;
    }
    return PREFIX_NONE;
}

int32_t prefix_tree_page(const struct prefix_tree *t, int32_t node)
{
    return t->node[node].page;
}

int32_t prefix_tree_parent(const struct prefix_tree *t, int32_t node)
{
    return t->node[node].parent;
}

int32_t prefix_tree_add(struct prefix_tree *t, int32_t parent, const int32_t *ids, int32_t page)
{
    int32_t i = t->free;
    struct prefix_node *n = &t->node[i];
    int32_t *bucket;

    assert(i != PREFIX_NONE);
    t->free = n->chain;
    t->n++;
    n->parent = parent;
    n->page = page;
    n->n_children = 0;
    n->hash = hash_of(parent, ids);
    memcpy(n->ids, ids, sizeof(n->ids));
    bucket = &t->bucket[n->hash & t->mask];
    n->chain = *bucket;
    *bucket = i;
    if (parent != PREFIX_ROOT)
        t->node[parent].n_children++;
    kv_page_ref(t->kv, page);
    list_push(t, i);
    return i;
}

void prefix_tree_touch(struct prefix_tree *t, int32_t node)
{
    for (int32_t i = node; i != PREFIX_ROOT; i = t->node[i].parent) {
        list_remove(t, i);
        list_push(t, i);
    }
}

static void remove_leaf(struct prefix_tree *t, int32_t i)
{
    struct prefix_node *n = &t->node[i];
    int32_t *link = &t->bucket[n->hash & t->mask];

    assert(n->n_children == 0);
    while (*link != i)
        link = &t->node[*link].chain;
    *link = n->chain;
    list_remove(t, i);
    if (n->parent != PREFIX_ROOT)
        t->node[n->parent].n_children--;
    kv_page_unref(t->kv, n->page);
    n->chain = t->free;
    t->free = i;
    t->n--;
}

bool prefix_tree_evict(struct prefix_tree *t, int32_t n_free)
{
    /* Each leaf in use is looked at once at most. */
    for (int32_t looks = t->n; looks > 0 && kv_cache_n_free(t->kv) < n_free; looks--) {
        int32_t i = t->oldest;

        if (kv_page_refs(t->kv, t->node[i].page) > 1)
            prefix_tree_touch(t, i);
        else
            remove_leaf(t, i);
    }
    return kv_cache_n_free(t->kv) >= n_free;
}

void prefix_tree_clear(struct prefix_tree *t)
{
    for (int32_t i = t->newest; i != PREFIX_NONE; i = t->node[i].older)
        kv_page_unref(t->kv, t->node[i].page);
    all_free(t);
}

int32_t prefix_tree_n(const struct prefix_tree *t)
{
    return t->n;
}
