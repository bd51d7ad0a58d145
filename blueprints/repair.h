/* repair.h - going on with a run that ended in error, timeout or budget.
 *
 * The blueprint is gone through with what is recorded, and nothing is done: a step that ended well
 * stays where its path, its inputs and its definition (kind, agent, prompt, schema) agree with the
 * blueprint as it is now; a failed one gets a new attempt. What no longer agrees is named, and
 * needs a decision: `redo` does it again, `keep` keeps its result whatever its inputs, until a
 * later redo. Both name a step with all that is in it; the longer path decides. Only what can be
 * known before anything runs is compared here: where a step that is done again gives another value,
 * the run ends with STATUS_CONFIG at the first finished step that reads it, which needs the same
 * decision.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_REPAIR_H
#define TROUPE_BLUEPRINTS_REPAIR_H

#include "blueprints/plan.h"

struct store_reader;

/* All is lent for the call. */
struct repair_spec {
    struct store_reader *reader;
    const char *uuid;
    const struct plan *was, *now; /* as the run was begun or last repaired, and as it shall go on */
    const struct json *inputs;    /* of `now`, complete */
    const struct json *rules;     /* of an earlier repair: "repair" of the run's config, or NULL */
    const struct tool_registry *tools; /* for effects; NULL: all are `none` */
    const struct seams *seams;
    /* Has this agent another model than the recorded? Then one that was cut short begins anew.
     * NULL: none has. */
    bool (*other_model)(void *ctx, const struct plan *p, const struct plan_agent *a);
    void *ctx;
    const char *const *redo, *const *keep;
    size_t n_redo, n_keep;
};

struct repair {
    /* For "repair" in the run's config, where the runner finds it: {"again": {path: attempt},
     * "keep": {path: attempt}}. */
    struct json *rules;
    /* [{"path", "reason"}]: as long as it is not empty the run cannot go on. */
    struct json *disagree;
    int64_t n_kept;  /* finished steps that stay */
    int64_t n_again; /* steps that get a new attempt */
};

/* STATUS_USAGE: a path of redo or keep names nothing that this can be asked of. */
MUST_CHECK enum status repair_compare(const struct repair_spec *s, struct repair *out,
                                      struct error *err);
void repair_deinit(struct repair *r);

/* The configuration with which the run goes on: `changed` (plan, inputs, models, ...) over the
 * run's own, the rules, and one more entry of "history" with what is replaced. New reference. */
struct json *repair_config(const struct json *was, const struct json *changed,
                           const struct repair *r, const struct json *entry);

/* When the run of this configuration was last repaired; wall clock; 0: never. */
int64_t repair_at_ms(const struct json *config);

#endif
