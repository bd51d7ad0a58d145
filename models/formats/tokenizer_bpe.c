/* tokenizer_bpe.c - merging the symbols of one piece, lowest rank first, leftmost among equals.
 *
 * Sennrich et al. 2016 with a heap: n log n for a piece of n symbols, so that a megabyte without a
 * space costs no more than a megabyte with. An entry of the heap is stale when the pair at its
 * position has another rank by now.
 *
 * Symbols begin as bytes (byte level) or as characters. A character without a token is its bytes,
 * where the vocabulary has those, else the unknown token, or nothing. With SentencePiece's scores
 * two symbols merge into the token that they spell, whether they are tokens themselves or not.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/formats/tokenizer_cache.h"
#include "models/formats/tokenizer_internal.h"
#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"

const struct merge_slot *bpe_find_merge(const struct tokenizer *t, int32_t left, int32_t right)
{
    const uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t i = bpe_merge_home(t, pair);

    while (t->merge[i].rank != NO_RANK && t->merge[i].pair != pair)
        i = (i + 1) & t->merge_mask;
    return &t->merge[i];
}

/* ---- the heap */

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

/* Each merge removes one pair and adds at most two, so n symbols push fewer than 3n. */
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

/* ---- merging */

struct merging {
    const struct tokenizer *t;
    const char *piece;
    struct bpe_symbol *symbol;
    int32_t n;
    uint64_t *heap;
    size_t n_heap;
};

/* What symbol i and the next one become. */
static void look_up(const struct merging *m, struct bpe_symbol *s, const struct bpe_symbol *next)
{
    const struct tokenizer *t = m->t;

    if (t->score_rank) {
        const size_t n = (size_t)s->n + next->n;

        s->merged = n > t->longest_key ? NO_ID : tokenizer_find_key(t, m->piece + s->from, n);
        s->rank = s->merged < 0 ? NO_RANK : t->score_rank[s->merged];
    } else {
        const struct merge_slot *slot = bpe_find_merge(t, s->id, next->id);

        s->rank = slot->rank;
        s->merged = slot->merged;
    }
}

/* Looks up the pair that starts at symbol i and queues it. */
static void queue_pair(struct merging *m, int32_t i)
{
    struct bpe_symbol *s = &m->symbol[i];

    s->rank = NO_RANK;
    if (s->next < 0)
        return;
    look_up(m, s, &m->symbol[s->next]);
    if (s->rank != NO_RANK)
        heap_push(m->heap, &m->n_heap, (uint64_t)(uint32_t)s->rank << 32 | (uint32_t)i);
}

static void merge_all(struct merging *m)
{
    for (int32_t i = 0; i < m->n; i++)
        queue_pair(m, i);
    while (m->n_heap > 0) {
        const uint64_t top = heap_pop(m->heap, &m->n_heap);
        const int32_t i = (int32_t)(uint32_t)top;
        struct bpe_symbol *s = &m->symbol[i], *removed;

        if (s->rank != (int32_t)(top >> 32))
            continue;
        removed = &m->symbol[s->next];
        s->id = s->merged;
        s->n += removed->n;
        s->next = removed->next;
        removed->rank = NO_RANK; /* its entries are stale */
        if (s->next >= 0)
            m->symbol[s->next].prev = i;
        queue_pair(m, i);
        if (s->prev >= 0)
            queue_pair(m, s->prev);
    }
}

/* ---- the first symbols */

static void add_symbol(struct merging *m, int32_t id, size_t from, size_t n)
{
    const int32_t i = m->n++;

    m->symbol[i] = (struct bpe_symbol){
        .id = id, .prev = i - 1, .next = NO_ID, .from = (uint32_t)from, .n = (uint32_t)n};
    if (i > 0)
        m->symbol[i - 1].next = i;
}

/* The bytes of a character without a token; false: not all of them have one. */
static bool add_bytes(struct merging *m, size_t from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (m->t->byte_id[(uint8_t)m->piece[from + i]] < 0)
            return false;
    for (size_t i = 0; i < n; i++)
        add_symbol(m, m->t->byte_id[(uint8_t)m->piece[from + i]], from + i, 1);
    return true;
}

/* Unknown characters wait for the next one with a token, as in the reference: tokens of bytes go
 * before them. */
static void add_symbols(struct merging *m, size_t n)
{
    const struct tokenizer *t = m->t;
    size_t n_unknown = 0;

    for (size_t from = 0, to = 0; from < n; from = to) {
        int32_t id;

        if (t->byte_level) {
            id = t->byte_id[(uint8_t)m->piece[to++]];
        } else {
            utf8_next(m->piece, n, &to);
            id = tokenizer_find_key(t, m->piece + from, to - from);
        }
        if (id >= 0 || t->score_rank) {
            if (n_unknown > 0)
                add_symbol(m, t->unk_id, from, 0);
            n_unknown = 0;
            add_symbol(m, id, from, to - from);
        } else if (!t->byte_level && add_bytes(m, from, to - from)) {
            continue;
        } else if (t->unk_id >= 0) {
            if (n_unknown > 0 && !t->fuse_unk)
                add_symbol(m, t->unk_id, from, 0);
            n_unknown++;
        }
    }
    if (n_unknown > 0)
        add_symbol(m, t->unk_id, n, 0);
}

enum status bpe_encode_byte(const struct encoding *e, uint8_t byte)
{
    const int32_t id = e->t->byte_id[byte] >= 0 ? e->t->byte_id[byte] : e->t->unk_id;

    return id < 0 ? STATUS_OK : token_ids_push(e->out, id, e->err);
}

/* Characters that nothing spells: their bytes, or the unknown token for all of them. */
static enum status put_unspelled(const struct encoding *e, const char *bytes, size_t n)
{
    bool all = true;
    enum status st = STATUS_OK;

    for (size_t i = 0; i < n; i++)
        all = all && e->t->byte_id[(uint8_t)bytes[i]] >= 0;
    if (!all)
        return e->t->unk_id < 0 ? STATUS_OK : token_ids_push(e->out, e->t->unk_id, e->err);
    for (size_t i = 0; i < n && st == STATUS_OK; i++)
        st = token_ids_push(e->out, e->t->byte_id[(uint8_t)bytes[i]], e->err);
    return st;
}

static enum status merge_piece(const struct encoding *e, const char *piece, size_t n)
{
    struct bpe_scratch *scratch = &e->scratch->bpe;
    struct merging m = {.t = e->t, .piece = piece};
    enum status st = STATUS_OK;

    if (!scratch_fits(scratch, n))
        return error_set(e->err, STATUS_NO_MEMORY, "no memory to tokenise %zu bytes", n);
    m.symbol = scratch->symbol;
    m.heap = scratch->heap;
    add_symbols(&m, n);
    merge_all(&m);
    for (int32_t i = m.n > 0 ? 0 : NO_ID; i >= 0 && st == STATUS_OK; i = m.symbol[i].next) {
        const struct bpe_symbol *s = &m.symbol[i];

        st = s->id >= 0 ? token_ids_push(e->out, s->id, e->err)
                        : put_unspelled(e, piece + s->from, s->n);
    }
    return st;
}

enum status bpe_encode(const struct encoding *e, const char *piece, size_t n)
{
    const struct tokenizer *t = e->t;
    const size_t had = e->out->n;
    struct cached_piece *cached = NULL;
    bool found = false;
    int32_t whole;
    enum status st;

    if (n == 0)
        return STATUS_OK;
    if (n == 1 && t->byte_level)
        return bpe_encode_byte(e, (uint8_t)piece[0]);
    if (t->ignore_merges && (whole = tokenizer_find_key(t, piece, n)) >= 0)
        return token_ids_push(e->out, whole, e->err);
    if (n <= CACHED_PIECE_BYTES && e->scratch->cache)
        cached = piece_cache_find(e->scratch->cache, piece, n, &found);
    if (found)
        return token_ids_append(e->out, cached->id, cached->n_ids, e->err);
    st = merge_piece(e, piece, n);
    if (st || !cached || e->out->n - had > CACHED_PIECE_IDS)
        return st;
    cached->n = (uint8_t)n;
    cached->n_ids = (uint8_t)(e->out->n - had);
    memcpy(cached->bytes, piece, n);
    if (cached->n_ids > 0)
        memcpy(cached->id, e->out->id + had, cached->n_ids * sizeof(*cached->id));
    return STATUS_OK;
}
