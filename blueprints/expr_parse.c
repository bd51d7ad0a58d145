/* expr_parse.c - tokens into a tree (expr_tree.c), by precedence climbing.
 *
 * Precedence, loosest first: `? :`, `||`, `&&`, comparison and `in`, `+ -`, `* / %`, signs,
 * accesses. Every way to nest passes parse_nested, which counts; operators of one precedence and
 * accesses become flat lists.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/expr_ast.h"
#include "runtime/base/utf8.h"

#define OP_IN          OP2('i', 'n')
#define N_CHAIN_LEVELS 5

struct parser {
    struct expr_lexer lex;
    struct expr *expr;
    int depth;
    /* Variables of the macros around, innermost last; each has a place in expr_eval.local. */
    const char *local[EXPR_MAX_DEPTH];
    int n_locals;
};

static enum status parse_nested(struct parser *p, struct expr_node **out);

#define FAULT(p, at, ...)                                                                          \
    expr_fault((p)->lex.err, (p)->lex.text, (p)->lex.n, (at), STATUS_INVALID, __VA_ARGS__)

static bool is_op(const struct parser *p, int op)
{
    return p->lex.token.kind == TOKEN_OPERATOR && p->lex.token.op == op;
}

/* The current token, for messages. */
static const char *found(const struct parser *p)
{
    const struct expr_token *t = &p->lex.token;

    if (t->kind == TOKEN_END)
        return "the end";
    return arena_printf(p->expr->arena, "`%.*s`", (int)(p->lex.at - t->at), p->lex.text + t->at);
}

static enum status expect(struct parser *p, int op)
{
    if (!is_op(p, op))
        return FAULT(p, p->lex.token.at, "expected `%c`, got %s", op, found(p));
    return expr_lex_next(&p->lex);
}

static struct expr_node *constant_new(struct parser *p, struct json *adopt)
{
    struct expr_node *n = expr_node_new(p->expr, NODE_CONSTANT, p->lex.token.at);

    n->constant = adopt;
    jv_append_adopt(p->expr->constants, adopt);
    return n;
}

/* Items up to `close`, which is taken; with keys, each is `key: value`. */
static enum status parse_items(struct parser *p, int close, bool keys, struct expr_node *into)
{
    enum status st = expr_lex_next(&p->lex); /* past the opening bracket */

    while (!st && !is_op(p, close)) {
        struct expr_node *child = NULL;

        st = parse_nested(p, &child);
        if (!st)
            expr_node_add(p->expr, into, 0, child);
        if (!st && keys)
            st = expect(p, ':');
        if (!st && keys)
            st = parse_nested(p, &child);
        if (!st && keys)
            expr_node_add(p->expr, into, 0, child);
        if (st || is_op(p, close))
            break;
        if (!is_op(p, ','))
            return FAULT(p, p->lex.token.at, "expected `,` or `%c`, got %s", close, found(p));
        st = expr_lex_next(&p->lex);
    }
    return st ? st : expr_lex_next(&p->lex);
}

static enum status parse_has(struct parser *p, size_t at, struct expr_node **out)
{
    struct expr_node *call = expr_node_new(p->expr, NODE_HAS, at);
    const struct expr_node *path;
    enum status st = parse_items(p, ')', false, call);

    if (st)
        return st;
    path = call->n_children == 1 ? call->child[0] : NULL;
    if (!path || path->kind != NODE_PATH || path->child[path->n_children - 1]->kind != NODE_FIELD)
        return FAULT(p, at, "has() takes one field, as in has(plan.title)");
    *out = call;
    return STATUS_OK;
}

/* The variable of a macro: a name that is not a literal, and the comma after it. */
static enum status parse_variable(struct parser *p, const struct expr_macro *m, const char **out)
{
    const struct expr_token *t = &p->lex.token;
    enum status st;

    if (t->kind != TOKEN_NAME || strcmp(t->text, "in") == 0 || strcmp(t->text, "true") == 0 ||
        strcmp(t->text, "false") == 0 || strcmp(t->text, "null") == 0)
        return FAULT(p, t->at, "expected a variable's name, got %s: %s", found(p), m->usage);
    *out = t->text;
    st = expr_lex_next(&p->lex);
    if (!st && !is_op(p, ','))
        return FAULT(p, p->lex.token.at, "expected `,`, got %s: %s", found(p), m->usage);
    return st;
}

/* range.macro(variable, body): the body sees the variable, which hides an equal name. */
static enum status parse_macro(struct parser *p, const struct expr_macro *m, size_t at,
                               struct expr_node *range, struct expr_node **out)
{
    struct expr_node *n = expr_node_new(p->expr, NODE_MACRO, at);
    const char *variable = NULL;
    enum status st = expr_lex_next(&p->lex); /* past the bracket */

    if (p->n_locals == EXPR_MAX_DEPTH)
        return expr_fault(p->lex.err, p->lex.text, p->lex.n, at, STATUS_LIMIT,
                          "the expression is nested deeper than %d levels", EXPR_MAX_DEPTH);
    if (!st)
        st = parse_variable(p, m, &variable);
    if (st)
        return st;
    n->macro = m;
    n->local = p->n_locals;
    expr_node_add(p->expr, n, 0, range);
    p->local[p->n_locals++] = variable;
    st = parse_items(p, ')', false, n); /* the comma counts as the opening bracket */
    p->n_locals--;
    if (st)
        return st;
    if (n->n_children < 2 || n->n_children > m->max_bodies + 1)
        return FAULT(p, at, "%s takes %s, got %d: %s", m->name,
                     m->max_bodies == 1 ? "a variable and one expression"
                                        : "a variable and one or two expressions",
                     n->n_children, m->usage);
    *out = n;
    return STATUS_OK;
}

/* name( ... ), or with a receiver: a.name( ... ), which is name(a, ...). */
static enum status parse_call(struct parser *p, const char *name, size_t at,
                              struct expr_node *receiver, struct expr_node **out)
{
    const char *near = NULL;
    const struct expr_function *f;
    struct expr_node *call;
    enum status st;

    if (!receiver && strcmp(name, "has") == 0)
        return parse_has(p, at, out);
    if (receiver && expr_macro_find(name))
        return parse_macro(p, expr_macro_find(name), at, receiver, out);
    f = expr_function_find(name, &near);
    if (!f && expr_macro_find(name))
        return FAULT(p, at, "%s needs a list before it: %s", name, expr_macro_find(name)->usage);
    if (!f && near)
        return FAULT(p, at, "unknown function `%.60s`; did you mean `%s`?", name, near);
    if (!f)
        return FAULT(p, at, "unknown function `%.60s`", name);
    call = expr_node_new(p->expr, NODE_CALL, at);
    call->function = f;
    if (receiver)
        expr_node_add(p->expr, call, 0, receiver);
    st = parse_items(p, ')', false, call);
    if (st)
        return st;
    if (call->n_children < f->min_args || call->n_children > f->max_args)
        return FAULT(p, at, "%s takes %d%s argument%s, got %d: %s", name, f->min_args,
                     f->max_args > f->min_args ? " or more" : "", f->max_args == 1 ? "" : "s",
                     call->n_children, f->usage);
    *out = call;
    return STATUS_OK;
}

static enum status parse_name(struct parser *p, struct expr_node **out)
{
    const char *name = p->lex.token.text;
    size_t at = p->lex.token.at;
    enum status st;

    if (strcmp(name, "true") == 0 || strcmp(name, "false") == 0)
        *out = constant_new(p, jv_bool(name[0] == 't'));
    else if (strcmp(name, "null") == 0)
        *out = constant_new(p, jv_null());
    else if (strcmp(name, "in") == 0)
        return FAULT(p, at, "expected a value, got `in`");
    st = expr_lex_next(&p->lex);
    if (st || *out)
        return st;
    if (is_op(p, '('))
        return parse_call(p, name, at, NULL, out);
    *out = expr_node_new(p->expr, NODE_ROOT, at);
    (*out)->name = name;
    for (int i = p->n_locals - 1; i >= 0; i--) {
        if (strcmp(p->local[i], name) == 0) {
            (*out)->kind = NODE_LOCAL;
            (*out)->local = i;
            return STATUS_OK;
        }
    }
    expr_add_reference(p->expr, name, NULL);
    return STATUS_OK;
}

static enum status parse_primary(struct parser *p, struct expr_node **out)
{
    const struct expr_token *t = &p->lex.token;
    enum status st;

    switch (t->kind) {
    case TOKEN_INT:
        *out = constant_new(p, jv_int(t->integer));
        return expr_lex_next(&p->lex);
    case TOKEN_DOUBLE:
        *out = constant_new(p, jv_real(t->real));
        return expr_lex_next(&p->lex);
    case TOKEN_STRING:
        *out = constant_new(p, jv_string(t->text));
        return expr_lex_next(&p->lex);
    case TOKEN_NAME:
        return parse_name(p, out);
    case TOKEN_END:
    case TOKEN_OPERATOR:
        break;
    }
    if (is_op(p, '[') || is_op(p, '{')) {
        bool map = is_op(p, '{');

        *out = expr_node_new(p->expr, map ? NODE_MAP : NODE_LIST, t->at);
        return parse_items(p, map ? '}' : ']', map, *out);
    }
    if (!is_op(p, '('))
        return FAULT(p, t->at, "expected a value, got %s", found(p));
    st = expr_lex_next(&p->lex);
    if (!st)
        st = parse_nested(p, out);
    return st ? st : expect(p, ')');
}

/* `.name` or `[index]` after *out, which then becomes a path or a call. */
static enum status parse_access(struct parser *p, struct expr_node **out)
{
    struct expr_node *base = *out;
    struct expr_node *access;
    size_t at = p->lex.token.at;
    bool field = is_op(p, '.');
    enum status st = expr_lex_next(&p->lex);

    if (st)
        return st;
    access = expr_node_new(p->expr, field ? NODE_FIELD : NODE_INDEX, at);
    if (field) {
        if (p->lex.token.kind != TOKEN_NAME)
            return FAULT(p, p->lex.token.at, "expected a field's name after `.`, got %s", found(p));
        access->name = p->lex.token.text;
        access->at = p->lex.token.at;
        st = expr_lex_next(&p->lex);
        if (!st && is_op(p, '('))
            return parse_call(p, access->name, access->at, base, out);
    } else {
        struct expr_node *index = NULL;

        st = parse_nested(p, &index);
        if (!st)
            expr_node_add(p->expr, access, 0, index);
        if (!st)
            st = expect(p, ']');
    }
    if (st)
        return st;
    if (base->kind == NODE_ROOT && (field || access->child[0]->kind == NODE_CONSTANT))
        expr_add_reference(p->expr, base->name,
                           field ? access->name : jv_get_string(access->child[0]->constant, NULL));
    if (base->kind != NODE_PATH) {
        *out = expr_node_new(p->expr, NODE_PATH, base->at);
        expr_node_add(p->expr, *out, 0, base);
    }
    expr_node_add(p->expr, *out, 0, access);
    return STATUS_OK;
}

static enum status parse_unary(struct parser *p, struct expr_node **out)
{
    struct expr_node *sign = NULL;
    enum status st = STATUS_OK;
    int before = p->depth;

    while (!st && (is_op(p, '!') || is_op(p, '-'))) {
        struct expr_node *n = expr_node_new(p->expr, NODE_UNARY, p->lex.token.at);

        n->op = arena_alloc(p->expr->arena, sizeof(int));
        n->op[0] = p->lex.token.op;
        n->child = arena_alloc(p->expr->arena, sizeof(n));
        n->n_children = n->cap_children = 1;
        if (sign)
            sign->child[0] = n;
        else
            *out = n;
        sign = n;
        if (++p->depth > EXPR_MAX_DEPTH)
            return expr_fault(p->lex.err, p->lex.text, p->lex.n, n->at, STATUS_LIMIT,
                              "the expression is nested deeper than %d levels", EXPR_MAX_DEPTH);
        st = expr_lex_next(&p->lex);
    }
    if (!st) {
        struct expr_node *value = NULL;
        int calls = 0;

        st = parse_primary(p, &value);
        while (!st && (is_op(p, '.') || is_op(p, '['))) {
            st = parse_access(p, &value);
            /* The value before a call becomes its argument, which is nesting too. */
            if (!st && (value->kind == NODE_CALL || value->kind == NODE_MACRO) &&
                ++calls + p->depth > EXPR_MAX_DEPTH)
                st = expr_fault(p->lex.err, p->lex.text, p->lex.n, value->at, STATUS_LIMIT,
                                "the expression is nested deeper than %d levels", EXPR_MAX_DEPTH);
        }
        if (sign)
            sign->child[0] = value;
        else
            *out = value;
    }
    p->depth = before;
    return st;
}

/* The current token if it is an operator of this precedence, else 0. Level 0 is the loosest. */
static int chain_operator(const struct parser *p, int level)
{
    static const int ops[N_CHAIN_LEVELS][8] = {
        {OP2('|', '|')},
        {OP2('&', '&')},
        {OP2('=', '='), OP2('!', '='), OP2('<', '='), OP2('>', '='), '<', '>', OP_IN},
        {'+', '-'},
        {'*', '/', '%'}};
    const struct expr_token *t = &p->lex.token;
    int op = 0;

    if (t->kind == TOKEN_OPERATOR)
        op = t->op;
    else if (t->kind == TOKEN_NAME && strcmp(t->text, "in") == 0)
        op = OP_IN;
    for (int i = 0; op && ops[level][i]; i++) {
        if (ops[level][i] == op)
            return op;
    }
    return 0;
}

static enum status parse_chain(struct parser *p, int level, struct expr_node **out)
{
    struct expr_node *chain = NULL;
    enum status st;
    int op;

    if (level == N_CHAIN_LEVELS)
        return parse_unary(p, out);
    st = parse_chain(p, level + 1, out);
    while (!st && (op = chain_operator(p, level)) != 0) {
        struct expr_node *right = NULL;
        size_t at = p->lex.token.at;

        st = expr_lex_next(&p->lex);
        if (!st)
            st = parse_chain(p, level + 1, &right);
        if (st)
            break;
        if (!chain) {
            chain = expr_node_new(p->expr, NODE_CHAIN, at);
            expr_node_add(p->expr, chain, 0, *out);
            *out = chain;
        }
        expr_node_add(p->expr, chain, op, right);
    }
    return st;
}

/* A whole expression; the only place where nesting is entered. */
static enum status parse_nested(struct parser *p, struct expr_node **out)
{
    size_t at = p->lex.token.at;
    struct expr_node *choice;
    enum status st;

    *out = NULL;
    if (p->depth == EXPR_MAX_DEPTH)
        return expr_fault(p->lex.err, p->lex.text, p->lex.n, at, STATUS_LIMIT,
                          "the expression is nested deeper than %d levels", EXPR_MAX_DEPTH);
    p->depth++;
    st = parse_chain(p, 0, out);
    if (!st && is_op(p, '?')) {
        choice = expr_node_new(p->expr, NODE_IF, p->lex.token.at);
        expr_node_add(p->expr, choice, 0, *out);
        st = expr_lex_next(&p->lex);
        for (int branch = 0; !st && branch < 2; branch++) {
            struct expr_node *value = NULL;

            st = parse_nested(p, &value);
            if (!st)
                expr_node_add(p->expr, choice, 0, value);
            if (!st && branch == 0)
                st = expect(p, ':');
        }
        *out = choice;
    }
    p->depth--;
    return st;
}

static enum status parse_all(struct parser *p, bool brace)
{
    struct expr_node *root = NULL;
    enum status st = expr_lex_next(&p->lex);

    if (!st)
        st = parse_nested(p, &root);
    if (st)
        return st;
    p->expr->root = root;
    if (brace && !is_op(p, '}'))
        return FAULT(p, p->lex.token.at, "expected an operator or `}`, got %s", found(p));
    if (!brace && p->lex.token.kind != TOKEN_END)
        return FAULT(p, p->lex.token.at, "expected an operator or the end, got %s", found(p));
    return STATUS_OK;
}

enum status expr_parse_within(const char *text, size_t n, size_t from, bool brace, size_t *to,
                              struct expr **out, struct error *err)
{
    struct expr *e;
    struct parser p;
    enum status st;

    e = xcalloc(1, sizeof(*e));
    e->arena = arena_new((size_t)1 << 10);
    e->constants = jv_array();
    e->text = arena_strndup(e->arena, n ? text : "", n);
    e->n = n;
    p = (struct parser){.expr = e, .lex = {.text = e->text, .n = n, .at = from, .err = err}};
    p.lex.arena = e->arena;
    /* Inside a template only the expression itself counts against the limit. */
    if (brace && n - from > EXPR_MAX_BYTES)
        p.lex.n = from + EXPR_MAX_BYTES;
    st = parse_all(&p, brace);
    if (st) {
        expr_free(e);
        return st;
    }
    *to = p.lex.at;
    *out = e;
    return STATUS_OK;
}

enum status expr_parse(const char *text, size_t n, struct expr **out, struct error *err)
{
    size_t to;

    if (n > EXPR_MAX_BYTES)
        return expr_fault(err, "", 0, 0, STATUS_LIMIT,
                          "the expression has %zu bytes; the limit is %zu", n, EXPR_MAX_BYTES);
    if (n && (memchr(text, '\0', n) || utf8_valid_prefix(text, n) != n))
        return expr_fault(err, "", 0, 0, STATUS_INVALID,
                          "an expression must be valid UTF-8 without NUL");
    return expr_parse_within(text, n, 0, false, &to, out, err);
}
