/* map.c - an array of entries in order of insertion, and an open-addressed table
 * of indexes into it.
 *
 * A removed entry stays as a hole (key NULL) until the array is rebuilt, which
 * happens when it would grow; its slot in the table stays too, so that probing goes on
 * past it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/hash.h"
#include "runtime/base/memory.h"

#define FIRST_ENTRIES 8
#define SLOT_EMPTY    UINT32_MAX

struct map_entry {
    char *key; /* NULL: a hole */
    size_t n;
    uint64_t hash;
    void *value;
};

/* The table has twice as many slots as there may be entries: at most half full. */
struct map {
    struct map_entry *entries;
    uint32_t *slots;
    size_t used; /* entries and holes */
    size_t live; /* entries */
    size_t cap;  /* a power of two, or 0 */
};

struct map *map_new(void)
{
    return xcalloc(1, sizeof(struct map));
}

void map_free(struct map *m, void (*free_value)(void *))
{
    if (!m)
        return;
    for (size_t i = 0; i < m->used; i++) {
        if (m->entries[i].key && free_value)
            free_value(m->entries[i].value);
        free(m->entries[i].key);
    }
    free(m->entries);
    free(m->slots);
    free(m);
}

size_t map_size(const struct map *m)
{
    return m ? m->live : 0;
}

static struct map_entry *map_find(const struct map *m, const char *key, size_t n, uint64_t hash)
{
    size_t mask = 2 * m->cap - 1;

    if (m->cap == 0)
        return NULL;
    for (size_t slot = (size_t)hash & mask; m->slots[slot] != SLOT_EMPTY;
         slot = (slot + 1) & mask) {
        struct map_entry *e = &m->entries[m->slots[slot]];

        if (e->key && e->hash == hash && e->n == n && memcmp(e->key, key, n) == 0)
            return e;
    }
    return NULL;
}

static void map_place(struct map *m, uint64_t hash, uint32_t index)
{
    size_t mask = 2 * m->cap - 1;
    size_t slot = (size_t)hash & mask;

    while (m->slots[slot] != SLOT_EMPTY)
        slot = (slot + 1) & mask;
    m->slots[slot] = index;
}

/* Drops the holes, and doubles the room when most of it is in use. */
static void map_rebuild(struct map *m)
{
    size_t kept = 0;

    if (m->cap == 0)
        m->cap = FIRST_ENTRIES;
    else if (m->live >= m->cap - m->cap / 4)
        m->cap *= 2;
    if (m->cap >= SLOT_EMPTY)
        mem_exhausted(m->cap);
    m->entries = xrealloc(m->entries, m->cap * sizeof(*m->entries));
    free(m->slots);
    m->slots = xmalloc(2 * m->cap * sizeof(*m->slots));
    memset(m->slots, 0xff, 2 * m->cap * sizeof(*m->slots));
    for (size_t i = 0; i < m->used; i++) {
        if (!m->entries[i].key)
            continue;
        m->entries[kept] = m->entries[i];
        map_place(m, m->entries[kept].hash, (uint32_t)kept);
        kept++;
    }
    m->used = kept;
}

void *map_get(const struct map *m, const char *key)
{
    return map_get_n(m, key, strlen(key));
}

void *map_get_n(const struct map *m, const char *key, size_t n)
{
    struct map_entry *e = m ? map_find(m, key, n, fnv1a64(key, n)) : NULL;

    return e ? e->value : NULL;
}

void *map_put(struct map *m, const char *key, void *value)
{
    return map_put_n(m, key, strlen(key), value);
}

void *map_put_n(struct map *m, const char *key, size_t n, void *value)
{
    uint64_t hash = fnv1a64(key, n);
    struct map_entry *e = map_find(m, key, n, hash);
    char *copy;

    if (e) {
        void *before = e->value;

        e->value = value;
        return before;
    }
    if (m->used == m->cap)
        map_rebuild(m);
    copy = xmalloc(n + 1);
    memcpy(copy, key, n);
    copy[n] = '\0';
    m->entries[m->used] = (struct map_entry){copy, n, hash, value};
    map_place(m, hash, (uint32_t)m->used);
    m->used++;
    m->live++;
    return NULL;
}

void *map_remove(struct map *m, const char *key)
{
    size_t n = strlen(key);
    struct map_entry *e = map_find(m, key, n, fnv1a64(key, n));

    if (!e)
        return NULL;
    free(e->key);
    e->key = NULL;
    m->live--;
    return e->value;
}

bool map_next(const struct map *m, size_t *i, const char **key, void **value)
{
    while (m && *i < m->used) {
        const struct map_entry *e = &m->entries[(*i)++];

        if (!e->key)
            continue;
        if (key)
            *key = e->key;
        if (value)
            *value = e->value;
        return true;
    }
    return false;
}
