/* troupe.h - the runtime without a command line: a store, models and tools, and the runs that this
 * process drives.
 *
 * Store, models, tools and loop are opened once, at their first use. Nothing here reads arguments,
 * prints a result or ends the process. Failures are returned as errors, progress goes to the
 * listener of the run, and messages for the operator go to the given log. All calls are on one
 * thread, the thread of the loop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_TROUPE_H
#define TROUPE_RUNTIME_API_TROUPE_H

#include "blueprints/runner.h"
#include "runtime/api/model_set.h"
#include "runtime/store/store.h"

struct http_client;
struct loop;
struct remote_server_state; /* models/remote/remote_model.h */
struct troupe;

struct troupe_options {
    const struct seams *seams;
    struct log *log; /* lent */
    struct model_options model;
    /* Not 0 once the process was asked to end, where troupe_interrupt may come late. May be NULL.
     */
    const volatile int *interrupted;
};
struct troupe *troupe_new(const struct troupe_options *o);
/* Closes what it opened. Free its runs first. NULL is allowed. */
void troupe_free(struct troupe *t);
/* From now on messages go here. */
void troupe_set_log(struct troupe *t, struct log *log);

/* From now on runs look here, instead of at the option `interrupted`. Lent. */
void troupe_set_interrupted(struct troupe *t, const volatile int *asked);

/* Opens the store, once: a second call must name the same file. A store that was opened for
 * reading can be opened for writing later. */
MUST_CHECK enum status troupe_open_store(struct troupe *t, const struct store_options *o,
                                         struct error *err);
struct store *troupe_store(const struct troupe *t); /* NULL: not opened yet */
/* A reader for this thread; lent. The store must be open. */
MUST_CHECK enum status troupe_reader(struct troupe *t, struct store_reader **out,
                                     struct error *err);
/* Opens a model unless it is open; lent. */
MUST_CHECK enum status troupe_model(struct troupe *t, const char *name, struct model **out,
                                    struct error *err);
/* The remote models of the options, or NULL. */
const struct remote_specs *troupe_remote(const struct troupe *t);
struct engine *troupe_model_engine(const struct troupe *t, const struct model *m);
/* Built-in and environment tools; file tools work in the folder `root`. The caller's. */
MUST_CHECK enum status troupe_tools(struct troupe *t, const char *root, struct tool_registry **out,
                                    struct error *err);
/* Created at the first call; lent. */
MUST_CHECK enum status troupe_loop(struct troupe *t, struct loop **out, struct error *err);

/* ---- runs */
struct troupe_run; /* one run of a blueprint: prepared, under way, or over */

/* Called on the thread of the loop. Each may be NULL. */
struct troupe_listener {
    void *ctx;
    void (*on_step)(void *ctx, struct troupe_run *r, const char *path, const char *kind,
                    enum step_state state);
    /* Provisional text of a model's reply, as it arrives. */
    void (*on_text)(void *ctx, struct troupe_run *r, const char *path, const char *text, size_t n);
    /* Does an agent that begins now need on_text? NULL: each one does. */
    bool (*wants_text)(void *ctx, struct troupe_run *r);
    /* The run has ended, or stopped for a later resume, and its result (troupe_run_result) is
     * durable. The run may be freed in here. */
    void (*on_end)(void *ctx, struct troupe_run *r);
};

/* How a run is driven; lent for its life. */
struct troupe_run_options {
    /* "M", or "NAME=M" for an agent, a role or a key of the blueprint's `models`; the last one
     * counts, and one for a NAME before one for all. A path is relative to the working folder. */
    const char *const *model;
    int32_t n_models;
    bool models_are_defaults; /* a NAME that the blueprint does not have is ignored */
    const char *root;      /* of the file tools; NULL: the recorded one, else the working folder */
    int64_t timeout_ms;    /* for the time in this process; 0: none */
    enum runner_stay stay; /* when it only waits */
    struct troupe_listener listener;
};

struct troupe_run_spec {
    const char *kind;          /* "run"; "eval": a row that names other runs and is never started */
    const struct plan *plan;   /* lent for the life of the run */
    const struct json *inputs; /* as given; they are checked, and defaults are added */
    uint64_t seed;
    const struct json *more; /* more members of the configuration, or NULL */
    const char *key; /* at most one run of the store has it (STATUS_REJECTED); may be NULL */
    /* Opened after all checks, so that an error creates no store. NULL: the store is open. */
    const struct store_options *store;
};
/* Checks the inputs, finds the tools and opens the models of the agents, and only then creates the
 * run, so that an error leaves nothing in the store. All paths in the record are absolute. */
MUST_CHECK enum status troupe_run_new(struct troupe *t, const struct troupe_run_spec *spec,
                                      const struct troupe_run_options *o, struct troupe_run **out,
                                      struct error *err);
/* The same without waiting for the disk: `made` is called on the loop with the run, which the
 * caller then owns, or with NULL and the error. The troupe must live until then. An error that is
 * returned is all: `made` is not called. */
typedef void (*troupe_run_made)(void *ctx, struct troupe_run *r, const struct error *err);
MUST_CHECK enum status troupe_run_new_later(struct troupe *t, const struct troupe_run_spec *spec,
                                            const struct troupe_run_options *o,
                                            troupe_run_made made, void *ctx, struct error *err);
/* Can the model run the agent, in an environment or without one? Of struct plan_check; ctx is the
 * troupe. */
MUST_CHECK enum status troupe_check_model(void *troupe, const struct plan *p,
                                          const struct plan_agent *a, bool in_env,
                                          struct error *err);
/* Of plan_check_cost; ctx is the troupe. */
bool troupe_has_price(void *troupe, const struct plan *p, const struct plan_agent *a);
/* Could a run of this plan begin here? Finds its tools, opens its models, as troupe_run_new does,
 * and checks that each can run its agents. */
MUST_CHECK enum status troupe_plan_check(struct troupe *t, const struct plan *p,
                                         const struct troupe_run_options *o, struct error *err);
/* Takes a run that has not ended and that no process holds (STATUS_BUSY), with the blueprint,
 * inputs, models and root of its record. A model with other weights is STATUS_CONFIG. */
MUST_CHECK enum status troupe_run_take(struct troupe *t, const char *uuid,
                                       const struct troupe_run_options *o, struct troupe_run **out,
                                       struct error *err);
/* Starts the run; troupe_drive does the rest. */
MUST_CHECK enum status troupe_run_start(struct troupe_run *r, struct error *err);
/* Ends it for good: on_end follows, with "cancelled". */
void troupe_run_cancel(struct troupe_run *r);
/* Stops it so that it can be resumed later: on_end follows, with "interrupted". */
void troupe_run_interrupt(struct troupe_run *r);
/* The agents of the run that talk with a person (`talk`) end what they are doing for the last
 * message, and ask for the next one. Other steps go on. */
void troupe_run_cut_short(struct troupe_run *r);
/* Stops it as soon as only questions and waits are open, so that it can be resumed later: on_end
 * follows, with "waiting". For a run that stays (RUNNER_STAY_ALL). */
void troupe_run_suspend(struct troupe_run *r);
/* Of a run that stays: are questions all that it waits for? */
bool troupe_run_only_asks(const struct troupe_run *r);
/* Waits until what it has recorded, its questions among it, can be read. */
MUST_CHECK enum status troupe_run_sync(struct troupe_run *r, struct error *err);
/* It looks for answers now: one was given by troupe_answer. */
void troupe_run_look(struct troupe_run *r);
/* Answers the question at `path` of a run that is under way here, which goes on at once. */
MUST_CHECK enum status troupe_run_answer(struct troupe_run *r, const char *path,
                                         const struct json *answer, struct error *err);
/* Only after on_end, or if it was never started. Releases the lock of the run. NULL is allowed. */
void troupe_run_free(struct troupe_run *r);

const char *troupe_run_uuid(const struct troupe_run *r);
/* Is this run under way in this process? */
bool troupe_drives(const struct troupe *t, const char *uuid);
struct run *troupe_run_row(const struct troupe_run *r);         /* lent */
const struct plan *troupe_run_plan(const struct troupe_run *r); /* lent */

int64_t troupe_run_created_ms(const struct troupe_run *r); /* wall clock; once started */

struct troupe_result {
    enum run_status status; /* RUN_WAITING and RUN_INTERRUPTED: not ended */
    struct json *output;    /* lent; may be NULL */
    struct error err;
    int64_t n_steps, tok_in, tok_out; /* of the whole run, as query.h counts them */
    int64_t cost_nano;                /* the same: 1e-9 dollars; 0: none, or not known */
    int64_t n_done;      /* steps of the blueprint that ended in this process, so far */
    int64_t n_before;    /* of n_steps, those that had ended when this process took the run */
    int64_t wall_ms;     /* of this process */
    int64_t next_due_ms; /* waiting: when it goes on by itself (wall clock); 0: never */
};
/* After on_end; lent for the life of r. */
const struct troupe_result *troupe_run_result(const struct troupe_run *r);

/* Who looks at all runs that this process drives, also inside agents: metrics and traces. The
 * callbacks are on the loop's thread, and all is lent for the call. Steps are those of the journal
 * (store/journal.h), as they are written and before they are durable; what a resumed run finds done
 * is not reported again. Each may be NULL. */
struct troupe_observer {
    struct troupe_observer *next; /* the troupe's */
    bool traces; /* runs get the ids of a trace, unless they have one (`traceparent` in `more`) */
    void *ctx;
    void (*run_began)(void *ctx, struct troupe_run *r);
    /* It ended, or stopped for a later resume, as its result says. */
    void (*run_ended)(void *ctx, struct troupe_run *r);
    void (*step_began)(void *ctx, struct troupe_run *r, const struct step_intent *s);
    void (*step_ended)(void *ctx, struct troupe_run *r, const struct step_result *s);
};
/* While no run is under way; lent until troupe_unobserve. */
void troupe_observe(struct troupe *t, struct troupe_observer *o);
void troupe_unobserve(struct troupe *t, struct troupe_observer *o);
/* The HTTP client of the loop; opened at the first call; lent. */
MUST_CHECK enum status troupe_http_client(struct troupe *t, struct http_client **out,
                                          struct error *err);
/* Calls fn for each open model that an engine runs, and for each server of remote models. */
void troupe_each_engine(const struct troupe *t,
                        void (*fn)(void *ctx, const struct model *m, struct engine *e), void *ctx);
void troupe_each_server(const struct troupe *t,
                        void (*fn)(void *ctx, const struct remote_server_state *s), void *ctx);

/* Runs the loop until no run of this process is under way and no watch is active (troupe_watch.h).
 */
MUST_CHECK enum status troupe_drive(struct troupe *t, struct error *err);
/* No run of this process is under way. */
bool troupe_is_idle(const struct troupe *t);
/* Stops all runs so that they can be resumed later (Ctrl-C, SIGTERM). */
void troupe_interrupt(struct troupe *t);

#endif
