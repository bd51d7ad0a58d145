/* plan_parts.c - typed parts of a mapping: text, numbers, durations, budgets, schemas.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "blueprints/plan_load.h"
#include "runtime/base/map.h"
#include "runtime/base/schema.h"
#include "runtime/base/text.h"

#define FILE_SCHEME "file://"

struct json *plan_keep(struct plan_loader *l, struct json *adopt)
{
    jv_append_adopt(l->plan->keep, adopt);
    return adopt;
}

/* The node, for messages. */
static const char *found(struct plan_loader *l, const struct yaml_node *node)
{
    struct json *v;
    const char *kind;

    if (yaml_node_kind(node) == YAML_MAPPING)
        return "a mapping";
    if (yaml_node_kind(node) == YAML_SEQUENCE)
        return "a list";
    v = yaml_to_json(node);
    kind = jv_kind(v) == JV_STRING ? "text" : jv_kind_name(jv_kind(v));
    jv_unref(v);
    return arena_printf(l->plan->arena, "%s \"%.40s\"", kind, yaml_text_of(node));
}

enum status part_mapping(struct plan_loader *l, const struct yaml_node *node, const char *what)
{
    if (node && yaml_node_kind(node) == YAML_MAPPING)
        return STATUS_OK;
    return PLAN_FAULT(l, node, "%s must be a mapping of keys to values, got %s", what,
                      node ? found(l, node) : "nothing");
}

const char *part_file_reference(const struct yaml_node *scalar)
{
    size_t n = sizeof(FILE_SCHEME) - 1;

    if (yaml_node_kind(scalar) != YAML_SCALAR)
        return NULL;
    return strncmp(yaml_text_of(scalar), FILE_SCHEME, n) == 0 ? yaml_text_of(scalar) + n : NULL;
}

enum status part_include(struct plan_loader *l, const struct yaml_node *scalar, const char **text)
{
    struct error fault = ERROR_INIT;
    const char *name = NULL;
    enum status st =
        plan_files_resolve(l->file, part_file_reference(scalar), l->plan->arena, &name, &fault);

    if (!st)
        st = plan_files_text(l->files, name, text, &fault);
    return st ? PLAN_FAULT(l, scalar, "%s%s%s", fault.where, fault.where[0] ? ": " : "",
                           fault.message)
              : STATUS_OK;
}

enum status part_string(struct plan_loader *l, const struct yaml_node *map, const char *key,
                        const char **out)
{
    const struct yaml_node *node = yaml_get(map, key);
    struct json *v;
    bool ok;

    if (!node)
        return STATUS_OK;
    v = yaml_to_json(node);
    ok = jv_kind(v) == JV_STRING;
    jv_unref(v);
    if (!ok)
        return PLAN_FAULT(l, node, "`%s` takes text, got %s", key, found(l, node));
    *out = yaml_text_of(node);
    return STATUS_OK;
}

enum status part_text(struct plan_loader *l, const struct yaml_node *map, const char *key,
                      const char **out)
{
    const struct yaml_node *node = yaml_get(map, key);

    if (node && part_file_reference(node))
        return part_include(l, node, out);
    return part_string(l, map, key, out);
}

enum status part_int(struct plan_loader *l, const struct yaml_node *map, const char *key,
                     int64_t least, int64_t most, int64_t *out)
{
    const struct yaml_node *node = yaml_get(map, key);
    struct json *v;
    int64_t i;

    if (!node)
        return STATUS_OK;
    v = yaml_to_json(node);
    i = jv_get_int(v, least - 1);
    jv_unref(v);
    if (i < least || i > most)
        return PLAN_FAULT(l, node, "`%s` takes an integer from %lld to %lld, got %s", key,
                          (long long)least, (long long)most, found(l, node));
    *out = i;
    return STATUS_OK;
}

enum status part_number(struct plan_loader *l, const struct yaml_node *map, const char *key,
                        double least, double most, double *out)
{
    const struct yaml_node *node = yaml_get(map, key);
    struct json *v;
    double d;

    if (!node)
        return STATUS_OK;
    v = yaml_to_json(node);
    d = jv_get_number(v, NAN);
    jv_unref(v);
    if (isnan(d) || d < least || d > most)
        return PLAN_FAULT(l, node, "`%s` takes a number from %g to %g, got %s", key, least, most,
                          found(l, node));
    *out = d;
    return STATUS_OK;
}

enum status part_bool(struct plan_loader *l, const struct yaml_node *map, const char *key,
                      bool *out)
{
    const struct yaml_node *node = yaml_get(map, key);
    struct json *v;
    bool ok;

    if (!node)
        return STATUS_OK;
    v = yaml_to_json(node);
    ok = jv_kind(v) == JV_BOOL;
    *out = jv_get_bool(v, *out);
    jv_unref(v);
    return ok ? STATUS_OK
              : PLAN_FAULT(l, node, "`%s` takes true or false, got %s", key, found(l, node));
}

enum status part_duration(struct plan_loader *l, const struct yaml_node *map, const char *key,
                          int64_t *out_ms)
{
    const struct yaml_node *node = yaml_get(map, key);
    const char *text = node ? yaml_text_of(node) : "";
    int64_t ms = 0;

    if (!node)
        return STATUS_OK;
    if (!text_to_duration_ms(text, &ms))
        return PLAN_FAULT(l, node,
                          "`%s` takes a duration with its unit (ms, s, m, h, d), as in 90s, got %s",
                          key, found(l, node));
    if (ms <= 0 || ms > PLAN_MAX_DURATION_MS)
        return PLAN_FAULT(l, node, "`%s` takes a duration above 0 and up to 366d, got %s", key,
                          found(l, node));
    *out_ms = ms;
    return STATUS_OK;
}

enum status part_budget(struct plan_loader *l, const struct yaml_node *map, struct plan_budget *out)
{
    static const char *const keys[] = {"tokens", "steps", "calls", "wall", "cost"};
    const struct yaml_node *node = yaml_get(map, "budget");
    const int64_t most = INT64_C(1000000000000000);
    double dollars = 0;
    enum status st;

    if (!node)
        return STATUS_OK;
    st = part_mapping(l, node, "`budget`");
    if (!st)
        st = yaml_check_keys(l->plan->yaml, node, keys, ARRAY_LEN(keys), l->err);
    if (!st)
        st = part_int(l, node, "tokens", 1, most, &out->tokens);
    if (!st)
        st = part_int(l, node, "steps", 1, most, &out->steps);
    if (!st)
        st = part_int(l, node, "calls", 1, most, &out->calls);
    if (!st)
        st = part_number(l, node, "cost", 0, 1e6, &dollars);
    out->cost_nano = (int64_t)llround(dollars * 1e9);
    if (!st && yaml_get(node, "cost") && out->cost_nano == 0)
        st = PLAN_FAULT(l, yaml_get(node, "cost"), "`cost` takes dollars above 0, as in 0.50");
    return st ? st : part_duration(l, node, "wall", &out->wall_ms);
}

enum status part_retry(struct plan_loader *l, const struct yaml_node *map, struct plan_retry *out)
{
    static const char *const keys[] = {"max", "backoff"};
    const struct yaml_node *node = yaml_get(map, "retry");
    int64_t max = 0;
    enum status st;

    out->backoff = 2;
    if (!node)
        return STATUS_OK;
    st = part_mapping(l, node, "`retry`");
    if (!st)
        st = yaml_check_keys(l->plan->yaml, node, keys, ARRAY_LEN(keys), l->err);
    if (!st && !yaml_get(node, "max"))
        st = PLAN_FAULT(l, node, "`retry` needs `max`: the number of tries after the first");
    if (!st)
        st = part_int(l, node, "max", 0, 100, &max);
    if (!st)
        st = part_number(l, node, "backoff", 1, 100, &out->backoff);
    out->max = (int32_t)max;
    return st;
}

enum status part_word(struct plan_loader *l, const struct yaml_node *map, const char *key,
                      const char *const *words, size_t n, int *out)
{
    const struct yaml_node *node = yaml_get(map, key);
    struct str list = STR_INIT;
    const char *near;

    if (!node)
        return STATUS_OK;
    for (size_t i = 0; i < n; i++) {
        if (yaml_node_kind(node) == YAML_SCALAR && strcmp(yaml_text_of(node), words[i]) == 0) {
            *out = (int)i;
            str_deinit(&list);
            return STATUS_OK;
        }
        str_printf(&list, "%s%s", i ? ", " : "", words[i]);
    }
    near = yaml_node_kind(node) == YAML_SCALAR ? nearest_word(yaml_text_of(node), words, n) : NULL;
    if (near)
        PLAN_FAULT(l, node, "`%s` takes one of %s, got %s; did you mean \"%s\"?", key,
                   str_cstr(&list), found(l, node), near);
    else
        PLAN_FAULT(l, node, "`%s` takes one of %s, got %s", key, str_cstr(&list), found(l, node));
    str_deinit(&list);
    return STATUS_CONFIG;
}

enum status part_schema(struct plan_loader *l, const struct yaml_node *map, struct json **out)
{
    const struct yaml_node *node = yaml_get(map, "schema");
    struct error fault = ERROR_INIT;
    struct json *schema = NULL;
    const char *text = NULL;
    enum status st = STATUS_OK;

    if (!node)
        return STATUS_OK;
    if (part_file_reference(node)) {
        st = part_include(l, node, &text);
        if (!st && jv_parse(text, strlen(text), yaml_text_of(node), &schema, &fault))
            st = PLAN_FAULT(l, node, "%s: %s", fault.where, fault.message);
    } else {
        schema = yaml_to_json(node);
    }
    if (st)
        return st;
    plan_keep(l, schema);
    if (jv_kind(schema) != JV_OBJECT)
        return PLAN_FAULT(l, node, "`schema` takes a JSON Schema or file://..., got %s",
                          found(l, node));
    if (schema_supported(schema, &fault))
        return PLAN_FAULT(l, node, "%s%s%s", fault.where, *fault.where ? ": " : "", fault.message);
    *out = schema;
    return STATUS_OK;
}
