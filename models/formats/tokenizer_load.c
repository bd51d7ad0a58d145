/* tokenizer_load.c - tokenizer.json to the tables of a tokenizer.
 *
 * The file is untrusted: tokenizer_json.c checks its form, tokenizer_build.c its tables, and parts
 * that are not supported are refused.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/formats/tokenizer_json.h"
#include "models/formats/tokenizer_parts.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"

struct loader {
    struct tokenizer_json file;
    struct tokenizer_build b;
    const struct json *model;
};

static enum status read_vocab(struct loader *l)
{
    char copy[2 * TOKENIZER_MAX_TOKEN_BYTES];
    enum status st = STATUS_OK;

    for (size_t i = 0; i < l->file.n_tokens && st == STATUS_OK; i++) {
        const struct raw_token *t = &l->file.token[i];
        const char *text = l->file.text + t->text.at;
        size_t n = t->text.n;

        if (t->text.escaped && n <= sizeof(copy)) { /* longer ones are refused by their length */
            n = raw_text_copy(l->file.text, t->text, copy);
            text = copy;
        }
        st = build_token(&l->b, text, n, t->id);
    }
    return st;
}

static bool flag_of(const struct json *token, const char *key)
{
    return jv_get_bool(jv_get(token, key), false);
}

static enum status read_added(struct loader *l)
{
    const struct json *added = jv_get(l->file.root, "added_tokens");
    struct tokenizer_build *b = &l->b;
    enum status st = STATUS_OK;

    if (jv_kind(added) != JV_ARRAY && jv_kind(added) != JV_NULL)
        return error_set(b->err, STATUS_INVALID, "%s: \"added_tokens\" is not an array", b->name);
    for (size_t i = 0; i < jv_size(added) && st == STATUS_OK; i++) {
        const struct json *token = jv_at(added, i);
        const char *text = jv_get_string(jv_get(token, "content"), NULL);
        const int64_t id = jv_get_int(jv_get(token, "id"), -1);
        unsigned flags = 0;

        if (text == NULL || id < 0)
            return error_set(b->err, STATUS_INVALID,
                             "%s: added_tokens[%zu]: needs an id and a content", b->name, i);
        flags |= flag_of(token, "special") ? ADDED_SPECIAL : 0u;
        flags |= flag_of(token, "lstrip") ? ADDED_LSTRIP : 0u;
        flags |= flag_of(token, "rstrip") ? ADDED_RSTRIP : 0u;
        flags |= flag_of(token, "single_word") ? ADDED_SINGLE_WORD : 0u;
        st = build_added(b, text, strlen(text), id, flags, flag_of(token, "normalized"));
        if (st)
            error_note(b->err, "added_tokens[%zu]", i);
    }
    return st;
}

static enum status read_merge(struct loader *l, size_t i, char *copy)
{
    const struct raw_merge *m = &l->file.merge[i];
    size_t n;

    if ((size_t)m->left.n + m->right.n > 4 * TOKENIZER_MAX_TOKEN_BYTES)
        return error_set(l->b.err, STATUS_INVALID, "%s: model.merges[%zu]: its tokens are too long",
                         l->b.name, i);
    n = raw_text_copy(l->file.text, m->left, copy);
    if (!m->right.at)
        return build_merge_text(&l->b, i, copy, n);
    return build_merge(&l->b, i, copy, n, copy + n,
                       raw_text_copy(l->file.text, m->right, copy + n));
}

static enum status read_merges(struct loader *l)
{
    char copy[4 * TOKENIZER_MAX_TOKEN_BYTES];
    enum status st = build_merges(&l->b, l->file.n_merges);

    for (size_t i = 0; i < l->file.n_merges && st == STATUS_OK; i++)
        st = read_merge(l, i, copy);
    return st ? st : build_merges_end(&l->b);
}

/* Options of the model that would change the result. */
static enum status check_model(const struct loader *l)
{
    static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    const struct tokenizer_build *b = &l->b;
    const char *type = jv_get_string(jv_get(l->model, "type"), "BPE");

    if (jv_kind(l->model) != JV_OBJECT || strcmp(type, "BPE") != 0)
        return error_set(b->err, STATUS_UNSUPPORTED,
                         "%s: model.type: \"%s\" is not supported, only BPE", b->name,
                         jv_kind(l->model) == JV_OBJECT ? type : "none");
    if (jv_get_number(jv_get(l->model, "dropout"), 0) != 0)
        return error_set(b->err, STATUS_UNSUPPORTED, "%s: model.dropout is not supported", b->name);
    for (size_t i = 0; i < ARRAY_LEN(affixes); i++)
        if (jv_get_string(jv_get(l->model, affixes[i]), "")[0])
            return error_set(b->err, STATUS_UNSUPPORTED, "%s: model.%s is not supported", b->name,
                             affixes[i]);
    if (!l->file.has_vocab || !l->file.has_merges)
        return error_set(b->err, STATUS_INVALID,
                         "%s: model needs \"vocab\" (an object) and \"merges\" (an array)",
                         b->name);
    return STATUS_OK;
}

/* Bytes and the unknown token for what the vocabulary does not have. */
static enum status read_fallback(struct loader *l)
{
    struct tokenizer *t = l->b.t;
    const char *unk = jv_get_string(jv_get(l->model, "unk_token"), NULL);
    char name[8];

    if (unk) {
        char key[2 * TOKENIZER_MAX_TOKEN_BYTES];
        const size_t n = strlen(unk);

        if (n > 0 && n <= sizeof(key))
            t->unk_id = tokenizer_find_key(t, key, build_key(&l->b, unk, n, key));
        if (t->unk_id < 0)
            return error_set(l->b.err, STATUS_INVALID,
                             "%s: model.unk_token: \"%.100s\" is not in the vocabulary", l->b.name,
                             unk);
    }
    t->fuse_unk = jv_get_bool(jv_get(l->model, "fuse_unk"), false);
    if (!jv_get_bool(jv_get(l->model, "byte_fallback"), false) || t->byte_level)
        return STATUS_OK;
    for (int byte = 0; byte < 256; byte++) {
        (void)snprintf(name, sizeof(name), "<0x%02X>", (unsigned)byte);
        t->byte_id[byte] = tokenizer_find_key(t, name, strlen(name));
    }
    return STATUS_OK;
}

/* Ids around a text must exist. */
static enum status check_ends(const struct tokenizer_build *b)
{
    const struct tokenizer *t = b->t;

    for (int i = 0; i < t->n_before + t->n_after; i++)
        if ((i < t->n_before ? t->before[i] : t->after[i - t->n_before]) >= t->n_ids)
            return error_set(b->err, STATUS_INVALID, "%s: post_processor: an id is out of range",
                             b->name);
    return STATUS_OK;
}

static enum status read_tables(struct loader *l)
{
    const struct json *root = l->file.root;
    struct tokenizer_build *b = &l->b;
    enum status st;

    l->model = jv_get(root, "model");
    st = check_model(l);
    if (st)
        return st;
    b->t->ignore_merges = jv_get_bool(jv_get(l->model, "ignore_merges"), false);
    st = tokenizer_read_normalizer(b, jv_get(root, "normalizer"));
    if (st == STATUS_OK)
        st = tokenizer_read_pre_tokenizer(b, jv_get(root, "pre_tokenizer"));
    if (st == STATUS_OK)
        st = tokenizer_read_decoder(b, jv_get(root, "decoder"));
    if (st == STATUS_OK)
        st = tokenizer_read_post_processor(b, jv_get(root, "post_processor"));
    if (st == STATUS_OK)
        st = read_vocab(l);
    if (st == STATUS_OK)
        st = read_added(l);
    if (st == STATUS_OK)
        st = build_index(b);
    if (st == STATUS_OK)
        st = read_fallback(l);
    if (st == STATUS_OK)
        st = read_merges(l);
    if (st == STATUS_OK)
        st = check_ends(b);
    return st ? st : build_finish(b);
}

enum status tokenizer_from_json(const char *text, size_t n, const char *name,
                                struct tokenizer **out, struct error *err)
{
    struct loader l = {.b = {.name = name, .err = err}};
    enum status st = tokenizer_json_open(text, n, name, &l.file, err);

    if (st == STATUS_OK)
        st = build_new(&l.b, n, name, err);
    if (st == STATUS_OK)
        st = read_tables(&l);
    if (st == STATUS_OK) {
        l.b.t->hash = sha256_of(text, n);
        *out = l.b.t;
        l.b.t = NULL;
    }
    build_free(&l.b);
    tokenizer_json_close(&l.file);
    return st;
}

enum status tokenizer_load_dir(const char *dir, struct tokenizer **out, struct error *err)
{
    struct str path = STR_INIT;
    char *text = NULL;
    size_t n = 0;
    enum status st;

    str_printf(&path, "%s/tokenizer.json", dir);
    st = file_read(str_cstr(&path), TOKENIZER_MAX_FILE, &text, &n, err);
    if (st == STATUS_OK)
        st = tokenizer_from_json(text, n, str_cstr(&path), out, err);
    free(text);
    str_deinit(&path);
    return st;
}
