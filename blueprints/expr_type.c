/* expr_type.c - the type of an expression before it runs, where its operators and functions decide
 * it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/expr_ast.h"

struct typing {
    expr_type_fn of;
    void *ctx;
};

static int type_of(const struct typing *t, const struct expr_node *n);

static bool is_number(int type)
{
    return type == JV_INT || type == JV_REAL;
}

static int path_type(const struct typing *t, const struct expr_node *n)
{
    const struct expr_node *root = n->child[0];

    if (root->kind != NODE_ROOT || n->n_children != 2 || n->child[1]->kind != NODE_FIELD)
        return EXPR_ANY;
    return t->of(t->ctx, root->name, n->child[1]->name);
}

/* Operators of one precedence: the first says what all of them give. */
static int chain_type(const struct typing *t, const struct expr_node *n)
{
    bool all_int = true;

    switch (n->op[0]) {
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
        break;
    default:
        return JV_BOOL; /* comparisons, `in`, && and || */
    }
    for (int i = 0; i < n->n_children; i++) {
        int type = type_of(t, n->child[i]);

        if (n->op[0] == '+' && type != EXPR_ANY && !is_number(type))
            return type; /* text or a list */
        if (n->op[0] == '+' && type == EXPR_ANY)
            return EXPR_ANY;
        all_int = all_int && type == JV_INT;
    }
    return all_int ? JV_INT : JV_REAL;
}

static int type_of(const struct typing *t, const struct expr_node *n)
{
    int type, other;

    switch (n->kind) {
    case NODE_CONSTANT:
        return (int)jv_kind(n->constant);
    case NODE_ROOT:
        return t->of(t->ctx, n->name, NULL);
    case NODE_PATH:
        return path_type(t, n);
    case NODE_LIST:
        return JV_ARRAY;
    case NODE_MAP:
        return JV_OBJECT;
    case NODE_CALL:
        return n->function->type;
    case NODE_HAS:
        return JV_BOOL;
    case NODE_UNARY:
        type = type_of(t, n->child[0]);
        return n->op[0] == '!' ? (int)JV_BOOL : type == JV_INT ? (int)JV_INT : (int)JV_REAL;
    case NODE_CHAIN:
        return chain_type(t, n);
    case NODE_IF:
        type = type_of(t, n->child[1]);
        other = type_of(t, n->child[2]);
        return type == other ? type : is_number(type) && is_number(other) ? (int)JV_REAL : EXPR_ANY;
    case NODE_MACRO:
        return n->macro->kind == MACRO_ALL || n->macro->kind == MACRO_EXISTS ? (int)JV_BOOL
                                                                             : (int)JV_ARRAY;
    default:
        return EXPR_ANY;
    }
}

int expr_type(const struct expr *e, expr_type_fn of, void *ctx)
{
    const struct typing t = {of, ctx};

    return type_of(&t, e->root);
}
