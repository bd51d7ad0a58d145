/* schema_supported.c - is a schema one that we can check? Said before it is used, by name.
 *
 * A keyword that we do not know would silently allow what it forbids, so it is refused.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/pattern.h"
#include "tools/schema_walk.h"

enum form {
    ANY,
    TYPES,
    LIST,
    NUMBER,
    POSITIVE,
    COUNT,
    BOOLEAN,
    PATTERN,
    STRINGS,
    SCHEMA,
    SCHEMAS,
    SCHEMAS_BY_NAME,
    REF,
    IGNORED
};

static const struct {
    const char *spelling;
    enum form form;
} known[] = {
#define KEYWORD(spelling, check, argument) {spelling, argument},
#define ANNOTATION(spelling)               {spelling, IGNORED},
#include "tools/schema_keywords.def"
#undef KEYWORD
#undef ANNOTATION
    {"$defs", SCHEMAS_BY_NAME},
    {"definitions", SCHEMAS_BY_NAME}, /* the older drafts' word for $defs */
};

static const char *const types[] = {"null",   "boolean", "integer", "number",
                                    "string", "array",   "object"};

struct survey {
    const struct json *root;
    struct error *err;
};

static enum status survey_schema(const struct survey *s, const struct json *schema,
                                 const struct schema_place *at);

static enum status refuse(const struct survey *s, const struct schema_place *at, const char *words)
{
    struct schema_walk w = {.err = s->err};

    (void)schema_misfit(&w, at, "%s", words);
    if (s->err)
        s->err->status = STATUS_UNSUPPORTED;
    return STATUS_UNSUPPORTED;
}

static bool is_type_name(const struct json *v)
{
    const char *name = jv_get_string(v, "");

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(types[i], name) == 0)
            return true;
    }
    return false;
}

static bool all_in(const struct json *list, bool (*fits)(const struct json *))
{
    for (size_t i = 0; i < jv_size(list); i++) {
        if (!fits(jv_at(list, i)))
            return false;
    }
    return jv_kind(list) == JV_ARRAY;
}

static bool is_string(const struct json *v)
{
    return jv_kind(v) == JV_STRING;
}

static enum status survey_pattern(const struct survey *s, const struct json *v,
                                  const struct schema_place *at)
{
    struct pattern *p = NULL;
    enum status st;

    if (!is_string(v))
        return refuse(s, at, "expected a pattern");
    st = pattern_compile(jv_get_string(v, ""), jv_string_len(v), &p, NULL);
    pattern_free(p);
    return st ? refuse(s, at, "not a pattern that can be compiled") : STATUS_OK;
}

static enum status survey_many(const struct survey *s, const struct json *v,
                               const struct schema_place *at, enum form form)
{
    const char *name;
    struct json *schema;
    enum status st = STATUS_OK;

    if (form == SCHEMAS) {
        if (jv_kind(v) != JV_ARRAY || jv_size(v) == 0)
            return refuse(s, at, "expected a list of schemas");
        for (size_t i = 0; !st && i < jv_size(v); i++) {
            struct schema_place item = {.up = at, .index = i};

            st = survey_schema(s, jv_at(v, i), &item);
        }
        return st;
    }
    if (jv_kind(v) != JV_OBJECT)
        return refuse(s, at, "expected schemas by name");
    for (void *it = NULL; !st && (it = jv_next(v, it, &name, &schema));) {
        struct schema_place field = {.up = at, .key = name};

        st = survey_schema(s, schema, &field);
    }
    return st;
}

static enum status survey_number(const struct survey *s, const struct json *v,
                                 const struct schema_place *at, enum form form)
{
    bool is_number = jv_kind(v) == JV_INT || jv_kind(v) == JV_REAL;

    if (!is_number)
        return refuse(s, at, "expected a number");
    if (form == POSITIVE && !(jv_get_number(v, 0) > 0))
        return refuse(s, at, "expected a number above 0");
    if (form == COUNT && (jv_kind(v) != JV_INT || jv_get_int(v, -1) < 0))
        return refuse(s, at, "expected a count");
    return STATUS_OK;
}

static enum status survey_argument(const struct survey *s, const struct json *v,
                                   const struct schema_place *at, enum form form)
{
    switch (form) {
    case ANY:
    case IGNORED:
        break;
    case TYPES:
        if (!is_type_name(v) && !all_in(v, is_type_name))
            return refuse(s, at, "expected the name of a type, or a list of them");
        break;
    case LIST:
        return jv_kind(v) == JV_ARRAY ? STATUS_OK : refuse(s, at, "expected a list");
    case NUMBER:
    case POSITIVE:
    case COUNT:
        return survey_number(s, v, at, form);
    case BOOLEAN:
        return jv_kind(v) == JV_BOOL ? STATUS_OK : refuse(s, at, "expected true or false");
    case PATTERN:
        return survey_pattern(s, v, at);
    case STRINGS:
        return all_in(v, is_string) ? STATUS_OK : refuse(s, at, "expected a list of names");
    case SCHEMA:
        return survey_schema(s, v, at);
    case SCHEMAS:
    case SCHEMAS_BY_NAME:
        return survey_many(s, v, at, form);
    case REF:
        if (!is_string(v) || !schema_resolve(s->root, jv_get_string(v, "")))
            return refuse(s, at,
                          "only references to what stands in the same document are followed");
        break;
    }
    return STATUS_OK;
}

static enum status survey_schema(const struct survey *s, const struct json *schema,
                                 const struct schema_place *at)
{
    const char *spelling;
    struct json *v;
    enum status st = STATUS_OK;

    if (jv_kind(schema) == JV_BOOL)
        return STATUS_OK;
    if (jv_kind(schema) != JV_OBJECT)
        return refuse(s, at, "expected a schema: an object, true or false");
    for (void *it = NULL; !st && (it = jv_next(schema, it, &spelling, &v));) {
        struct schema_place keyword = {.up = at, .key = spelling};
        size_t k = 0;

        while (k < ARRAY_LEN(known) && strcmp(known[k].spelling, spelling) != 0)
            k++;
        if (k < ARRAY_LEN(known))
            st = survey_argument(s, v, &keyword, known[k].form);
        /* $id at the root names the document; deeper it would change what references mean. */
        else if (strcmp(spelling, "$id") != 0 || schema != s->root)
            st = refuse(s, &keyword, "this keyword is not supported");
    }
    return st;
}

enum status schema_supported(const struct json *schema, struct error *err)
{
    const struct survey s = {.root = schema, .err = err};
    const struct schema_place at = {.key = "schema"};

    return survey_schema(&s, schema, &at);
}
