/* tokenizer_load.c - tokenizer.json to tables: vocabulary, merges, added tokens.
 *
 * The file is untrusted: ids must be unique, since they are rows of the embedding; every merge must
 * name tokens that exist; lengths are capped. Ids may be left out, as some families do before their
 * special tokens: nothing encodes to such an id and it decodes to nothing. A byte without a token
 * is dropped from the text, as the reference does.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/formats/byte_chars.h"
#include "models/formats/tokenizer_internal.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/unicode.h"

#define MANY_UNUSED ((size_t)4096)

/* What is known of one id while loading. Texts are lent by the JSON. */
struct entry {
    const char *text; /* NULL: nothing has this id yet */
    uint8_t flags;
};

struct loader {
    struct tokenizer *t;
    const char *name;
    struct json *root;
    const struct json *vocab, *merges, *added;
    struct entry *entry;
    struct error *err;
};

static enum status place(struct loader *l, int64_t id, const char *text, unsigned flags)
{
    if (id < 0 || id >= TOKENIZER_MAX_IDS)
        return error_set(l->err, STATUS_INVALID, "%s: token \"%.100s\": id %lld is out of range",
                         l->name, text, (long long)id);
    if (strlen(text) == 0 || strlen(text) > 2 * TOKENIZER_MAX_TOKEN_BYTES)
        return error_set(l->err, STATUS_LIMIT, "%s: token %lld is %s (at most %d bytes)", l->name,
                         (long long)id, text[0] ? "too long" : "empty", TOKENIZER_MAX_TOKEN_BYTES);
    if (l->entry[id].text && strcmp(l->entry[id].text, text) != 0)
        return error_set(l->err, STATUS_INVALID,
                         "%s: id %lld is given twice, to \"%.100s\" and to \"%.100s\"", l->name,
                         (long long)id, l->entry[id].text, text);
    l->entry[id].text = text;
    l->entry[id].flags |= (uint8_t)flags;
    if (id >= l->t->n_ids)
        l->t->n_ids = (int32_t)id + 1;
    return STATUS_OK;
}

/* Space for every id. A file that leaves out more ids than it has, and many, is a mistake or an
 * attack on memory. */
static enum status make_entries(struct loader *l)
{
    const size_t n_tokens = jv_size(l->vocab) + jv_size(l->added);
    int64_t last = 0;
    struct json *id;

    for (void *it = NULL; (it = jv_next(l->vocab, it, NULL, &id));)
        last = jv_get_int(id, 0) > last ? jv_get_int(id, 0) : last;
    for (size_t i = 0; i < jv_size(l->added); i++) {
        const int64_t one = jv_get_int(jv_get(jv_at(l->added, i), "id"), 0);

        last = one > last ? one : last;
    }
    if (last >= TOKENIZER_MAX_IDS)
        return error_set(l->err, STATUS_INVALID, "%s: id %lld is out of range", l->name,
                         (long long)last);
    if ((size_t)last > 2 * n_tokens + MANY_UNUSED)
        return error_set(l->err, STATUS_INVALID,
                         "%s: ids go up to %lld, but there are only %zu tokens", l->name,
                         (long long)last, n_tokens);
    l->entry = mem_alloc((size_t)last + 1, sizeof(*l->entry));
    if (l->entry == NULL)
        return error_set(l->err, STATUS_NO_MEMORY, "%s: no memory for %lld tokens", l->name,
                         (long long)last + 1);
    return STATUS_OK;
}

static enum status read_vocab(struct loader *l)
{
    const char *text;
    struct json *id;
    enum status st = STATUS_OK;

    for (void *it = NULL; st == STATUS_OK && (it = jv_next(l->vocab, it, &text, &id));)
        st = place(l, jv_get_int(id, -1), text, 0);
    return st;
}

static bool flag_of(const struct json *token, const char *key)
{
    return jv_get_bool(jv_get(token, key), false);
}

static enum status read_added_token(struct loader *l, size_t i)
{
    const struct json *token = jv_at(l->added, i), *in_vocab;
    const char *text = jv_get_string(jv_get(token, "content"), NULL);
    const int64_t id = jv_get_int(jv_get(token, "id"), -1);
    unsigned flags = 0;
    struct added_tokens **set;
    enum status st;

    if (text == NULL || id < 0)
        return error_set(l->err, STATUS_INVALID, "%s: added_tokens[%zu]: needs an id and a content",
                         l->name, i);
    if (flag_of(token, "single_word"))
        return error_set(l->err, STATUS_UNSUPPORTED,
                         "%s: added token \"%.100s\": single_word is not supported", l->name, text);
    in_vocab = jv_get(l->vocab, text);
    if (in_vocab && jv_get_int(in_vocab, -1) != id)
        return error_set(l->err, STATUS_INVALID,
                         "%s: added token \"%.100s\" has id %lld, but %lld in the vocabulary",
                         l->name, text, (long long)id, (long long)jv_get_int(in_vocab, -1));
    st = place(l, id, text, TOKEN_ADDED | (flag_of(token, "special") ? TOKEN_SPECIAL : 0u));
    if (st)
        return st;
    flags |= flag_of(token, "special") ? ADDED_SPECIAL : 0u;
    flags |= flag_of(token, "lstrip") ? ADDED_LSTRIP : 0u;
    flags |= flag_of(token, "rstrip") ? ADDED_RSTRIP : 0u;
    set = flag_of(token, "normalized") ? &l->t->added_normal : &l->t->added;
    if (*set == NULL)
        *set = added_tokens_new();
    st = added_tokens_add(*set, text, strlen(text), (int32_t)id, flags, l->err);
    if (st)
        error_note(l->err, "%s: added_tokens[%zu]", l->name, i);
    return st;
}

static enum status read_added(struct loader *l)
{
    enum status st = STATUS_OK;

    l->t->added = added_tokens_new();
    for (size_t i = 0; i < jv_size(l->added) && st == STATUS_OK; i++)
        st = read_added_token(l, i);
    return st;
}

/* Bytes of a token of the vocabulary: each character maps to one byte; a text with any other
 * character is meant as it is. `out` has room for the text. */
static size_t unmap_bytes(const char *text, char *out)
{
    const size_t n = strlen(text);
    size_t n_out = 0;

    for (size_t i = 0; i < n;) {
        const int byte = byte_of_char(utf8_next(text, n, &i));

        if (byte < 0) {
            memcpy(out, text, n);
            return n;
        }
        out[n_out++] = (char)byte;
    }
    return n_out;
}

static enum status fill_bytes(struct loader *l)
{
    struct tokenizer *t = l->t;
    size_t total = 0, at = 0;

    for (int32_t id = 0; id < t->n_ids; id++)
        total += l->entry[id].text ? strlen(l->entry[id].text) : 0; /* at most the file's size */
    t->start = mem_alloc((size_t)t->n_ids + 1, sizeof(*t->start));
    t->bytes = mem_alloc(total + 1, 1);
    t->flags = mem_alloc((size_t)t->n_ids, 1);
    if (!t->start || !t->bytes || !t->flags)
        return error_set(l->err, STATUS_NO_MEMORY, "%s: no memory for %d tokens", l->name,
                         t->n_ids);
    for (int32_t id = 0; id < t->n_ids; id++) {
        const char *text = l->entry[id].text;
        size_t n = 0;

        if (text == NULL) {
            /* an id that is left out */
        } else if (l->entry[id].flags & TOKEN_ADDED) {
            n = strlen(text);
            memcpy(t->bytes + at, text, n);
        } else {
            n = unmap_bytes(text, t->bytes + at);
        }
        if (n > TOKENIZER_MAX_TOKEN_BYTES)
            return error_set(l->err, STATUS_LIMIT, "%s: token %d has %zu bytes, the limit is %d",
                             l->name, id, n, TOKENIZER_MAX_TOKEN_BYTES);
        t->flags[id] = l->entry[id].flags;
        t->start[id] = (uint32_t)at;
        at += n;
    }
    t->start[t->n_ids] = (uint32_t)at;
    return STATUS_OK;
}

static size_t table_size(size_t n)
{
    size_t size = 16;

    while (size < 2 * n)
        size *= 2;
    return size;
}

/* Tokens of the vocabulary by their bytes; added ones are found by their own tables. */
static enum status index_bytes(struct loader *l)
{
    struct tokenizer *t = l->t;
    const size_t size = table_size((size_t)t->n_ids);

    t->by_bytes = mem_alloc(size, sizeof(*t->by_bytes));
    if (t->by_bytes == NULL)
        return error_set(l->err, STATUS_NO_MEMORY, "%s: no memory for %d tokens", l->name,
                         t->n_ids);
    memset(t->by_bytes, 0xff, size * sizeof(*t->by_bytes));
    t->by_bytes_mask = size - 1;
    for (int32_t id = 0; id < t->n_ids; id++) {
        size_t n = 0, i;
        const char *bytes = tokenizer_bytes(t, id, &n);

        if (n == 0 || (t->flags[id] & TOKEN_ADDED) || tokenizer_find_vocab(t, bytes, n) >= 0)
            continue;
        i = (size_t)fnv1a64(bytes, n) & t->by_bytes_mask;
        while (t->by_bytes[i] >= 0)
            i = (i + 1) & t->by_bytes_mask;
        t->by_bytes[i] = id;
    }
    return STATUS_OK;
}

static enum status find_byte_tokens(struct loader *l)
{
    struct str key = STR_INIT;
    enum status st = STATUS_OK;

    for (int b = 0; b < 256 && st == STATUS_OK; b++) {
        const struct json *id;

        str_clear(&key);
        utf8_put(&key, byte_char_of((uint8_t)b));
        id = jv_get(l->vocab, str_cstr(&key));
        if (!str_ok(&key))
            st = error_set(l->err, STATUS_NO_MEMORY, "%s: no memory for a key", l->name);
        else
            l->t->byte_id[b] = (int32_t)jv_get_int(id, NO_BYTE);
    }
    str_deinit(&key);
    return st;
}

/* A merge is "left right" or ["left", "right"]; *left is copied into `buffer`. */
static bool read_merge(const struct json *merge, char *buffer, const char **right)
{
    const char *text = jv_get_string(merge, NULL);
    const char *left = jv_get_string(jv_at(merge, 0), NULL);
    const size_t max = 4 * TOKENIZER_MAX_TOKEN_BYTES;
    const char *space;

    if (text) {
        space = strchr(text, ' ');
        if (space == NULL || strchr(space + 1, ' ') || strlen(text) > max)
            return false;
        memcpy(buffer, text, (size_t)(space - text));
        buffer[space - text] = '\0';
        *right = space + 1;
        return true;
    }
    *right = jv_get_string(jv_at(merge, 1), NULL);
    if (jv_kind(merge) != JV_ARRAY || jv_size(merge) != 2 || !left || !*right ||
        strlen(left) + strlen(*right) > max)
        return false;
    memcpy(buffer, left, strlen(left) + 1);
    return true;
}

static enum status add_merge(struct loader *l, size_t i)
{
    char text[8 * TOKENIZER_MAX_TOKEN_BYTES + 2];
    const char *right;
    const struct json *a, *b, *both;
    struct merge_slot *slot;

    if (!read_merge(jv_at(l->merges, i), text, &right))
        return error_set(l->err, STATUS_INVALID, "%s: model.merges[%zu]: is not a pair of tokens",
                         l->name, i);
    a = jv_get(l->vocab, text);
    b = jv_get(l->vocab, right);
    if (a == NULL || b == NULL)
        return error_set(l->err, STATUS_INVALID,
                         "%s: model.merges[%zu]: \"%.100s\" is not in the vocabulary", l->name, i,
                         a ? right : text);
    memcpy(text + strlen(text), right, strlen(right) + 1);
    both = jv_get(l->vocab, text);
    if (both == NULL)
        return error_set(l->err, STATUS_INVALID,
                         "%s: model.merges[%zu]: its result \"%.100s\" is not in the vocabulary",
                         l->name, i, text);
    slot = (struct merge_slot *)(uintptr_t)bpe_find_merge(l->t, (int32_t)jv_get_int(a, 0),
                                                          (int32_t)jv_get_int(b, 0));
    slot->pair = (uint64_t)jv_get_int(a, 0) << 32 | (uint64_t)jv_get_int(b, 0);
    slot->rank = (int32_t)i; /* of a pair given twice the last counts, as in the reference */
    slot->merged = (int32_t)jv_get_int(both, 0);
    return STATUS_OK;
}

static enum status read_merges(struct loader *l)
{
    struct tokenizer *t = l->t;
    const size_t n = jv_size(l->merges), size = table_size(n);
    enum status st = STATUS_OK;

    t->merge = mem_alloc(size, sizeof(*t->merge));
    if (t->merge == NULL)
        return error_set(l->err, STATUS_NO_MEMORY, "%s: no memory for %zu merges", l->name, n);
    t->merge_mask = size - 1;
    t->n_merges = (int32_t)n;
    for (size_t i = 0; i < size; i++)
        t->merge[i].rank = NO_RANK;
    for (size_t i = 0; i < n && st == STATUS_OK; i++)
        st = add_merge(l, i);
    return st;
}

/* Options of the model that would change the result. */
static enum status check_model(const struct loader *l, const struct json *model)
{
    static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    const char *type = jv_get_string(jv_get(model, "type"), "BPE");

    if (jv_kind(model) != JV_OBJECT || strcmp(type, "BPE") != 0)
        return error_set(l->err, STATUS_UNSUPPORTED,
                         "%s: model.type: \"%s\" is not supported, only BPE", l->name,
                         jv_kind(model) == JV_OBJECT ? type : "none");
    if (jv_get_bool(jv_get(model, "byte_fallback"), false))
        return error_set(l->err, STATUS_UNSUPPORTED, "%s: model.byte_fallback is not supported",
                         l->name);
    if (jv_get_number(jv_get(model, "dropout"), 0) != 0)
        return error_set(l->err, STATUS_UNSUPPORTED, "%s: model.dropout is not supported", l->name);
    for (size_t i = 0; i < ARRAY_LEN(affixes); i++)
        if (jv_get_string(jv_get(model, affixes[i]), "")[0])
            return error_set(l->err, STATUS_UNSUPPORTED, "%s: model.%s is not supported", l->name,
                             affixes[i]);
    if (jv_kind(l->vocab) != JV_OBJECT || jv_kind(l->merges) != JV_ARRAY)
        return error_set(l->err, STATUS_INVALID,
                         "%s: model needs \"vocab\" (an object) and \"merges\" (an array)",
                         l->name);
    if (l->added && jv_kind(l->added) != JV_ARRAY && jv_kind(l->added) != JV_NULL)
        return error_set(l->err, STATUS_INVALID, "%s: \"added_tokens\" is not an array", l->name);
    if (jv_size(l->added) > TOKENIZER_MAX_ADDED)
        return error_set(l->err, STATUS_LIMIT, "%s: %zu added tokens, the limit is %d", l->name,
                         jv_size(l->added), TOKENIZER_MAX_ADDED);
    return STATUS_OK;
}

static enum status read_tables(struct loader *l)
{
    const struct json *model = jv_get(l->root, "model");
    enum status st;

    l->vocab = jv_get(model, "vocab");
    l->merges = jv_get(model, "merges");
    l->added = jv_get(l->root, "added_tokens");
    st = check_model(l, model);
    if (st)
        return st;
    l->t->ignore_merges = jv_get_bool(jv_get(model, "ignore_merges"), false);
    st = make_entries(l);
    if (st == STATUS_OK)
        st = read_vocab(l);
    if (st == STATUS_OK)
        st = read_added(l);
    if (st == STATUS_OK)
        st = find_byte_tokens(l);
    if (st == STATUS_OK)
        st = fill_bytes(l);
    if (st == STATUS_OK)
        st = index_bytes(l);
    if (st == STATUS_OK)
        st = read_merges(l);
    if (st == STATUS_OK)
        st = tokenizer_read_parts(l->t, l->root, l->name, l->err);
    return st;
}

static bool has_all_bytes(const struct tokenizer *t)
{
    for (int b = 0; b < 256; b++)
        if (t->byte_id[b] == NO_BYTE)
            return false;
    return true;
}

enum status tokenizer_from_json(const char *text, size_t n, const char *name,
                                struct tokenizer **out, struct error *err)
{
    struct loader l = {.name = name, .err = err};
    struct tokenizer *t;
    enum status st = jv_parse_max(text, n, TOKENIZER_MAX_FILE, name, &l.root, err);

    if (st)
        return st;
    t = l.t = xcalloc(1, sizeof(*t));
    st = read_tables(&l);
    if (st == STATUS_OK) {
        t->plain_bytes = t->n_merges == 0 && !t->ignore_merges && !t->nfc && !t->add_prefix_space &&
                         has_all_bytes(t);
        t->hash = sha256_of(text, n);
        *out = t;
    } else {
        tokenizer_free(t);
    }
    free(l.entry);
    jv_unref(l.root);
    return st;
}
