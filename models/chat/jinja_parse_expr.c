/* jinja_parse_expr.c - expressions, in the precedence of jinja2/parser.py.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/chat/jinja_builtin.h"
#include "models/chat/jinja_parser.h"
#include "runtime/base/memory.h"

static struct jinja_node *parse_unary(struct jinja_parser *p, bool with_filters);

static struct jinja_node *two(struct jinja_parser *p, enum jinja_kind kind, struct jinja_node *a,
                              struct jinja_node *b)
{
    struct jinja_node *n = jinja_node_new(p, kind);

    n->a = a;
    n->b = b;
    return jinja_node_done(p, n);
}

/* Arguments behind an opening parenthesis, into n's items. */
static void parse_arguments(struct jinja_parser *p, struct jinja_node *n)
{
    while (p->st == STATUS_OK && !jinja_is_operator(p, ")")) {
        if (n->n_items)
            jinja_want_operator(p, ",");
        if (jinja_is_operator(p, ")"))
            break;
        if (p->token->kind == TOKEN_NAME && p->token[1].kind == TOKEN_OPERATOR &&
            jinja_text_is(p->token[1].text, "=")) {
            struct jinja_node *k = jinja_node_new(p, JN_KEYWORD);

            k->text = p->token->text;
            p->token += 2;
            k->a = jinja_parse_expression(p);
            jinja_node_add(p, n, jinja_node_done(p, k));
        } else if (jinja_is_operator(p, "*") || jinja_is_operator(p, "**")) {
            jinja_parse_fail(p, STATUS_UNSUPPORTED, "* and ** arguments are not supported");
        } else {
            jinja_node_add(p, n, jinja_parse_expression(p));
        }
    }
    jinja_want_operator(p, ")");
}

static struct jinja_node *parse_call(struct jinja_parser *p, struct jinja_node *callee)
{
    struct jinja_node *n = jinja_node_new(p, JN_CALL);

    n->a = callee;
    parse_arguments(p, n);
    return jinja_node_done(p, n);
}

/* Behind "[": an index, or a slice whose parts may be left out. */
static struct jinja_node *parse_subscript(struct jinja_parser *p, struct jinja_node *of)
{
    struct jinja_node *part[3] = {NULL, NULL, NULL}, *n;
    int k = 0;
    bool slice = false;

    while (p->st == STATUS_OK && !jinja_is_operator(p, "]")) {
        if (jinja_take_operator(p, ":")) {
            slice = true;
            if (++k > 2)
                jinja_parse_fail(p, STATUS_INVALID, "a slice has at most three parts");
        } else if (part[k] == NULL) {
            part[k] = jinja_parse_expression(p);
        } else {
            jinja_parse_fail(p, STATUS_INVALID, "expected ] or :");
        }
    }
    jinja_want_operator(p, "]");
    if (p->st == STATUS_OK && !slice && part[0] == NULL)
        jinja_parse_fail(p, STATUS_INVALID, "expected an index");
    if (!slice)
        return two(p, JN_SUBSCRIPT, of, part[0]);
    n = jinja_node_new(p, JN_SLICE);
    n->a = of;
    for (k = 0; k < 3; k++)
        jinja_node_add(p, n, part[k]);
    return jinja_node_done(p, n);
}

static struct jinja_node *parse_attribute(struct jinja_parser *p, struct jinja_node *of)
{
    struct jinja_node *n = jinja_node_new(p, JN_ATTRIBUTE);

    n->a = of;
    if (p->token->kind == TOKEN_NUMBER && p->token->value.type == JT_INT) {
        n->kind = JN_SUBSCRIPT;
        n->b = jinja_node_new(p, JN_CONST);
        n->b->value = p->token->value;
        p->token++;
    } else {
        n->text = jinja_want_name(p);
    }
    return jinja_node_done(p, n);
}

static struct jinja_node *parse_postfix(struct jinja_parser *p, struct jinja_node *n)
{
    while (p->st == STATUS_OK) {
        if (jinja_take_operator(p, "."))
            n = parse_attribute(p, n);
        else if (jinja_take_operator(p, "["))
            n = parse_subscript(p, n);
        else if (jinja_take_operator(p, "("))
            n = parse_call(p, n);
        else
            break;
    }
    return n;
}

static struct jinja_node *constant(struct jinja_parser *p, struct jinja_value v)
{
    struct jinja_node *n = jinja_node_new(p, JN_CONST);

    n->value = v;
    p->token++;
    return n;
}

/* Adjacent strings are one. */
static struct jinja_node *parse_string(struct jinja_parser *p)
{
    const struct jinja_token *first = p->token;
    struct jinja_node *n = constant(p, first->value);
    size_t bytes = first->value.as.text.n;
    char *all;

    if (p->st || p->token->kind != TOKEN_STRING)
        return n;
    for (; p->token->kind == TOKEN_STRING; p->token++)
        bytes += p->token->value.as.text.n;
    all = jinja_alloc(p->memory, bytes + 1);
    if (all == NULL) {
        jinja_parse_fail(p, STATUS_LIMIT, "the template is too large");
        return n;
    }
    n->value = jinja_string((struct jinja_text){all, bytes});
    for (const struct jinja_token *t = first; t < p->token; t++) {
        const struct jinja_text part = t->value.as.text;

        memcpy(all, part.p, part.n);
        all += part.n;
    }
    return n;
}

static struct jinja_node *parse_name(struct jinja_parser *p)
{
    static const struct {
        const char *name;
        struct jinja_value value;
    } constants[] = {
        {"true", {.type = JT_BOOL, .as.truth = true}},
        {"True", {.type = JT_BOOL, .as.truth = true}},
        {"false", {.type = JT_BOOL, .as.truth = false}},
        {"False", {.type = JT_BOOL, .as.truth = false}},
        {"none", {.type = JT_NONE}},
        {"None", {.type = JT_NONE}},
    };
    struct jinja_node *n;

    for (size_t i = 0; i < ARRAY_LEN(constants); i++)
        if (jinja_is_word(p, constants[i].name))
            return constant(p, constants[i].value);
    n = jinja_node_new(p, JN_NAME);
    n->text = jinja_want_name(p);
    return n;
}

static struct jinja_node *parse_list(struct jinja_parser *p)
{
    struct jinja_node *n = jinja_node_new(p, JN_LIST);

    while (p->st == STATUS_OK && !jinja_is_operator(p, "]")) {
        if (n->n_items)
            jinja_want_operator(p, ",");
        if (!jinja_is_operator(p, "]"))
            jinja_node_add(p, n, jinja_parse_expression(p));
    }
    jinja_want_operator(p, "]");
    return jinja_node_done(p, n);
}

static struct jinja_node *parse_dict(struct jinja_parser *p)
{
    struct jinja_node *n = jinja_node_new(p, JN_DICT);

    while (p->st == STATUS_OK && !jinja_is_operator(p, "}")) {
        if (n->n_items)
            jinja_want_operator(p, ",");
        if (jinja_is_operator(p, "}"))
            break;
        jinja_node_add(p, n, jinja_parse_expression(p));
        jinja_want_operator(p, ":");
        jinja_node_add(p, n, jinja_parse_expression(p));
    }
    jinja_want_operator(p, "}");
    return jinja_node_done(p, n);
}

static struct jinja_node *parse_parentheses(struct jinja_parser *p)
{
    struct jinja_node *n;

    if (jinja_take_operator(p, ")"))
        return jinja_node_new(p, JN_TUPLE);
    n = jinja_parse_tuple(p);
    jinja_want_operator(p, ")");
    return n;
}

static struct jinja_node *parse_primary(struct jinja_parser *p)
{
    switch (p->token->kind) {
    case TOKEN_NAME:
        return parse_name(p);
    case TOKEN_STRING:
        return parse_string(p);
    case TOKEN_NUMBER:
        return constant(p, p->token->value);
    default:
        break;
    }
    if (jinja_take_operator(p, "("))
        return parse_parentheses(p);
    if (jinja_take_operator(p, "["))
        return parse_list(p);
    if (jinja_take_operator(p, "{"))
        return parse_dict(p);
    jinja_parse_fail(p, STATUS_INVALID, "expected an expression");
    return &p->nothing;
}

static struct jinja_node *parse_filter(struct jinja_parser *p, struct jinja_node *in)
{
    struct jinja_node *n = jinja_node_new(p, JN_FILTER);

    n->a = in;
    n->text = jinja_want_name(p);
    if (p->st)
        return &p->nothing;
    n->builtin.filter = jinja_find_filter(n->text);
    if (n->builtin.filter == NULL)
        jinja_parse_fail(p, STATUS_UNSUPPORTED, "unknown filter \"%.*s\"",
                         (int)(n->text.n < 64 ? n->text.n : 64), n->text.p);
    if (jinja_take_operator(p, "("))
        parse_arguments(p, n);
    return jinja_node_done(p, n);
}

/* What may follow a test's name without parentheses as its argument. */
static bool starts_argument(const struct jinja_parser *p)
{
    switch (p->token->kind) {
    case TOKEN_STRING:
    case TOKEN_NUMBER:
        return true;
    case TOKEN_NAME:
        return !jinja_is_word(p, "else") && !jinja_is_word(p, "or") && !jinja_is_word(p, "and") &&
               !jinja_is_word(p, "is") && !jinja_is_word(p, "if") && !jinja_is_word(p, "in") &&
               !jinja_is_word(p, "not");
    default:
        return jinja_is_operator(p, "[") || jinja_is_operator(p, "{");
    }
}

static struct jinja_node *parse_test(struct jinja_parser *p, struct jinja_node *in)
{
    const bool negated = jinja_take_word(p, "not");
    struct jinja_node *n = jinja_node_new(p, JN_TEST);

    n->a = in;
    n->text = jinja_want_name(p);
    if (p->st)
        return &p->nothing;
    n->builtin.test = jinja_find_test(n->text);
    if (n->builtin.test == NULL)
        jinja_parse_fail(p, STATUS_UNSUPPORTED, "unknown test \"%.*s\"",
                         (int)(n->text.n < 64 ? n->text.n : 64), n->text.p);
    if (jinja_take_operator(p, "("))
        parse_arguments(p, n);
    else if (starts_argument(p))
        jinja_node_add(p, n, parse_postfix(p, parse_primary(p)));
    n = jinja_node_done(p, n);
    return negated ? two(p, JN_NOT, n, NULL) : n;
}

/* Filters, tests and calls behind `n`. */
static struct jinja_node *parse_filters(struct jinja_parser *p, struct jinja_node *n)
{
    while (p->st == STATUS_OK) {
        if (jinja_take_operator(p, "|"))
            n = parse_filter(p, n);
        else if (jinja_take_word(p, "is"))
            n = parse_test(p, n);
        else if (jinja_take_operator(p, "("))
            n = parse_call(p, n);
        else
            break;
    }
    return n;
}

static struct jinja_node *parse_unary(struct jinja_parser *p, bool with_filters)
{
    struct jinja_node *n = &p->nothing;

    if (!jinja_enter(p))
        return n;
    if (jinja_take_operator(p, "-"))
        n = two(p, JN_NEGATE, parse_unary(p, false), NULL);
    else if (jinja_take_operator(p, "+"))
        n = parse_unary(p, false);
    else
        n = parse_primary(p);
    n = parse_postfix(p, n);
    if (with_filters)
        n = parse_filters(p, n);
    jinja_leave(p);
    return n;
}

struct level {
    const char *text;
    enum jinja_op op;
};

static bool take_op(struct jinja_parser *p, const struct level *level, size_t n, enum jinja_op *op)
{
    for (size_t i = 0; i < n; i++)
        if (jinja_take_operator(p, level[i].text)) {
            *op = level[i].op;
            return true;
        }
    return false;
}

static struct jinja_node *binary(struct jinja_parser *p, enum jinja_op op, struct jinja_node *a,
                                 struct jinja_node *b)
{
    struct jinja_node *n = jinja_node_new(p, JN_BINARY);

    n->op = op;
    n->a = a;
    n->b = b;
    return jinja_node_done(p, n);
}

static struct jinja_node *parse_power(struct jinja_parser *p)
{
    static const struct level ops[] = {{"**", OP_POWER}};
    struct jinja_node *n = parse_unary(p, true);
    enum jinja_op op;

    while (p->st == STATUS_OK && take_op(p, ops, 1, &op))
        n = binary(p, op, n, parse_unary(p, true));
    return n;
}

static struct jinja_node *parse_product(struct jinja_parser *p)
{
    static const struct level ops[] = {
        {"*", OP_MULTIPLY}, {"/", OP_DIVIDE}, {"//", OP_FLOOR_DIVIDE}, {"%", OP_MODULO}};
    struct jinja_node *n = parse_power(p);
    enum jinja_op op;

    while (p->st == STATUS_OK && take_op(p, ops, ARRAY_LEN(ops), &op))
        n = binary(p, op, n, parse_power(p));
    return n;
}

static struct jinja_node *parse_concat(struct jinja_parser *p)
{
    struct jinja_node *n = parse_product(p);

    while (p->st == STATUS_OK && jinja_take_operator(p, "~"))
        n = binary(p, OP_CONCAT, n, parse_product(p));
    return n;
}

static struct jinja_node *parse_sum(struct jinja_parser *p)
{
    static const struct level ops[] = {{"+", OP_ADD}, {"-", OP_SUBTRACT}};
    struct jinja_node *n = parse_concat(p);
    enum jinja_op op;

    while (p->st == STATUS_OK && take_op(p, ops, ARRAY_LEN(ops), &op))
        n = binary(p, op, n, parse_concat(p));
    return n;
}

static bool take_comparison(struct jinja_parser *p, enum jinja_op *op)
{
    static const struct level ops[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<", OP_LT},
                                       {"<=", OP_LE}, {">", OP_GT},  {">=", OP_GE}};

    if (take_op(p, ops, ARRAY_LEN(ops), op))
        return true;
    if (jinja_take_word(p, "in")) {
        *op = OP_IN;
        return true;
    }
    if (jinja_is_word(p, "not") && p->token[1].kind == TOKEN_NAME &&
        jinja_text_is(p->token[1].text, "in")) {
        p->token += 2;
        *op = OP_NOT_IN;
        return true;
    }
    return false;
}

#define MAX_CHAIN 16 /* a < b < c ... */

static struct jinja_node *parse_compare(struct jinja_parser *p)
{
    struct jinja_node *first = parse_sum(p), *n;
    enum jinja_op op;

    if (p->st || !take_comparison(p, &op))
        return first;
    n = jinja_node_new(p, JN_COMPARE);
    n->ops = jinja_alloc(p->memory, MAX_CHAIN * sizeof(*n->ops));
    if (n->ops == NULL)
        return &p->nothing;
    jinja_node_add(p, n, first);
    do {
        if (n->n_items == MAX_CHAIN) {
            jinja_parse_fail(p, STATUS_LIMIT, "too many comparisons in a row");
            break;
        }
        if (n->n_items)
            n->ops[n->n_items - 1] = op;
        jinja_node_add(p, n, parse_sum(p));
    } while (p->st == STATUS_OK && take_comparison(p, &op));
    return jinja_node_done(p, n);
}

static struct jinja_node *parse_not(struct jinja_parser *p)
{
    struct jinja_node *n = &p->nothing;

    if (!jinja_enter(p))
        return n;
    if (jinja_take_word(p, "not"))
        n = two(p, JN_NOT, parse_not(p), NULL);
    else
        n = parse_compare(p);
    jinja_leave(p);
    return n;
}

static struct jinja_node *parse_and(struct jinja_parser *p)
{
    struct jinja_node *n = parse_not(p);

    while (p->st == STATUS_OK && jinja_take_word(p, "and"))
        n = two(p, JN_AND, n, parse_not(p));
    return n;
}

struct jinja_node *jinja_parse_or(struct jinja_parser *p)
{
    struct jinja_node *n = parse_and(p);

    while (p->st == STATUS_OK && jinja_take_word(p, "or"))
        n = two(p, JN_OR, n, parse_and(p));
    return n;
}

struct jinja_node *jinja_parse_expression(struct jinja_parser *p)
{
    struct jinja_node *n = &p->nothing, *choice;

    if (!jinja_enter(p))
        return n;
    n = jinja_parse_or(p);
    while (p->st == STATUS_OK && jinja_take_word(p, "if")) {
        choice = jinja_node_new(p, JN_IF_ELSE);
        choice->a = n;
        choice->b = jinja_parse_or(p);
        if (jinja_take_word(p, "else"))
            choice->c = jinja_parse_expression(p);
        n = jinja_node_done(p, choice);
    }
    jinja_leave(p);
    return n;
}

static bool ends_tuple(const struct jinja_parser *p)
{
    return p->token->kind == TOKEN_BLOCK_END || p->token->kind == TOKEN_OUTPUT_END ||
           p->token->kind == TOKEN_END || jinja_is_operator(p, ")");
}

struct jinja_node *jinja_parse_tuple(struct jinja_parser *p)
{
    struct jinja_node *n = jinja_parse_expression(p), *tuple;

    if (p->st || !jinja_is_operator(p, ","))
        return n;
    tuple = jinja_node_new(p, JN_TUPLE);
    jinja_node_add(p, tuple, n);
    while (p->st == STATUS_OK && jinja_take_operator(p, ",") && !ends_tuple(p))
        jinja_node_add(p, tuple, jinja_parse_expression(p));
    return jinja_node_done(p, tuple);
}
