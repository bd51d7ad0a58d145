/* node_table.h - the operations of each kind of step, by enum plan_kind.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_NODE_TABLE_H
#define TROUPE_BLUEPRINTS_NODE_TABLE_H

#include "blueprints/frame.h"

extern const struct node_ops *const node_table[PLAN_N_KINDS];

#endif
