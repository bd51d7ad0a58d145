/* show_tree.h - the steps of a run in the order of their tree: each below the step that it is part
 * of, and among its like in the order in which they began.
 *
 * A step is part of the longest path before its own that is a step too: `plan[3]@1/turn:0` of the
 * second attempt of `plan[3]`, that of `plan`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_SHOW_TREE_H
#define TROUPE_RUNTIME_APP_SHOW_TREE_H

#include "runtime/base/json.h"

struct show_node {
    struct json *step; /* lent */
    int depth;         /* steps around it */
    const char *label; /* what its path adds to that of the step around; lent */
};

/* (jv_size(steps)) nodes, malloc'd; steps as in troupe.show/1. */
struct show_node *show_tree(const struct json *steps);

#endif
