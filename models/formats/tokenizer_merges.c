/* tokenizer_merges.c - the table of merges, or ranks by scores.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/formats/tokenizer_build.h"
#include "runtime/base/memory.h"
#include "runtime/base/unicode.h"

#define MOST_PROBES 4096

enum status build_merges(struct tokenizer_build *b, size_t n)
{
    struct tokenizer *t = b->t;
    size_t size = 16;

    if (n > (size_t)TOKENIZER_MAX_IDS)
        return error_set(b->err, STATUS_LIMIT, "%s: %zu merges, the limit is %d", b->name, n,
                         TOKENIZER_MAX_IDS);
    while (size < n + n / 2)
        size *= 2;
    t->merge = mem_alloc(size, sizeof(*t->merge));
    if (t->merge == NULL)
        return error_set(b->err, STATUS_NO_MEMORY, "%s: no memory for %zu merges", b->name, n);
    t->merge_mask = size - 1;
    t->n_merges = (int32_t)n;
    t->cuts_blanks = true;
    for (size_t i = 0; i < size; i++)
        t->merge[i].rank = NO_RANK;
    return STATUS_OK;
}

/* Where a token reaches over the beginning of a run of blanks. */
static void note_blanks(struct tokenizer *t, const char *key, size_t n)
{
    const char *at = key, *end = key + n;

    while ((at = memmem(at, (size_t)(end - at), META_BLANK, META_BLANK_BYTES))) {
        const bool in_run = at - key >= META_BLANK_BYTES &&
                            memcmp(at - META_BLANK_BYTES, META_BLANK, META_BLANK_BYTES) == 0;

        if (at > key && !in_run)
            t->joined[(uint8_t)at[-1]] = 1;
        at += META_BLANK_BYTES;
    }
}

static bool is_key(const struct tokenizer *t, int32_t id, const char *key, size_t n)
{
    const uint32_t *start = &t->key.start[id];

    return id >= 0 && id < t->n_ids && start[1] - start[0] == n &&
           memcmp(t->key.bytes + start[0], key, n) == 0;
}

/* The token spelled by both: often it is the last merge's, or the one after it. */
static int32_t find_merged(const struct tokenizer_build *b, const char *key, size_t n)
{
    if (is_key(b->t, b->last_merged, key, n))
        return b->last_merged;
    if (is_key(b->t, b->last_merged + 1, key, n))
        return b->last_merged + 1;
    return tokenizer_find_key(b->t, key, n);
}

/* Merges wait in a ring until their slots have come from memory. */
static enum status put_oldest(struct tokenizer_build *b)
{
    struct tokenizer *t = b->t;
    const struct merge_slot *m = &b->pending[b->n_put++ % BUILD_PENDING];
    struct merge_slot *slot = (struct merge_slot *)(uintptr_t)bpe_find_merge(
        t, (int32_t)(m->pair >> 32), (int32_t)(uint32_t)m->pair);
    const size_t home = bpe_merge_home(t, m->pair);

    if ((((size_t)(slot - t->merge) - home) & t->merge_mask) > MOST_PROBES)
        return error_set(b->err, STATUS_LIMIT, "%s: the hashes of its merges collide", b->name);
    *slot = *m; /* of a pair given twice the last counts, as in the reference */
    return STATUS_OK;
}

static enum status put_merge(struct tokenizer_build *b, struct merge_slot m)
{
    enum status st = STATUS_OK;

    if (b->n_pending - b->n_put == BUILD_PENDING)
        st = put_oldest(b);
    b->pending[b->n_pending++ % BUILD_PENDING] = m;
    __builtin_prefetch(&b->t->merge[bpe_merge_home(b->t, m.pair)], 1);
    return st;
}

enum status build_merges_end(struct tokenizer_build *b)
{
    enum status st = STATUS_OK;

    while (b->n_put < b->n_pending && st == STATUS_OK)
        st = put_oldest(b);
    return st;
}

static enum status unknown(const struct tokenizer_build *b, size_t i, const char *what,
                           const char *key, size_t n)
{
    struct str shown = STR_INIT;
    enum status st;

    utf8_clean(key, n < 100 ? n : 100, &shown);
    st = error_set(b->err, STATUS_INVALID,
                   "%s: model.merges[%zu]: %s\"%s\" is not in the vocabulary", b->name, i, what,
                   str_cstr(&shown));
    str_deinit(&shown);
    return st;
}

enum status build_merge(struct tokenizer_build *b, size_t i, const char *left, size_t n_left,
                        const char *right, size_t n_right)
{
    struct tokenizer *t = b->t;
    char key[4 * TOKENIZER_MAX_TOKEN_BYTES];
    int32_t l, r, both;

    if (n_left > 2 * TOKENIZER_MAX_TOKEN_BYTES || n_right > 2 * TOKENIZER_MAX_TOKEN_BYTES)
        return error_set(b->err, STATUS_INVALID, "%s: model.merges[%zu]: its tokens are too long",
                         b->name, i);
    n_left = build_key(b, left, n_left, key);
    n_right = build_key(b, right, n_right, key + n_left);
    left = key;
    right = key + n_left;
    l = tokenizer_find_key(t, left, n_left);
    r = tokenizer_find_key(t, right, n_right);
    if (l < 0 || r < 0)
        return l < 0 ? unknown(b, i, "", left, n_left) : unknown(b, i, "", right, n_right);
    both = find_merged(b, key, n_left + n_right);
    if (both < 0)
        return unknown(b, i, "its result ", key, n_left + n_right);
    b->last_merged = both;
    if (!t->byte_level) {
        note_blanks(t, key, n_left + n_right);
        if (l == t->unk_id || r == t->unk_id || build_byte_token(left, n_left) >= 0 ||
            build_byte_token(right, n_right) >= 0)
            t->cuts_blanks = false; /* its characters are not those of the text */
    }
    return put_merge(b, (struct merge_slot){(uint64_t)l << 32 | (uint32_t)r, (int32_t)i, both});
}

/* Tokens have another character for a blank. */
enum status build_merge_text(struct tokenizer_build *b, size_t i, const char *text, size_t n)
{
    const char *blank = memchr(text, ' ', n);
    const char *right = blank ? blank + 1 : text;
    const size_t n_right = blank ? n - (size_t)(right - text) : 0;

    if (!blank || memchr(right, ' ', n_right))
        return error_set(b->err, STATUS_INVALID, "%s: model.merges[%zu]: is not a pair of tokens",
                         b->name, i);
    return build_merge(b, i, text, (size_t)(blank - text), right, n_right);
}

/* ---- scores: SentencePiece finds what a user defined before anything else */

struct scored {
    float score;
    int32_t id;
};

static int higher_first(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;

    return x->score > y->score ? -1 : x->score < y->score;
}

enum status build_scores(struct tokenizer_build *b, const float *score)
{
    struct tokenizer *t = b->t;
    struct scored *order = mem_alloc((size_t)t->n_ids + 1, sizeof(*order));
    int32_t rank = -1;
    enum status st = STATUS_OK;

    t->score_rank = mem_alloc((size_t)t->n_ids + 1, sizeof(*t->score_rank));
    t->cuts_blanks = true;
    if (!order || !t->score_rank)
        st = error_set(b->err, STATUS_NO_MEMORY, "%s: no memory for %d scores", b->name, t->n_ids);
    for (int32_t id = 0; id < t->n_ids && st == STATUS_OK; id++) {
        order[id] = (struct scored){t->flags[id] & TOKEN_ADDED ? INFINITY : score[id], id};
        if (!isfinite(score[id]))
            st = error_set(b->err, STATUS_INVALID, "%s: the score of token %d is not a number",
                           b->name, id);
    }
    if (st == STATUS_OK)
        qsort(order, (size_t)t->n_ids, sizeof(*order), higher_first);
    for (int32_t i = 0; i < t->n_ids && st == STATUS_OK; i++) {
        const int32_t id = order[i].id;
        const uint32_t *start = &t->key.start[id];

        rank += i == 0 || order[i].score < order[i - 1].score; /* equal ones: leftmost first */
        t->score_rank[id] = t->flags[id] & TOKEN_NO_MERGE ? NO_RANK : rank;
        if (!(t->flags[id] & TOKEN_NO_MERGE))
            note_blanks(t, t->key.bytes + start[0], start[1] - start[0]);
    }
    free(order);
    return st;
}
