/* tokenizer_bpe.c - merging the bytes of one piece, lowest rank first, leftmost among equals.
 *
 * Sennrich et al. 2016 with a heap: n log n for a piece of n bytes, so that a
 * megabyte without a space costs no more than a megabyte with. An entry of the
 * heap is stale when the pair at its position has another rank by now.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer_internal.h"
#include "runtime/base/memory.h"

const struct merge_slot *bpe_find_merge(const struct tokenizer *t, int32_t left, int32_t right)
{
    const uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t i = (size_t)((pair * 0x9e3779b97f4a7c15u) >> 32) & t->merge_mask;

    while (t->merge[i].rank != NO_RANK && t->merge[i].pair != pair)
        i = (i + 1) & t->merge_mask;
    return &t->merge[i];
}

static void heap_push(uint64_t *heap, size_t *n, uint64_t entry)
{
    size_t i = (*n)++;

    while (i > 0 && heap[(i - 1) / 2] > entry) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = entry;
}

static uint64_t heap_pop(uint64_t *heap, size_t *n)
{
    const uint64_t top = heap[0];
    const uint64_t last = heap[--(*n)];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= *n)
            break;
        if (child + 1 < *n && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= last)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

/* Each merge removes one pair and adds at most two, so a piece of n bytes pushes fewer than 3n. */
static bool scratch_fits(struct bpe_scratch *s, size_t n)
{
    if (n > s->cap) {
        const size_t cap = n < 256 ? 256 : n;

        if (!mem_grow((void **)&s->symbol, cap, sizeof(*s->symbol)))
            return false;
        s->cap = cap;
    }
    if (3 * n > s->heap_cap) {
        const size_t cap = 3 * (n < 256 ? 256 : n);

        if (!mem_grow((void **)&s->heap, cap, sizeof(*s->heap)))
            return false;
        s->heap_cap = cap;
    }
    return true;
}

/* Looks up the pair that starts at symbol i and queues it. */
static void queue_pair(const struct tokenizer *t, struct bpe_symbol *symbol, int32_t i,
                       uint64_t *heap, size_t *n_heap)
{
    struct bpe_symbol *s = &symbol[i];
    const struct merge_slot *m;

    s->rank = NO_RANK;
    if (s->next < 0)
        return;
    m = bpe_find_merge(t, s->id, symbol[s->next].id);
    s->rank = m->rank;
    s->merged = m->merged;
    if (m->rank != NO_RANK)
        heap_push(heap, n_heap, (uint64_t)(uint32_t)m->rank << 32 | (uint32_t)i);
}

static void merge_all(const struct tokenizer *t, struct bpe_symbol *symbol, uint64_t *heap,
                      size_t n_heap)
{
    while (n_heap > 0) {
        const uint64_t top = heap_pop(heap, &n_heap);
        const int32_t i = (int32_t)(uint32_t)top;
        struct bpe_symbol *s = &symbol[i], *removed;

        if (s->id < 0 || s->rank != (int32_t)(top >> 32))
            continue;
        removed = &symbol[s->next];
        s->id = s->merged;
        s->next = removed->next;
        removed->id = -1;
        if (s->next >= 0)
            symbol[s->next].prev = i;
        queue_pair(t, symbol, i, heap, &n_heap);
        if (s->prev >= 0)
            queue_pair(t, symbol, s->prev, heap, &n_heap);
    }
}

enum status bpe_push_byte(const struct encoding *e, char byte)
{
    const int32_t id = e->t->byte_id[(uint8_t)byte];

    return id == NO_BYTE ? STATUS_OK : token_ids_push(e->out, id, e->err);
}

enum status bpe_encode(const struct encoding *e, const char *piece, size_t n)
{
    const struct tokenizer *t = e->t;
    struct bpe_scratch *scratch = &e->scratch->bpe;
    struct bpe_symbol *symbol;
    size_t n_heap = 0;
    int32_t whole, m = 0;
    enum status st = STATUS_OK;

    if (n == 0)
        return STATUS_OK;
    if (n == 1)
        return bpe_push_byte(e, piece[0]);
    if (t->ignore_merges && (whole = tokenizer_find_vocab(t, piece, n)) >= 0)
        return token_ids_push(e->out, whole, e->err);
    if (!scratch_fits(scratch, n))
        return error_set(e->err, STATUS_NO_MEMORY, "no memory to tokenise %zu bytes", n);
    symbol = scratch->symbol;
    for (size_t i = 0; i < n; i++) {
        const int32_t id = t->byte_id[(uint8_t)piece[i]];

        if (id != NO_BYTE) {
            symbol[m] = (struct bpe_symbol){.id = id, .prev = m - 1, .next = m + 1};
            m++;
        }
    }
    if (m == 0)
        return STATUS_OK;
    symbol[m - 1].next = -1;
    for (int32_t i = 0; i < m; i++)
        queue_pair(t, symbol, i, scratch->heap, &n_heap);
    merge_all(t, symbol, scratch->heap, n_heap);
    for (int32_t i = 0; i >= 0 && st == STATUS_OK; i = symbol[i].next)
        st = token_ids_push(e->out, symbol[i].id, e->err);
    return st;
}
