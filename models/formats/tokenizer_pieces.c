/* tokenizer_pieces.c - text to pieces by the pre-tokenizer's patterns, piece by piece to BPE.
 *
 * Each pattern splits the pieces of the one before it: matches and the text
 * between them are pieces of their own ("Isolated"), or the matches alone ("Removed", inverted).
 * Bytes that are not UTF-8 never
 * reach a pattern: each is a piece.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer_internal.h"
#include "runtime/base/utf8.h"

static enum status split_at(const struct encoding *e, int level, const char *text, size_t n);

/* One piece of this level goes to the next pattern, or to BPE after the last. Recursion is at most
 * TOKENIZER_MAX_SPLITS deep. */
static enum status pass_on(const struct encoding *e, int level, const char *piece, size_t n)
{
    if (n == 0)
        return STATUS_OK;
    if (level == e->t->n_splits)
        return bpe_encode(e, piece, n);
    return split_at(e, level, piece, n);
}

static size_t char_after(const char *text, size_t n, size_t i)
{
    if (i < n)
        utf8_next(text, n, &i);
    return i;
}

static enum status split_at(const struct encoding *e, int level, const char *text, size_t n)
{
    const bool only_matches = e->t->only_matches[level];
    size_t done = 0, at = 0, from, to;
    bool found = true;
    enum status st = STATUS_OK;

    while (at < n) {
        st = pattern_find(e->t->split[level], e->scratch->pattern, text, n, at, &found, &from, &to,
                          e->err);
        if (st || !found)
            break;
        if (from > done && !only_matches)
            st = pass_on(e, level + 1, text + done, from - done);
        if (st == STATUS_OK)
            st = pass_on(e, level + 1, text + from, to - from);
        if (st)
            return st;
        done = to;
        at = to > from ? to : char_after(text, n, to); /* an empty match still moves on */
    }
    if (st == STATUS_OK && !only_matches)
        st = pass_on(e, level + 1, text + done, n - done);
    return st;
}

enum status tokenizer_encode_plain(const struct encoding *e, const char *text, size_t n)
{
    enum status st = STATUS_OK;

    if (e->t->n_splits > 0 && !e->scratch->pattern)
        st = pattern_scratch_new(&e->scratch->pattern, e->err);
    while (n > 0 && st == STATUS_OK) {
        size_t valid = utf8_valid_prefix(text, n);

        st = pass_on(e, 0, text, valid);
        if (st == STATUS_OK && valid < n)
            st = bpe_push_byte(e, text[valid++]);
        text += valid;
        n -= valid;
    }
    return st;
}
