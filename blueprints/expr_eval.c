/* expr_eval.c - walks the tree of an expression over the variables in scope.
 *
 * Values are shared by reference and never changed here. Each node costs a step, and operators cost
 * by the size of their operands, so that no expression runs for long, whatever its inputs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/expr_ast.h"
#include "runtime/base/map.h"

#define MAX_NAMED 64 /* names that a message about an unknown name considers */

static enum status eval(struct expr_eval *ev, const struct expr_node *n, struct json **out);

enum status expr_eval_fault(struct expr_eval *ev, enum status status, const char *fmt, ...)
{
    struct str words;
    va_list ap;

    if (!ev->err)
        return status;
    str_init(&words, sizeof(ev->err->message));
    va_start(ap, fmt);
    str_vprintf(&words, fmt, ap);
    va_end(ap);
    expr_fault(ev->err, ev->expr->text, ev->expr->n, ev->at, status, "%s", str_cstr(&words));
    str_deinit(&words);
    return status;
}

enum status expr_eval_spend(struct expr_eval *ev, size_t n)
{
    if (n > (size_t)ev->steps)
        return expr_eval_fault(ev, STATUS_LIMIT, "the expression needs more than %d steps",
                               EXPR_MAX_STEPS);
    ev->steps -= (int)n;
    return STATUS_OK;
}

/* The members of an object as "a, b, c", and the one nearest to `name`. */
static const char *members_of(const struct json *object, const char *name, struct str *list)
{
    const char *names[MAX_NAMED];
    const char *key;
    size_t n = 0;

    for (void *it = NULL; (it = jv_next(object, it, &key, NULL)) != NULL;) {
        if (n == MAX_NAMED)
            break;
        str_printf(list, "%s%.60s", n ? ", " : "", key);
        names[n++] = key;
    }
    return n ? nearest_word(name, names, n) : NULL;
}

static enum status no_field(struct expr_eval *ev, const struct json *object, const char *name)
{
    struct str list;
    const char *near;
    enum status st;

    str_init(&list, 400); /* more would not fit into the message */
    near = members_of(object, name, &list);
    if (near)
        st = expr_eval_fault(ev, STATUS_INVALID, "no field `%.80s`; did you mean `%.80s`?", name,
                             near);
    else if (list.len)
        st = expr_eval_fault(ev, STATUS_INVALID, "no field `%.80s`; the fields are: %s", name,
                             str_cstr(&list));
    else
        st = expr_eval_fault(ev, STATUS_INVALID, "no field `%.80s`; the map is empty", name);
    str_deinit(&list);
    return st;
}

static enum status field_of(struct expr_eval *ev, const struct json *v, const char *name,
                            struct json **out)
{
    struct json *member;

    if (jv_kind(v) != JV_OBJECT)
        return expr_eval_fault(ev, STATUS_INVALID, "no field `%.80s` in a value of type %s", name,
                               jv_kind_name(jv_kind(v)));
    member = jv_get(v, name);
    if (!member)
        return no_field(ev, v, name);
    *out = member;
    return STATUS_OK;
}

static enum status index_of(struct expr_eval *ev, const struct json *v, const struct json *index,
                            struct json **out)
{
    size_t n = jv_size(v);
    int64_t i = jv_get_int(index, -1);

    if (jv_kind(v) == JV_OBJECT && jv_kind(index) == JV_STRING)
        return field_of(ev, v, jv_get_string(index, ""), out);
    if (jv_kind(v) != JV_ARRAY)
        return expr_eval_fault(ev, STATUS_INVALID,
                               "cannot use an index of type %s on a value of type %s",
                               jv_kind_name(jv_kind(index)), jv_kind_name(jv_kind(v)));
    if (jv_kind(index) != JV_INT)
        return expr_eval_fault(ev, STATUS_INVALID, "the index of a list must be an integer, got %s",
                               jv_kind_name(jv_kind(index)));
    if (i < 0 || (uint64_t)i >= n)
        return expr_eval_fault(ev, STATUS_INVALID, "index %lld is outside a list of %zu items",
                               (long long)jv_get_int(index, 0), n);
    *out = jv_at(v, (size_t)i);
    return STATUS_OK;
}

/* One access of a path: replaces *v (owned) by the accessed value. */
static enum status follow(struct expr_eval *ev, const struct expr_node *access, struct json **v)
{
    struct json *index = NULL;
    struct json *to = NULL;
    enum status st = expr_eval_spend(ev, 1);

    if (!st && access->kind == NODE_INDEX)
        st = eval(ev, access->child[0], &index);
    ev->at = access->at;
    if (!st && access->kind == NODE_INDEX)
        st = index_of(ev, *v, index, &to);
    else if (!st)
        st = field_of(ev, *v, access->name, &to);
    jv_unref(index);
    if (st)
        return st;
    to = jv_ref(to);
    jv_unref(*v);
    *v = to;
    return STATUS_OK;
}

static enum status eval_path(struct expr_eval *ev, const struct expr_node *n, struct json **out)
{
    struct json *v = NULL;
    enum status st = eval(ev, n->child[0], &v);

    for (int i = 1; !st && i < n->n_children; i++)
        st = follow(ev, n->child[i], &v);
    if (st) {
        jv_unref(v);
        return st;
    }
    *out = v;
    return STATUS_OK;
}

/* has(a.b.c): false when any field on the way is missing; other faults stay faults. */
static enum status eval_has(struct expr_eval *ev, const struct expr_node *path, struct json **out)
{
    struct json *v = NULL;
    bool there = true;
    enum status st = eval(ev, path->child[0], &v);

    for (int i = 1; !st && there && i < path->n_children; i++) {
        const struct expr_node *access = path->child[i];

        if (access->kind == NODE_FIELD)
            there = jv_kind(v) == JV_OBJECT && jv_get(v, access->name);
        if (there)
            st = follow(ev, access, &v);
    }
    jv_unref(v);
    if (!st)
        *out = jv_bool(there);
    return st;
}

static enum status eval_root(struct expr_eval *ev, const struct expr_node *n, struct json **out)
{
    struct json *v = jv_get(ev->vars, n->name);
    struct str list;
    const char *near;
    enum status st;

    if (v) {
        *out = jv_ref(v);
        return STATUS_OK;
    }
    str_init(&list, 400);
    near = members_of(ev->vars, n->name, &list);
    if (near)
        st = expr_eval_fault(ev, STATUS_INVALID, "unknown name `%.80s`; did you mean `%.80s`?",
                             n->name, near);
    else
        st = expr_eval_fault(ev, STATUS_INVALID, "unknown name `%.80s`; the names are: %s", n->name,
                             list.len ? str_cstr(&list) : "(none)");
    str_deinit(&list);
    return st;
}

static enum status eval_list(struct expr_eval *ev, const struct expr_node *n, struct json **out)
{
    struct json *list = jv_array();
    enum status st = STATUS_OK;

    for (int i = 0; !st && i < n->n_children; i++) {
        struct json *item = NULL;

        st = eval(ev, n->child[i], &item);
        if (!st)
            jv_append_adopt(list, item);
    }
    if (st) {
        jv_unref(list);
        return st;
    }
    *out = list;
    return STATUS_OK;
}

static enum status eval_map(struct expr_eval *ev, const struct expr_node *n, struct json **out)
{
    struct json *map = jv_object();
    enum status st = STATUS_OK;

    for (int i = 0; !st && i < n->n_children; i += 2) {
        struct json *key = NULL;
        struct json *value = NULL;

        st = eval(ev, n->child[i], &key);
        ev->at = n->child[i]->at;
        if (!st && jv_kind(key) != JV_STRING)
            st = expr_eval_fault(ev, STATUS_INVALID, "the key of a map must be a string, got %s",
                                 jv_kind_name(jv_kind(key)));
        if (!st && jv_get(map, jv_get_string(key, "")))
            st = expr_eval_fault(ev, STATUS_INVALID, "duplicate key `%.80s` in a map",
                                 jv_get_string(key, ""));
        if (!st)
            st = eval(ev, n->child[i + 1], &value);
        if (!st)
            jv_set_adopt(map, jv_get_string(key, ""), value);
        jv_unref(key);
    }
    if (st) {
        jv_unref(map);
        return st;
    }
    *out = map;
    return STATUS_OK;
}

static enum status eval_call(struct expr_eval *ev, const struct expr_node *n, struct json **out)
{
    struct json *args[EXPR_MAX_ARGS] = {NULL};
    enum status st = STATUS_OK;

    for (int i = 0; !st && i < n->n_children; i++)
        st = eval(ev, n->child[i], &args[i]);
    ev->at = n->at;
    if (!st)
        st = n->function->call(ev, args, out);
    for (int i = 0; i < n->n_children; i++)
        jv_unref(args[i]);
    return st;
}

static enum status eval_bool(struct expr_eval *ev, const struct expr_node *n, const char *what,
                             bool *out)
{
    struct json *v = NULL;
    enum status st = eval(ev, n, &v);

    if (!st && jv_kind(v) != JV_BOOL) {
        ev->at = n->at;
        st = expr_eval_fault(ev, STATUS_INVALID, "%s takes true or false, got %s", what,
                             jv_kind_name(jv_kind(v)));
    }
    if (!st)
        *out = jv_get_bool(v, false);
    jv_unref(v);
    return st;
}

/* && and ||: operands to the right of the deciding one are not evaluated. */
static enum status eval_logic(struct expr_eval *ev, const struct expr_node *n, struct json **out)
{
    bool stop_at = n->op[0] == OP2('|', '|');
    bool value = !stop_at;
    enum status st = STATUS_OK;

    for (int i = 0; !st && i < n->n_children && value != stop_at; i++)
        st = eval_bool(ev, n->child[i], stop_at ? "||" : "&&", &value);
    if (!st)
        *out = jv_bool(value);
    return st;
}

static enum status eval_chain(struct expr_eval *ev, const struct expr_node *n, struct json **out)
{
    struct json *left = NULL;
    enum status st;

    if (n->op[0] == OP2('|', '|') || n->op[0] == OP2('&', '&'))
        return eval_logic(ev, n, out);
    st = eval(ev, n->child[0], &left);
    for (int i = 1; !st && i < n->n_children; i++) {
        struct json *right = NULL;
        struct json *result = NULL;

        st = eval(ev, n->child[i], &right);
        ev->at = n->at;
        if (!st)
            st = expr_eval_spend(ev, 1);
        if (!st)
            st = expr_operator(ev, n->op[i - 1], left, right, &result);
        jv_unref(right);
        jv_unref(left);
        left = result;
    }
    if (st) {
        jv_unref(left);
        return st;
    }
    *out = left;
    return STATUS_OK;
}

static enum status eval_unary(struct expr_eval *ev, const struct expr_node *n, struct json **out)
{
    struct json *v = NULL;
    bool b = false;
    enum status st;

    if (n->op[0] == '!') {
        st = eval_bool(ev, n->child[0], "!", &b);
        if (!st)
            *out = jv_bool(!b);
        return st;
    }
    st = eval(ev, n->child[0], &v);
    ev->at = n->at;
    if (!st && jv_kind(v) == JV_REAL)
        *out = jv_real(-jv_get_number(v, 0));
    else if (!st && jv_kind(v) != JV_INT)
        st = expr_eval_fault(ev, STATUS_INVALID, "- takes a number, got %s",
                             jv_kind_name(jv_kind(v)));
    else if (!st && jv_get_int(v, 0) == INT64_MIN)
        st = expr_eval_fault(ev, STATUS_INVALID, "the integer is out of range");
    else if (!st)
        *out = jv_int(-jv_get_int(v, 0));
    jv_unref(v);
    return st;
}

/* One element of a macro; *done: the remaining elements do not matter. */
static enum status macro_step(struct expr_eval *ev, const struct expr_node *n, struct json *element,
                              struct json *list, bool *result, bool *done)
{
    enum expr_macro_kind kind = n->macro->kind;
    bool yes = true;
    struct json *value = NULL;
    enum status st = STATUS_OK;

    ev->local[n->local] = element;
    if (kind != MACRO_MAP || n->n_children == 3)
        st = eval_bool(ev, n->child[1], n->macro->name, &yes);
    if (!st && yes && kind == MACRO_MAP)
        st = eval(ev, n->child[n->n_children - 1], &value);
    if (st)
        return st;
    if (kind == MACRO_ALL || kind == MACRO_EXISTS) {
        *result = yes;
        *done = yes == (kind == MACRO_EXISTS);
    } else if (yes) {
        jv_append_adopt(list, kind == MACRO_MAP ? value : jv_ref(element));
    }
    return STATUS_OK;
}

static enum status macro_over(struct expr_eval *ev, const struct expr_node *n,
                              const struct json *range, struct json *list, bool *result)
{
    struct json *outer = ev->local[n->local];
    const char *key;
    bool done = false;
    enum status st = STATUS_OK;

    for (size_t i = 0; !st && !done && jv_kind(range) == JV_ARRAY && i < jv_size(range); i++)
        st = macro_step(ev, n, jv_at(range, i), list, result, &done);
    if (jv_kind(range) == JV_OBJECT) {
        for (void *it = NULL; !st && !done && (it = jv_next(range, it, &key, NULL)) != NULL;) {
            struct json *name = jv_string(key);

            st = macro_step(ev, n, name, list, result, &done);
            jv_unref(name);
        }
    }
    ev->local[n->local] = outer;
    return st;
}

static enum status eval_macro(struct expr_eval *ev, const struct expr_node *n, struct json **out)
{
    bool gives_list = n->macro->kind == MACRO_FILTER || n->macro->kind == MACRO_MAP;
    bool result = n->macro->kind == MACRO_ALL; /* of an empty range */
    struct json *range = NULL;
    struct json *list = NULL;
    enum status st = eval(ev, n->child[0], &range);

    ev->at = n->at;
    if (!st && jv_kind(range) != JV_ARRAY && jv_kind(range) != JV_OBJECT)
        st = expr_eval_fault(ev, STATUS_INVALID, "%s takes a list or a map, got %s", n->macro->name,
                             jv_kind_name(jv_kind(range)));
    if (!st && gives_list)
        list = jv_array();
    if (!st)
        st = macro_over(ev, n, range, list, &result);
    jv_unref(range);
    if (st) {
        jv_unref(list);
        return st;
    }
    *out = gives_list ? list : jv_bool(result);
    return STATUS_OK;
}

static enum status eval(struct expr_eval *ev, const struct expr_node *n, struct json **out)
{
    enum status st = expr_eval_spend(ev, 1);
    bool yes = false;

    ev->at = n->at;
    if (st)
        return st;
    switch (n->kind) {
    case NODE_CONSTANT:
        *out = jv_ref(n->constant);
        return STATUS_OK;
    case NODE_ROOT:
        return eval_root(ev, n, out);
    case NODE_PATH:
        return eval_path(ev, n, out);
    case NODE_LIST:
        return eval_list(ev, n, out);
    case NODE_MAP:
        return eval_map(ev, n, out);
    case NODE_CALL:
        return eval_call(ev, n, out);
    case NODE_HAS:
        return eval_has(ev, n->child[0], out);
    case NODE_UNARY:
        return eval_unary(ev, n, out);
    case NODE_CHAIN:
        return eval_chain(ev, n, out);
    case NODE_IF:
        st = eval_bool(ev, n->child[0], "? :", &yes);
        return st ? st : eval(ev, n->child[yes ? 1 : 2], out);
    case NODE_LOCAL:
        *out = jv_ref(ev->local[n->local]);
        return STATUS_OK;
    case NODE_MACRO:
        return eval_macro(ev, n, out);
    case NODE_FIELD:
    case NODE_INDEX:
        break; /* only inside a path */
    }
    return expr_eval_fault(ev, STATUS_FAILED, "internal error: damaged expression tree");
}

enum status expr_eval(const struct expr *e, const struct json *vars, struct json **out,
                      struct error *err)
{
    struct expr_eval ev = {.expr = e, .vars = vars, .steps = EXPR_MAX_STEPS, .err = err};

    return eval(&ev, e->root, out);
}
