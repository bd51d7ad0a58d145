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

#include "agents/agent.h"
#include "blueprints/plan.h"

/* When the runner is done with "waiting": resume goes on later. */
enum runner_stay {
    RUNNER_STAY_WORK,  /* when nothing is left but questions and waits */
    RUNNER_STAY_WAITS, /* when nothing is left but questions: a step `wait` is waited for */
    RUNNER_STAY_ALL    /* at runner_leave: answers, deadlines and waits are taken as they come */
};

struct runner_host {
    struct loop *loop;
    struct agent_host *agents;
    struct tool_registry *tools;
    struct store *store;
    const struct seams *seams;
    /* The model of an agent of p (the run's plan or one below it); lent; asked once an agent. */
    enum status (*model)(void *ctx, const struct plan *p, const struct plan_agent *a,
                         struct model **out, struct error *err);
    /* Progress: a step began or ended. May be NULL. */
    void (*on_step)(void *ctx, const char *path, const char *kind, enum step_state state);
    /* Provisional text of the model call at `path`. May be NULL. */
    void (*on_text)(void *ctx, const char *path, const char *text, size_t n);
    void *ctx;
    enum runner_stay stay;
    bool resumed;    /* steps of it have run */
    bool unattended; /* nobody answers: every question needs a default, or the run does not begin */
    int64_t max_steps; /* of a run, each item and round counted; 0: RUNNER_MAX_STEPS */
};
#define RUNNER_MAX_STEPS 1000000

struct runner_result {
    /* RUN_WAITING, or RUN_INTERRUPTED, when the run is not over: resume goes on. */
    enum run_status status;
    struct json *output; /* lent for the call */
    struct error err;
    int64_t steps, tok_in, tok_out, wall_ms; /* of this process */
    int64_t next_due_ms; /* waiting: when it goes on by itself (wall clock); 0: never */
};
struct runner;
typedef void (*runner_done)(void *ctx, struct runner *r, const struct runner_result *result);

/* Checks the plan against the tools that are there and asks for its models: what is missing fails
 * here, before there is a run. plan is lent for the runner's life. */
MUST_CHECK enum status runner_new(const struct runner_host *h, const struct plan *plan,
                                  struct runner **out, struct error *err);
/* inputs: as plan_inputs made them; a reference is taken. The run row's config holds {"plan":
 * effective, "inputs": ...}; a resumed run gets both from there. done is called from the loop,
 * once, when what it reports is durable; the loop handles the store's replies
 * (store_set_reply_box). Until then the runner holds the loop open, posts what it writes once a
 * turn, and looks for a cancellation. */
MUST_CHECK enum status runner_start(struct runner *r, struct run *run, struct json *inputs,
                                    runner_done done, void *ctx, struct error *err);
/* Ends the run as cancelled; done follows. */
void runner_cancel(struct runner *r);
/* The process ends (Ctrl-C): what is in flight is given up, nothing more is recorded of it, and
 * done follows with RUN_INTERRUPTED; the run can be resumed. */
void runner_interrupt(struct runner *r);
/* The time of the whole run is over: it ends as RUN_TIMEOUT, with these words as its error. */
void runner_time_out(struct runner *r, const char *words);
/* Done with RUN_WAITING as soon as nothing but questions and waits is open: for a caller that no
 * longer stays. */
void runner_leave(struct runner *r);
/* After done, allowed inside it; or one that was never started. */
void runner_free(struct runner *r);

/* What a run that goes on has open. A run in which only n_unlimited is not 0 can only be moved by
 * an answer. */
struct runner_open {
    int64_t n_working;   /* calls, agents, retries to come */
    int64_t n_waits;     /* steps `wait` */
    int64_t n_questions; /* with a deadline, of their own or of a step around them */
    int64_t n_unlimited; /* questions without one */
    int64_t next_due_ms; /* the earliest deadline, end of a wait or retry; wall clock; 0: none */
};
void runner_look(const struct runner *r, struct runner_open *out);

#endif
