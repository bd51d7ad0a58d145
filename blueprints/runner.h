/* runner.h - runs a plan durably: looks each step up in the journal, records its begin and its end.
 *
 * The interpreter is deterministic: equal plan, inputs, seed and recorded results give equal steps.
 * So resume runs the plan again and takes finished steps from the journal. One runner drives one
 * run on the loop; several may run at once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_RUNNER_H
#define TROUPE_BLUEPRINTS_RUNNER_H

#include "agents/agent.h"
#include "blueprints/plan.h"

/* When the runner ends with "waiting", so that resume goes on later. */
enum runner_stay {
    RUNNER_STAY_WORK,  /* when only questions and waits are open */
    RUNNER_STAY_WAITS, /* when only questions are open; it waits for a step `wait` */
    RUNNER_STAY_ALL    /* only after runner_suspend: it handles answers, deadlines and waits as they
                          come */
};

struct runner_host {
    struct loop *loop;
    struct agent_host *agents;
    struct tool_registry *tools;
    const struct seams *seams;
    /* The model of an agent of p (the run's plan or one below it); lent; asked once an agent. */
    enum status (*model)(void *ctx, const struct plan *p, const struct plan_agent *a,
                         struct model **out, struct error *err);
    /* A step began or ended. May be NULL. */
    void (*on_step)(void *ctx, const char *path, const char *kind, enum step_state state);
    /* Provisional text of the model call at `path`. May be NULL. */
    void (*on_text)(void *ctx, const char *path, const char *text, size_t n);
    /* Does an agent that begins now need on_text? NULL: each one does. */
    bool (*wants_text)(void *ctx);
    void *ctx;
    enum runner_stay stay;
    const struct replay *replay; /* the record that the run replays (replay.h), or NULL; lent */
    bool resumed;                /* steps of it have run */
    bool unattended;   /* nobody answers: a question without a default is an error before the run
                          begins */
    int64_t max_steps; /* of a run, each item and round counted; 0: RUNNER_MAX_STEPS */
};
#define RUNNER_MAX_STEPS 1000000

struct runner_result {
    /* RUN_WAITING, or RUN_INTERRUPTED, when the run is not over: resume goes on. Interrupted with
     * `err`: this process could not go on. */
    enum run_status status;
    struct json *output; /* lent for the call */
    struct error err;
    int64_t steps, tok_in, tok_out, wall_ms; /* of this process */
    int64_t next_due_ms; /* waiting: when it goes on by itself (wall clock); 0: never */
};
struct runner;
typedef void (*runner_done)(void *ctx, struct runner *r, const struct runner_result *result);

/* Checks the plan against the tools and opens its models, so that a missing one is an error before
 * the run exists. plan is lent for the life of the runner. */
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
/* The process ends (Ctrl-C): calls in flight are stopped and not recorded, and done follows with
 * RUN_INTERRUPTED. The run can be resumed. */
void runner_interrupt(struct runner *r);
/* The run has used up its time: it ends as RUN_TIMEOUT with this error message. */
void runner_time_out(struct runner *r, const char *words);
/* From now on the runner ends with RUN_WAITING as soon as only questions and waits are open. */
void runner_suspend(struct runner *r);
/* After done, allowed inside it; or one that was never started. */
void runner_free(struct runner *r);

/* Looks for answers now, and not only from time to time. */
void runner_look_for_answers(struct runner *r);
/* The agents that talk with a person end what they are doing, and ask for the next message. */
void runner_cut_short(struct runner *r);

/* Open steps of a run under way. If only n_unlimited is not 0, the run goes on only after an
 * answer. */
struct runner_open {
    int64_t n_working;   /* calls, agents, retries to come */
    int64_t n_waits;     /* steps `wait` */
    int64_t n_questions; /* with a deadline, of their own or of a step around them */
    int64_t n_unlimited; /* questions without one */
    int64_t next_due_ms; /* the earliest deadline, end of a wait or retry; wall clock; 0: none */
};
void runner_look(const struct runner *r, struct runner_open *out);
/* Are questions all that is open? Of a runner that stays (RUNNER_STAY_ALL). */
bool runner_only_asks(const struct runner *r);

#endif
