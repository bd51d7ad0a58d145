/* tokenizer_pieces.c - text to pieces by the pre-tokenizers, piece by piece to BPE.
 *
 * Each step rewrites or splits the pieces of the one before it. Bytes that are not UTF-8 never
 * reach a step: each is a piece.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/formats/tokenizer_internal.h"
#include "runtime/base/utf8.h"

static enum status run_step(const struct encoding *e, int level, const char *text, size_t n,
                            enum piece_place place);

/* No token reaches from one run of characters over the blanks before the next one: what is merged
 * in parts is merged the same, and words are found in the cache. */
static enum status merge_words(const struct encoding *e, const char *piece, size_t n)
{
    size_t from = 0, at = 0;
    enum status st = STATUS_OK;

    while (st == STATUS_OK && at < n) {
        const char *hit = memmem(piece + at, n - at, META_BLANK, META_BLANK_BYTES);

        if (!hit)
            break;
        at = (size_t)(hit - piece);
        if (at > from && !e->t->joined[(uint8_t)piece[at - 1]]) {
            st = bpe_encode(e, piece + from, at - from);
            from = at;
        }
        while (n - at >= META_BLANK_BYTES && memcmp(piece + at, META_BLANK, META_BLANK_BYTES) == 0)
            at += META_BLANK_BYTES;
    }
    return st ? st : bpe_encode(e, piece + from, n - from);
}

/* One piece of this level goes to the next step, or to BPE after the last. Recursion is at most
 * TOKENIZER_MAX_STEPS deep. */
static enum status pass_on(const struct encoding *e, int level, const char *piece, size_t n,
                           enum piece_place place)
{
    if (n == 0)
        return STATUS_OK;
    if (level < e->t->n_splits)
        return run_step(e, level, piece, n, place);
    return e->t->cuts_blanks ? merge_words(e, piece, n) : bpe_encode(e, piece, n);
}

/* ---- splitting */

struct splitter {
    const struct encoding *e;
    const struct split_step *step;
    int level;
    const char *text;
    size_t n;
    enum piece_place place; /* of the text */
    size_t from, to;        /* what is held back, since more may join it */
    bool held_match;
};

static enum status flush(struct splitter *s)
{
    const size_t from = s->from;

    s->from = s->to;
    return pass_on(s->e, s->level + 1, s->text + from, s->to - from,
                   from == 0 ? s->place : PIECE_LATER);
}

/* The next part of the text: a match, or what is between two. */
static enum status put_part(struct splitter *s, size_t from, size_t to, bool match)
{
    const bool held = s->to > s->from;
    bool joins = false;
    enum status st;

    match = match != s->step->invert;
    if (s->step->behavior == SPLIT_CONTIGUOUS)
        joins = match == s->held_match;
    else if (s->step->behavior == SPLIT_WITH_PREVIOUS)
        joins = match && !s->held_match;
    else if (s->step->behavior == SPLIT_WITH_NEXT)
        joins = !match && s->held_match;
    st = held && !joins ? flush(s) : STATUS_OK;
    if (!held || !joins)
        s->from = from;
    s->to = to;
    s->held_match = match;
    if (match && s->step->behavior == SPLIT_REMOVED)
        s->from = to;
    return st;
}

/* The next match at or after `at`. */
static enum status find(const struct splitter *s, size_t at, bool *found, size_t *from, size_t *to)
{
    const struct encoding *e = s->e;
    const char *hit;

    if (s->step->pattern)
        return pattern_find(s->step->pattern, e->scratch->pattern, s->text, s->n, at, found, from,
                            to, e->err);
    hit = memmem(s->text + at, s->n - at, s->step->text, strlen(s->step->text));
    *found = hit != NULL;
    *from = hit ? (size_t)(hit - s->text) : 0;
    *to = *from + strlen(s->step->text);
    return STATUS_OK;
}

static size_t char_after(const char *text, size_t n, size_t i)
{
    if (i < n)
        utf8_next(text, n, &i);
    return i;
}

static enum status split(struct splitter *s)
{
    size_t done = 0, at = 0, from, to;
    bool found = true;
    enum status st = STATUS_OK;

    while (at < s->n) {
        st = find(s, at, &found, &from, &to);
        if (st || !found)
            break;
        if (from > done)
            st = put_part(s, done, from, false);
        if (st == STATUS_OK)
            st = put_part(s, from, to, true);
        if (st)
            return st;
        done = to;
        at = to > from ? to : char_after(s->text, s->n, to); /* an empty match still moves on */
    }
    if (st == STATUS_OK && done < s->n)
        st = put_part(s, done, s->n, false);
    return st ? st : flush(s);
}

/* ---- rewriting */

static enum status rewrite(const struct encoding *e, int level, const char *text, size_t n,
                           enum piece_place place)
{
    const struct split_step *step = &e->t->split[level];
    struct str *out = &e->scratch->step[level];
    const size_t n_text = strlen(step->text);
    const bool wants =
        step->prefix == PREFIX_ALWAYS ? place != PIECE_GLUED : step->prefix && place == PIECE_FIRST;
    bool has = n >= n_text && memcmp(text, step->text, n_text) == 0;

    has = has || (step->replaces_blanks && text[0] == ' ');
    if ((!wants || has) && !step->replaces_blanks)
        return pass_on(e, level + 1, text, n, place);
    str_clear(out);
    if (wants && !has)
        str_append(out, step->text, n_text);
    while (n > 0) {
        const char *blank = step->replaces_blanks ? memchr(text, ' ', n) : NULL;
        const size_t before = blank ? (size_t)(blank - text) : n;

        str_append(out, text, before);
        if (blank)
            str_append(out, step->text, n_text);
        text += before + (blank != NULL);
        n -= before + (blank != NULL);
    }
    if (!str_ok(out))
        return error_set(e->err, STATUS_LIMIT, "the text is too long to be split");
    return pass_on(e, level + 1, str_cstr(out), out->len, place);
}

static enum status run_step(const struct encoding *e, int level, const char *text, size_t n,
                            enum piece_place place)
{
    struct splitter s = {
        .e = e, .step = &e->t->split[level], .level = level, .text = text, .n = n, .place = place};

    return s.step->rewrites ? rewrite(e, level, text, n, place) : split(&s);
}

enum status tokenizer_encode_pieces(const struct encoding *e, const char *text, size_t n,
                                    enum piece_place place)
{
    enum status st = STATUS_OK;

    if (e->t->n_splits > 0 && !e->scratch->pattern)
        st = pattern_scratch_new(&e->scratch->pattern, e->err);
    while (n > 0 && st == STATUS_OK) {
        size_t valid = utf8_valid_prefix(text, n);

        st = pass_on(e, 0, text, valid, place);
        if (st == STATUS_OK && valid < n)
            st = bpe_encode_byte(e, (uint8_t)text[valid++]);
        text += valid;
        n -= valid;
        place = PIECE_GLUED;
    }
    return st;
}
