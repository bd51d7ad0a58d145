/* expr_tree.c - the nodes of an expression, all in its arena, and the names that it reads.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/expr_ast.h"

struct expr_node *expr_node_new(struct expr *e, enum expr_node_kind kind, size_t at)
{
    struct expr_node *n = arena_alloc(e->arena, sizeof(*n));

    n->kind = kind;
    n->at = at;
    return n;
}

void expr_node_add(struct expr *e, struct expr_node *n, int op, struct expr_node *child)
{
    if (n->n_children == n->cap_children) {
        int cap = n->cap_children ? 2 * n->cap_children : 4;
        struct expr_node **child_list = arena_alloc(e->arena, (size_t)cap * sizeof(child));
        int *op_list = arena_alloc(e->arena, (size_t)cap * sizeof(int));

        for (int i = 0; i < n->n_children; i++) {
            child_list[i] = n->child[i];
            op_list[i] = n->op[i];
        }
        n->child = child_list;
        n->op = op_list;
        n->cap_children = cap;
    }
    if (n->n_children)
        n->op[n->n_children - 1] = op;
    n->child[n->n_children++] = child;
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

void expr_add_reference(struct expr *e, const char *name, const char *field)
{
    struct expr_reference *grown;

    for (size_t i = 0; i < e->n_references; i++) {
        if (is_same(e->reference[i].name, name) && is_same(e->reference[i].field, field))
            return;
    }
    grown = arena_alloc(e->arena, (e->n_references + 1) * sizeof(*grown));
    for (size_t i = 0; i < e->n_references; i++)
        grown[i] = e->reference[i];
    grown[e->n_references++] = (struct expr_reference){name, field};
    e->reference = grown;
}

void expr_free(struct expr *e)
{
    if (!e)
        return;
    jv_unref(e->constants);
    arena_free(e->arena);
    free(e);
}

size_t expr_n_references(const struct expr *e)
{
    return e->n_references;
}

struct expr_reference expr_reference(const struct expr *e, size_t i)
{
    return e->reference[i];
}
