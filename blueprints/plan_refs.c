/* plan_refs.c - checks that every name in an expression is visible where it is read.
 *
 * Where the type of a condition is known, it must be boolean. A step sees inputs, state, exhausted,
 * the steps above it in its own list and in the lists around it; the body of a map sees item and
 * index, the body of a loop sees round and the loop's own id: the last round's value. Steps inside
 * a list are not visible from outside. A visible id cannot be used again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/plan_load.h"
#include "runtime/base/map.h"

struct scope_check {
    struct plan_loader *l;
    const char **name; /* (n) visible steps */
    struct visible {
        bool is_loop;  /* which has ended */
        bool in_round; /* the value of the last round, inside its loop */
        int type;      /* of its value: enum jv_kind or EXPR_ANY */
    } * step;          /* (n) */
    size_t n, cap;
    bool in_map, in_loop;
};

static enum status walk_list(struct scope_check *c, const struct plan_step *s, int32_t n);

static void show(struct scope_check *c, const char *name, struct visible step)
{
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 16;
        c->name = xrealloc(c->name, c->cap * sizeof(*c->name));
        c->step = xrealloc(c->step, c->cap * sizeof(*c->step));
    }
    c->name[c->n] = name;
    c->step[c->n++] = step;
}

static const struct visible *find_visible(const struct scope_check *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->name[i], name) == 0)
            return &c->step[i];
    }
    return NULL;
}

/* ---- types */

static int type_of_input(const struct scope_check *c, const char *name)
{
    const struct plan_input *in = plan_input_find(c->l->plan, name);
    static const struct {
        const char *word;
        int type;
    } types[] = {{"string", JV_STRING}, {"integer", JV_INT}, {"number", JV_REAL},
                 {"boolean", JV_BOOL},  {"array", JV_ARRAY}, {"object", JV_OBJECT}};

    for (size_t i = 0; in && i < ARRAY_LEN(types); i++)
        if (strcmp(in->type, types[i].word) == 0)
            return types[i].type;
    return EXPR_ANY;
}

/* An expr_type_fn. An input without a value is null, which is not boolean either. */
static int type_of_name(void *ctx, const char *name, const char *field)
{
    const struct scope_check *c = ctx;
    const struct visible *step = field ? NULL : find_visible(c, name);

    if (step)
        return step->type;
    if (field && strcmp(name, "inputs") == 0)
        return type_of_input(c, field);
    if (field && (strcmp(name, "state") == 0 || strcmp(name, "exhausted") == 0))
        return name[0] == 's' ? JV_STRING : JV_BOOL;
    if (!field && (strcmp(name, "index") == 0 || strcmp(name, "round") == 0))
        return JV_INT;
    return EXPR_ANY;
}

static int type_of_step(struct scope_check *c, const struct plan_step *s)
{
    if (strcmp(s->on_error, "continue") == 0)
        return EXPR_ANY; /* maybe {status, error} */
    switch (s->kind) {
    case PLAN_VALUE:
        return plan_value_type(s->value, type_of_name, c);
    case PLAN_WAIT:
        return JV_STRING;
    case PLAN_MAP:
        return JV_ARRAY;
    case PLAN_PARALLEL:
        return JV_OBJECT;
    case PLAN_LOOP:
        return type_of_step(c, s->child);
    default:
        return EXPR_ANY;
    }
}

static enum status check_condition(struct scope_check *c, const struct plan_value *v,
                                   const char *what)
{
    int type = v ? plan_value_type(v, type_of_name, c) : EXPR_ANY;

    if (type == EXPR_ANY || type == JV_BOOL)
        return STATUS_OK;
    (void)!plan_value_not_bool(v, what, type, c->l->err);
    if (c->l->err)
        c->l->err->status = STATUS_CONFIG;
    return STATUS_CONFIG;
}

/* ---- names */

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
    size_t column;

    str_printf(&name, "%s.%s", map, field);
    column = strstr(yaml_text_of(at), str_cstr(&name))
                 ? column_of(at, str_cstr(&name)) + strlen(map) + 1
                 : column_of(at, map);
    str_deinit(&name);
    return column;
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

/* `exhausted.ID` exists for loops that have ended. */
static enum status check_exhausted(struct scope_check *c, const char *id,
                                   const struct visible *step, const struct yaml_node *at)
{
    size_t column = field_column(at, "exhausted", id);

    if (step->is_loop)
        return STATUS_OK;
    if (step->in_round)
        return yaml_error_within(c->l->err, c->l->plan->yaml, at, column,
                                 "`exhausted.%.80s` exists only after the loop `%.80s`", id, id);
    return yaml_error_within(c->l->err, c->l->plan->yaml, at, column,
                             "step `%.80s` is not a loop: only a loop has `exhausted`", id);
}

/* `state.ID` and `exhausted.ID` exist for visible steps. */
static enum status check_step_field(struct scope_check *c, struct expr_reference r,
                                    const struct yaml_node *at)
{
    const struct plan *p = c->l->plan;
    const struct visible *step = find_visible(c, r.field);
    size_t column = field_column(at, r.name, r.field);
    const char *near;

    if (step && strcmp(r.name, "exhausted") == 0)
        return check_exhausted(c, r.field, step, at);
    if (step)
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
        (c->in_loop && strcmp(name, "round") == 0) || find_visible(c, name))
        return STATUS_OK;
    return fault(c, name, at);
}

enum status plan_step_each_reference(const struct plan_step *s, plan_reference_fn fn, void *ctx)
{
    const struct plan_value *values[] = {s->in,       s->history,     s->env_horizon, s->env_noise,
                                         s->env_seed, s->env_profile, s->prompt,      s->over,
                                         s->cond,     s->value,       s->wait};
    enum status st = STATUS_OK;

    for (size_t i = 0; !st && i < ARRAY_LEN(values); i++)
        st = plan_value_each_reference(values[i], fn, ctx);
    return st;
}

static enum status check_values(struct scope_check *c, const struct plan_step *s)
{
    enum status st = plan_step_each_reference(s, check_reference, c);

    return st ? st : check_condition(c, s->cond, "cond");
}

static enum status walk_step(struct scope_check *c, const struct plan_step *s);

static enum status walk_loop(struct scope_check *c, const struct plan_step *s)
{
    size_t outside = c->n;
    bool in_loop = c->in_loop;
    enum status st;

    /* In the first round its value is null. */
    show(c, s->id, (struct visible){.in_round = true, .type = EXPR_ANY});
    c->in_loop = true;
    st = walk_step(c, s->child);
    if (!st)
        st = plan_value_each_reference(s->until, check_reference, c);
    c->step[outside].type = type_of_step(c, s->child);
    if (!st)
        st = check_condition(c, s->until, "until");
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
        if (find_visible(c, s[i].id))
            return PLAN_FAULT(c->l, s[i].node,
                              "duplicate id `%s`: another step visible here has it", s[i].id);
        st = walk_step(c, &s[i]);
        show(c, s[i].id,
             (struct visible){.is_loop = s[i].kind == PLAN_LOOP, .type = type_of_step(c, &s[i])});
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
        show(&c, p->step[i].id, (struct visible){.is_loop = p->step[i].kind == PLAN_LOOP});
    if (!st)
        st = plan_value_each_reference(p->output, check_reference, &c);
    free(c.name);
    free(c.step);
    return st;
}
