/* tokenizer.c - encoding, decoding, look-ups.
 *
 * The order is Hugging Face's: added tokens in the raw text, then normalisation of
 * what is between them, then added tokens marked "normalized", then pieces.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "models/formats/tokenizer_internal.h"
#include "runtime/base/memory.h"
#include "runtime/base/unicode.h"

#define MAX_TEXT ((size_t)256 << 20) /* positions inside are 32 bits wide */

void tokenizer_free(struct tokenizer *t)
{
    if (t == NULL)
        return;
    for (int i = 0; i < t->n_splits; i++)
        pattern_free(t->split[i]);
    added_tokens_free(t->added);
    added_tokens_free(t->added_normal);
    free(t->start);
    free(t->bytes);
    free(t->flags);
    free(t->by_bytes);
    free(t->merge);
    free(t);
}

struct tokenizer_scratch *tokenizer_scratch_new(void)
{
    struct tokenizer_scratch *s = xcalloc(1, sizeof(*s));

    str_init(&s->normal, (size_t)1 << 30);
    return s;
}

void tokenizer_scratch_free(struct tokenizer_scratch *s)
{
    if (s == NULL)
        return;
    str_deinit(&s->normal);
    free(s->bpe.symbol);
    free(s->bpe.heap);
    pattern_scratch_free(s->pattern);
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
static enum status encode_text(const struct encoding *e, const char *text, size_t n)
{
    char *spaced;
    enum status st;

    if (n == 0)
        return STATUS_OK;
    if (e->t->plain_bytes)
        return encode_bytes(e, text, n);
    if (!e->t->add_prefix_space || text[0] == ' ')
        return tokenizer_encode_plain(e, text, n);
    spaced = mem_alloc(n + 1, 1);
    if (spaced == NULL)
        return error_set(e->err, STATUS_NO_MEMORY, "no memory to tokenise %zu bytes", n);
    spaced[0] = ' ';
    memcpy(spaced + 1, text, n);
    st = tokenizer_encode_plain(e, spaced, n + 1);
    free(spaced);
    return st;
}

static enum status encode_normalised(const struct encoding *e, const char *text, size_t n,
                                     bool parse_special)
{
    struct added_match m;
    size_t at = 0;
    enum status st = STATUS_OK;

    while (st == STATUS_OK && e->t->added_normal &&
           added_tokens_find(e->t->added_normal, text, n, at, parse_special, &m)) {
        st = encode_text(e, text + at, m.from - at);
        if (st == STATUS_OK)
            st = token_ids_push(e->out, m.id, e->err);
        at = m.to;
    }
    return st ? st : encode_text(e, text + at, n - at);
}

/* NFC of the parts that are UTF-8; other bytes stay. */
static enum status normalise(const struct encoding *e, const char *text, size_t n)
{
    struct str *normal = &e->scratch->normal;
    enum status st = STATUS_OK;

    str_clear(normal);
    while (n > 0 && st == STATUS_OK) {
        size_t valid = utf8_valid_prefix(text, n);

        st = utf8_nfc(text, valid, normal, e->err);
        if (valid < n)
            str_putc(normal, text[valid++]);
        text += valid;
        n -= valid;
    }
    if (st == STATUS_OK && !str_ok(normal))
        st = error_set(e->err, STATUS_LIMIT, "the text is too long to be normalised");
    return st;
}

static enum status encode_between(const struct encoding *e, const char *text, size_t n,
                                  bool parse_special)
{
    const struct str *normal = &e->scratch->normal;
    enum status st;

    if (n == 0)
        return STATUS_OK;
    if (!e->t->nfc)
        return encode_normalised(e, text, n, parse_special);
    st = normalise(e, text, n);
    return st ? st : encode_normalised(e, str_cstr(normal), normal->len, parse_special);
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
    while (st == STATUS_OK && added_tokens_find(t->added, text, n, at, parse_special, &m)) {
        st = encode_between(&e, text + at, m.from - at, parse_special);
        if (st == STATUS_OK)
            st = token_ids_push(out, m.id, err);
        at = m.to;
    }
    if (st == STATUS_OK)
        st = encode_between(&e, text + at, n - at, parse_special);
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
    *n = t->start[id + 1] - t->start[id];
    return t->bytes + t->start[id];
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->n_ids && (t->flags[id] & TOKEN_SPECIAL);
}

int32_t tokenizer_find_vocab(const struct tokenizer *t, const char *bytes, size_t n)
{
    size_t i = (size_t)fnv1a64(bytes, n) & t->by_bytes_mask;

    for (; t->by_bytes[i] >= 0; i = (i + 1) & t->by_bytes_mask) {
        const int32_t id = t->by_bytes[i];

        if (t->start[id + 1] - t->start[id] == n && memcmp(t->bytes + t->start[id], bytes, n) == 0)
            return id;
    }
    return -1;
}

int32_t tokenizer_id_of(const struct tokenizer *t, const char *text)
{
    const size_t n = strlen(text);
    int32_t id = added_tokens_exact(t->added, text, n);

    if (id < 0 && t->added_normal)
        id = added_tokens_exact(t->added_normal, text, n);
    return id >= 0 ? id : tokenizer_find_vocab(t, text, n);
}

struct sha256 tokenizer_hash(const struct tokenizer *t)
{
    return t->hash;
}

void tokenizer_decode(const struct tokenizer *t, const int32_t *id, size_t n, bool skip_special,
                      struct str *out)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = 0;
        const char *bytes = tokenizer_bytes(t, id[i], &len);

        if (bytes && !(skip_special && tokenizer_is_special(t, id[i])))
            str_append(out, bytes, len);
    }
}
