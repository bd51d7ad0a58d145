/* yaml.c - a parsed YAML document: its life, its nodes, its types.
 *
 * Parsing is in yaml_load.c, messages with a caret in yaml_caret.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/yaml.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/seams.h"
#include "runtime/base/text.h"
#include "runtime/base/utf8.h"
#include "runtime/base/yaml_node.h"

#define ARENA_BLOCK ((size_t)8 << 10)

enum status yaml_parse(const char *text, size_t n, const char *name, struct yaml **out,
                       struct error *err)
{
    size_t is_text = utf8_text_prefix(text, n);
    struct yaml *y;
    long line, column;
    enum status st;

    if (n > YAML_MAX_BYTES)
        return error_at(err, STATUS_LIMIT, name, 0, 0, "%zu bytes of YAML; at most %zu are allowed",
                        n, YAML_MAX_BYTES);
    if (is_text < n) {
        utf8_place(text, is_text, &line, &column);
        return error_at(err, STATUS_CONFIG, name, line, column,
                        "YAML must be valid UTF-8 without NUL");
    }
    y = xcalloc(1, sizeof(*y));
    y->arena = arena_new(ARENA_BLOCK);
    y->name = arena_strdup(y->arena, name);
    y->text = arena_strndup(y->arena, n ? text : "", n);
    y->text_len = n;
    yaml_index_lines(y);
    st = yaml_load(y, err);
    if (st) {
        yaml_free(y);
        return st;
    }
    *out = y;
    return STATUS_OK;
}

enum status yaml_parse_file(const char *path, struct yaml **out, struct error *err)
{
    char *text = NULL;
    size_t n = 0;
    enum status st = file_read(path, YAML_MAX_BYTES, &text, &n, err);

    if (st)
        return st;
    st = yaml_parse(text, n, path, out, err);
    free(text);
    return st;
}

void yaml_free(struct yaml *y)
{
    if (!y)
        return;
    for (struct yaml_node *m = y->mappings; m; m = m->next_made)
        map_free(m->index, NULL);
    arena_free(y->arena);
    free(y);
}

const char *yaml_name(const struct yaml *y)
{
    return y->name;
}

const struct yaml_node *yaml_root(const struct yaml *y)
{
    return y->root;
}

enum yaml_kind yaml_node_kind(const struct yaml_node *n)
{
    return n->kind;
}

size_t yaml_size(const struct yaml_node *n)
{
    return n ? n->n : 0;
}

const struct yaml_node *yaml_at(const struct yaml_node *sequence, size_t i)
{
    return i < yaml_size(sequence) ? sequence->values[i] : NULL;
}

const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key)
{
    return mapping ? map_get(mapping->index, key) : NULL;
}

const struct yaml_node *yaml_key_node(const struct yaml_node *mapping, const char *key)
{
    const struct yaml_node *node = NULL;
    const char *text;

    for (size_t i = 0; (text = yaml_key_at(mapping, i, &node, NULL)) != NULL; i++) {
        if (strcmp(text, key) == 0)
            return node;
    }
    return mapping;
}

const char *yaml_key_at(const struct yaml_node *mapping, size_t i, const struct yaml_node **key,
                        const struct yaml_node **value)
{
    if (i >= yaml_size(mapping) || mapping->kind != YAML_MAPPING)
        return NULL;
    if (key)
        *key = mapping->keys[i];
    if (value)
        *value = mapping->values[i];
    return mapping->keys[i]->text;
}

const char *yaml_text_of(const struct yaml_node *scalar)
{
    return scalar && scalar->text ? scalar->text : "";
}

int yaml_line(const struct yaml_node *n)
{
    return n->line;
}

int yaml_column(const struct yaml_node *n)
{
    return n->column;
}

static const char *skip_digits(const char *s)
{
    return s + strspn(s, "0123456789");
}

/* RFC 8259, section 6. */
static bool is_json_number(const char *s, bool *integer)
{
    const char *end;

    s += *s == '-';
    end = skip_digits(s);
    if (end == s || (*s == '0' && end - s > 1))
        return false;
    *integer = *end == '\0';
    if (*end == '.') {
        s = end + 1;
        end = skip_digits(s);
        if (end == s)
            return false;
    }
    if (*end == 'e' || *end == 'E') {
        s = end + 1;
        s += *s == '+' || *s == '-';
        end = skip_digits(s);
        if (end == s)
            return false;
    }
    return *end == '\0';
}

enum yaml_type yaml_type_of(const struct yaml_node *scalar, int64_t *integer, double *real)
{
    const char *s = scalar->text;
    bool whole = false;

    if (!scalar->plain)
        return YAML_STRING;
    if (strcmp(s, "") == 0 || strcmp(s, "null") == 0)
        return YAML_NULL;
    if (strcmp(s, "true") == 0)
        return YAML_TRUE;
    if (strcmp(s, "false") == 0)
        return YAML_FALSE;
    if (!is_json_number(s, &whole))
        return YAML_STRING;
    if (whole)
        return text_to_i64(s, integer) ? YAML_INT : YAML_RANGE;
    return text_to_double(s, real) ? YAML_REAL : YAML_RANGE;
}

static struct json *scalar_to_json(const struct yaml_node *n)
{
    int64_t integer = 0;
    double real = 0;

    switch (yaml_type_of(n, &integer, &real)) {
    case YAML_NULL:
        return jv_null();
    case YAML_TRUE:
        return jv_bool(true);
    case YAML_FALSE:
        return jv_bool(false);
    case YAML_INT:
        return jv_int(integer);
    case YAML_REAL:
        return jv_real(real);
    case YAML_STRING:
    case YAML_RANGE: /* refused by the loader */
        break;
    }
    return jv_string_n(n->text, n->len);
}

/* Recursion is bounded by YAML_MAX_DEPTH. */
struct json *yaml_to_json(const struct yaml_node *n)
{
    struct json *v;

    if (!n)
        return jv_null();
    if (n->kind == YAML_SCALAR)
        return scalar_to_json(n);
    v = n->kind == YAML_MAPPING ? jv_object() : jv_array();
    for (size_t i = 0; i < n->n; i++) {
        if (n->kind == YAML_MAPPING)
            jv_set_adopt(v, n->keys[i]->text, yaml_to_json(n->values[i]));
        else
            jv_append_adopt(v, yaml_to_json(n->values[i]));
    }
    return v;
}
