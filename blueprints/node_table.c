/* node_table.c - see node_table.h; from kinds.def.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/node_table.h"

#define KIND(id, word, keys) extern const struct node_ops node_##word##_ops;
#include "blueprints/kinds.def"
#undef KIND

const struct node_ops *const node_table[PLAN_N_KINDS] = {
#define KIND(id, word, keys) [PLAN_##id] = &node_##word##_ops,
#include "blueprints/kinds.def"
#undef KIND
};
