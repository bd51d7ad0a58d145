/* runner.h - runs a plan durably: every step is found, intended and finished in the journal.
 *
 * The interpreter is deterministic: equal plan, inputs, seed and recorded results give equal steps,
 * so resume is running again with the journal answering what is done. One runner drives one run on
 * the loop; several may run at once.
 *
 * SPDX-License-Identifier: Apache-2.0
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
    /* The model for a name of the plan (after --model overrides); lent; asked once a role. */
    enum status (*model)(void *ctx, const char *role, const char *name, struct model **out,
                         struct error *err);
    /* Progress: a step began or ended. May be NULL. */
    void (*on_step)(void *ctx, const char *path, const char *kind, enum step_state state);
    void *ctx;
    /* Stay while only questions are open, and take answers as they come. false: the runner is done
     * with RUN_WAITING then, and resume goes on after an answer. */
    bool stay;
    bool unattended; /* nobody answers: every question needs a default, or the run does not begin */
    int64_t max_steps; /* of a run, each item and round counted; 0: RUNNER_MAX_STEPS */
};
#define RUNNER_MAX_STEPS 1000000

struct runner_result {
    enum run_status status; /* RUN_WAITING and RUN_RUNNING when it is not over: resume goes on */
    struct json *output;    /* lent for the call */
    struct error err;
    int64_t steps, tok_in, tok_out, wall_ms; /* of this process */
};
struct runner;
typedef void (*runner_done)(void *ctx, struct runner *r, const struct runner_result *result);

/* inputs: an object, checked against plan->input (STATUS_USAGE names the input). The run row's
 * config holds
 * {"plan": effective, "inputs": ..., "options": ...}; a resumed run gets both from there. Models
 * are opened and tools looked up here, so that what is missing fails before the first step. done is
 * called from the loop, once, when what it tells is durable; the caller drains store_reply_box. */
MUST_CHECK enum status runner_start(const struct runner_host *h, const struct plan *plan,
                                    struct run *run, const struct json *inputs, runner_done done,
                                    void *ctx, struct runner **out, struct error *err);
/* Cancels what is in flight; done follows with RUN_CANCELLED, or with RUN_RUNNING when `keep` is
 * true (Ctrl-C): then nothing more is recorded, and the run can be resumed. */
void runner_stop(struct runner *r, bool keep);
/* The time of the whole run is over: it ends as RUN_TIMEOUT, with these words as its error. */
void runner_time_out(struct runner *r, const char *words);
void runner_free(struct runner *r); /* after done; allowed inside it */

/* An answer from the command line, for the question of a wait row: one of its options by its text,
 * else the text itself. STATUS_USAGE names the options. */
MUST_CHECK enum status runner_answer_from_text(const struct json *prompt, const char *text,
                                               struct json **out, struct error *err);

#endif
