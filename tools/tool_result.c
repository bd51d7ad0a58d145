/* tool_result.c - results between tools, the journal and the model.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/tool_result.h"

#include <string.h>

#define CONTENT "$content"

void tool_result_deinit(struct tool_result *r)
{
    jv_unref(r->value);
    jv_unref(r->content);
    r->value = r->content = NULL;
}

static const char *text_of(const struct json *block, const char *key)
{
    return jv_get_string(jv_get(block, key), NULL);
}

static bool is_type(const struct json *block, const char *type)
{
    return strcmp(jv_get_string(jv_get(block, "type"), ""), type) == 0;
}

/* NULL: nothing is missing. */
static const char *missing_in(const struct json *b)
{
    const struct json *r = jv_get(b, "resource");

    if (is_type(b, "text"))
        return text_of(b, "text") ? NULL : "text";
    if (is_type(b, "image") || is_type(b, "audio"))
        return !text_of(b, "data") ? "data" : text_of(b, "mimeType") ? NULL : "mimeType";
    if (is_type(b, "resource_link"))
        return text_of(b, "uri") ? NULL : "uri";
    if (!text_of(r, "uri"))
        return "resource.uri";
    return text_of(r, "text") || text_of(r, "blob") ? NULL : "resource.text";
}

enum status tool_content_check(const struct json *content, struct error *err)
{
    if (jv_kind(content) != JV_ARRAY)
        return error_set(err, STATUS_INVALID, "content: expected an array, got %s",
                         jv_kind_name(jv_kind(content)));
    for (size_t i = 0; i < jv_size(content); i++) {
        const struct json *b = jv_at(content, i);
        const char *missing;

        if (!is_type(b, "text") && !is_type(b, "image") && !is_type(b, "audio") &&
            !is_type(b, "resource") && !is_type(b, "resource_link"))
            return error_set(err, STATUS_INVALID, "content[%zu]: unknown type \"%.64s\"", i,
                             jv_get_string(jv_get(b, "type"), ""));
        missing = missing_in(b);
        if (missing)
            return error_set(err, STATUS_INVALID, "content[%zu]: %s is missing", i, missing);
    }
    return STATUS_OK;
}

struct json *tool_result_json(const struct tool_result *r)
{
    struct json *v;

    if (!r->content && !jv_get(r->value, CONTENT))
        return r->value ? jv_ref(r->value) : jv_null();
    v = jv_object();
    jv_set_adopt(v, CONTENT, r->content ? jv_ref(r->content) : jv_array());
    if (r->value)
        jv_set_adopt(v, "value", jv_ref(r->value));
    return v;
}

static bool all_text(const struct json *content)
{
    for (size_t i = 0; i < jv_size(content); i++) {
        if (!is_type(jv_at(content, i), "text"))
            return false;
    }
    return true;
}

/* Four characters of base64 are three bytes. */
static void show_bytes(const char *kind, const char *mime, const char *base64, struct str *out)
{
    str_printf(out, "[%s, %s, %zu bytes]", kind, mime ? mime : "unknown type",
               strlen(base64) / 4 * 3);
}

static void show_block(const struct json *b, struct str *out)
{
    const struct json *r = jv_get(b, "resource");

    if (is_type(b, "text")) {
        str_append(out, text_of(b, "text"), jv_string_len(jv_get(b, "text")));
    } else if (is_type(b, "resource_link")) {
        str_printf(out, "[%s: %s]", text_of(b, "name") ? text_of(b, "name") : "link",
                   text_of(b, "uri"));
    } else if (is_type(b, "resource")) {
        str_printf(out, "%s\n", text_of(r, "uri"));
        if (text_of(r, "text"))
            str_append(out, text_of(r, "text"), jv_string_len(jv_get(r, "text")));
        else
            show_bytes("file", text_of(r, "mimeType"), text_of(r, "blob"), out);
    } else {
        show_bytes(text_of(b, "type"), text_of(b, "mimeType"), text_of(b, "data"), out);
    }
}

static void show_value(const struct json *v, struct str *out)
{
    if (jv_kind(v) == JV_STRING)
        str_append(out, jv_get_string(v, ""), jv_string_len(v));
    else
        jv_write(v, 0, out);
}

static void show_blocks(const struct json *content, struct str *out)
{
    for (size_t i = 0; i < jv_size(content); i++) {
        if (i > 0)
            str_putc(out, '\n');
        show_block(jv_at(content, i), out);
    }
}

void tool_result_show(const struct json *stored, struct str *out)
{
    const struct json *content = jv_get(stored, CONTENT);

    /* Servers repeat the value as text, for clients that read only text. */
    if (!content || jv_size(content) == 0)
        show_value(content ? jv_get(stored, "value") : stored, out);
    else
        show_blocks(content, out);
}

struct json *tool_result_value(const struct json *stored)
{
    struct json *content = jv_get(stored, CONTENT), *value = jv_get(stored, "value"), *v;
    struct str text = STR_INIT;

    if (!content)
        return jv_ref((struct json *)(uintptr_t)stored);
    if (value || jv_size(content) == 0)
        return value ? jv_ref(value) : jv_null();
    if (!all_text(content))
        return jv_ref(content);
    show_blocks(content, &text);
    v = jv_string_n(str_cstr(&text), text.len);
    str_deinit(&text);
    return v;
}
