/* plan_compare.h - the same step in two readings of a blueprint.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_PLAN_COMPARE_H
#define TROUPE_BLUEPRINTS_PLAN_COMPARE_H

#include "blueprints/plan.h"

struct plan_place {
    const struct plan *plan;      /* whose agents are meant */
    const struct plan_step *step; /* NULL: there is none */
};

/* The step `id` among those of a list; {plan, NULL} when there is none. */
struct plan_place plan_place_in(const struct plan *plan, const struct plan_step *list, int32_t n,
                                const char *id);
/* Does a path of a run, like "each[2]/write@1", name a step of the plan? */
bool plan_has_path(const struct plan *plan, const char *path);
/* Why a result of `was` is none of `now`, beside their inputs; appended to `reason`. False: it is.
 * What only says how a step is run (retry, timeout, budget, on_error, the model) does not count. */
bool plan_step_differs(struct plan_place was, struct plan_place now, struct str *reason);

#endif
