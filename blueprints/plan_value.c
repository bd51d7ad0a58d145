/* plan_value.c - values of a blueprint whose strings may contain ${...}.
 *
 * A value without an expression is one JSON constant. Values are in the arena of the plan;
 * plan_value_deinit frees what they own outside it, along the list plan->values.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/plan_load.h"

enum value_kind { VALUE_CONSTANT, VALUE_TEMPLATE, VALUE_EXPR, VALUE_LIST, VALUE_MAP };

struct plan_value {
    enum value_kind kind;
    struct plan_value *next; /* plan->values */
    const struct yaml *yaml;
    const struct yaml_node *node;
    struct json *constant;
    struct expr_template *tmpl;
    struct expr *expr;
    struct plan_value **item; /* (n) of a list or map */
    const char **key;         /* (n) of a map */
    size_t n;
};

static struct plan_value *value_new(struct plan_loader *l, enum value_kind kind,
                                    const struct yaml_node *node)
{
    struct plan_value *v = arena_alloc(l->plan->arena, sizeof(*v));

    v->kind = kind;
    v->yaml = l->plan->yaml;
    v->node = node;
    v->next = l->plan->values;
    l->plan->values = v;
    return v;
}

void plan_value_deinit(struct plan_value *v)
{
    jv_unref(v->constant);
    expr_template_free(v->tmpl);
    expr_free(v->expr);
}

struct plan_value *plan_value_next(struct plan_value *v)
{
    return v->next;
}

/* Turns the place of an error, in characters of the scalar, into a place in the file. */
static enum status place_fault(const struct yaml *yaml, const struct yaml_node *node,
                               enum status status, const struct error *fault, struct error *err)
{
    const char *colon = strchr(fault->where, ':');
    long column = colon ? strtol(colon + 1, NULL, 10) : 1;

    yaml_error_within(err, yaml, node, (size_t)(column > 0 ? column - 1 : 0), "%s", fault->message);
    if (err)
        err->status = status;
    return status;
}

static enum status load_text(struct plan_loader *l, const struct yaml_node *node,
                             struct plan_value **out)
{
    const char *text = yaml_text_of(node);
    struct plan_value *v;
    struct error fault = ERROR_INIT;
    enum status st = STATUS_OK;

    if (part_file_reference(node)) {
        v = value_new(l, VALUE_CONSTANT, node);
        st = part_include(l, node, &text);
        v->constant = st ? NULL : jv_string(text);
    } else if (strstr(text, "${")) {
        v = value_new(l, VALUE_TEMPLATE, node);
        if (expr_template_parse(text, strlen(text), &v->tmpl, &fault))
            st = place_fault(l->plan->yaml, node, STATUS_CONFIG, &fault, l->err);
    } else {
        v = value_new(l, VALUE_CONSTANT, node);
        v->constant = yaml_to_json(node);
    }
    *out = v;
    return st;
}

enum status plan_value_load(struct plan_loader *l, const struct yaml_node *node,
                            struct plan_value **out)
{
    enum yaml_kind kind = yaml_node_kind(node);
    struct plan_value *v;
    enum status st = STATUS_OK;

    if (kind == YAML_SCALAR)
        return load_text(l, node, out);
    v = value_new(l, kind == YAML_SEQUENCE ? VALUE_LIST : VALUE_MAP, node);
    v->item = arena_alloc(l->plan->arena, (yaml_size(node) + 1) * sizeof(struct plan_value *));
    v->key = arena_alloc(l->plan->arena, (yaml_size(node) + 1) * sizeof(const char *));
    for (size_t i = 0; !st && i < yaml_size(node); i++) {
        const struct yaml_node *value = yaml_at(node, i);

        if (kind == YAML_MAPPING)
            v->key[i] = yaml_key_at(node, i, NULL, &value);
        st = plan_value_load(l, value, &v->item[i]);
        v->n += st ? 0 : 1;
    }
    *out = v;
    return st;
}

struct plan_value *plan_value_map(struct plan_loader *l, const struct yaml_node *node,
                                  const struct plan_member *member, size_t n)
{
    struct plan_value *v = value_new(l, VALUE_MAP, node);

    v->n = n;
    v->item = arena_alloc(l->plan->arena, n * sizeof(struct plan_value *));
    v->key = arena_alloc(l->plan->arena, n * sizeof(const char *));
    for (size_t i = 0; i < n; i++) {
        v->item[i] = member[i].value;
        v->key[i] = member[i].key;
    }
    return v;
}

enum status plan_value_load_condition(struct plan_loader *l, const struct yaml_node *node,
                                      struct plan_value **out)
{
    const char *text = yaml_text_of(node);
    struct error fault = ERROR_INIT;
    struct plan_value *v;

    if (yaml_node_kind(node) != YAML_SCALAR)
        return PLAN_FAULT(l, node, "a condition must be an expression");
    if (strncmp(text, "${", 2) == 0)
        return load_text(l, node, out);
    v = value_new(l, VALUE_EXPR, node);
    if (expr_parse(text, strlen(text), &v->expr, &fault))
        return place_fault(l->plan->yaml, node, STATUS_CONFIG, &fault, l->err);
    *out = v;
    return STATUS_OK;
}

enum status plan_value_each_reference(const struct plan_value *v, plan_reference_fn fn, void *ctx)
{
    enum status st = STATUS_OK;

    if (!v)
        return STATUS_OK;
    if (v->kind == VALUE_TEMPLATE) {
        for (size_t i = 0; !st && i < expr_template_n_references(v->tmpl); i++)
            st = fn(ctx, expr_template_reference(v->tmpl, i), v->node);
    } else if (v->kind == VALUE_EXPR) {
        for (size_t i = 0; !st && i < expr_n_references(v->expr); i++)
            st = fn(ctx, expr_reference(v->expr, i), v->node);
    }
    for (size_t i = 0; !st && i < v->n; i++)
        st = plan_value_each_reference(v->item[i], fn, ctx);
    return st;
}

int plan_value_type(const struct plan_value *v, expr_type_fn of, void *ctx)
{
    switch (v->kind) {
    case VALUE_CONSTANT:
        return (int)jv_kind(v->constant);
    case VALUE_TEMPLATE:
        return expr_template_type(v->tmpl, of, ctx);
    case VALUE_EXPR:
        return expr_type(v->expr, of, ctx);
    default:
        return v->kind == VALUE_LIST ? JV_ARRAY : JV_OBJECT;
    }
}

struct json *plan_value_literal(const struct plan_value *v)
{
    struct json *all;

    if (v->kind == VALUE_CONSTANT)
        return jv_ref(v->constant);
    if (v->kind == VALUE_TEMPLATE || v->kind == VALUE_EXPR)
        return NULL;
    all = v->kind == VALUE_LIST ? jv_array() : jv_object();
    for (size_t i = 0; i < v->n; i++) {
        struct json *item = plan_value_literal(v->item[i]);

        if (!item) {
            jv_unref(all);
            return NULL;
        }
        if (v->kind == VALUE_LIST)
            jv_append_adopt(all, item);
        else
            jv_set_adopt(all, v->key[i], item);
    }
    return all;
}

const struct plan_value *plan_value_member(const struct plan_value *v, size_t i, const char **key)
{
    if (v->kind != VALUE_MAP || i >= v->n)
        return NULL;
    *key = v->key[i];
    return v->item[i];
}

const struct yaml_node *plan_value_node(const struct plan_value *v)
{
    return v->node;
}

static enum status eval(const struct plan_value *v, const struct json *vars, struct json **out,
                        struct error *err)
{
    struct error fault = ERROR_INIT;
    enum status st = STATUS_OK;
    struct json *all;

    if (v->kind == VALUE_CONSTANT) {
        *out = jv_ref(v->constant);
        return STATUS_OK;
    }
    if (v->kind == VALUE_TEMPLATE || v->kind == VALUE_EXPR) {
        st = v->expr ? expr_eval(v->expr, vars, out, &fault)
                     : expr_template_eval(v->tmpl, vars, out, &fault);
        return st ? place_fault(v->yaml, v->node, st, &fault, err) : STATUS_OK;
    }
    all = v->kind == VALUE_LIST ? jv_array() : jv_object();
    for (size_t i = 0; !st && i < v->n; i++) {
        struct json *item = NULL;

        st = eval(v->item[i], vars, &item, err);
        if (!st && v->kind == VALUE_LIST)
            jv_append_adopt(all, item);
        else if (!st)
            jv_set_adopt(all, v->key[i], item);
    }
    if (st) {
        jv_unref(all);
        return st;
    }
    *out = all;
    return STATUS_OK;
}

const struct json *plan_value_constant(const struct plan_value *v)
{
    return v && v->kind == VALUE_CONSTANT ? v->constant : NULL;
}

/* Counts bytes and depth as they would be written, and stops at the limits: values share their
 * parts by reference, so that a small tree can have a huge text. */
static bool fits(const struct json *v, int depth, size_t *room)
{
    size_t own = jv_string_len(v) + 2;
    const char *key;
    struct json *member;
    bool ok;

    if (own > *room || depth > JSON_MAX_DEPTH)
        return false;
    *room -= own;
    ok = true;
    for (size_t i = 0; ok && jv_kind(v) == JV_ARRAY && i < jv_size(v); i++)
        ok = fits(jv_at(v, i), depth + 1, room);
    if (jv_kind(v) == JV_OBJECT) {
        for (void *it = NULL; ok && (it = jv_next(v, it, &key, &member)) != NULL;) {
            size_t key_bytes = strlen(key) + 3;

            ok = key_bytes <= *room;
            *room -= ok ? key_bytes : 0;
            ok = ok && fits(member, depth + 1, room);
        }
    }
    return ok;
}

bool plan_value_fits(const struct json *v)
{
    size_t room = JSON_MAX_BYTES;

    return fits(v, 1, &room);
}

enum status plan_value_not_bool(const struct plan_value *v, const char *what, int type,
                                struct error *err)
{
    yaml_error(err, v->yaml, v->node, "`%s` must be true or false, got %s", what,
               jv_kind_name((enum jv_kind)type));
    if (err)
        err->status = STATUS_INVALID;
    return STATUS_INVALID;
}

enum status plan_value_eval(const struct plan_value *v, const struct json *vars, struct json **out,
                            struct error *err)
{
    struct json *value = NULL;
    enum status st = eval(v, vars, &value, err);

    if (!st && !plan_value_fits(value)) {
        st = STATUS_LIMIT;
        yaml_error(err, v->yaml, v->node, "the value is larger than %zu bytes or deeper than %d",
                   JSON_MAX_BYTES, JSON_MAX_DEPTH);
        if (err)
            err->status = st;
    }
    if (st) {
        jv_unref(value);
        return st;
    }
    *out = value;
    return STATUS_OK;
}
