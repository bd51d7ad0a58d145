/* arena.c - the arena of memory.h: a list of blocks, filled from the front.
 *
 * Blocks are kept in the order in which they are filled; `current` is the one
 * being filled, those behind it are empty and left from before a reset.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_ALIGN     ((size_t)16)
#define ARENA_MIN_BLOCK ((size_t)1024)

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    _Alignas(16) unsigned char bytes[];
};

struct arena {
    struct arena_block *first;
    struct arena_block *current;
    size_t block_bytes;
};

static struct arena_block *block_new(size_t size)
{
    struct arena_block *b;

    if (size > SIZE_MAX - sizeof(*b))
        mem_exhausted(size);
    b = xmalloc(sizeof(*b) + size);
    b->next = NULL;
    b->used = 0;
    b->size = size;
    return b;
}

struct arena *arena_new(size_t block_bytes)
{
    struct arena *a = xcalloc(1, sizeof(*a));

    a->block_bytes = block_bytes < ARENA_MIN_BLOCK ? ARENA_MIN_BLOCK : block_bytes;
    a->first = block_new(a->block_bytes);
    a->current = a->first;
    return a;
}

void arena_free(struct arena *a)
{
    struct arena_block *next;

    if (!a)
        return;
    for (struct arena_block *b = a->first; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

void arena_reset(struct arena *a)
{
    for (struct arena_block *b = a->first; b; b = b->next)
        b->used = 0;
    a->current = a->first;
}

/* Makes `current` a block with room: the next one if that is large enough, else a
 * new one in front of it. */
static void arena_advance(struct arena *a, size_t size)
{
    struct arena_block *next = a->current->next;

    if (!next || next->size < size) {
        next = block_new(size > a->block_bytes ? size : a->block_bytes);
        next->next = a->current->next;
        a->current->next = next;
    }
    a->current = next;
}

void *arena_alloc(struct arena *a, size_t size_bytes)
{
    size_t size;
    void *p;

    if (size_bytes > SIZE_MAX - ARENA_ALIGN)
        mem_exhausted(size_bytes);
    size = (size_bytes + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    if (size == 0)
        size = ARENA_ALIGN; /* two objects never share an address */
    if (a->current->size - a->current->used < size)
        arena_advance(a, size);
    p = a->current->bytes + a->current->used;
    a->current->used += size;
    return memset(p, 0, size);
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = arena_alloc(a, len + 1);

    memcpy(copy, s, len);
    return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_list again;
    char *text;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    text = arena_alloc(a, n < 0 ? 1 : (size_t)n + 1);
    if (n > 0)
        vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}
