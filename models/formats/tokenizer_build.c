/* tokenizer_build.c - tokens to tables: keys, texts, flags, added tokens.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer_build.h"

#include <stdlib.h>
#include <string.h>

#include "models/formats/byte_chars.h"
#include "runtime/base/memory.h"
#include "runtime/base/unicode.h"

#define MANY_UNUSED ((size_t)4096)
#define MOST_PROBES 4096 /* more collisions are made on purpose: a third of the table is free */

enum status build_new(struct tokenizer_build *b, size_t n_bytes, const char *name,
                      struct error *err)
{
    *b = (struct tokenizer_build){.name = name, .err = err, .last_id = -1, .last_merged = -1};
    b->t = xcalloc(1, sizeof(*b->t));
    b->t->unk_id = NO_ID;
    for (int byte = 0; byte < 256; byte++)
        b->t->byte_id[byte] = NO_ID;
    for (uint32_t c = 0; c < ARRAY_LEN(b->byte_of); c++)
        b->byte_of[c] = (int16_t)byte_of_char(c);
    b->cap_bytes = n_bytes + 1;
    b->bytes = mem_alloc(b->cap_bytes, 1);
    if (b->bytes == NULL)
        return error_set(err, STATUS_NO_MEMORY, "%s: no memory for %zu bytes", name, n_bytes);
    return STATUS_OK;
}

void build_free(struct tokenizer_build *b)
{
    for (int i = 0; i < b->n_replace; i++) {
        free(b->replace[i].from);
        free(b->replace[i].to);
    }
    free(b->bytes);
    free(b->token);
    free(b->added);
    free(b->token_of);
    tokenizer_free(b->t);
    *b = (struct tokenizer_build){.t = NULL};
}

static enum status no_memory(const struct tokenizer_build *b)
{
    return error_set(b->err, STATUS_NO_MEMORY, "%s: no memory for %zu tokens", b->name,
                     b->n_tokens + b->n_added);
}

static enum status fault(const struct tokenizer_build *b, enum status status, const char *text,
                         size_t n, const char *what)
{
    struct str shown = STR_INIT;
    enum status st;

    utf8_clean(text, n < 100 ? n : 100, &shown);
    st = error_set(b->err, status, "%s: token \"%s\": %s", b->name, str_cstr(&shown), what);
    str_deinit(&shown);
    return st;
}

/* ---- spelling */

/* Bytes of a token at the byte level: each character maps to one byte; a text with any other
 * character is meant as it is (*verbatim). `out` has room for n. */
static size_t unmap(const struct tokenizer_build *b, const char *text, size_t n, char *out,
                    bool *verbatim)
{
    size_t n_out = 0;

    *verbatim = false;
    for (size_t i = 0; i < n; i++) {
        const uint8_t c = (uint8_t)text[i];
        uint32_t code = c;

        if (c >= 0x80) {
            const bool two =
                c >= 0xc2 && c < 0xc8 && i + 1 < n && ((uint8_t)text[i + 1] & 0xc0) == 0x80;

            code = two ? (c & 0x1fu) << 6 | ((uint8_t)text[++i] & 0x3fu) : 0xa0;
        }
        if (b->byte_of[code] < 0) {
            memcpy(out, text, n);
            *verbatim = true;
            return n;
        }
        out[n_out++] = (char)b->byte_of[code];
    }
    return n_out;
}

size_t build_key(const struct tokenizer_build *b, const char *text, size_t n, char *out)
{
    bool verbatim;

    if (b->t->byte_level)
        return unmap(b, text, n, out, &verbatim);
    memcpy(out, text, n);
    return n;
}

static enum status check_text(const struct tokenizer_build *b, const char *text, size_t n)
{
    if (n == 0)
        return fault(b, STATUS_LIMIT, text, n, "is empty");
    if (n > 2 * TOKENIZER_MAX_TOKEN_BYTES)
        return fault(b, STATUS_LIMIT, text, n, "is too long");
    return STATUS_OK;
}

static enum status check_id(const struct tokenizer_build *b, const char *text, size_t n, int64_t id)
{
    if (id < 0 || id >= TOKENIZER_MAX_IDS)
        return fault(b, STATUS_INVALID, text, n, "its id is out of range, or not an integer");
    return STATUS_OK;
}

static bool grow(void **list, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    *cap = *cap ? 2 * *cap : 1024;
    return mem_grow(list, *cap, size);
}

enum status build_token(struct tokenizer_build *b, const char *text, size_t n, int64_t id)
{
    char *key = b->bytes + b->n_bytes;
    struct build_token *t;
    bool verbatim = true;
    size_t n_key = n;
    enum status st = check_text(b, text, n);

    if (st == STATUS_OK)
        st = check_id(b, text, n, id);
    if (st)
        return st;
    if (n > b->cap_bytes - b->n_bytes ||
        !grow((void **)&b->token, b->n_tokens, &b->cap_tokens, sizeof(*b->token)))
        return no_memory(b);
    if (b->t->byte_level)
        n_key = unmap(b, text, n, key, &verbatim);
    else
        memmove(key, text, n);
    if (verbatim && utf8_valid_prefix(text, n) != n)
        return fault(b, STATUS_INVALID, text, n, "is not UTF-8");
    if (n_key > TOKENIZER_MAX_TOKEN_BYTES)
        return fault(b, STATUS_LIMIT, text, n, "is too long");
    t = &b->token[b->n_tokens++];
    *t = (struct build_token){(uint32_t)b->n_bytes, (uint32_t)n_key, (int32_t)id,
                              verbatim && b->t->byte_level};
    b->n_bytes += n_key;
    b->last_id = id > b->last_id ? id : b->last_id;
    return STATUS_OK;
}

enum status build_added(struct tokenizer_build *b, const char *text, size_t n, int64_t id,
                        unsigned flags, bool normalized)
{
    enum status st = check_text(b, text, n);

    if (st == STATUS_OK)
        st = check_id(b, text, n, id);
    if (st)
        return st;
    if (n > TOKENIZER_MAX_TOKEN_BYTES)
        return fault(b, STATUS_LIMIT, text, n, "is too long");
    if (utf8_valid_prefix(text, n) != n)
        return fault(b, STATUS_INVALID, text, n, "is not UTF-8");
    if (b->n_added == TOKENIZER_MAX_ADDED)
        return error_set(b->err, STATUS_LIMIT, "%s: more than %d added tokens", b->name,
                         TOKENIZER_MAX_ADDED);
    if (n > b->cap_bytes - b->n_bytes ||
        !grow((void **)&b->added, b->n_added, &b->cap_added, sizeof(*b->added)))
        return no_memory(b);
    memmove(b->bytes + b->n_bytes, text, n);
    b->added[b->n_added++] = (struct build_added){
        (uint32_t)b->n_bytes, (uint32_t)n, (int32_t)id, flags, normalized, false};
    b->n_bytes += n;
    b->last_id = id > b->last_id ? id : b->last_id;
    return STATUS_OK;
}

/* ---- ids */

/* A file that leaves out more ids than it has, and many, is a mistake or an attack on memory. */
static enum status make_ids(struct tokenizer_build *b)
{
    struct tokenizer *t = b->t;
    const size_t n_tokens = b->n_tokens + b->n_added;

    if (b->last_id > (int64_t)(2 * n_tokens + MANY_UNUSED))
        return error_set(b->err, STATUS_INVALID,
                         "%s: ids go up to %lld, but there are only %zu tokens", b->name,
                         (long long)b->last_id, n_tokens);
    t->n_ids = (int32_t)(b->last_id + 1);
    b->token_of = mem_alloc((size_t)t->n_ids + 1, sizeof(*b->token_of));
    t->flags = mem_alloc((size_t)t->n_ids + 1, 1);
    t->key.start = mem_alloc((size_t)t->n_ids + 1, sizeof(*t->key.start));
    t->key.bytes = mem_alloc(b->n_bytes + 1, 1);
    if (!b->token_of || !t->flags || !t->key.start || !t->key.bytes)
        return no_memory(b);
    memset(b->token_of, 0xff, (size_t)t->n_ids * sizeof(*b->token_of));
    for (size_t i = 0; i < b->n_tokens; i++) {
        const struct build_token *one = &b->token[i];

        if (b->token_of[one->id] >= 0)
            return fault(b, STATUS_INVALID, b->bytes + one->at, one->n,
                         "its id is given twice, to another token too");
        b->token_of[one->id] = (int32_t)i;
    }
    return STATUS_OK;
}

static void fill_keys(struct tokenizer_build *b)
{
    struct token_strings *key = &b->t->key;
    size_t at = 0;

    for (int32_t id = 0; id < b->t->n_ids; id++) {
        const int32_t i = b->token_of[id];

        key->start[id] = (uint32_t)at;
        if (i < 0)
            continue;
        memcpy(key->bytes + at, b->bytes + b->token[i].at, b->token[i].n);
        at += b->token[i].n;
        if (b->token[i].n > b->t->longest_key)
            b->t->longest_key = b->token[i].n;
    }
    key->start[b->t->n_ids] = (uint32_t)at;
}

static size_t table_size(size_t n)
{
    size_t size = 16;

    while (size < n + n / 2)
        size *= 2;
    return size;
}

static enum status index_key(struct tokenizer_build *b, const struct build_token *one)
{
    struct tokenizer *t = b->t;
    const char *key = b->bytes + one->at;
    const uint64_t hash = fnv1a64(key, one->n);
    const size_t slot = tokenizer_key_slot(t, key, one->n, hash);

    if (((slot - (size_t)hash) & t->by_key_mask) > MOST_PROBES)
        return error_set(b->err, STATUS_LIMIT, "%s: the hashes of its tokens collide", b->name);
    if (t->by_key[slot].id < 0)
        t->by_key[slot] = (struct key_slot){(uint32_t)(hash >> 32), one->id};
    else if (!one->verbatim)
        return fault(b, STATUS_INVALID, key, one->n, "is given twice");
    return STATUS_OK;
}

/* Verbatim ones last: what spells bytes has the key. */
static enum status index_keys(struct tokenizer_build *b)
{
    struct tokenizer *t = b->t;
    const size_t size = table_size(b->n_tokens);
    enum status st = STATUS_OK;

    t->by_key = mem_alloc(size, sizeof(*t->by_key));
    if (t->by_key == NULL)
        return no_memory(b);
    for (size_t i = 0; i < size; i++)
        t->by_key[i].id = NO_ID;
    t->by_key_mask = size - 1;
    for (int verbatim = 0; verbatim < 2; verbatim++)
        for (size_t i = 0; i < b->n_tokens && st == STATUS_OK; i++)
            if (b->token[i].verbatim == verbatim)
                st = index_key(b, &b->token[i]);
    return st;
}

/* ---- added tokens */

/* The id in the vocabulary of an added token's text, or NO_ID. */
static int32_t find_in_model(const struct tokenizer_build *b, const struct build_added *a)
{
    char key[TOKENIZER_MAX_TOKEN_BYTES];
    const char *text = b->bytes + a->at;
    bool verbatim = true;
    const size_t n = b->t->byte_level ? unmap(b, text, a->n, key, &verbatim) : a->n;

    return tokenizer_find_key(b->t, verbatim ? text : key, n);
}

static enum status check_added(struct tokenizer_build *b, struct build_added *a)
{
    const char *text = b->bytes + a->at;
    const int32_t in_model = find_in_model(b, a);

    a->in_model = in_model == a->id;
    if (!a->in_model && in_model >= 0)
        return fault(b, STATUS_INVALID, text, a->n,
                     "is added with another id than the vocabulary has");
    if (!a->in_model && b->token_of[a->id] >= 0)
        return fault(b, STATUS_INVALID, text, a->n, "its id is given twice, to another token too");
    b->t->flags[a->id] |= TOKEN_ADDED | (a->flags & ADDED_SPECIAL ? TOKEN_SPECIAL : 0);
    return STATUS_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct build_added *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

enum status build_index(struct tokenizer_build *b)
{
    enum status st = make_ids(b);

    if (st)
        return st;
    fill_keys(b);
    st = index_keys(b);
    if (st == STATUS_OK && b->n_added > 0)
        qsort(b->added, b->n_added, sizeof(*b->added), by_id);
    for (size_t i = 0; i < b->n_added && st == STATUS_OK; i++) {
        if (i > 0 && b->added[i].id == b->added[i - 1].id)
            st = fault(b, STATUS_INVALID, b->bytes + b->added[i].at, b->added[i].n,
                       "its id is given twice, to another token too");
        else
            st = check_added(b, &b->added[i]);
    }
    return st;
}

/* Added tokens that are looked for after normalisation are normalised too; that is what they decode
 * to as well. */
static enum status normalise_added(struct tokenizer_build *b, const struct encoding *e,
                                   struct build_added *a)
{
    const char *text;
    size_t n;
    bool cut;
    enum status st = tokenizer_normalise(e, b->bytes + a->at, a->n, &text, &n, &cut);

    if (st || (n == a->n && memcmp(text, b->bytes + a->at, n) == 0))
        return st;
    if (n > TOKENIZER_MAX_TOKEN_BYTES)
        return fault(b, STATUS_LIMIT, text, n, "is too long");
    if (n > b->cap_bytes - b->n_bytes) {
        if (!mem_grow((void **)&b->bytes, 2 * (b->cap_bytes + n), 1))
            return no_memory(b);
        b->cap_bytes = 2 * (b->cap_bytes + n);
    }
    memcpy(b->bytes + b->n_bytes, text, n);
    a->at = (uint32_t)b->n_bytes;
    a->n = (uint32_t)n;
    b->n_bytes += n;
    return STATUS_OK;
}

static enum status add_one(struct tokenizer_build *b, const struct encoding *e,
                           struct build_added *a)
{
    struct added_tokens **set = a->normalized ? &b->t->added_normal : &b->t->added;
    enum status st = a->normalized ? normalise_added(b, e, a) : STATUS_OK;

    if (st == STATUS_OK && *set == NULL)
        *set = added_tokens_new();
    if (st == STATUS_OK)
        st = added_tokens_add(*set, b->bytes + a->at, a->n, a->id, a->flags, b->err);
    if (st)
        error_note(b->err, "%s: added_tokens", b->name);
    return st;
}

static enum status add_all(struct tokenizer_build *b)
{
    struct tokenizer_scratch *scratch = tokenizer_scratch_new();
    const struct encoding e = {.t = b->t, .scratch = scratch, .err = b->err};
    enum status st = STATUS_OK;

    b->t->added = added_tokens_new();
    for (size_t i = 0; i < b->n_added && st == STATUS_OK; i++)
        st = add_one(b, &e, &b->added[i]);
    tokenizer_scratch_free(scratch);
    return st;
}

/* ---- what ids decode to */

int build_byte_token(const char *text, size_t n)
{
    int byte = 0;

    if (n != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    for (int i = 3; i < 5; i++) {
        const char c = text[i];
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                 : -1;

        if (digit < 0)
            return -1;
        byte = 16 * byte + digit;
    }
    return byte;
}

static void replace_all(struct str *text, const char *from, const char *to, struct str *spare)
{
    const size_t n_from = strlen(from);
    const char *at = str_cstr(text), *end = at + text->len;
    const char *hit;
    struct str swap;

    if (!memmem(at, text->len, from, n_from))
        return;
    str_clear(spare);
    for (; (hit = memmem(at, (size_t)(end - at), from, n_from)); at = hit + n_from) {
        str_append(spare, at, (size_t)(hit - at));
        str_puts(spare, to);
    }
    str_append(spare, at, (size_t)(end - at));
    swap = *text;
    *text = *spare;
    *spare = swap;
}

/* text[0] is what is decoded; text[1] is spare. */
static enum status put_text(struct tokenizer_build *b, struct str *all, struct str text[2],
                            const char *bytes, size_t n)
{
    int byte;

    str_clear(&text[0]);
    str_append(&text[0], bytes, n);
    for (int i = 0; i < b->n_replace; i++)
        replace_all(&text[0], b->replace[i].from, b->replace[i].to, &text[1]);
    byte = b->decodes_bytes ? build_byte_token(str_cstr(&text[0]), text[0].len) : -1;
    if (byte >= 0)
        str_putc(all, (char)byte);
    else
        str_append(all, text[0].data, text[0].len);
    if (text[0].len > TOKENIZER_MAX_TOKEN_BYTES)
        return fault(b, STATUS_LIMIT, bytes, n, "decodes to a text that is too long");
    return STATUS_OK;
}

static enum status fill_texts(struct tokenizer_build *b)
{
    struct tokenizer *t = b->t;
    struct str all, text[2] = {STR_INIT, STR_INIT};
    size_t a = 0; /* of the added tokens, which are in the order of ids */
    enum status st = STATUS_OK;

    str_init(&all, UINT32_MAX);
    t->text.start = mem_alloc((size_t)t->n_ids + 1, sizeof(*t->text.start));
    if (!t->text.start)
        return no_memory(b);
    for (int32_t id = 0; id < t->n_ids && st == STATUS_OK; id++) {
        const char *key = t->key.bytes + t->key.start[id];
        const size_t n = t->key.start[id + 1] - t->key.start[id];

        t->text.start[id] = (uint32_t)all.len;
        if (a < (size_t)b->n_added && b->added[a].id == id) {
            st = put_text(b, &all, text, b->bytes + b->added[a].at, b->added[a].n);
            a++;
        } else if (b->n_replace == 0 && !b->decodes_bytes) {
            str_append(&all, key, n);
        } else if (n > 0) {
            st = put_text(b, &all, text, key, n);
        }
    }
    if (st == STATUS_OK && (!str_ok(&all) || !str_ok(&text[0]) || !str_ok(&text[1])))
        st = no_memory(b);
    t->text.start[t->n_ids] = (uint32_t)all.len;
    t->text.bytes = str_take(&all);
    str_deinit(&text[0]);
    str_deinit(&text[1]);
    return st;
}

/* ---- the rest */

static bool is_plain(const struct tokenizer *t)
{
    bool all = t->byte_level && t->n_merges == 0 && !t->ignore_merges && t->n_normal == 0;

    for (int b = 0; b < 256; b++)
        all = all && t->byte_id[b] >= 0;
    for (int i = 0; i < t->n_splits; i++)
        all = all && !t->split[i].rewrites && t->split[i].behavior != SPLIT_REMOVED;
    return all;
}

enum status build_finish(struct tokenizer_build *b)
{
    struct tokenizer *t = b->t;
    enum status st;

    if (t->byte_level)
        for (int byte = 0; byte < 256; byte++) {
            const char one = (char)byte;

            t->byte_id[byte] = tokenizer_find_key(t, &one, 1);
        }
    st = add_all(b);
    if (st == STATUS_OK)
        st = fill_texts(b);
    if (st == STATUS_OK && t->cuts_blanks)
        t->cuts_blanks = !t->byte_level && !t->ignore_merges &&
                         tokenizer_find_key(t, META_BLANK, META_BLANK_BYTES) >= 0;
    t->plain_bytes = is_plain(t);
    return st;
}
