/* param_headers.c - see param_headers.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/client/param_headers.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/rpc/header_text.h"
#include "mcp/rpc/mirror.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"

#define ANNOTATION "x-mcp-header"
#define TOOLS_MAX  8192 /* that have some */

struct param_headers {
    struct map *tools; /* name -> struct mirror; only those that have annotations */
};

static void free_mirror(void *v)
{
    mirror_free(v);
}

struct param_headers *param_headers_new(void)
{
    struct param_headers *h = xcalloc(1, sizeof(*h));

    h->tools = map_new();
    return h;
}

void param_headers_free(struct param_headers *h)
{
    if (!h)
        return;
    map_free(h->tools, free_mirror);
    free(h);
}

void param_headers_clear(struct param_headers *h)
{
    map_free(h->tools, free_mirror);
    h->tools = map_new();
}

/* ---- tools/list */

static bool name_of(struct json_view v, struct str *out)
{
    str_init(out, 65536);
    return json_view_text(v, out) && str_ok(out);
}

bool param_headers_take(struct param_headers *h, struct json_view result, struct str *out)
{
    struct json_view tools = json_view_get(result, "tools");
    struct str kept;
    bool any = false;

    if (!tools.at || !memmem(tools.at, tools.n, ANNOTATION, strlen(ANNOTATION)))
        return false;
    str_init(&kept, tools.n + 16);
    str_putc(&kept, '[');
    for (struct json_walk w = json_walk(tools); json_walk_next(&w);) {
        struct mirror *t = mirror_read(json_view_get(w.value, "inputSchema"));
        bool refused = t && !mirror_is_valid(t);
        struct str name;

        if (name_of(json_view_get(w.value, "name"), &name) && t && map_size(h->tools) < TOOLS_MAX)
            t = map_put_n(h->tools, str_cstr(&name), name.len, t);
        else if (!t)
            t = map_remove(h->tools, str_cstr(&name));
        mirror_free(t);
        str_deinit(&name);
        any = any || refused;
        if (refused)
            continue;
        if (kept.len > 1)
            str_putc(&kept, ',');
        json_view_put(&kept, w.value);
    }
    str_putc(&kept, ']');
    if (any)
        json_view_put_changed(
            out, result, &(struct json_change){.key = "tools", .value = json_view_str(&kept)}, 1);
    str_deinit(&kept);
    return any;
}

/* ---- calls */

static const struct mirror *find(const struct param_headers *h, struct json_view name)
{
    struct str text;
    const struct mirror *t = NULL;

    if (map_size(h->tools) == 0)
        return NULL;
    if (name_of(name, &text))
        t = map_get_n(h->tools, str_cstr(&text), text.len);
    str_deinit(&text);
    return t;
}

bool param_headers_refuses(const struct param_headers *h, struct json_view name)
{
    const struct mirror *t = find(h, name);

    return t && !mirror_is_valid(t);
}

enum status param_headers_put(const struct param_headers *h, struct json_view name,
                              struct json_view arguments, struct http_fields *out,
                              struct error *err)
{
    const struct mirror *t = find(h, name);
    enum status st = STATUS_OK;

    for (size_t i = 0; t && i < mirror_size(t) && st == STATUS_OK; i++) {
        struct json_view v = mirror_value(t, i, arguments);
        enum jv_kind kind = json_view_kind(v);
        struct str field, text, value;

        if (kind == JV_NULL || kind == JV_OBJECT || kind == JV_ARRAY)
            continue;
        str_init(&field, 256);
        str_init(&text, 65536);
        str_init(&value, 131072);
        str_printf(&field, MIRROR_FIELD "%s", mirror_name(t, i));
        if (!json_view_text(v, &text))
            json_view_put(&text, v);
        header_text_put(&value, str_cstr(&text), text.len);
        if (!str_ok(&text) || !str_ok(&value))
            st = error_set(err, STATUS_LIMIT, "the argument for the header field %s is too long",
                           str_cstr(&field));
        else
            st =
                http_fields_add(out, str_cstr(&field), field.len, str_cstr(&value), value.len, err);
        str_deinit(&field);
        str_deinit(&text);
        str_deinit(&value);
    }
    return st;
}
