/* show_tree.h - the steps of a run in tree order: each after its parent, and siblings in the order
 * in which they began.
 *
 * The parent is the step with the longest path that is a prefix of this one: `plan[3]@1/turn:0` is
 * a child of the second attempt of `plan[3]`, which is a child of `plan`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_SHOW_TREE_H
#define TROUPE_RUNTIME_APP_SHOW_TREE_H

#include "runtime/base/json.h"

struct show_node {
    struct json *step; /* lent */
    int depth;         /* number of ancestors */
    const char *label; /* its path without that of its parent; lent */
};

/* (jv_size(steps)) nodes, malloc'd; steps as in troupe.show/1. */
struct show_node *show_tree(const struct json *steps);

#endif
