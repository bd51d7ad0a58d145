/* schema_lenient.c - reduces a foreign schema to the part that can be checked.
 *
 * Unknown keywords and keywords with unreadable values are removed. The reduced schema must not
 * reject a value that the whole schema allows. So some known keywords are removed as well: `not`
 * over a schema that became weaker, and `additionalProperties` next to a removed
 * `patternProperties`. `oneOf` over weaker alternatives becomes `anyOf`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/schema_walk.h"

static struct json *keep(const struct json *root, const struct json *schema, bool *weaker);

static struct json *keep_list(const struct json *root, const struct json *list, bool *weaker)
{
    struct json *out = jv_array();

    for (size_t i = 0; i < jv_size(list); i++)
        jv_append_adopt(out, keep(root, jv_at(list, i), weaker));
    return out;
}

static struct json *keep_by_name(const struct json *root, const struct json *object, bool *weaker)
{
    struct json *out = jv_object(), *schema;
    const char *name;

    for (void *it = NULL; (it = jv_next(object, it, &name, &schema));)
        jv_set_adopt(out, name, keep(root, schema, weaker));
    return out;
}

/* The keyword's value as far as it can be checked: new. NULL: not at all. */
static struct json *keep_argument(const struct json *root, struct json *v, enum schema_form form,
                                  bool *weaker)
{
    bool object = jv_kind(v) == JV_OBJECT, list = jv_kind(v) == JV_ARRAY && jv_size(v) > 0;

    switch (form) {
    case SCHEMA_UNKNOWN:
        return NULL;
    case SCHEMA_SCHEMA:
        return object || jv_kind(v) == JV_BOOL ? keep(root, v, weaker) : NULL;
    case SCHEMA_SCHEMAS:
        return list ? keep_list(root, v, weaker) : NULL;
    case SCHEMA_SCHEMAS_BY_NAME:
        return object ? keep_by_name(root, v, weaker) : NULL;
    case SCHEMA_REF:
        *weaker = true; /* what it refers to may be */
        return schema_argument_is_sound(root, v, form) ? jv_ref(v) : NULL;
    default:
        return schema_argument_is_sound(root, v, form) ? jv_ref(v) : NULL;
    }
}

static void put_one_of(struct json *out, struct json *alternatives)
{
    struct json *any = jv_object(), *all = jv_array();

    for (size_t i = 0; i < jv_size(jv_get(out, "allOf")); i++)
        jv_append_adopt(all, jv_ref(jv_at(jv_get(out, "allOf"), i)));
    jv_set_adopt(any, "anyOf", alternatives);
    jv_append_adopt(all, any);
    jv_set_adopt(out, "allOf", all);
}

/* Keywords that apply to what other keywords did not match. */
static void drop_leftovers(const struct json *schema, struct json *out)
{
    bool names = !jv_get(schema, "patternProperties") &&
                 (!jv_get(schema, "properties") || jv_get(out, "properties"));
    bool items = !jv_get(schema, "prefixItems") || jv_get(out, "prefixItems");

    if (!names)
        jv_remove(out, "additionalProperties");
    if (!items)
        jv_remove(out, "items");
}

static void keep_keyword(const struct json *root, const char *keyword, struct json *v,
                         struct json *out, bool *weaker)
{
    bool inner = false;
    struct json *kept = keep_argument(root, v, schema_form_of(keyword), &inner);

    *weaker = *weaker || inner || !kept;
    if (!kept)
        return;
    if (inner && strcmp(keyword, "not") == 0) {
        jv_unref(kept);
    } else if (inner && strcmp(keyword, "oneOf") == 0) {
        put_one_of(out, kept);
    } else if (strcmp(keyword, "allOf") == 0 && jv_get(out, "allOf")) {
        for (size_t i = 0; i < jv_size(kept); i++)
            jv_append_adopt(jv_get(out, "allOf"), jv_ref(jv_at(kept, i)));
        jv_unref(kept);
    } else {
        jv_set_adopt(out, keyword, kept);
    }
}

/* The part of the schema that can be checked; new. *weaker: it may allow more than the schema. */
static struct json *keep(const struct json *root, const struct json *schema, bool *weaker)
{
    struct json *out, *v;
    const char *keyword;

    if (jv_kind(schema) == JV_BOOL)
        return jv_bool(jv_get_bool(schema, true));
    if (jv_kind(schema) != JV_OBJECT || (schema != root && jv_get(schema, "$id"))) {
        *weaker = true; /* not a schema, or one whose references mean another document */
        return jv_bool(true);
    }
    out = jv_object();
    for (void *it = NULL; (it = jv_next(schema, it, &keyword, &v));)
        keep_keyword(root, keyword, v, out, weaker);
    drop_leftovers(schema, out);
    return out;
}

struct json *schema_lenient(struct json *schema)
{
    struct json *v = jv_ref(schema);

    /* A reference may lead to a removed part, so each round removes more. */
    for (int round = 0; round < 8 && schema_supported(v, NULL) != STATUS_OK; round++) {
        bool weaker = false;
        struct json *less = keep(v, v, &weaker);

        jv_unref(v);
        v = less;
    }
    if (schema_supported(v, NULL) == STATUS_OK)
        return v;
    jv_unref(v);
    return jv_bool(true);
}
