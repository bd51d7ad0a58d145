/* jinja_expr.c - the value of an expression.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/jinja_access.h"
#include "models/chat/jinja_builtin.h"
#include "models/chat/jinja_compare.h"
#include "models/chat/jinja_dict.h"
#include "models/chat/jinja_eval.h"
#include "models/chat/jinja_ops.h"

static struct jinja_value find_name(struct jinja_run *run, struct jinja_text name)
{
    struct jinja_value v = {.type = JT_UNDEFINED, .as.text = name};
    jinja_function global;

    for (const struct jinja_scope *s = run->scope; s; s = s->parent) {
        if (!jinja_spend(run, s->n / 16))
            return v;
        for (size_t i = s->n; i > 0; i--)
            if (jinja_text_equal(s->binding[i - 1].name, name))
                return s->binding[i - 1].value;
    }
    global = jinja_find_global(name);
    if (global) {
        v.type = JT_FUNCTION;
        v.as.function = global;
    }
    return v;
}

static struct jinja_value eval_list(struct jinja_run *run, const struct jinja_node *n)
{
    const struct jinja_value v = jinja_list(&run->memory);

    for (size_t i = 0; i < n->n_items && v.type == JT_LIST && jinja_spend(run, 1); i++)
        jinja_push(&run->memory, v.as.list, jinja_eval(run, n->items[i]));
    if (v.type == JT_LIST)
        v.as.list->tuple = n->kind == JN_TUPLE;
    return v;
}

static struct jinja_value eval_dict(struct jinja_run *run, const struct jinja_node *n)
{
    const struct jinja_value v = jinja_dict(&run->memory);

    for (size_t i = 0; i + 1 < n->n_items && v.type == JT_DICT && jinja_spend(run, 1); i += 2) {
        const struct jinja_value key = jinja_eval(run, n->items[i]);

        if (key.type == JT_LIST || key.type == JT_DICT)
            jinja_fail(run, STATUS_INVALID, "a %s cannot be a key", jinja_type_name(key.type));
        jinja_dict_set(run, v.as.dict, key, jinja_eval(run, n->items[i + 1]));
    }
    return v;
}

/* Evaluates the arguments of a call, filter or test into the run's memory. */
static bool eval_args(struct jinja_run *run, const struct jinja_node *n, struct jinja_args *args)
{
    struct jinja_value *value = jinja_alloc(&run->memory, (n->n_items + 1) * sizeof(*value));
    struct jinja_named *named = jinja_alloc(&run->memory, (n->n_items + 1) * sizeof(*named));
    size_t n_value = 0, n_named = 0;

    if (!jinja_spend(run, 1) || value == NULL || named == NULL)
        return false;
    for (size_t i = 0; i < n->n_items; i++) {
        const struct jinja_node *a = n->items[i];

        if (a->kind == JN_KEYWORD)
            named[n_named++] = (struct jinja_named){a->text, jinja_eval(run, a->a)};
        else
            value[n_value++] = jinja_eval(run, a);
    }
    *args = (struct jinja_args){value, n_value, named, n_named};
    return run->st == STATUS_OK;
}

static struct jinja_value eval_call(struct jinja_run *run, const struct jinja_node *n)
{
    const struct jinja_value callee = jinja_eval(run, n->a);
    struct jinja_args args;

    if (!eval_args(run, n, &args))
        return JINJA_UNDEFINED;
    run->line = n->line;
    return jinja_call(run, &callee, &args);
}

static struct jinja_value eval_filter(struct jinja_run *run, const struct jinja_node *n)
{
    const struct jinja_value in = jinja_eval(run, n->a);
    struct jinja_args args;

    if (!eval_args(run, n, &args))
        return JINJA_UNDEFINED;
    return n->builtin.filter->run(run, &in, &args);
}

static struct jinja_value eval_test(struct jinja_run *run, const struct jinja_node *n)
{
    const struct jinja_value in = jinja_eval(run, n->a);
    struct jinja_args args;

    if (!eval_args(run, n, &args))
        return JINJA_UNDEFINED;
    return jinja_bool(n->builtin.test->run(run, &in, &args));
}

static struct jinja_value eval_slice(struct jinja_run *run, const struct jinja_node *n)
{
    const struct jinja_value of = jinja_eval(run, n->a);
    struct jinja_value part[3];

    for (size_t i = 0; i < 3; i++)
        part[i] = n->items[i] ? jinja_eval(run, n->items[i]) : JINJA_NONE;
    return run->st ? JINJA_UNDEFINED : jinja_slice(run, &of, part);
}

static struct jinja_value negate(struct jinja_run *run, const struct jinja_value *v)
{
    if (v->type == JT_FLOAT)
        return jinja_float(-v->as.real);
    if (jinja_is_number(v) && jinja_as_int(v) != INT64_MIN)
        return jinja_int(-jinja_as_int(v));
    jinja_fail(run, STATUS_INVALID, "a value of type %s cannot be negated",
               jinja_type_name(v->type));
    return JINJA_UNDEFINED;
}

static struct jinja_value eval_compare(struct jinja_run *run, const struct jinja_node *n)
{
    struct jinja_value left = jinja_eval(run, n->items[0]);

    for (size_t i = 1; i < n->n_items; i++) {
        const struct jinja_value right = jinja_eval(run, n->items[i]);

        if (run->st || !jinja_compare(run, n->ops[i - 1], &left, &right))
            return jinja_bool(false);
        left = right;
    }
    return jinja_bool(true);
}

static struct jinja_value eval_choice(struct jinja_run *run, const struct jinja_node *n)
{
    const struct jinja_value v = jinja_eval(run, n->b);

    if (jinja_truth(&v))
        return jinja_eval(run, n->a);
    return n->c ? jinja_eval(run, n->c) : JINJA_UNDEFINED;
}

/* "and" and "or" give one of their operands, as in Python. */
static struct jinja_value eval_logic(struct jinja_run *run, const struct jinja_node *n)
{
    const struct jinja_value a = jinja_eval(run, n->a);

    if (run->st || jinja_truth(&a) == (n->kind == JN_OR))
        return a;
    return jinja_eval(run, n->b);
}

static struct jinja_value eval_two(struct jinja_run *run, const struct jinja_node *n)
{
    const struct jinja_value a = jinja_eval(run, n->a);
    const struct jinja_value b = jinja_eval(run, n->b);

    if (run->st)
        return JINJA_UNDEFINED;
    if (n->kind == JN_SUBSCRIPT)
        return jinja_subscript(run, &a, &b);
    return jinja_binary(run, n->op, &a, &b);
}

static struct jinja_value eval_one(struct jinja_run *run, const struct jinja_node *n)
{
    const struct jinja_value v = jinja_eval(run, n->a);

    if (run->st)
        return JINJA_UNDEFINED;
    if (n->kind == JN_NOT)
        return jinja_bool(!jinja_truth(&v));
    return n->kind == JN_NEGATE ? negate(run, &v) : jinja_attribute(run, &v, n->text);
}

static struct jinja_value eval_kind(struct jinja_run *run, const struct jinja_node *n)
{
    switch (n->kind) {
    case JN_CONST:
        return n->value;
    case JN_NAME:
        return find_name(run, n->text);
    case JN_LIST:
    case JN_TUPLE:
        return eval_list(run, n);
    case JN_DICT:
        return eval_dict(run, n);
    case JN_ATTRIBUTE:
    case JN_NOT:
    case JN_NEGATE:
        return eval_one(run, n);
    case JN_SUBSCRIPT:
    case JN_BINARY:
        return eval_two(run, n);
    case JN_SLICE:
        return eval_slice(run, n);
    case JN_CALL:
        return eval_call(run, n);
    case JN_FILTER:
        return eval_filter(run, n);
    case JN_TEST:
        return eval_test(run, n);
    case JN_COMPARE:
        return eval_compare(run, n);
    case JN_AND:
    case JN_OR:
        return eval_logic(run, n);
    case JN_IF_ELSE:
        return eval_choice(run, n);
    default:
        return JINJA_UNDEFINED;
    }
}

struct jinja_value jinja_eval(struct jinja_run *run, const struct jinja_node *n)
{
    struct jinja_value v;

    run->line = n->line;
    if (!jinja_spend(run, 1) || !jinja_go_down(run))
        return JINJA_UNDEFINED;
    v = eval_kind(run, n);
    jinja_go_up(run);
    return v;
}
