/* gguf_tokenizer_text.c - the tables of a GGUF as a tokenizer.json, for a folder that is made from
 * it. SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/gguf_tokenizer.h"

#include <stdio.h>
#include <string.h>

#include "models/formats/tokenizer.h"
#include "models/formats/tokenizer_pre.h"
#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"

/* tokenizer.ggml.token_type */
enum token_type { TYPE_NORMAL = 1, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_USER, TYPE_UNUSED, TYPE_BYTE };

static enum status find_pre(const struct gguf *g, const struct tokenizer_pre **out,
                            struct error *err)
{
    const char *text;
    char name[64];
    size_t n;
    enum status st = gguf_get_text(g, "tokenizer.ggml.pre", &text, &n, err);

    if (st)
        return st == STATUS_NOT_FOUND ? STATUS_UNSUPPORTED : st; /* a guess could be wrong */
    (void)snprintf(name, sizeof(name), "%.*s", n < sizeof(name) ? (int)n : 0, text);
    *out = tokenizer_pre_find(name);
    if (*out)
        return STATUS_OK;
    return error_set(err, STATUS_UNSUPPORTED,
                     "%s: \"tokenizer.ggml.pre\": \"%.*s\" is not supported", gguf_name(g),
                     n < 64 ? (int)n : 64, text);
}

static enum status put_element(const struct gguf *g, const char *key, const char *text, size_t n,
                               struct str *out, struct error *err)
{
    if (n == 0 || n > 2 * TOKENIZER_MAX_TOKEN_BYTES + 1)
        return error_set(err, STATUS_LIMIT, "%s: \"%s\": an element has %zu bytes, at most %d", //
                         gguf_name(g), key, n, 2 * TOKENIZER_MAX_TOKEN_BYTES);
    if (memchr(text, '\0', n) || utf8_valid_prefix(text, n) != n)
        return error_set(err, STATUS_INVALID, "%s: \"%s\": an element is not valid UTF-8",
                         gguf_name(g), key);
    str_put_json_string(out, text, n);
    return STATUS_OK;
}

static int64_t type_of(const struct gguf_value *types, uint64_t id)
{
    return types ? gguf_int_at(types, id) : TYPE_NORMAL;
}

/* Tokens of the vocabulary (added false) or the added ones, without brackets. */
static enum status put_tokens(const struct gguf *g, const struct gguf_value *tokens,
                              const struct gguf_value *types, bool added, struct str *out,
                              struct error *err)
{
    const char *text, *comma = "";
    size_t at = 0, n;
    enum status st = STATUS_OK;

    for (uint64_t id = 0; st == STATUS_OK && gguf_next_text(tokens, &at, &text, &n); id++) {
        const int64_t type = type_of(types, id);

        if (type == TYPE_UNUSED || (type == TYPE_CONTROL || type == TYPE_USER) != added)
            continue;
        str_printf(out, added ? "%s{\"content\":" : "%s", comma);
        st = put_element(g, "tokenizer.ggml.tokens", text, n, out, err);
        if (added)
            str_printf(out,
                       ",\"id\":%llu,\"special\":%s,\"normalized\":false,\"lstrip\":false,"
                       "\"rstrip\":false,\"single_word\":false}",
                       (unsigned long long)id, type == TYPE_CONTROL ? "true" : "false");
        else
            str_printf(out, ":%llu", (unsigned long long)id);
        comma = ",";
    }
    return st;
}

static enum status put_merges(const struct gguf *g, struct str *out, struct error *err)
{
    const struct gguf_value *merges;
    const char *text, *comma = "";
    size_t at = 0, n;
    enum status st = gguf_get_array(g, "tokenizer.ggml.merges", GGUF_STRING, &merges, err);

    if (st == STATUS_NOT_FOUND)
        return STATUS_OK; /* a vocabulary of bytes */
    while (st == STATUS_OK && gguf_next_text(merges, &at, &text, &n)) {
        str_puts(out, comma);
        st = put_element(g, "tokenizer.ggml.merges", text, n, out, err);
        comma = ",";
    }
    return st;
}

static void put_parts(const struct tokenizer_pre *pre, struct str *out)
{
    static const char byte_level[] =
        "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":false,"
        "\"use_regex\":%s}";

    str_puts(out, pre->nfc ? "\"normalizer\":{\"type\":\"NFC\"}," : "\"normalizer\":null,");
    str_puts(out, "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[");
    for (size_t i = 0; i < PRE_MAX_PATTERNS && pre->pattern[i]; i++) {
        str_puts(out, "{\"type\":\"Split\",\"pattern\":{\"Regex\":");
        str_put_json_string(out, pre->pattern[i], strlen(pre->pattern[i]));
        str_puts(out, "},\"behavior\":\"Isolated\",\"invert\":false},");
    }
    str_printf(out, byte_level, "false");
    str_puts(out, "]},\"decoder\":");
    str_printf(out, byte_level, "false");
}

static enum status put_json(const struct gguf *g, const struct tokenizer_pre *pre, struct str *out,
                            struct error *err)
{
    const struct gguf_value *tokens, *types = NULL;
    enum status st = gguf_get_array(g, "tokenizer.ggml.tokens", GGUF_STRING, &tokens, err);

    if (st == STATUS_OK && gguf_find(g, "tokenizer.ggml.token_type"))
        st = gguf_get_array(g, "tokenizer.ggml.token_type", GGUF_I32, &types, err);
    if (st)
        return st == STATUS_NOT_FOUND ? STATUS_INVALID : st;
    if (tokens->count > TOKENIZER_MAX_IDS || (types && types->count != tokens->count))
        return error_set(
            err, STATUS_INVALID,
            "%s: %llu tokens: too many, or not as many as \"tokenizer.ggml.token_type\"",
            gguf_name(g), (unsigned long long)tokens->count);
    str_puts(out, "{\"version\":\"1.0\",\"added_tokens\":[");
    st = put_tokens(g, tokens, types, true, out, err);
    str_puts(out, "],");
    put_parts(pre, out);
    str_printf(out, ",\"model\":{\"type\":\"BPE\",\"ignore_merges\":%s,\"vocab\":{",
               pre->ignore_merges ? "true" : "false");
    if (st == STATUS_OK)
        st = put_tokens(g, tokens, types, false, out, err);
    str_puts(out, "},\"merges\":[");
    if (st == STATUS_OK)
        st = put_merges(g, out, err);
    str_puts(out, "]}}");
    return st;
}

static enum status put_whole(const struct gguf *g, struct str *out, struct error *err)
{
    const char *text;
    size_t n;
    enum status st = gguf_get_text(g, "tokenizer.huggingface.json", &text, &n, err);

    if (st == STATUS_OK)
        str_append(out, text, n);
    return st;
}

enum status gguf_tokenizer_text(const struct gguf *g, struct str *out, struct error *err)
{
    const struct tokenizer_pre *pre = NULL;
    const char *model;
    size_t n;
    enum status st;

    if (gguf_find(g, "tokenizer.huggingface.json")) {
        st = put_whole(g, out, err);
    } else {
        st = gguf_get_text(g, "tokenizer.ggml.model", &model, &n, err);
        if (st)
            return st;
        if (n != 4 || memcmp(model, "gpt2", 4) != 0)
            return error_set(err, STATUS_UNSUPPORTED,
                             "%s: \"tokenizer.ggml.model\": \"%.*s\" is not supported, only gpt2",
                             gguf_name(g), n < 64 ? (int)n : 64, model);
        st = find_pre(g, &pre, err);
        if (st == STATUS_OK)
            st = put_json(g, pre, out, err);
    }
    if (st == STATUS_OK && (!str_ok(out) || out->len > TOKENIZER_MAX_FILE))
        st = error_set(err, STATUS_LIMIT, "%s: no memory for the tokenizer, or more than %zu MiB",
                       gguf_name(g), TOKENIZER_MAX_FILE >> 20);
    return st;
}
