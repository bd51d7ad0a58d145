/* tokenizer_config.c - special tokens' names and the chat template of a model folder.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer_config.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"

#define MAX_CONFIG_BYTES ((size_t)4 << 20) /* large ones list every added token */

void tokenizer_config_deinit(struct tokenizer_config *c)
{
    free(c->bos_token);
    free(c->eos_token);
    free(c->pad_token);
    free(c->chat_template);
    free(c->template_name);
    *c = (struct tokenizer_config){0};
}

/* A token is a string or {"content": ...}. */
static char *read_token(const struct json *root, const char *key)
{
    const struct json *v = jv_get(root, key);
    const char *text;

    if (jv_kind(v) == JV_OBJECT)
        v = jv_get(v, "content");
    text = jv_get_string(v, NULL);
    return text ? xstrdup(text) : NULL;
}

/* A template is a string or a list of {"name", "template"}, of which "default" is ours. */
static const struct json *find_template(const struct json *v)
{
    if (jv_kind(v) != JV_ARRAY)
        return v;
    for (size_t i = 0; i < jv_size(v); i++) {
        const struct json *one = jv_at(v, i);

        if (strcmp(jv_get_string(jv_get(one, "name"), ""), "default") == 0)
            return jv_get(one, "template");
    }
    return NULL;
}

static enum status take_template(struct tokenizer_config *c, const char *text, const char *name,
                                 struct error *err)
{
    if (strlen(text) > CHAT_TEMPLATE_MAX_BYTES)
        return error_set(err, STATUS_LIMIT, "%s: the chat template has more than %zu bytes", name,
                         CHAT_TEMPLATE_MAX_BYTES);
    free(c->chat_template);
    free(c->template_name);
    c->chat_template = xstrdup(text);
    c->template_name = xstrdup(name);
    return STATUS_OK;
}

enum status tokenizer_config_parse(const char *text, size_t n, const char *name,
                                   struct tokenizer_config *out, struct error *err)
{
    struct tokenizer_config c = {0};
    struct json *root = NULL;
    const struct json *template;
    enum status st = jv_parse_max(text, n, MAX_CONFIG_BYTES, name, &root, err);

    if (st)
        return st;
    if (jv_kind(root) != JV_OBJECT)
        st = error_set(err, STATUS_INVALID, "%s: is not a JSON object", name);
    template = find_template(jv_get(root, "chat_template"));
    if (st == STATUS_OK && jv_kind(template) != JV_NULL && jv_kind(template) != JV_STRING)
        st = error_set(err, STATUS_INVALID, "%s: \"chat_template\": must be a string", name);
    if (st == STATUS_OK && jv_kind(template) == JV_STRING)
        st = take_template(&c, jv_get_string(template, ""), name, err);
    if (st == STATUS_OK) {
        c.bos_token = read_token(root, "bos_token");
        c.eos_token = read_token(root, "eos_token");
        c.pad_token = read_token(root, "pad_token");
        *out = c;
    }
    jv_unref(root);
    return st;
}

static enum status load_template(const char *path, struct tokenizer_config *c, struct error *err)
{
    char *text = NULL;
    size_t n = 0;
    enum status st = file_read(path, CHAT_TEMPLATE_MAX_BYTES, &text, &n, err);

    if (st == STATUS_OK && memchr(text, '\0', n))
        st = error_set(err, STATUS_INVALID, "%s: holds a NUL byte", path);
    if (st == STATUS_OK)
        st = take_template(c, text, path, err);
    free(text);
    return st;
}

enum status tokenizer_config_load_dir(const char *dir, struct tokenizer_config *out,
                                      struct error *err)
{
    struct tokenizer_config c = {0};
    struct str path = STR_INIT;
    char *text = NULL;
    size_t n = 0;
    enum status st = STATUS_OK;

    str_printf(&path, "%s/tokenizer_config.json", dir);
    if (file_exists(str_cstr(&path))) {
        st = file_read(str_cstr(&path), MAX_CONFIG_BYTES, &text, &n, err);
        if (st == STATUS_OK)
            st = tokenizer_config_parse(text, n, str_cstr(&path), &c, err);
    }
    str_clear(&path);
    str_printf(&path, "%s/chat_template.jinja", dir);
    if (st == STATUS_OK && file_exists(str_cstr(&path)))
        st = load_template(str_cstr(&path), &c, err);
    if (st == STATUS_OK)
        *out = c;
    else
        tokenizer_config_deinit(&c);
    free(text);
    str_deinit(&path);
    return st;
}
