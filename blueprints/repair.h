/* repair.h - repairs a run that ended in error, timeout or budget, so that it can go on.
 *
 * Compares the blueprint with the record and runs nothing. A step that ended ok is kept if its
 * path, its inputs and its definition (kind, agent, prompt, schema) match the current blueprint. A
 * failed step gets a new attempt. A finished step that no longer matches needs a decision: `redo`
 * does it again, `keep` keeps its result for any inputs, until a later redo. Both apply to a step
 * and all steps in it; the longer path decides. A step that reads the value of one that is done
 * again is done again too if its inputs then differ. If it may change something outside (effect
 * idempotent or once), it needs a decision before.
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
    uint64_t seed;                /* of the run */
    const struct plan *was, *now; /* at the start or the last repair, and from now on */
    const struct json *inputs;    /* of `now`, complete */
    const struct json *rules;     /* of an earlier repair: "repair" of the run's config, or NULL */
    const struct tool_registry *tools; /* for effects; NULL: all are `none` */
    const struct seams *seams;
    /* Does this agent have another model than the recorded one? Then an interrupted agent begins
     * again. NULL: none has. */
    bool (*other_model)(void *ctx, const struct plan *p, const struct plan_agent *a);
    void *ctx;
    const char *const *redo, *const *keep;
    size_t n_redo, n_keep;
};

struct repair {
    /* For "repair" in the run's config, where the runner finds it: {"again": {path: attempt},
     * "keep": {path: attempt}}. */
    struct json *rules;
    /* [{"path", "reason"}]; the run cannot go on unless it is empty. */
    struct json *disagree;
    int64_t n_kept;   /* finished steps that are kept */
    int64_t n_again;  /* steps that get a new attempt */
    int64_t n_follow; /* finished steps that get one if their inputs differ then */
};

/* STATUS_USAGE: a path of redo or keep is not a step that can be redone or kept. */
MUST_CHECK enum status repair_compare(const struct repair_spec *s, struct repair *out,
                                      struct error *err);
void repair_deinit(struct repair *r);

/* The configuration with which the run goes on: that of the run with `changed` (plan, inputs,
 * models,
 * ...) and the rules, and a new entry in "history" with the replaced values. New reference. */
struct json *repair_config(const struct json *was, const struct json *changed,
                           const struct repair *r, const struct json *entry);

/* When the run of this configuration was last repaired; wall clock; 0: never. */
int64_t repair_at_ms(const struct json *config);

#endif
