/* mirror.c - see mirror.h.
 *
 * A schema is walked as a text. Only `properties` leads from the root to an annotation that counts;
 * one that is reached in any other way makes the tool invalid.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/rpc/mirror.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/memory.h"

#define ANNOTATION "x-mcp-header"
#define FIELDS_MAX 64 /* of a tool */

struct annotation {
    struct str path; /* keys, each with its NUL */
    struct str name;
};
struct mirror {
    bool is_invalid;
    struct annotation list[FIELDS_MAX];
    size_t n;
};

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

static void annotate(struct mirror *m, struct json_view schema, struct json_view value,
                     const struct str *path)
{
    struct annotation *a = &m->list[m->n];

    if (m->n == FIELDS_MAX || !type_allows(json_view_get(schema, "type"))) {
        m->is_invalid = true;
        return;
    }
    str_init(&a->name, 4096);
    str_init(&a->path, 65536);
    str_append(&a->path, str_cstr(path), path->len);
    m->n++;
    if (!json_view_text(value, &a->name) || !str_ok(&a->name) || !str_ok(&a->path) ||
        !is_token(str_cstr(&a->name), a->name.len))
        m->is_invalid = true;
    for (size_t i = 0; i + 1 < m->n; i++) {
        if (strcasecmp(str_cstr(&m->list[i].name), str_cstr(&a->name)) == 0)
            m->is_invalid = true;
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
static void scan(struct mirror *m, struct json_view schema, struct str *path);

static void scan_properties(struct mirror *m, struct json_view properties, struct str *path)
{
    for (struct json_walk w = json_walk(properties); w.is_object && json_walk_next(&w);) {
        size_t len = path ? path->len : 0;

        if (path) {
            (void)json_view_text(w.key, path);
            str_putc(path, '\0');
        }
        scan(m, w.value, path);
        if (path)
            path->len = len;
    }
}

static void scan(struct mirror *m, struct json_view schema, struct str *path)
{
    for (struct json_walk w = json_walk(schema); json_walk_next(&w) && !m->is_invalid;) {
        if (!w.is_object)
            scan(m, w.value, NULL);
        else if (json_view_is(w.key, ANNOTATION) && path && path->len > 0)
            annotate(m, schema, w.value, path);
        else if (json_view_is(w.key, ANNOTATION))
            m->is_invalid = true;
        else if (json_view_is(w.key, "properties"))
            scan_properties(m, w.value, path);
        else if (has_names(w.key))
            scan_properties(m, w.value, NULL);
        else if (!is_data(w.key))
            scan(m, w.value, NULL);
    }
}

/* ---- for others */

struct mirror *mirror_read(struct json_view schema)
{
    struct mirror *m;
    struct str path;

    if (!schema.at || !memmem(schema.at, schema.n, ANNOTATION, strlen(ANNOTATION)))
        return NULL;
    m = xcalloc(1, sizeof(*m));
    str_init(&path, 65536);
    scan(m, schema, &path);
    if (!str_ok(&path))
        m->is_invalid = true;
    str_deinit(&path);
    if (m->n > 0 || m->is_invalid)
        return m;
    mirror_free(m);
    return NULL;
}

void mirror_free(struct mirror *m)
{
    for (size_t i = 0; m && i < m->n; i++) {
        str_deinit(&m->list[i].path);
        str_deinit(&m->list[i].name);
    }
    free(m);
}

bool mirror_is_valid(const struct mirror *m)
{
    return !m->is_invalid;
}

size_t mirror_size(const struct mirror *m)
{
    return m->n;
}

const char *mirror_name(const struct mirror *m, size_t i)
{
    return str_cstr(&m->list[i].name);
}

struct json_view mirror_value(const struct mirror *m, size_t i, struct json_view arguments)
{
    const struct str *path = &m->list[i].path;
    const char *key = str_cstr(path), *end = key + path->len;

    for (; key < end; key += strlen(key) + 1)
        arguments = json_view_get(arguments, key);
    return json_view_kind(arguments) == JV_NULL ? JSON_VIEW_NONE : arguments;
}
