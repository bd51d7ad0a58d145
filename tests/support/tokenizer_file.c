/* tokenizer_file.c - see tokenizer_file.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/tokenizer_file.h"

#include <stdlib.h>
#include <string.h>

#include "models/formats/tokenizer_tables.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"

static struct table_text *texts(const struct json *list)
{
    struct table_text *out = xcalloc(jv_size(list) + 1, sizeof(*out));

    for (size_t i = 0; i < jv_size(list); i++)
        out[i] =
            (struct table_text){jv_get_string(jv_at(list, i), ""), jv_string_len(jv_at(list, i))};
    return out;
}

static float *scores(const struct json *list)
{
    float *out = list ? xcalloc(jv_size(list) + 1, sizeof(*out)) : NULL;

    for (size_t i = 0; i < jv_size(list); i++)
        out[i] = (float)jv_get_number(jv_at(list, i), 0);
    return out;
}

static int32_t *types(const struct json *list)
{
    int32_t *out = list ? xcalloc(jv_size(list) + 1, sizeof(*out)) : NULL;

    for (size_t i = 0; i < jv_size(list); i++)
        out[i] = (int32_t)jv_get_int(jv_at(list, i), TABLE_NORMAL);
    return out;
}

enum status tokenizer_file_tables(const struct json *j, const char *name, struct tokenizer **out,
                                  struct error *err)
{
    struct table_text *token = texts(jv_get(j, "tokens")), *merge = texts(jv_get(j, "merges"));
    float *score = scores(jv_get(j, "scores"));
    int32_t *type = types(jv_get(j, "types"));
    const struct tokenizer_tables tables = {
        .name = name,
        .model = jv_get_string(jv_get(j, "model"), ""),
        .pre = jv_get_string(jv_get(j, "pre"), NULL),
        .token = token,
        .score = score,
        .type = type,
        .n_tokens = (int32_t)jv_size(jv_get(j, "tokens")),
        .merge = merge,
        .n_merges = jv_size(jv_get(j, "merges")),
        .bos_id = (int32_t)jv_get_int(jv_get(j, "bos"), -1),
        .eos_id = (int32_t)jv_get_int(jv_get(j, "eos"), -1),
        .unk_id = (int32_t)jv_get_int(jv_get(j, "unk"), -1),
        .add_bos = jv_get_bool(jv_get(j, "add_bos"), false),
        .add_eos = jv_get_bool(jv_get(j, "add_eos"), false),
        .add_space_prefix = jv_get_bool(jv_get(j, "add_space_prefix"), true),
    };
    enum status st = tokenizer_from_tables(&tables, out, err);

    free(token);
    free(merge);
    free(score);
    free(type);
    return st;
}

enum status tokenizer_file_read(const char *path, struct tokenizer **out, struct error *err)
{
    static const char tables_begin[] = "{\"tables\"";
    struct json *root = NULL;
    char *text = NULL;
    size_t n = 0;
    enum status st = file_read(path, TOKENIZER_MAX_FILE, &text, &n, err);

    if (st)
        return st;
    if (n >= sizeof(tables_begin) && memcmp(text, tables_begin, sizeof(tables_begin) - 1) == 0) {
        st = jv_parse_max(text, n, TOKENIZER_MAX_FILE, path, &root, err);
        if (st == STATUS_OK)
            st = tokenizer_file_tables(jv_get(root, "tables"), path, out, err);
        jv_unref(root);
    } else {
        st = tokenizer_from_json(text, n, path, out, err);
    }
    free(text);
    return st;
}
