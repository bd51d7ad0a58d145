/* gguf_tokenizer_write.c - a tokenizer.json as keys of a GGUF.
 *
 * The file itself is kept, so that this program reads back exactly the same tokenizer. Other
 * programs read the tables; these say nothing of patterns but a name (tokenizer_pre.h), so a
 * tokenizer that splits text in another way gets none. SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/formats/gguf_tokenizer.h"
#include "models/formats/tokenizer.h"
#include "models/formats/tokenizer_pre.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"

#define TYPE_NORMAL  1
#define TYPE_CONTROL 3
#define TYPE_USER    4
#define TYPE_UNUSED  5

struct token {
    const char *text; /* NULL: the id is left out */
    int32_t type;
};

static const char *type_name(const struct json *part)
{
    return jv_get_string(jv_get(part, "type"), "");
}

/* The patterns by which tokenizer.json splits text, in order. */
struct splits {
    const char *pattern[PRE_MAX_PATTERNS];
    size_t n;
    bool other; /* something that a name cannot say */
};

static void add_pattern(struct splits *s, const char *pattern)
{
    if (s->n == PRE_MAX_PATTERNS)
        s->other = true;
    else
        s->pattern[s->n++] = pattern;
}

static void read_split(const struct json *part, struct splits *s)
{
    if (strcmp(type_name(part), "Split") == 0) {
        add_pattern(s, jv_get_string(jv_get(jv_get(part, "pattern"), "Regex"), ""));
    } else if (strcmp(type_name(part), "Digits") == 0) {
        add_pattern(s, "\\p{N}");
        s->other = s->other || !jv_get_bool(jv_get(part, "individual_digits"), false);
    } else if (strcmp(type_name(part), "ByteLevel") == 0) {
        if (jv_get_bool(jv_get(part, "use_regex"), true))
            add_pattern(s, tokenizer_pre_find("gpt-2")->pattern[0]);
        s->other = s->other || jv_get_bool(jv_get(part, "add_prefix_space"), true);
    } else {
        s->other = true;
    }
}

static bool same_patterns(const struct tokenizer_pre *p, const struct splits *s)
{
    for (size_t i = 0; i < PRE_MAX_PATTERNS; i++) {
        const char *own = p->pattern[i], *other = i < s->n ? s->pattern[i] : NULL;

        if (!own != !other || (own && strcmp(own, other) != 0))
            return false;
    }
    return true;
}

/* NULL: no name says this. Where nothing merges, splits make no difference. */
static const struct tokenizer_pre *find_pre(const struct json *root)
{
    static const char *const names[] = {"gpt-2",  "smollm",     "qwen2",  "deepseek-r1-qwen",
                                        "dbrx",   "llama-bpe",  "tekken", "gpt-4o",
                                        "qwen35", "deepseek-v3"};
    const struct json *part = jv_get(root, "pre_tokenizer"), *model = jv_get(root, "model");
    const struct json *list = jv_get(part, "pretokenizers");
    struct splits s = {.n = 0};

    if (jv_get_bool(jv_get(model, "byte_fallback"), false))
        return NULL;
    read_split(list ? jv_at(list, 0) : part, &s);
    for (size_t i = 1; i < jv_size(list); i++)
        read_split(jv_at(list, i), &s);
    for (size_t i = 0; i < ARRAY_LEN(names) && !s.other; i++) {
        const struct tokenizer_pre *p = tokenizer_pre_find(names[i]);

        if (p->ignore_merges == jv_get_bool(jv_get(model, "ignore_merges"), false) &&
            p->nfc == (jv_kind(jv_get(root, "normalizer")) != JV_NULL) &&
            (jv_size(jv_get(model, "merges")) == 0 || same_patterns(p, &s)))
            return p;
    }
    return NULL;
}

/* Tokens by id; the text was read by tokenizer_from_json, so ids are in range. */
static struct token *list_tokens(const struct json *root, int32_t n)
{
    struct token *token = mem_alloc((size_t)n + 1, sizeof(*token));
    const struct json *added = jv_get(root, "added_tokens");
    const char *text;
    struct json *id;

    if (!token)
        return NULL;
    for (void *it = NULL; (it = jv_next(jv_get(jv_get(root, "model"), "vocab"), it, &text, &id));)
        token[jv_get_int(id, 0)] = (struct token){text, TYPE_NORMAL};
    for (size_t i = 0; i < jv_size(added); i++) {
        const struct json *one = jv_at(added, i);

        token[jv_get_int(jv_get(one, "id"), 0)] =
            (struct token){jv_get_string(jv_get(one, "content"), ""),
                           jv_get_bool(jv_get(one, "special"), false) ? TYPE_CONTROL : TYPE_USER};
    }
    return token;
}

static void put_token_tables(struct gguf_writer *w, const struct token *token, int32_t n)
{
    gguf_put_array(w, "tokenizer.ggml.tokens", GGUF_STRING, (uint64_t)n);
    for (int32_t i = 0; i < n; i++) {
        char unused[32];

        (void)snprintf(unused, sizeof(unused), "[UNUSED%d]", i);
        gguf_put_text_element(w, token[i].text ? token[i].text : unused,
                              strlen(token[i].text ? token[i].text : unused));
    }
    gguf_put_array(w, "tokenizer.ggml.token_type", GGUF_I32, (uint64_t)n);
    for (int32_t i = 0; i < n; i++)
        gguf_put_i32_element(w, token[i].text ? token[i].type : TYPE_UNUSED);
}

static void put_merges(struct gguf_writer *w, const struct json *merges)
{
    struct str pair = STR_INIT;

    gguf_put_array(w, "tokenizer.ggml.merges", GGUF_STRING, jv_size(merges));
    for (size_t i = 0; i < jv_size(merges); i++) {
        const struct json *one = jv_at(merges, i);
        const char *text = jv_get_string(one, NULL);

        str_clear(&pair);
        if (text)
            str_puts(&pair, text);
        else
            str_printf(&pair, "%s %s", jv_get_string(jv_at(one, 0), ""),
                       jv_get_string(jv_at(one, 1), ""));
        gguf_put_text_element(w, str_cstr(&pair), pair.len);
    }
    str_deinit(&pair);
}

static enum status put_tables(struct gguf_writer *w, const struct json *root, int32_t n,
                              struct error *err)
{
    const struct tokenizer_pre *pre = find_pre(root);
    struct token *token;

    if (!pre)
        return STATUS_OK;
    token = list_tokens(root, n);
    if (!token)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d tokens", n);
    gguf_put_text(w, "tokenizer.ggml.model", "gpt2", 4);
    gguf_put_text(w, "tokenizer.ggml.pre", pre->name, strlen(pre->name));
    put_token_tables(w, token, n);
    put_merges(w, jv_get(jv_get(root, "model"), "merges"));
    gguf_put_bool(w, "tokenizer.ggml.add_bos_token", false);
    free(token);
    return STATUS_OK;
}

enum status gguf_put_tokenizer(struct gguf_writer *w, const char *text, size_t n, int32_t n_rows,
                               struct error *err)
{
    struct tokenizer *t = NULL;
    struct json *root = NULL;
    enum status st = tokenizer_from_json(text, n, "tokenizer.json", &t, err);

    if (st == STATUS_OK)
        st = jv_parse_max(text, n, TOKENIZER_MAX_FILE, "tokenizer.json", &root, err);
    if (st == STATUS_OK)
        st = put_tables(w, root, tokenizer_size(t) > n_rows ? tokenizer_size(t) : n_rows, err);
    if (st == STATUS_OK)
        gguf_put_text(w, "tokenizer.huggingface.json", text, n);
    jv_unref(root);
    tokenizer_free(t);
    return st;
}
