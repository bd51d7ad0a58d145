/* schema_supported.c - checks that a schema uses only supported keywords.
 *
 * An unknown keyword would silently allow what it forbids, so it is an error.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/pattern.h"
#include "runtime/base/schema_walk.h"

static const struct {
    const char *spelling;
    enum schema_form form;
} known[] = {
#define KEYWORD(spelling, check, argument) {spelling, SCHEMA_##argument},
#define ANNOTATION(spelling)               {spelling, SCHEMA_IGNORED},
#include "runtime/base/schema_keywords.def"
#undef KEYWORD
#undef ANNOTATION
    {"$defs", SCHEMA_SCHEMAS_BY_NAME},
    {"definitions", SCHEMA_SCHEMAS_BY_NAME}, /* the older drafts' word for $defs */
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
                               const struct schema_place *at, enum schema_form form)
{
    const char *name;
    struct json *schema;
    enum status st = STATUS_OK;

    if (form == SCHEMA_SCHEMAS) {
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
                                 const struct schema_place *at, enum schema_form form)
{
    bool is_number = jv_kind(v) == JV_INT || jv_kind(v) == JV_REAL;

    if (!is_number)
        return refuse(s, at, "expected a number");
    if (form == SCHEMA_POSITIVE && !(jv_get_number(v, 0) > 0))
        return refuse(s, at, "expected a number above 0");
    if (form == SCHEMA_COUNT && (jv_kind(v) != JV_INT || jv_get_int(v, -1) < 0))
        return refuse(s, at, "expected a count");
    return STATUS_OK;
}

static enum status survey_argument(const struct survey *s, const struct json *v,
                                   const struct schema_place *at, enum schema_form form)
{
    switch (form) {
    case SCHEMA_UNKNOWN:
    case SCHEMA_ANY:
    case SCHEMA_IGNORED:
        break;
    case SCHEMA_TYPES:
        if (!is_type_name(v) && !all_in(v, is_type_name))
            return refuse(s, at, "expected the name of a type, or a list of them");
        break;
    case SCHEMA_LIST:
        return jv_kind(v) == JV_ARRAY ? STATUS_OK : refuse(s, at, "expected a list");
    case SCHEMA_NUMBER:
    case SCHEMA_POSITIVE:
    case SCHEMA_COUNT:
        return survey_number(s, v, at, form);
    case SCHEMA_BOOLEAN:
        return jv_kind(v) == JV_BOOL ? STATUS_OK : refuse(s, at, "expected true or false");
    case SCHEMA_PATTERN:
        return survey_pattern(s, v, at);
    case SCHEMA_STRINGS:
        return all_in(v, is_string) ? STATUS_OK : refuse(s, at, "expected a list of names");
    case SCHEMA_SCHEMA:
        return survey_schema(s, v, at);
    case SCHEMA_SCHEMAS:
    case SCHEMA_SCHEMAS_BY_NAME:
        return survey_many(s, v, at, form);
    case SCHEMA_REF:
        if (!is_string(v) || !schema_resolve(s->root, jv_get_string(v, "")))
            return refuse(s, at, "only references within the same document are followed");
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
        enum schema_form form = schema_form_of(spelling);

        /* $id at the root names the document; deeper it would change what references mean. */
        if (form != SCHEMA_UNKNOWN)
            st = survey_argument(s, v, &keyword, form);
        else if (strcmp(spelling, "$id") != 0 || schema != s->root)
            st = refuse(s, &keyword, "this keyword is not supported");
    }
    return st;
}

enum schema_form schema_form_of(const char *keyword)
{
    for (size_t k = 0; k < ARRAY_LEN(known); k++) {
        if (strcmp(known[k].spelling, keyword) == 0)
            return known[k].form;
    }
    return SCHEMA_UNKNOWN;
}

bool schema_argument_is_sound(const struct json *root, const struct json *argument,
                              enum schema_form form)
{
    const struct survey s = {.root = root};
    const struct schema_place at = {.key = "schema"};

    return survey_argument(&s, argument, &at, form) == STATUS_OK;
}

enum status schema_supported(const struct json *schema, struct error *err)
{
    const struct survey s = {.root = schema, .err = err};
    const struct schema_place at = {.key = "schema"};

    return survey_schema(&s, schema, &at);
}
