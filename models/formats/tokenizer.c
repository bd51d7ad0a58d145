/* tokenizer.c - encoding, decoding, look-ups.
 *
 * The order is Hugging Face's: added tokens in the raw text, then normalisation of
 * what is between them, then added tokens marked "normalized", then pieces.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "models/formats/tokenizer_cache.h"
#include "models/formats/tokenizer_internal.h"
#include "runtime/base/memory.h"

#define MAX_TEXT      ((size_t)256 << 20) /* positions inside are 32 bits wide */
#define MAX_REWRITTEN ((size_t)1 << 30)

void tokenizer_free(struct tokenizer *t)
{
    if (t == NULL)
        return;
    for (int i = 0; i < t->n_normal; i++) {
        pattern_free(t->normal[i].pattern);
        free(t->normal[i].from);
        free(t->normal[i].to);
    }
    for (int i = 0; i < t->n_splits; i++) {
        pattern_free(t->split[i].pattern);
        free(t->split[i].text);
    }
    added_tokens_free(t->added);
    added_tokens_free(t->added_normal);
    free(t->key.start);
    free(t->key.bytes);
    free(t->text.start);
    free(t->text.bytes);
    free(t->flags);
    free(t->by_key);
    free(t->merge);
    free(t->score_rank);
    free(t);
}

struct tokenizer_scratch *tokenizer_scratch_new(void)
{
    struct tokenizer_scratch *s = xcalloc(1, sizeof(*s));

    for (size_t i = 0; i < ARRAY_LEN(s->normal); i++)
        str_init(&s->normal[i], MAX_REWRITTEN);
    for (size_t i = 0; i < ARRAY_LEN(s->step); i++)
        str_init(&s->step[i], MAX_REWRITTEN);
    return s;
}

void tokenizer_scratch_free(struct tokenizer_scratch *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < ARRAY_LEN(s->normal); i++)
        str_deinit(&s->normal[i]);
    for (size_t i = 0; i < ARRAY_LEN(s->step); i++)
        str_deinit(&s->step[i]);
    free(s->bpe.symbol);
    free(s->bpe.heap);
    pattern_scratch_free(s->pattern);
    piece_cache_free(s->cache);
    free(s);
}

static enum status encode_bytes(const struct encoding *e, const char *text, size_t n)
{
    struct token_ids *out = e->out;
    enum status st = token_ids_reserve(out, n, e->err);

    if (st)
        return st;
    for (size_t i = 0; i < n; i++)
        out->id[out->n + i] = e->t->byte_id[(uint8_t)text[i]];
    out->n += n;
    return STATUS_OK;
}

/* Text without added tokens. */
static enum status encode_text(const struct encoding *e, const char *text, size_t n,
                               enum piece_place place)
{
    if (n == 0)
        return STATUS_OK;
    return e->t->plain_bytes ? encode_bytes(e, text, n)
                             : tokenizer_encode_pieces(e, text, n, place);
}

static enum status encode_normalised(const struct encoding *e, const char *text, size_t n,
                                     bool parse_special, enum piece_place place)
{
    struct added_match m;
    size_t at = 0;
    enum status st = STATUS_OK;

    while (st == STATUS_OK && e->t->added_normal &&
           added_tokens_find(e->t->added_normal, text, n, at, parse_special, &m)) {
        st = encode_text(e, text + at, m.from - at, at == 0 ? place : PIECE_LATER);
        if (st == STATUS_OK)
            st = token_ids_push(e->out, m.id, e->err);
        at = m.to;
    }
    return st ? st : encode_text(e, text + at, n - at, at == 0 ? place : PIECE_LATER);
}

static enum status encode_between(const struct encoding *e, const char *text, size_t n,
                                  bool parse_special, enum piece_place place)
{
    bool cut = false;
    enum status st;

    if (n == 0)
        return STATUS_OK;
    st = tokenizer_normalise(e, text, n, &text, &n, &cut);
    return st ? st : encode_normalised(e, text, n, parse_special, cut ? PIECE_LATER : place);
}

/* The cache makes encoding faster; without memory it works too. */
static void ready_cache(const struct tokenizer *t, struct tokenizer_scratch *scratch)
{
    if (t->plain_bytes)
        return;
    if (!scratch->cache)
        scratch->cache = piece_cache_new();
    if (scratch->cache)
        piece_cache_use(scratch->cache, &t->hash);
}

enum status tokenizer_encode(const struct tokenizer *t, struct tokenizer_scratch *scratch,
                             const char *text, size_t n, bool parse_special, struct token_ids *out,
                             struct error *err)
{
    const struct encoding e = {.t = t, .scratch = scratch, .out = out, .err = err};
    struct added_match m;
    size_t at = 0;
    const size_t had = out->n;
    enum status st = STATUS_OK;

    if (n > MAX_TEXT)
        return error_set(err, STATUS_LIMIT, "the text is longer than %zu bytes", MAX_TEXT);
    ready_cache(t, scratch);
    while (st == STATUS_OK && added_tokens_find(t->added, text, n, at, parse_special, &m)) {
        st = encode_between(&e, text + at, m.from - at, parse_special,
                            at == 0 ? PIECE_FIRST : PIECE_LATER);
        if (st == STATUS_OK)
            st = token_ids_push(out, m.id, err);
        at = m.to;
    }
    if (st == STATUS_OK)
        st = encode_between(&e, text + at, n - at, parse_special,
                            at == 0 ? PIECE_FIRST : PIECE_LATER);
    if (st)
        out->n = had;
    return st;
}

int32_t tokenizer_size(const struct tokenizer *t)
{
    return t->n_ids;
}

const char *tokenizer_bytes(const struct tokenizer *t, int32_t id, size_t *n)
{
    if (id < 0 || id >= t->n_ids)
        return NULL;
    *n = t->text.start[id + 1] - t->text.start[id];
    return t->text.bytes + t->text.start[id];
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->n_ids && (t->flags[id] & TOKEN_SPECIAL);
}

size_t tokenizer_key_slot(const struct tokenizer *t, const char *bytes, size_t n, uint64_t hash)
{
    const uint32_t tag = (uint32_t)(hash >> 32);
    size_t i = (size_t)hash & t->by_key_mask;

    for (; t->by_key[i].id >= 0; i = (i + 1) & t->by_key_mask) {
        const uint32_t *start = &t->key.start[t->by_key[i].id];

        if (t->by_key[i].tag == tag && start[1] - start[0] == n &&
            memcmp(t->key.bytes + start[0], bytes, n) == 0)
            break;
    }
    return i;
}

int32_t tokenizer_find_key(const struct tokenizer *t, const char *bytes, size_t n)
{
    return t->by_key[tokenizer_key_slot(t, bytes, n, fnv1a64(bytes, n))].id;
}

int32_t tokenizer_id_of(const struct tokenizer *t, const char *text)
{
    const size_t n = strlen(text);
    int32_t id = added_tokens_exact(t->added, text, n);

    if (id < 0 && t->added_normal)
        id = added_tokens_exact(t->added_normal, text, n);
    return id >= 0 || n == 0 ? id : tokenizer_find_key(t, text, n);
}

struct sha256 tokenizer_hash(const struct tokenizer *t)
{
    return t->hash;
}

const int32_t *tokenizer_before(const struct tokenizer *t, size_t *n)
{
    *n = (size_t)t->n_before;
    return t->before;
}

const int32_t *tokenizer_after(const struct tokenizer *t, size_t *n)
{
    *n = (size_t)t->n_after;
    return t->after;
}

const char *tokenizer_text_in(const struct tokenizer *t, int32_t id, struct text_begin *begin,
                              size_t *n)
{
    const struct text_strip *strip = &t->strip;
    const char *bytes = tokenizer_bytes(t, id, n);

    if (bytes == NULL || begin->begun || *n == 0)
        return bytes;
    while (strip->byte && *n > 0 && *bytes == strip->byte && begin->dropped < strip->most) {
        bytes++;
        (*n)--;
        begin->dropped++;
    }
    begin->begun = *n > 0 || strip->first_token || begin->dropped >= strip->most;
    return bytes;
}

void tokenizer_decode(const struct tokenizer *t, const int32_t *id, size_t n, bool skip_special,
                      struct str *out)
{
    struct text_begin begin = {.begun = false};

    for (size_t i = 0; i < n; i++) {
        size_t len = 0;
        const char *bytes;

        if (skip_special && tokenizer_is_special(t, id[i]))
            continue;
        bytes = tokenizer_text_in(t, id[i], &begin, &len);
        if (bytes)
            str_append(out, bytes, len);
    }
}
