/* tool_calls_schema.c - the value of a parameter's text, by the tool's schema.
 *
 * The schema gives the type by "type", "enum", "const", "$ref" into itself, or by anyOf, oneOf and
 * allOf of such. A text that the schema does not allow stays a string: the check of the arguments
 * then reports the expected type to the model.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <strings.h>

#include "models/chat/tool_calls_internal.h"
#include "runtime/base/memory.h"

#define MAX_WALK  500 /* schemas of one parameter */
#define MAX_DEPTH 4
#define KIND(k)   (1u << (k))

const struct json *call_tool(const struct json *tools, const char *tool)
{
    for (size_t i = 0; jv_kind(tools) == JV_ARRAY && i < jv_size(tools); i++) {
        const struct json *f = jv_get(jv_at(tools, i), "function");

        if (f == NULL)
            f = jv_at(tools, i);
        if (strcmp(jv_get_string(jv_get(f, "name"), ""), tool) == 0)
            return f;
    }
    return NULL;
}

/* The value at "#/a/b" in `root` (RFC 6901); NULL for all other references. */
static const struct json *find_reference(const struct json *root, const char *ref)
{
    const struct json *v = root;

    if (*ref++ != '#')
        return NULL;
    while (*ref == '/' && v) {
        struct str name = STR_INIT;

        for (ref++; *ref && *ref != '/'; ref++) {
            const bool escaped = *ref == '~' && (ref[1] == '0' || ref[1] == '1');

            ref += escaped;
            str_putc(&name, !escaped ? *ref : *ref == '0' ? '~' : '/');
        }
        v = jv_kind(v) == JV_OBJECT ? jv_get(v, str_cstr(&name)) : NULL;
        str_deinit(&name);
    }
    return *ref ? NULL : v;
}

/* A walk through a schema that may refer to itself. */
struct walk {
    const struct json *root;
    int left;  /* schemas that may still be looked at */
    int depth; /* of unions in each other */
};

/* The schema, or the target of its "$ref"; NULL when the walk is over. */
static const struct json *enter(struct walk *w, const struct json *schema)
{
    while (schema && w->left-- > 0) {
        const char *ref = jv_get_string(jv_get(schema, "$ref"), NULL);

        if (ref == NULL)
            return schema;
        schema = find_reference(w->root, ref);
    }
    return NULL;
}

static const char *const UNIONS[] = {"anyOf", "oneOf", "allOf"};

/* Schema i of the unions of `schema`; NULL after the last. */
static const struct json *united(const struct walk *w, const struct json *schema, size_t i)
{
    for (size_t u = 0; w->depth <= MAX_DEPTH && u < ARRAY_LEN(UNIONS); u++) {
        const struct json *list = jv_get(schema, UNIONS[u]);
        const size_t n = jv_kind(list) == JV_ARRAY ? jv_size(list) : 0;

        if (i < n)
            return jv_at(list, i);
        i -= n;
    }
    return NULL;
}

static const struct json *find_property(struct walk *w, const struct json *schema, const char *key)
{
    const struct json *found, *part;

    schema = enter(w, schema);
    found = jv_get(jv_get(schema, "properties"), key);
    w->depth++;
    for (size_t i = 0; !found && (part = united(w, schema, i)); i++)
        found = find_property(w, part, key);
    w->depth--;
    return found;
}

const struct json *call_parameter(const struct json *parameters, const char *key)
{
    struct walk w = {parameters, MAX_WALK, 0};

    return find_property(&w, parameters, key);
}

static unsigned kinds_of_name(const char *type)
{
    static const struct {
        const char *name;
        unsigned kinds;
    } types[] = {
        {"string", KIND(JV_STRING)}, {"integer", KIND(JV_INT)},
        {"boolean", KIND(JV_BOOL)},  {"number", KIND(JV_INT) | KIND(JV_REAL)},
        {"array", KIND(JV_ARRAY)},   {"object", KIND(JV_OBJECT)},
        {"null", KIND(JV_NULL)},
    };

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i].name, type) == 0)
            return types[i].kinds;
    return 0;
}

static unsigned kinds_of_type(const struct json *type)
{
    unsigned kinds = kinds_of_name(jv_get_string(type, ""));

    for (size_t i = 0; jv_kind(type) == JV_ARRAY && i < jv_size(type); i++)
        kinds |= kinds_of_name(jv_get_string(jv_at(type, i), ""));
    return kinds;
}

static unsigned kinds_of_value(const struct json *v)
{
    return jv_kind(v) == JV_REAL ? KIND(JV_REAL) | KIND(JV_INT) : KIND(jv_kind(v));
}

/* The kinds that a schema allows; 0 when it does not restrict them. */
static unsigned kinds_of(struct walk *w, const struct json *schema)
{
    const struct json *one, *list, *part;
    unsigned kinds;

    schema = enter(w, schema);
    kinds = kinds_of_type(jv_get(schema, "type"));
    one = jv_get(schema, "const");
    list = jv_get(schema, "enum");
    if (kinds == 0) {
        kinds = one ? kinds_of_value(one) : 0;
        for (size_t i = 0; jv_kind(list) == JV_ARRAY && i < jv_size(list); i++)
            kinds |= kinds_of_value(jv_at(list, i));
    }
    w->depth++;
    for (size_t i = 0; (part = united(w, schema, i)); i++)
        kinds |= kinds_of(w, part);
    w->depth--;
    return kinds;
}

static bool is_text(const struct json *v, const char *p, size_t n)
{
    return jv_kind(v) == JV_STRING && jv_string_len(v) == n &&
           memcmp(jv_get_string(v, ""), p, n) == 0;
}

/* Whether the very text is one of the values that the schema lists. */
static bool is_listed(struct walk *w, const struct json *schema, const char *p, size_t n)
{
    const struct json *list, *part;
    bool found;

    schema = enter(w, schema);
    list = jv_get(schema, "enum");
    found = is_text(jv_get(schema, "const"), p, n);
    for (size_t i = 0; !found && jv_kind(list) == JV_ARRAY && i < jv_size(list); i++)
        found = is_text(jv_at(list, i), p, n);
    w->depth++;
    for (size_t i = 0; !found && (part = united(w, schema, i)); i++)
        found = is_listed(w, part, p, n);
    w->depth--;
    return found;
}

struct json *call_value(const struct json *parameters, const char *key, const char *p, size_t n)
{
    const struct json *schema = call_parameter(parameters, key);
    struct walk w = {parameters, MAX_WALK, 0}, again = w;
    const unsigned kinds = kinds_of(&w, schema);
    struct json *v = NULL;

    if ((kinds & ~KIND(JV_STRING)) == 0 || is_listed(&again, schema, p, n))
        return jv_string_n(p, n);
    if ((kinds & KIND(JV_BOOL)) && n == 4 && strncasecmp(p, "true", 4) == 0)
        return jv_bool(true); /* Python's True */
    if ((kinds & KIND(JV_BOOL)) && n == 5 && strncasecmp(p, "false", 5) == 0)
        return jv_bool(false);
    if (jv_parse(p, n, "value", &v, NULL) == STATUS_OK) {
        if (kinds & KIND(jv_kind(v)))
            return v;
        jv_unref(v);
    }
    return jv_string_n(p, n);
}
