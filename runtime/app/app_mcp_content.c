/* app_mcp_content.c - see app_mcp_content.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_mcp_content.h"

#include <stdio.h>
#include <string.h>

#include "runtime/app/table.h"

static const char *text_of(const struct json *o, const char *key)
{
    return jv_get_string(jv_get(o, key), NULL);
}

void app_mcp_put_block(const struct json *block, struct str *out)
{
    const struct json *resource = jv_get(block, "resource");
    const char *text = text_of(resource ? resource : block, "text");
    const char *type = text_of(block, "type"),
               *mime = text_of(resource ? resource : block, "mimeType");
    const char *uri = text_of(resource ? resource : block, "uri");
    const struct json *data = jv_get(resource ? resource : block, resource ? "blob" : "data");

    if (text) {
        str_puts(out, text);
    } else {
        str_printf(out, "[%s%s%s", type ? type : "resource", mime ? " " : "", mime ? mime : "");
        if (uri)
            str_printf(out, " %s", uri);
        if (jv_kind(data) == JV_STRING)
            str_printf(out, ", %zu bytes of base64", jv_string_len(data));
        str_putc(out, ']');
    }
    if (out->len == 0 || out->data[out->len - 1] != '\n')
        str_putc(out, '\n');
}

int app_mcp_print_result(struct app *a, const struct json *result)
{
    const struct json *content = jv_get(result, "content");
    bool is_error = jv_get_bool(jv_get(result, "isError"), false);
    struct str out = STR_INIT;
    int code;

    if (a->json) {
        struct json *doc = app_document("mcp_call");

        jv_set_bool(doc, "ok", !is_error);
        jv_set_adopt(doc, "result", jv_deep_copy(result));
        code = app_print_json(doc);
    } else {
        for (size_t i = 0; i < jv_size(content); i++)
            app_mcp_put_block(jv_at(content, i), &out);
        if (jv_size(content) == 0 && jv_get(result, "structuredContent")) {
            jv_write(jv_get(result, "structuredContent"), 2, &out);
            str_putc(&out, '\n');
        }
        code = app_print(&out);
    }
    str_deinit(&out);
    return code ? code : is_error ? EXIT_FAILED : EXIT_OK;
}

int app_mcp_print_list(struct app *a, const char *kind, const char *title, const char *id,
                       const struct json *list)
{
    const char *columns[] = {title, "what it is"};
    struct table *t;
    struct str out = STR_INIT;
    char name[32];
    int code;

    if (a->json) {
        struct json *doc;

        snprintf(name, sizeof(name), "mcp_%s", kind);
        doc = app_document(name);
        jv_set_adopt(doc, kind, jv_deep_copy(list));
        return app_print_json(doc);
    }
    t = table_new(columns, 2);
    for (size_t i = 0; i < jv_size(list); i++) {
        const struct json *o = jv_at(list, i);
        const char *about = text_of(o, "description");
        struct str line = STR_INIT;

        format_one_line(about ? about : text_of(o, "name") ? text_of(o, "name") : "", 72, &line);
        table_row(t, (const char *const[]){text_of(o, id) ? text_of(o, id) : "", str_cstr(&line)});
        str_deinit(&line);
    }
    if (jv_size(list) > 0)
        table_write(t, &out);
    else
        log_write(a->log, LOG_INFO, "no %s", kind);
    code = app_print(&out);
    table_free(t);
    str_deinit(&out);
    return code;
}
