/* prefix_tree.h - finds the pages of positions that were computed before, by their token ids.
 *
 * A tree over full pages: a node represents the KV_PAGE_TOKENS ids of its page, after those of
 * its ancestors, and holds one reference to the page. All nodes belong to one version of the
 * weights; prefix_tree_clear is called when a new one is published. A node whose page only the tree
 * holds may be evicted, the least recently used leaf first. Ids are compared; a
 * hash alone is never enough. Every call is made by the engine thread; nothing allocates after
 * prefix_tree_new.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ENGINE_PREFIX_TREE_H
#define TROUPE_MODELS_ENGINE_PREFIX_TREE_H

#include "models/engine/kv_cache.h"

struct prefix_tree;
#define PREFIX_ROOT (-1) /* the node of no ids; other nodes are indices from 0 */
#define PREFIX_NONE (-2)

/* Room for as many nodes as the cache has pages. */
MUST_CHECK enum status prefix_tree_new(struct kv_cache *kv, struct prefix_tree **out,
                                       struct error *err);
void prefix_tree_free(struct prefix_tree *t); /* returns its pages */

/* The child of `parent` whose page has these KV_PAGE_TOKENS ids, or PREFIX_NONE. */
int32_t prefix_tree_find(const struct prefix_tree *t, int32_t parent, const int32_t *ids);
int32_t prefix_tree_page(const struct prefix_tree *t, int32_t node); /* lent */
int32_t prefix_tree_parent(const struct prefix_tree *t, int32_t node);
/* Adds `page` (a reference is taken) under parent, which must not have such a child. Never fails: a
 * page is in the tree at most once, so there is always a free node. After adding a path, touch its
 * last node before anything is evicted: that restores the order by use. */
int32_t prefix_tree_add(struct prefix_tree *t, int32_t parent, const int32_t *ids, int32_t page);
/* Marks the path from the root to `node` as used now. */
void prefix_tree_touch(struct prefix_tree *t, int32_t node);

/* Evicts until the cache has n_free free pages (true) or nothing is left to evict (false). */
bool prefix_tree_evict(struct prefix_tree *t, int32_t n_free);
void prefix_tree_clear(struct prefix_tree *t);
int32_t prefix_tree_n(const struct prefix_tree *t); /* number of nodes = pages held */

#endif
