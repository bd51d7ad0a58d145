/* plan_refs.c - checks that every name in an expression is visible where it is read.
 *
 * A step sees inputs, state, exhausted, the steps above it in its own list and in the lists around
 * it; the body of a map sees item and index, the body of a loop sees round and the loop's own id:
 * the last round's value. Steps inside a list are not visible from outside. A visible id
 * cannot be used again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/plan_load.h"
#include "runtime/base/map.h"

struct scope_check {
    struct plan_loader *l;
    const char **name; /* visible steps */
    size_t n, cap;
    bool in_map, in_loop;
};

static enum status walk_list(struct scope_check *c, const struct plan_step *s, int32_t n);

static void show(struct scope_check *c, const char *name)
{
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 16;
        c->name = xrealloc(c->name, c->cap * sizeof(*c->name));
    }
    c->name[c->n++] = name;
}

static bool is_visible(const struct scope_check *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->name[i], name) == 0)
            return true;
    }
    return false;
}

static bool is_step_somewhere(const struct plan_step *s, int32_t n, const char *id)
{
    for (int32_t i = 0; i < n; i++) {
        if (strcmp(s[i].id, id) == 0 || is_step_somewhere(s[i].child, s[i].n_children, id) ||
            is_step_somewhere(s[i].otherwise, s[i].n_otherwise, id))
            return true;
    }
    return false;
}

/* Characters before the name in the scalar's text. */
static size_t column_of(const struct yaml_node *at, const char *name)
{
    const char *text = yaml_text_of(at);
    const char *found = text;
    size_t n = strlen(name), characters = 0;

    while ((found = strstr(found, name)) != NULL) {
        char before = found > text ? found[-1] : ' ', after = found[n];

        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.'\"",
                    before) &&
            (!after ||
             !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789", after)))
            break;
        found++;
    }
    for (const char *c = text; found && c < found; c++)
        characters += ((unsigned char)*c & 0xc0) != 0x80;
    return characters;
}

static enum status fault(struct scope_check *c, const char *name, const struct yaml_node *at)
{
    const struct plan *p = c->l->plan;
    size_t column = column_of(at, name);
    const char **names;
    const char *near;

    if (strcmp(name, "item") == 0 || strcmp(name, "index") == 0)
        return yaml_error_within(c->l->err, p->yaml, at, column, "`%s` exists only inside a `map`",
                                 name);
    if (strcmp(name, "round") == 0)
        return yaml_error_within(c->l->err, p->yaml, at, column,
                                 "`round` exists only inside a `loop`");
    if (is_step_somewhere(p->step, p->n_steps, name))
        return yaml_error_within(
            c->l->err, p->yaml, at, column,
            "step `%.80s` is not visible here: a step sees the steps above it, not "
            "those below it or inside another step",
            name);
    names = xcalloc(c->n + 3, sizeof(*names));
    names[0] = "inputs";
    names[1] = "state";
    names[2] = "exhausted";
    for (size_t i = 0; i < c->n; i++)
        names[i + 3] = c->name[i];
    near = nearest_word(name, names, c->n + 3);
    free(names);
    if (near)
        return yaml_error_within(c->l->err, p->yaml, at, column,
                                 "unknown name `%.80s`; did you mean `%s`?", name, near);
    return yaml_error_within(
        c->l->err, p->yaml, at, column,
        "unknown name `%.80s`; the names are inputs, state, exhausted and the steps above", name);
}

/* For MAP.FIELD: characters before FIELD in the text of the scalar. */
static size_t field_column(const struct yaml_node *at, const char *map, const char *field)
{
    struct str name = STR_INIT;
    bool found;

    str_printf(&name, "%s.%s", map, field);
    found = strstr(yaml_text_of(at), str_cstr(&name)) != NULL;
    str_deinit(&name);
    return column_of(at, map) + (found ? strlen(map) + 1 : 0);
}

/* `inputs.FIELD`, where FIELD is not declared. */
static enum status check_input(struct scope_check *c, const char *field, const struct yaml_node *at)
{
    const struct plan *p = c->l->plan;
    struct error fault = ERROR_INIT;

    if (plan_input_find(p, field))
        return STATUS_OK;
    plan_input_unknown(p, field, &fault);
    return yaml_error_within(c->l->err, p->yaml, at, field_column(at, "inputs", field), "%s",
                             fault.message);
}

/* `state.ID` and `exhausted.ID` exist for visible steps. */
static enum status check_step_field(struct scope_check *c, struct expr_reference r,
                                    const struct yaml_node *at)
{
    const struct plan *p = c->l->plan;
    size_t column = field_column(at, r.name, r.field);
    const char *near;

    if (is_visible(c, r.field))
        return STATUS_OK;
    near = c->n ? nearest_word(r.field, c->name, c->n) : NULL;
    if (near)
        return yaml_error_within(c->l->err, p->yaml, at, column,
                                 "`%s` has no step `%.80s`; did you mean `%s`?", r.name, r.field,
                                 near);
    return yaml_error_within(c->l->err, p->yaml, at, column,
                             "`%s` has no step `%.80s` here; it has the steps above", r.name,
                             r.field);
}

static enum status check_reference(void *ctx, struct expr_reference r, const struct yaml_node *at)
{
    struct scope_check *c = ctx;
    const char *name = r.name;

    if (strcmp(name, "inputs") == 0)
        return r.field ? check_input(c, r.field, at) : STATUS_OK;
    if (strcmp(name, "state") == 0 || strcmp(name, "exhausted") == 0)
        return r.field ? check_step_field(c, r, at) : STATUS_OK;
    if ((c->in_map && (strcmp(name, "item") == 0 || strcmp(name, "index") == 0)) ||
        (c->in_loop && strcmp(name, "round") == 0) || is_visible(c, name))
        return STATUS_OK;
    return fault(c, name, at);
}

static enum status check_values(struct scope_check *c, const struct plan_step *s)
{
    const struct plan_value *values[] = {s->in,       s->history,     s->env_horizon, s->env_noise,
                                         s->env_seed, s->env_profile, s->prompt,      s->over,
                                         s->cond,     s->value,       s->wait};
    enum status st = STATUS_OK;

    for (size_t i = 0; !st && i < ARRAY_LEN(values); i++)
        st = plan_value_each_reference(values[i], check_reference, c);
    return st;
}

static enum status walk_step(struct scope_check *c, const struct plan_step *s);

static enum status walk_loop(struct scope_check *c, const struct plan_step *s)
{
    size_t outside = c->n;
    bool in_loop = c->in_loop;
    enum status st;

    show(c, s->id);
    c->in_loop = true;
    st = walk_step(c, s->child);
    if (!st)
        st = plan_value_each_reference(s->until, check_reference, c);
    c->in_loop = in_loop;
    c->n = outside;
    return st;
}

static enum status walk_step(struct scope_check *c, const struct plan_step *s)
{
    bool in_map = c->in_map;
    enum status st = check_values(c, s);

    if (st)
        return st;
    switch (s->kind) {
    case PLAN_MAP:
        c->in_map = true;
        st = walk_step(c, s->child);
        c->in_map = in_map;
        return st;
    case PLAN_LOOP:
        return walk_loop(c, s);
    case PLAN_PARALLEL:
        for (int32_t i = 0; !st && i < s->n_children; i++)
            st = walk_step(c, &s->child[i]);
        return st;
    default:
        st = walk_list(c, s->child, s->n_children);
        return st ? st : walk_list(c, s->otherwise, s->n_otherwise);
    }
}

static enum status walk_list(struct scope_check *c, const struct plan_step *s, int32_t n)
{
    size_t outside = c->n;
    enum status st = STATUS_OK;

    for (int32_t i = 0; !st && i < n; i++) {
        if (is_visible(c, s[i].id))
            return PLAN_FAULT(c->l, s[i].node,
                              "duplicate id `%s`: another step visible here has it", s[i].id);
        st = walk_step(c, &s[i]);
        show(c, s[i].id);
    }
    c->n = outside;
    return st;
}

enum status plan_check_references(struct plan_loader *l)
{
    const struct plan *p = l->plan;
    struct scope_check c = {.l = l};
    enum status st = walk_list(&c, p->step, p->n_steps);

    for (int32_t i = 0; i < p->n_steps; i++)
        show(&c, p->step[i].id);
    if (!st)
        st = plan_value_each_reference(p->output, check_reference, &c);
    free(c.name);
    return st;
}
