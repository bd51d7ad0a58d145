/* tokenizer_write.c - the tokenizer files of a model whose tokens are bytes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer_write.h"

#include <string.h>

#include "models/formats/byte_chars.h"
#include "models/formats/tokenizer.h"
#include "runtime/base/json.h"
#include "runtime/base/unicode.h"

#define N_BYTES 256

static struct json *byte_vocab(void)
{
    struct json *vocab = jv_object();
    struct str key = STR_INIT;

    for (int b = 0; b < N_BYTES; b++) {
        str_clear(&key);
        utf8_put(&key, byte_char_of((uint8_t)b));
        jv_set_int(vocab, str_cstr(&key), b);
    }
    str_deinit(&key);
    return vocab;
}

static struct json *bpe_model(void)
{
    struct json *model = jv_object();

    jv_set_string(model, "type", "BPE");
    jv_set_adopt(model, "dropout", jv_null());
    jv_set_adopt(model, "unk_token", jv_null());
    jv_set_adopt(model, "continuing_subword_prefix", jv_null());
    jv_set_adopt(model, "end_of_word_suffix", jv_null());
    jv_set_bool(model, "fuse_unk", false);
    jv_set_bool(model, "byte_fallback", false);
    jv_set_bool(model, "ignore_merges", false);
    jv_set_adopt(model, "vocab", byte_vocab());
    jv_set_adopt(model, "merges", jv_array());
    return model;
}

static struct json *byte_level(void)
{
    struct json *part = jv_object();

    jv_set_string(part, "type", "ByteLevel");
    jv_set_bool(part, "add_prefix_space", false);
    jv_set_bool(part, "trim_offsets", false);
    jv_set_bool(part, "use_regex", false);
    return part;
}

static struct json *added_entry(const struct added_token *a, int32_t id)
{
    struct json *token = jv_object();

    jv_set_int(token, "id", id);
    jv_set_string(token, "content", a->content);
    jv_set_bool(token, "single_word", false);
    jv_set_bool(token, "lstrip", false);
    jv_set_bool(token, "rstrip", false);
    jv_set_bool(token, "normalized", false);
    jv_set_bool(token, "special", a->special);
    return token;
}

/* A token of one character would look the same as the token of that byte. */
static enum status check_added(const struct added_token *added, int32_t n, struct error *err)
{
    for (int32_t i = 0; i < n; i++) {
        const size_t len = strlen(added[i].content);

        if (len < 2 || len > TOKENIZER_MAX_TOKEN_BYTES ||
            utf8_valid_prefix(added[i].content, len) != len)
            return error_set(err, STATUS_INVALID,
                             "the added token \"%.100s\" must be UTF-8 of 2 to %d bytes",
                             added[i].content, TOKENIZER_MAX_TOKEN_BYTES);
        for (int32_t k = 0; k < i; k++)
            if (strcmp(added[i].content, added[k].content) == 0)
                return error_set(err, STATUS_INVALID, "the added token \"%.100s\" is given twice",
                                 added[i].content);
    }
    return STATUS_OK;
}

enum status tokenizer_write_bytes(const struct added_token *added, int32_t n, struct str *out,
                                  struct error *err)
{
    struct json *root, *list;
    enum status st = check_added(added, n, err);

    if (st)
        return st;
    root = jv_object();
    list = jv_array();
    for (int32_t i = 0; i < n; i++)
        jv_append_adopt(list, added_entry(&added[i], N_BYTES + i));
    jv_set_string(root, "version", "1.0");
    jv_set_adopt(root, "truncation", jv_null());
    jv_set_adopt(root, "padding", jv_null());
    jv_set_adopt(root, "added_tokens", list);
    jv_set_adopt(root, "normalizer", jv_null());
    jv_set_adopt(root, "pre_tokenizer", byte_level());
    jv_set_adopt(root, "post_processor", jv_null());
    jv_set_adopt(root, "decoder", byte_level());
    jv_set_adopt(root, "model", bpe_model());
    jv_write(root, 2, out);
    str_putc(out, '\n');
    jv_unref(root);
    return str_ok(out) ? STATUS_OK
                       : error_set(err, STATUS_NO_MEMORY, "no room for the tokenizer's text");
}

static void set_token(struct json *root, const char *key, const char *text)
{
    if (text)
        jv_set_string(root, key, text);
    else
        jv_set_adopt(root, key, jv_null());
}

void tokenizer_write_config(const struct tokenizer_config_text *c, struct str *out)
{
    struct json *root = jv_object();

    jv_set_string(root, "tokenizer_class", "PreTrainedTokenizerFast");
    set_token(root, "bos_token", c->bos_token);
    set_token(root, "eos_token", c->eos_token);
    set_token(root, "pad_token", c->pad_token);
    jv_set_bool(root, "clean_up_tokenization_spaces", false);
    jv_set_int(root, "model_max_length", c->model_max_length);
    if (c->chat_template)
        jv_set_string(root, "chat_template", c->chat_template);
    jv_write(root, 2, out);
    str_putc(out, '\n');
    jv_unref(root);
}
