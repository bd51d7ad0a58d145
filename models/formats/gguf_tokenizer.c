/* gguf_tokenizer.c - reading the tokenizer of a GGUF.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/gguf_tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "models/formats/tokenizer_tables.h"
#include "runtime/base/memory.h"

/* What tokenizer_from_tables borrows; all is freed after the call. */
struct loader {
    const struct gguf *g;
    struct tokenizer_tables t;
    struct table_text *token, *merge;
    float *score;
    int32_t *type;
    char *model, *pre;
    struct error *err;
};

static enum status no_memory(const struct loader *l, uint64_t n)
{
    return error_set(l->err, STATUS_NO_MEMORY, "%s: no memory for %llu tokens", gguf_name(l->g),
                     (unsigned long long)n);
}

static enum status take_text(struct loader *l, const char *key, char **out)
{
    const char *text;
    size_t n;
    enum status st = gguf_get_text(l->g, key, &text, &n, l->err);

    if (st)
        return st;
    if (n > 255 || memchr(text, '\0', n))
        return error_set(l->err, STATUS_INVALID, "%s: \"%s\": is not a name", gguf_name(l->g), key);
    *out = xstrndup(text, n);
    return STATUS_OK;
}

static enum status take_texts(struct loader *l, const char *key, struct table_text **out, size_t *n,
                              struct error *err)
{
    const struct gguf_value *v;
    size_t at = 0;
    enum status st = gguf_get_array(l->g, key, GGUF_STRING, &v, err);

    if (st)
        return st;
    if (v->count > 2 * (uint64_t)TOKENIZER_MAX_IDS)
        return error_set(err, STATUS_LIMIT, "%s: \"%s\": %llu elements are too many",
                         gguf_name(l->g), key, (unsigned long long)v->count);
    *out = mem_alloc((size_t)v->count + 1, sizeof(**out));
    if (!*out)
        return no_memory(l, v->count);
    for (*n = 0; gguf_next_text(v, &at, &(*out)[*n].bytes, &(*out)[*n].n);)
        (*n)++;
    return STATUS_OK;
}

/* An array of as many elements as there are tokens; *out stays NULL without the key. */
static enum status find_column(struct loader *l, const char *key, enum gguf_kind kind,
                               const struct gguf_value **out)
{
    enum status st;

    if (!gguf_find(l->g, key))
        return STATUS_OK;
    st = gguf_get_array(l->g, key, kind, out, l->err);
    if (st == STATUS_OK && (*out)->count != (uint64_t)l->t.n_tokens)
        st = error_set(l->err, STATUS_INVALID, "%s: \"%s\": %llu elements, but there are %d tokens",
                       gguf_name(l->g), key, (unsigned long long)(*out)->count, l->t.n_tokens);
    return st;
}

static enum status take_columns(struct loader *l)
{
    const struct gguf_value *scores = NULL, *types = NULL;
    enum status st = find_column(l, "tokenizer.ggml.scores", GGUF_F32, &scores);

    if (st == STATUS_OK)
        st = find_column(l, "tokenizer.ggml.token_type", GGUF_I32, &types);
    if (st)
        return st;
    l->score = mem_alloc((size_t)l->t.n_tokens + 1, sizeof(*l->score));
    l->type = mem_alloc((size_t)l->t.n_tokens + 1, sizeof(*l->type));
    if (!l->score || !l->type)
        return no_memory(l, (uint64_t)l->t.n_tokens);
    for (int32_t i = 0; i < l->t.n_tokens; i++) {
        l->score[i] = scores ? (float)gguf_real_at(scores, (uint64_t)i) : 0.0f;
        l->type[i] = types ? (int32_t)gguf_int_at(types, (uint64_t)i) : TABLE_NORMAL;
    }
    l->t.score = scores ? l->score : NULL;
    l->t.type = types ? l->type : NULL;
    return STATUS_OK;
}

static enum status take_id(struct loader *l, const char *key, int32_t *out)
{
    int64_t id = -1;
    enum status st = gguf_find(l->g, key)
                         ? gguf_get_int(l->g, key, 0, TOKENIZER_MAX_IDS, &id, l->err)
                         : STATUS_OK;

    *out = (int32_t)id;
    return st;
}

static enum status take_bool(struct loader *l, const char *key, bool otherwise, bool *out)
{
    *out = otherwise;
    return gguf_find(l->g, key) ? gguf_get_bool(l->g, key, out, l->err) : STATUS_OK;
}

static enum status take_flags(struct loader *l)
{
    enum status st = take_id(l, "tokenizer.ggml.bos_token_id", &l->t.bos_id);

    if (st == STATUS_OK)
        st = take_id(l, "tokenizer.ggml.eos_token_id", &l->t.eos_id);
    if (st == STATUS_OK)
        st = take_id(l, "tokenizer.ggml.unknown_token_id", &l->t.unk_id);
    if (st == STATUS_OK)
        st = take_bool(l, "tokenizer.ggml.add_bos_token", strcmp(l->model, "llama") == 0,
                       &l->t.add_bos);
    if (st == STATUS_OK)
        st = take_bool(l, "tokenizer.ggml.add_eos_token", false, &l->t.add_eos);
    if (st == STATUS_OK)
        st = take_bool(l, "tokenizer.ggml.add_space_prefix", strcmp(l->model, "llama") == 0,
                       &l->t.add_space_prefix);
    return st;
}

static enum status take_tables(struct loader *l)
{
    size_t n = 0;
    enum status st = take_text(l, "tokenizer.ggml.model", &l->model);

    if (st == STATUS_OK && gguf_find(l->g, "tokenizer.ggml.pre"))
        st = take_text(l, "tokenizer.ggml.pre", &l->pre);
    if (st)
        return st; /* NOT_FOUND: no tokenizer */
    st = take_texts(l, "tokenizer.ggml.tokens", &l->token, &n, l->err);
    if (st == STATUS_OK && n > TOKENIZER_MAX_IDS)
        st = error_set(l->err, STATUS_LIMIT, "%s: %zu tokens are too many", gguf_name(l->g), n);
    l->t.n_tokens = (int32_t)n;
    if (st == STATUS_OK)
        st = take_columns(l);
    if (st == STATUS_OK && gguf_find(l->g, "tokenizer.ggml.merges"))
        st = take_texts(l, "tokenizer.ggml.merges", &l->merge, &l->t.n_merges, l->err);
    if (st == STATUS_OK)
        st = take_flags(l);
    return st == STATUS_NOT_FOUND ? STATUS_INVALID : st;
}

static enum status from_tables(const struct gguf *g, struct tokenizer **out, struct error *err)
{
    struct loader l = {.g = g, .err = err};
    enum status st = take_tables(&l);

    if (st == STATUS_OK) {
        l.t.name = gguf_name(g);
        l.t.model = l.model;
        l.t.pre = l.pre;
        l.t.token = l.token;
        l.t.merge = l.merge;
        st = tokenizer_from_tables(&l.t, out, err);
    }
    free(l.token);
    free(l.merge);
    free(l.score);
    free(l.type);
    free(l.model);
    free(l.pre);
    return st;
}

enum status gguf_tokenizer(const struct gguf *g, struct tokenizer **out, struct error *err)
{
    const char *text;
    size_t n;
    enum status st;

    if (!gguf_find(g, "tokenizer.huggingface.json"))
        return from_tables(g, out, err);
    st = gguf_get_text(g, "tokenizer.huggingface.json", &text, &n, err);
    return st ? st : tokenizer_from_json(text, n, gguf_name(g), out, err);
}

/* The text of the token whose id is at `key`; NULL: none. */
static char *token_text(const struct gguf *g, const char *key)
{
    const struct gguf_value *tokens;
    struct error ignored = ERROR_INIT;
    const char *text;
    int64_t id;
    size_t at = 0, n;

    if (gguf_get_int(g, key, 0, TOKENIZER_MAX_IDS, &id, &ignored) ||
        gguf_get_array(g, "tokenizer.ggml.tokens", GGUF_STRING, &tokens, &ignored))
        return NULL;
    for (int64_t i = 0; gguf_next_text(tokens, &at, &text, &n); i++)
        if (i == id && n <= TOKENIZER_MAX_TOKEN_BYTES && !memchr(text, '\0', n))
            return xstrndup(text, n);
    return NULL;
}

enum status gguf_tokenizer_texts(const struct gguf *g, struct tokenizer_config *out,
                                 struct error *err)
{
    struct tokenizer_config c = {0};
    const char *text;
    size_t n;

    if (gguf_find(g, "tokenizer.chat_template")) {
        enum status st = gguf_get_text(g, "tokenizer.chat_template", &text, &n, err);

        if (st)
            return st;
        if (n > CHAT_TEMPLATE_MAX_BYTES || memchr(text, '\0', n))
            return error_set(err, STATUS_LIMIT,
                             "%s: the chat template has more than %zu bytes, or a NUL byte",
                             gguf_name(g), CHAT_TEMPLATE_MAX_BYTES);
        c.chat_template = xstrndup(text, n);
        c.template_name = xstrdup(gguf_name(g));
    }
    c.bos_token = token_text(g, "tokenizer.ggml.bos_token_id");
    c.eos_token = token_text(g, "tokenizer.ggml.eos_token_id");
    c.pad_token = token_text(g, "tokenizer.ggml.padding_token_id");
    *out = c;
    return STATUS_OK;
}
