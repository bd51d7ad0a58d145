/* plan_compare.h - compares a step in two versions of a blueprint.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_PLAN_COMPARE_H
#define TROUPE_BLUEPRINTS_PLAN_COMPARE_H

#include "blueprints/plan.h"

struct plan_place {
    const struct plan *plan;      /* the one that defines its agents */
    const struct plan_step *step; /* NULL: there is none */
};

/* The step `id` among those of a list; {plan, NULL} when there is none. */
struct plan_place plan_place_in(const struct plan *plan, const struct plan_step *list, int32_t n,
                                const char *id);
/* Does a path of a run, like "each[2]/write@1", name a step of the plan? */
bool plan_has_path(const struct plan *plan, const char *path);
/* True: a result of `was` is not valid for `now`; appends the reason. Inputs are not compared, nor
 * is how the step runs (retry, timeout, budget, on_error, the model). */
bool plan_step_differs(struct plan_place was, struct plan_place now, struct str *reason);

#endif
