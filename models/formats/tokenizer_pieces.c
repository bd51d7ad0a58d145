/* tokenizer_pieces.c - text to pieces by the pre-tokenizer's patterns, piece by piece to BPE.
 *
 * Each pattern splits what the one before it left: matches and what stands
 * between them are pieces of their own ("Isolated"). Bytes that are not UTF-8 never
 * reach a pattern: each is a piece.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer_internal.h"
#include "runtime/base/utf8.h"

static enum status split_at(struct tokenizer *t, int level, const char *text, size_t n,
                            struct token_ids *out, struct error *err);

/* One piece of this level goes to the next pattern, or to BPE after the last. Recursion is at most
 * TOKENIZER_MAX_SPLITS deep. */
static enum status pass_on(struct tokenizer *t, int level, const char *piece, size_t n,
                           struct token_ids *out, struct error *err)
{
    if (n == 0)
        return STATUS_OK;
    if (level == t->n_splits)
        return bpe_encode(t, piece, n, out, err);
    return split_at(t, level, piece, n, out, err);
}

static size_t char_after(const char *text, size_t n, size_t i)
{
    if (i < n)
        utf8_next(text, n, &i);
    return i;
}

static enum status split_at(struct tokenizer *t, int level, const char *text, size_t n,
                            struct token_ids *out, struct error *err)
{
    size_t done = 0, at = 0, from, to;
    bool found = true;
    enum status st = STATUS_OK;

    while (at < n) {
        st = pattern_find(t->split[level], text, n, at, &found, &from, &to, err);
        if (st || !found)
            break;
        if (from > done)
            st = pass_on(t, level + 1, text + done, from - done, out, err);
        if (st == STATUS_OK)
            st = pass_on(t, level + 1, text + from, to - from, out, err);
        if (st)
            return st;
        done = to;
        at = to > from ? to : char_after(text, n, to); /* an empty match still moves on */
    }
    if (st == STATUS_OK)
        st = pass_on(t, level + 1, text + done, n - done, out, err);
    return st;
}

enum status tokenizer_encode_plain(struct tokenizer *t, const char *text, size_t n,
                                   struct token_ids *out, struct error *err)
{
    enum status st = STATUS_OK;

    while (n > 0 && st == STATUS_OK) {
        size_t valid = utf8_valid_prefix(text, n);

        st = pass_on(t, 0, text, valid, out, err);
        if (st == STATUS_OK && valid < n)
            st = token_ids_push(out, t->byte_id[(uint8_t)text[valid++]], err);
        text += valid;
        n -= valid;
    }
    return st;
}
