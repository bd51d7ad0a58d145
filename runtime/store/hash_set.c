/* hash_set.c - a set of 64-bit hashes, open addressing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/hash_set.h"

#include <stdlib.h>

#include "runtime/base/memory.h"

/* The hashes are FNV-1a, whose low bits are weak: mix before cutting (Fibonacci hashing). */
static size_t start(uint64_t h, size_t cap)
{
    return (size_t)((h * 0x9E3779B97F4A7C15u) >> 32) & (cap - 1);
}

static void put(uint64_t *slot, size_t cap, uint64_t h, size_t *n)
{
    size_t i = start(h, cap);

    while (slot[i] && slot[i] != h)
        i = (i + 1) & (cap - 1);
    *n += slot[i] == 0;
    slot[i] = h;
}

static void grow(struct hash_set *s)
{
    size_t cap = s->cap ? s->cap * 2 : 64;
    size_t n = 0;
    uint64_t *slot = mem_alloc(cap, sizeof(*slot));

    if (!slot) {
        s->is_lossy = true;
        return;
    }
    for (size_t i = 0; i < s->cap; i++)
        if (s->slot[i])
            put(slot, cap, s->slot[i], &n);
    free(s->slot);
    s->slot = slot;
    s->cap = cap;
}

void hash_set_add(struct hash_set *s, uint64_t h)
{
    if (h == 0) {
        s->has_zero = true;
        return;
    }
    if ((s->n + 1) * 3 > s->cap * 2 && !s->is_lossy)
        grow(s);
    if (!s->is_lossy)
        put(s->slot, s->cap, h, &s->n);
}

bool hash_set_has(const struct hash_set *s, uint64_t h)
{
    if (s->is_lossy)
        return true;
    if (h == 0)
        return s->has_zero;
    if (s->cap == 0)
        return false;
    for (size_t i = start(h, s->cap); s->slot[i]; i = (i + 1) & (s->cap - 1))
        if (s->slot[i] == h)
            return true;
    return false;
}

void hash_set_deinit(struct hash_set *s)
{
    free(s->slot);
    *s = (struct hash_set){.slot = NULL};
}
