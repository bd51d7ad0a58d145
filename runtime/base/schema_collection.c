/* schema_collection.c - the keywords about objects and arrays.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/schema_walk.h"
#include "runtime/base/text.h"

#define MAX_NAMES 64 /* named in a message, and searched for the nearest */

static size_t names_of(const struct json *properties, const char *names[MAX_NAMES])
{
    const char *name;
    struct json *schema;
    size_t n = 0;

    for (void *it = NULL; n < MAX_NAMES && (it = jv_next(properties, it, &name, &schema));)
        names[n++] = name;
    return n;
}

const char *schema_nearest_property(const struct json *properties, const char *name,
                                    struct str *list)
{
    const char *names[MAX_NAMES];
    size_t n = names_of(properties, names);
    const char *near = nearest_word(name, names, n);

    for (size_t i = 0; !near && i < n && list->len < 300; i++)
        str_printf(list, "%s\"%.64s\"", i ? ", " : "", names[i]);
    return near;
}

/* What a missing field should have been, from its own schema: " (integer)". */
static const char *type_of_field(const struct schema_case *c, const char *name)
{
    return jv_get_string(jv_get(jv_get(jv_get(c->schema, "properties"), name), "type"), NULL);
}

enum status schema_check_required(struct schema_walk *w, const struct schema_case *c)
{
    const char *name, *type;

    if (jv_kind(c->value) != JV_OBJECT)
        return STATUS_OK;
    for (size_t i = 0; i < jv_size(c->argument); i++) {
        name = jv_get_string(jv_at(c->argument, i), NULL);
        if (!name || jv_get(c->value, name))
            continue;
        type = type_of_field(c, name);
        return schema_misfit(w, c->at, "missing required field \"%.64s\"%s%s%s", name,
                             type ? " (" : "", type ? type : "", type ? ")" : "");
    }
    return STATUS_OK;
}

enum status schema_check_properties(struct schema_walk *w, const struct schema_case *c)
{
    const char *name;
    struct json *schema, *value;
    enum status st = STATUS_OK;

    if (jv_kind(c->value) != JV_OBJECT)
        return STATUS_OK;
    for (void *it = NULL; !st && (it = jv_next(c->argument, it, &name, &schema));) {
        struct schema_place at = {.up = c->at, .key = name};

        value = jv_get(c->value, name);
        if (value)
            st = schema_check_at(w, schema, value, &at);
    }
    return st;
}

static enum status unknown_field(struct schema_walk *w, const struct schema_case *c,
                                 const struct json *properties, const char *name)
{
    struct str list = STR_INIT;
    const char *near = schema_nearest_property(properties, name, &list);
    enum status st;

    if (near)
        return schema_misfit(w, c->at, "unknown field \"%.64s\"; did you mean \"%.64s\"?", name,
                             near);
    st = schema_misfit(w, c->at, "unknown field \"%.64s\"; %s%s", name,
                       list.len ? "the fields are " : "no fields are expected", str_cstr(&list));
    str_deinit(&list);
    return st;
}

enum status schema_check_additional_properties(struct schema_walk *w, const struct schema_case *c)
{
    const struct json *properties = jv_get(c->schema, "properties");
    const char *name;
    struct json *value;
    enum status st = STATUS_OK;

    if (jv_kind(c->value) != JV_OBJECT)
        return STATUS_OK;
    for (void *it = NULL; !st && (it = jv_next(c->value, it, &name, &value));) {
        struct schema_place at = {.up = c->at, .key = name};

        if (jv_get(properties, name))
            continue;
        if (jv_kind(c->argument) == JV_BOOL && !jv_get_bool(c->argument, true))
            st = unknown_field(w, c, properties, name);
        else
            st = schema_check_at(w, c->argument, value, &at);
    }
    return st;
}

/* The four bounds on a number of things differ in words only. */
static enum status check_size(struct schema_walk *w, const struct schema_case *c, enum jv_kind kind,
                              bool is_minimum, const char *thing)
{
    int64_t bound = jv_get_int(c->argument, is_minimum ? 0 : INT64_MAX);
    int64_t size = (int64_t)jv_size(c->value);

    if (jv_kind(c->value) != kind || (is_minimum ? size >= bound : size <= bound))
        return STATUS_OK;
    return schema_misfit(w, c->at, "expected %s %lld %s%s, got %lld",
                         is_minimum ? "at least" : "at most", (long long)bound, thing,
                         plural_s(bound), (long long)size);
}

enum status schema_check_min_properties(struct schema_walk *w, const struct schema_case *c)
{
    return check_size(w, c, JV_OBJECT, true, "field");
}

enum status schema_check_max_properties(struct schema_walk *w, const struct schema_case *c)
{
    return check_size(w, c, JV_OBJECT, false, "field");
}

enum status schema_check_min_items(struct schema_walk *w, const struct schema_case *c)
{
    return check_size(w, c, JV_ARRAY, true, "item");
}

enum status schema_check_max_items(struct schema_walk *w, const struct schema_case *c)
{
    return check_size(w, c, JV_ARRAY, false, "item");
}

enum status schema_check_prefix_items(struct schema_walk *w, const struct schema_case *c)
{
    enum status st = STATUS_OK;

    if (jv_kind(c->value) != JV_ARRAY)
        return STATUS_OK;
    for (size_t i = 0; !st && i < jv_size(c->argument) && i < jv_size(c->value); i++) {
        struct schema_place at = {.up = c->at, .index = i};

        st = schema_check_at(w, jv_at(c->argument, i), jv_at(c->value, i), &at);
    }
    return st;
}

enum status schema_check_items(struct schema_walk *w, const struct schema_case *c)
{
    enum status st = STATUS_OK;

    if (jv_kind(c->value) != JV_ARRAY)
        return STATUS_OK;
    for (size_t i = jv_size(jv_get(c->schema, "prefixItems")); !st && i < jv_size(c->value); i++) {
        struct schema_place at = {.up = c->at, .index = i};

        st = schema_check_at(w, c->argument, jv_at(c->value, i), &at);
    }
    return st;
}

enum status schema_check_unique_items(struct schema_walk *w, const struct schema_case *c)
{
    size_t n = jv_size(c->value);
    enum status st;

    if (jv_kind(c->value) != JV_ARRAY || !jv_get_bool(c->argument, false))
        return STATUS_OK;
    for (size_t i = 1; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            st = schema_spend(w); /* bounds the square */
            if (st)
                return st;
            if (schema_same(jv_at(c->value, i), jv_at(c->value, j)))
                return schema_misfit(w, c->at, "expected unique items, but [%zu] equals [%zu]", i,
                                     j);
        }
    }
    return STATUS_OK;
}
