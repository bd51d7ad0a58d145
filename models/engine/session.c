/* session.c - ids and pages of one sequence: keep, truncate, append, share, publish.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/engine/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

/* Spare memory below this is not worth a realloc between two calls. */
#define TRIM_SLACK_IDS 1024

bool session_reserve_ids(struct model_session *s, int32_t n)
{
    int32_t n_pages = kv_pages_for(n);

    if (n > s->cap_ids) {
        if (!mem_grow((void **)&s->ids, (size_t)n, sizeof(*s->ids)))
            return false;
        s->cap_ids = n;
    }
    if (n_pages > s->cap_pages) {
        if (!mem_grow((void **)&s->page, (size_t)n_pages, sizeof(*s->page)))
            return false;
        s->cap_pages = n_pages;
    }
    return true;
}

void session_trim(struct model_session *s)
{
    if (s->cap_ids - s->n_ids <= TRIM_SLACK_IDS || s->n_ids == 0)
        return;
    /* Shrinking may fail; then the larger block stays. */
    if (mem_grow((void **)&s->ids, (size_t)s->n_ids, sizeof(*s->ids)))
        s->cap_ids = s->n_ids;
    if (s->n_pages > 0 && mem_grow((void **)&s->page, (size_t)s->n_pages, sizeof(*s->page)))
        s->cap_pages = s->n_pages;
}

static void drop_pages_from(struct model_session *s, struct kv_cache *kv, int32_t first)
{
    while (s->n_pages > first)
        kv_page_unref(kv, s->page[--s->n_pages]);
}

void session_truncate(struct model_session *s, struct kv_cache *kv, const struct prefix_tree *t,
                      int32_t keep)
{
    assert(keep <= s->n_ids);
    s->n_ids = keep;
    if (s->kv_len > keep)
        s->kv_len = keep;
    drop_pages_from(s, kv, kv_pages_for(s->kv_len));
    while (s->tree_pages > s->kv_len / KV_PAGE_TOKENS) {
        s->tree_node = prefix_tree_parent(t, s->tree_node);
        s->tree_pages--;
    }
}

void session_drop_kv(struct model_session *s, struct kv_cache *kv)
{
    drop_pages_from(s, kv, 0);
    s->kv_len = 0;
    s->tree_pages = 0;
    s->tree_node = PREFIX_ROOT;
}

int32_t session_pages_wanted(const struct model_session *s, const struct kv_cache *kv, int32_t n)
{
    int32_t wanted = kv_pages_for(n) - s->n_pages;
    int32_t next = s->kv_len / KV_PAGE_TOKENS;

    if (wanted < 0)
        wanted = 0;
    if (next < s->n_pages && kv_page_refs(kv, s->page[next]) > 1)
        wanted++; /* a copy, before it is written */
    return wanted;
}

bool session_reserve_pages(struct model_session *s, struct kv_cache *kv, int32_t n)
{
    int32_t next = s->kv_len / KV_PAGE_TOKENS;
    int32_t n_pages = kv_pages_for(n);

    assert(n_pages <= s->cap_pages);
    if (next < s->n_pages && !kv_page_own(kv, &s->page[next]))
        return false;
    while (s->n_pages < n_pages) {
        int32_t page = kv_page_alloc(kv);

        if (page == KV_PAGE_NONE)
            return false;
        s->page[s->n_pages++] = page;
    }
    return true;
}

void session_match(struct model_session *s, struct kv_cache *kv, struct prefix_tree *t)
{
    int32_t max_pages = (s->n_ids - 1) / KV_PAGE_TOKENS;
    int32_t node = s->tree_node;
    int32_t n = s->tree_pages;

    if (max_pages * KV_PAGE_TOKENS <= s->kv_len)
        return; /* all full pages are there already */
    while (n < max_pages) {
        int32_t child = prefix_tree_find(t, node, s->ids + n * KV_PAGE_TOKENS);

        if (child == PREFIX_NONE)
            break;
        node = child;
        n++;
    }
    if (n * KV_PAGE_TOKENS <= s->kv_len)
        return;
    drop_pages_from(s, kv, s->tree_pages);
    s->n_pages = n;
    for (int32_t i = n - 1, at = node; i >= s->tree_pages; i--) {
        s->page[i] = prefix_tree_page(t, at);
        kv_page_ref(kv, s->page[i]);
        at = prefix_tree_parent(t, at);
    }
    s->tree_pages = n;
    s->tree_node = node;
    s->kv_len = n * KV_PAGE_TOKENS;
    prefix_tree_touch(t, node);
}

void session_publish(struct model_session *s, struct kv_cache *kv, struct prefix_tree *t)
{
    int32_t n_full = s->kv_len / KV_PAGE_TOKENS;

    if (s->tree_pages >= n_full)
        return;
    while (s->tree_pages < n_full) {
        int32_t i = s->tree_pages;
        const int32_t *ids = s->ids + i * KV_PAGE_TOKENS;
        int32_t child = prefix_tree_find(t, s->tree_node, ids);

        if (child == PREFIX_NONE) {
            child = prefix_tree_add(t, s->tree_node, ids, s->page[i]);
        } else if (prefix_tree_page(t, child) != s->page[i]) {
            kv_page_unref(kv, s->page[i]);
            s->page[i] = prefix_tree_page(t, child);
            kv_page_ref(kv, s->page[i]);
        }
        s->tree_node = child;
        s->tree_pages++;
    }
    prefix_tree_touch(t, s->tree_node);
}

void session_release_spare(struct model_session *s, struct kv_cache *kv)
{
    drop_pages_from(s, kv, kv_pages_for(s->kv_len));
}

bool session_share(struct model_session *to, const struct model_session *from, struct kv_cache *kv)
{
    if (!session_reserve_ids(to, from->n_ids))
        return false;
    if (from->n_ids > 0)
        memcpy(to->ids, from->ids, (size_t)from->n_ids * sizeof(*to->ids));
    to->n_ids = from->n_ids;
    to->n_pages = kv_pages_for(from->kv_len);
    for (int32_t i = 0; i < to->n_pages; i++) {
        to->page[i] = from->page[i];
        kv_page_ref(kv, to->page[i]);
    }
    to->kv_len = from->kv_len;
    to->kv_serial = from->kv_serial;
    to->tree_pages = from->tree_pages;
    to->tree_node = from->tree_node;
    return true;
}

void session_release(struct model_session *s, struct kv_cache *kv)
{
    session_drop_kv(s, kv);
    free(s->ids);
    free(s->page);
    stop_rules_free(s->stop);
    weights_unref(s->weights);
    s->ids = NULL;
    s->page = NULL;
    s->stop = NULL;
    s->weights = NULL;
}
