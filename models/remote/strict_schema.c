/* strict_schema.c - see strict_schema.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/remote/strict_schema.h"

#include <string.h>

static bool is_required(const struct json *schema, const char *name)
{
    const struct json *list = jv_get(schema, "required");

    for (size_t i = 0; i < jv_size(list); i++)
        if (strcmp(jv_get_string(jv_at(list, i), ""), name) == 0)
            return true;
    return false;
}

static bool is_closed(const struct json *schema)
{
    const struct json *more = jv_get(schema, "additionalProperties");
    const char *name;
    struct json *value;

    if (jv_kind(more) != JV_BOOL || jv_get_bool(more, true))
        return false;
    for (void *it = NULL; (it = jv_next(jv_get(schema, "properties"), it, &name, &value));)
        if (!is_required(schema, name))
            return false;
    return true;
}

static bool is_object(const struct json *schema)
{
    return strcmp(jv_get_string(jv_get(schema, "type"), ""), "object") == 0 ||
           jv_get(schema, "properties");
}

/* All schemas inside. Depth is that of parsed JSON, at most JSON_MAX_DEPTH. */
static bool all_closed(const struct json *v)
{
    const char *key;
    struct json *value;

    if (jv_kind(v) == JV_OBJECT && is_object(v) && !is_closed(v))
        return false;
    for (void *it = NULL; jv_kind(v) == JV_OBJECT && (it = jv_next(v, it, &key, &value));)
        if (!all_closed(value))
            return false;
    for (size_t i = 0; jv_kind(v) == JV_ARRAY && i < jv_size(v); i++)
        if (!all_closed(jv_at(v, i)))
            return false;
    return true;
}

bool schema_is_strict(const struct json *schema)
{
    return is_object(schema) && all_closed(schema);
}
