/* runner.h - runs a plan durably: every step is found, intended and finished in the journal.
 *
 * The interpreter is deterministic: equal plan, inputs, seed and recorded results give equal steps,
 * so resume is running again with the journal answering what is done. One runner drives one run on
 * the loop; several may run at once.
 */
#ifndef TROUPE_BLUEPRINTS_RUNNER_H
#define TROUPE_BLUEPRINTS_RUNNER_H

#include "agents/turn.h"
#include "blueprints/plan.h"

struct runner_host {
    struct loop *loop;
    struct agent_host *agents;
    struct tool_registry *tools;
    struct store *store;
    const struct seams *seams;
    /* The model for a name of the plan (after --model overrides); lent; opened once. */
    enum status (*model)(void *ctx, const char *role, const char *name, struct model **out,
                         struct error *err);
    /* Progress: a step began or ended. May be NULL. */
    void (*on_step)(void *ctx, const char *path, const char *kind, enum step_state state);
    void *ctx;
};

struct runner_result {
    const char *status; /* "ok", "error", "timeout", "budget", "cancelled", "rejected", "waiting" */
    struct json *output; /* lent for the call */
    struct error err;
    int64_t steps, tok_in, tok_out, wall_ms;
};
struct runner;
typedef void (*runner_done)(void *ctx, struct runner *r, const struct runner_result *result);

/* inputs: an object, checked against plan->input (STATUS_USAGE names the input). The run row's
 * config holds
 * {"plan": effective, "inputs": ..., "options": ...}; a resumed run gets both from there. */
MUST_CHECK enum status runner_start(const struct runner_host *h, const struct plan *plan,
                                    struct run *run, const struct json *inputs, runner_done done,
                                    void *ctx, struct runner **out, struct error *err);
/* Cancels what is in flight; done follows with "cancelled" (or the run stays "running" and can be
 * resumed when `keep` is true: Ctrl-C). */
void runner_stop(struct runner *r, bool keep);
void runner_free(struct runner *r); /* after done */

#endif
