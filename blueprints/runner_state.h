/* runner_state.h - what the runner_*.c files share; for them alone.
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
    RUNNER_CONCLUDING, /* how it ended is being made durable */
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
    bool leaving;    /* runner_leave */
    /* Asked of the loop or the store, which cannot be taken back; NULL: nothing. */
    struct runner_call *pump, *check;
    struct error fatal;  /* why nothing more is recorded */
    struct error failed; /* why the run stops, and ends as `error` */
    struct run_budget budget;
    struct loop_timer *poll;
    struct loop_tick *tick;
    struct runner_result result;
};

/* ---- runner_roles.c */
MUST_CHECK enum status runner_make_roles(struct runner *r, const struct plan *p, struct error *err);
const struct agent_role *runner_role(const struct frame_host *h, const struct plan *p,
                                     const struct plan_agent *a);
void runner_free_roles(struct runner *r);

#endif
