/* param_headers.c - see param_headers.h.
 *
 * A schema is walked as a text. Only `properties` leads from the root to an annotation that counts;
 * one that is reached in any other way makes the tool invalid.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/client/param_headers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mcp/client/header_text.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"

#define ANNOTATION  "x-mcp-header"
#define HEADERS_MAX 64   /* of a tool */
#define TOOLS_MAX   8192 /* that have some */

struct annotation {
    struct str path; /* keys, each with its NUL */
    struct str name;
};
struct tool {
    bool is_refused;
    struct annotation list[HEADERS_MAX];
    size_t n;
};
struct param_headers {
    struct map *tools; /* name -> struct tool; only those that have annotations */
};

static void free_tool(void *v)
{
    struct tool *t = v;

    for (size_t i = 0; t && i < t->n; i++) {
        str_deinit(&t->list[i].path);
        str_deinit(&t->list[i].name);
    }
    free(t);
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
    map_free(h->tools, free_tool);
    free(h);
}

void param_headers_clear(struct param_headers *h)
{
    map_free(h->tools, free_tool);
    h->tools = map_new();
}

/* ---- annotations of a schema */

static bool is_token(const char *text, size_t n)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < n; i++) {
        char c = text[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              (c && strchr(others, c))))
            return false;
    }
    return n > 0 && n <= 128;
}

static bool is_plain_type(struct json_view type)
{
    return json_view_is(type, "string") || json_view_is(type, "integer") ||
           json_view_is(type, "boolean");
}

static bool type_allows(struct json_view type)
{
    if (json_view_kind(type) != JV_ARRAY)
        return is_plain_type(type);
    for (struct json_walk w = json_walk(type); json_walk_next(&w);) {
        if (!is_plain_type(w.value))
            return false;
    }
    return json_view_size(type) > 0;
}

static void annotate(struct tool *t, struct json_view schema, struct json_view value,
                     const struct str *path)
{
    struct annotation *a = &t->list[t->n];

    if (t->n == HEADERS_MAX || !type_allows(json_view_get(schema, "type"))) {
        t->is_refused = true;
        return;
    }
    str_init(&a->name, 4096);
    str_init(&a->path, 65536);
    str_append(&a->path, str_cstr(path), path->len);
    t->n++;
    if (!json_view_text(value, &a->name) || !str_ok(&a->name) || !str_ok(&a->path) ||
        !is_token(str_cstr(&a->name), a->name.len))
        t->is_refused = true;
    for (size_t i = 0; i + 1 < t->n; i++) {
        if (strcasecmp(str_cstr(&t->list[i].name), str_cstr(&a->name)) == 0)
            t->is_refused = true;
    }
}

/* Members of these are named by the author of the schema; they are no keywords. */
static bool has_names(struct json_view key)
{
    return json_view_is(key, "patternProperties") || json_view_is(key, "$defs") ||
           json_view_is(key, "definitions") || json_view_is(key, "dependentSchemas");
}

static bool is_data(struct json_view key)
{
    return json_view_is(key, "const") || json_view_is(key, "enum") ||
           json_view_is(key, "default") || json_view_is(key, "examples");
}

/* path NULL: not reached through properties alone. */
static void scan(struct tool *t, struct json_view schema, struct str *path);

static void scan_properties(struct tool *t, struct json_view properties, struct str *path)
{
    for (struct json_walk w = json_walk(properties); w.is_object && json_walk_next(&w);) {
        size_t len = path ? path->len : 0;

        if (path) {
            (void)json_view_text(w.key, path);
            str_putc(path, '\0');
        }
        scan(t, w.value, path);
        if (path)
            path->len = len;
    }
}

static void scan(struct tool *t, struct json_view schema, struct str *path)
{
    for (struct json_walk w = json_walk(schema); json_walk_next(&w) && !t->is_refused;) {
        if (!w.is_object)
            scan(t, w.value, NULL);
        else if (json_view_is(w.key, ANNOTATION) && path && path->len > 0)
            annotate(t, schema, w.value, path);
        else if (json_view_is(w.key, ANNOTATION))
            t->is_refused = true;
        else if (json_view_is(w.key, "properties"))
            scan_properties(t, w.value, path);
        else if (has_names(w.key))
            scan_properties(t, w.value, NULL);
        else if (!is_data(w.key))
            scan(t, w.value, NULL);
    }
}

/* ---- tools/list */

/* NULL: it has no annotations. */
static struct tool *read_tool(struct json_view tool)
{
    struct json_view schema = json_view_get(tool, "inputSchema");
    struct tool *t;
    struct str path;

    if (!schema.at || !memmem(schema.at, schema.n, ANNOTATION, strlen(ANNOTATION)))
        return NULL;
    t = xcalloc(1, sizeof(*t));
    str_init(&path, 65536);
    scan(t, schema, &path);
    if (!str_ok(&path))
        t->is_refused = true;
    str_deinit(&path);
    if (t->n > 0 || t->is_refused)
        return t;
    free_tool(t);
    return NULL;
}

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
        struct tool *t = read_tool(w.value);
        bool refused = t && t->is_refused;
        struct str name;

        if (name_of(json_view_get(w.value, "name"), &name) && t && map_size(h->tools) < TOOLS_MAX)
            t = map_put_n(h->tools, str_cstr(&name), name.len, t);
        else if (!t)
            t = map_remove(h->tools, str_cstr(&name));
        free_tool(t);
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

static const struct tool *find(const struct param_headers *h, struct json_view name)
{
    struct str text;
    const struct tool *t = NULL;

    if (map_size(h->tools) == 0)
        return NULL;
    if (name_of(name, &text))
        t = map_get_n(h->tools, str_cstr(&text), text.len);
    str_deinit(&text);
    return t;
}

bool param_headers_refuses(const struct param_headers *h, struct json_view name)
{
    const struct tool *t = find(h, name);

    return t && t->is_refused;
}

static struct json_view value_at(struct json_view v, const struct str *path)
{
    const char *key = str_cstr(path), *end = key + path->len;

    for (; key < end; key += strlen(key) + 1)
        v = json_view_get(v, key);
    return v;
}

enum status param_headers_put(const struct param_headers *h, struct json_view name,
                              struct json_view arguments, struct http_fields *out,
                              struct error *err)
{
    const struct tool *t = find(h, name);
    enum status st = STATUS_OK;

    for (size_t i = 0; t && i < t->n && st == STATUS_OK; i++) {
        struct json_view v = value_at(arguments, &t->list[i].path);
        enum jv_kind kind = json_view_kind(v);
        struct str field, text, value;

        if (kind == JV_NULL || kind == JV_OBJECT || kind == JV_ARRAY)
            continue;
        str_init(&field, 256);
        str_init(&text, 65536);
        str_init(&value, 131072);
        str_printf(&field, "mcp-param-%s", str_cstr(&t->list[i].name));
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
