/* plan_order.h - which of two steps of a run comes first in the blueprint.
 *
 * Steps of a list are in its order, branches of a `parallel` too, items of a map and rounds of a
 * loop by their index, attempts by their number. So the order does not depend on when the steps of
 * a run began, nor on whether a repair did some of them again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_PLAN_ORDER_H
#define TROUPE_BLUEPRINTS_PLAN_ORDER_H

#include "blueprints/plan.h"

enum plan_order {
    PLAN_BEFORE,
    PLAN_AROUND, /* `other` is inside it */
    PLAN_WITHIN, /* it is `other`, or inside it */
    PLAN_AFTER,
    PLAN_UNORDERED /* both are inside the same agent, or not in the plan */
};
/* Where `path`, with all its attempts, is relative to `other`. An attempt that `other` does not
 * name may be any: "a" is "a@2" too. */
enum plan_order plan_order_of(const struct plan *plan, const char *path, const char *other);

#endif
