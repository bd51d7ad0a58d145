/* runner_state.h - shared by the runner_*.c files; private to them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_RUNNER_STATE_H
#define TROUPE_BLUEPRINTS_RUNNER_STATE_H

#include "blueprints/frame.h"
#include "blueprints/run_budget.h"
#include "blueprints/runner.h"

struct role_entry {
    const struct plan *plan;
    const struct plan_agent *agent;
    struct agent_role *role; /* owned; agents hold on to it */
};

enum runner_phase {
    RUNNER_ACTIVE,     /* frames are pumped */
    RUNNER_CONCLUDING, /* the end is being written */
    RUNNER_DONE        /* done was called */
};

struct runner {
    struct frame_host frames; /* first: frames know the runner as this */
    struct runner_host host;
    const struct plan *plan;
    struct run *run;
    runner_done done;
    void *ctx;
    struct json *inputs;
    struct role_entry *role; /* (n_roles) */
    size_t n_roles;
    struct frame *root;
    enum runner_phase phase;
    bool root_ended; /* and its end is recorded */
    bool suspending; /* runner_suspend */
    /* Requests to the loop or the store, which cannot be cancelled; NULL: none. */
    struct runner_call *pump, *check;
    struct error fatal;  /* the reason why nothing more is recorded */
    struct error failed; /* the error with which the run ends */
    struct run_budget budget;
    struct loop_timer *poll;
    struct loop_tick *tick;
    struct runner_result result;
};

/* ---- runner_replay.c */
/* In a replay where only held steps are left: the step whose early end was recorded next, or NULL.
 * runner_replay_end ends it. */
struct frame *runner_replay_next(struct frame *root);
void runner_replay_end(struct frame *f);

/* ---- runner_roles.c */
MUST_CHECK enum status runner_make_roles(struct runner *r, const struct plan *p, struct error *err);
/* Can the models of the roles do the steps? */
MUST_CHECK enum status runner_check_models(struct runner *r, const struct plan *p,
                                           struct error *err);
/* plan_check_cost with the models of the roles. */
MUST_CHECK enum status runner_check_cost(struct runner *r, const struct plan *p, struct error *err);
const struct agent_role *runner_role(const struct frame_host *h, const struct plan *p,
                                     const struct plan_agent *a);
void runner_free_roles(struct runner *r);

#endif
