/* troupe.h - the runtime without a command line: a store, models and tools, and the runs that this
 * process drives.
 *
 * What is needed is opened when it is asked for, once. Nothing here reads arguments, prints a
 * result or ends the process: a failure comes back as an error, progress goes to the listener of
 * its run, and words for the operator go to the log that was given. Everything is called on one
 * thread, which is the thread of its loop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_TROUPE_H
#define TROUPE_RUNTIME_API_TROUPE_H

#include "blueprints/runner.h"
#include "runtime/api/model_set.h"
#include "runtime/store/store.h"

struct loop;
struct troupe;

struct troupe_options {
    const struct seams *seams;
    struct log *log; /* lent */
    struct model_options model;
};
struct troupe *troupe_new(const struct troupe_options *o);
/* Closes what it opened. Its runs are freed before. NULL is fine. */
void troupe_free(struct troupe *t);
/* From now on messages go here. */
void troupe_set_log(struct troupe *t, struct log *log);

/* Opens the store, once: a second call must name the same file. One that was opened for reading
 * alone may be opened for writing later. */
MUST_CHECK enum status troupe_open_store(struct troupe *t, const struct store_options *o,
                                         struct error *err);
struct store *troupe_store(const struct troupe *t); /* NULL: not opened yet */
/* A reader of this thread; lent. The store is open. */
MUST_CHECK enum status troupe_reader(struct troupe *t, struct store_reader **out,
                                     struct error *err);
/* Opens a model, or finds it open; lent. */
MUST_CHECK enum status troupe_model(struct troupe *t, const char *name, struct model **out,
                                    struct error *err);
struct engine *troupe_model_engine(const struct troupe *t, const struct model *m);
/* Built-in and environment tools, with this folder for the file tools. The caller's. */
MUST_CHECK enum status troupe_tools(struct troupe *t, const char *root, struct tool_registry **out,
                                    struct error *err);
/* Made when it is first asked for; lent. */
MUST_CHECK enum status troupe_loop(struct troupe *t, struct loop **out, struct error *err);

/* ---- runs */
struct troupe_run; /* one run of a blueprint: prepared, under way, or over */

/* Told on the loop's thread. Each may be NULL. */
struct troupe_listener {
    void *ctx;
    void (*on_step)(void *ctx, struct troupe_run *r, const char *path, const char *kind,
                    enum step_state state);
    /* Provisional text of a model's reply, as it comes. */
    void (*on_text)(void *ctx, struct troupe_run *r, const char *path, const char *text, size_t n);
    /* It is over, or left for a later resume, and what troupe_run_result tells is durable. The run
     * may be freed in here. */
    void (*on_end)(void *ctx, struct troupe_run *r);
};

/* How a run is driven; lent for its life. */
struct troupe_run_options {
    /* "M", or "NAME=M" for an agent, a role or a key of the blueprint's `models`; the last counts,
     * and one for a NAME before one for all. A path is relative to the working folder. */
    const char *const *model;
    int32_t n_models;
    bool models_are_defaults; /* a NAME that this blueprint does not have is passed over */
    const char *root;      /* of the file tools; NULL: the recorded one, else the working folder */
    int64_t timeout_ms;    /* of this process's work on it; 0: none */
    enum runner_stay stay; /* while it only waits */
    struct troupe_listener listener;
};

struct troupe_run_spec {
    const char *kind;          /* "run"; "eval": a row that names other runs and is never started */
    const struct plan *plan;   /* lent for the life of the run */
    const struct json *inputs; /* as given: checked here, defaults added */
    uint64_t seed;
    const struct json *more; /* members of the configuration beside the plan's, or NULL */
    /* Opened once all else is right, where there is no store yet. NULL: it is open. */
    const struct store_options *store;
};
/* Checks the inputs, finds tools, opens the models that its agents need, and only then creates the
 * run: what is wrong until then leaves nothing behind. All paths in its record are absolute. */
MUST_CHECK enum status troupe_run_new(struct troupe *t, const struct troupe_run_spec *spec,
                                      const struct troupe_run_options *o, struct troupe_run **out,
                                      struct error *err);
/* Takes a run that has not ended and that no process holds (STATUS_BUSY), with the blueprint,
 * inputs, models and root of its record. A model with other weights is STATUS_CONFIG. */
MUST_CHECK enum status troupe_run_take(struct troupe *t, const char *uuid,
                                       const struct troupe_run_options *o, struct troupe_run **out,
                                       struct error *err);
/* Begins; the loop does the rest. */
MUST_CHECK enum status troupe_run_start(struct troupe_run *r, struct error *err);
/* Ends it for good: on_end follows, with "cancelled". */
void troupe_run_cancel(struct troupe_run *r);
/* Leaves it so that a later resume goes on: on_end follows, with "interrupted". */
void troupe_run_interrupt(struct troupe_run *r);
/* One that is over or was never started. The run's lock is given back. NULL is fine. */
void troupe_run_free(struct troupe_run *r);

const char *troupe_run_uuid(const struct troupe_run *r);
struct run *troupe_run_row(const struct troupe_run *r);         /* lent */
const struct plan *troupe_run_plan(const struct troupe_run *r); /* lent */

struct troupe_result {
    enum run_status status; /* RUN_WAITING and RUN_INTERRUPTED: it is not over */
    struct json *output;    /* lent; may be NULL */
    struct error err;
    int64_t n_steps, tok_in, tok_out; /* of the whole run, as query.h counts them */
    int64_t wall_ms;                  /* of this process */
    int64_t next_due_ms; /* waiting: when it goes on by itself (wall clock); 0: never */
};
/* After on_end; lent for the life of r. */
const struct troupe_result *troupe_run_result(const struct troupe_run *r);

/* Runs the loop until no run of this process is under way and no watch looks (troupe_watch.h). */
MUST_CHECK enum status troupe_drive(struct troupe *t, struct error *err);
/* Leaves all runs so that a later resume goes on with them (Ctrl-C, SIGTERM). */
void troupe_interrupt(struct troupe *t);

#endif
