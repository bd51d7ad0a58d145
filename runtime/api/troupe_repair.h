/* troupe_repair.h - continues a run that ended in error, timeout or budget.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_TROUPE_REPAIR_H
#define TROUPE_RUNTIME_API_TROUPE_REPAIR_H

#include "runtime/api/troupe.h"

/* Changes and decisions; lent for the call, the plan for the life of the run. */
struct troupe_repair {
    const struct plan *plan; /* NULL: the recorded one */
    const char *const *var;  /* (n_vars) NAME=VALUE, over the recorded inputs */
    const char *const *redo; /* (n_redo) paths, see blueprints/repair.h */
    const char *const *keep; /* (n_keep) */
    int32_t n_vars, n_redo, n_keep;
};
/* Compares the record with the blueprint and takes the run for troupe_run_start. A model of
 * o->model may have other weights than the recorded one. The configuration of the run keeps the old
 * values under "history".
 *
 * STATUS_CONFIG and a new *disagree, a list of {"path", "reason"}: finished steps that need a
 * decision; nothing is changed. STATUS_USAGE: the run has not ended, or its end cannot be repaired.
 */
MUST_CHECK enum status troupe_run_repair(struct troupe *t, const char *uuid,
                                         const struct troupe_repair *how,
                                         const struct troupe_run_options *o, struct json **disagree,
                                         struct troupe_run **out, struct error *err);

#endif
