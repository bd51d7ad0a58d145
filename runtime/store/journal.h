/* journal.h - the journal of a run: find, intend, finish.
 *
 * A run is a row; its work consists of steps, named by path and attempt. To do a
 * step, call journal_find (is it already done?), journal_intend before the effect
 * and journal_finish after it. All writes go into the run's open transaction; the
 * loop posts it once per tick (journal_flush), so that the transaction that records
 * a result also contains the next intent, the messages and the budget. Callers wait
 * for durability (journal_when_durable) only before an `idempotent` or `once` effect
 * and before they send a result out of the process.
 *
 * Attempt increases only after a known failure. After a crash it stays the same, and
 * `tries` increases. All functions are called on the loop thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_JOURNAL_H
#define TROUPE_RUNTIME_STORE_JOURNAL_H

#include "runtime/base/effect.h"
#include "runtime/base/json.h"
#include "runtime/base/trace_context.h"
#include "runtime/store/run_status.h"
#include "runtime/store/store.h"

/* The format in which this program renders prompts; release 0.1 had 1. A run keeps the number that
 * it was started with, and its prompts are always rendered in that format or not at all. */
#define RUN_PROMPT_FORMAT 2

enum step_state {
    STEP_STARTED,
    STEP_OK,
    STEP_ERROR,
    STEP_TIMEOUT,
    STEP_BUDGET,
    STEP_CANCELLED,
    STEP_REJECTED,
    STEP_WAITING
};
const char *step_state_name(enum step_state s); /* "started", "ok", "error", ... */
enum step_state step_state_of(enum status st);
enum status step_state_status(enum step_state s); /* the reverse; STEP_ERROR: STATUS_FAILED */

struct episode_row; /* query.h */
struct run;         /* one open run: id, epoch, lock, open transaction */

struct run_spec {
    const char *kind; /* "run", "eval", "train" */
    const char *name;
    const struct json *config; /* effective configuration, stored whole */
    uint64_t seed;
    const struct sha256 *model_hash, *env_hash; /* may be NULL */
    const char *backend;                        /* may be NULL */
    const char *root, *source; /* absolute folder of file tools, blueprint's file; may be NULL */
    int32_t prompt_format;     /* 0: RUN_PROMPT_FORMAT; a copy has the value of its original */
    /* At most one run of the store has it; it is free again when that run is deleted. May be NULL.
     */
    const char *key;
};

/* run_create without waiting: `created` is called on the loop with the run, which the caller then
 * owns, or with NULL and the error. */
typedef void (*run_created)(void *ctx, struct run *r, enum status status, const struct error *err);
void run_create_later(struct store *s, const struct run_spec *spec, run_created created, void *ctx);
/* Creates the row (durable before it returns) and takes its lock. A path that is not absolute is
 * STATUS_INVALID; STATUS_REJECTED: another run has the key. */
MUST_CHECK enum status run_create(struct store *s, const struct run_spec *spec, struct run **out,
                                  struct error *err);
/* Takes over a run without a live owner: epoch + 1. STATUS_BUSY: its owner is alive;
 * STATUS_CORRUPT: a payload's checksum is wrong; STATUS_INVALID: the run has ended. */
MUST_CHECK enum status run_take(struct store *s, const char *uuid, struct run **out,
                                struct error *err);
/* Takes over a run that ended in error, timeout or budget, to repair it: it runs again, and its
 * output and error are cleared. STATUS_INVALID for a run in any other state. */
MUST_CHECK enum status run_reopen(struct store *s, const char *uuid, struct run **out,
                                  struct error *err);
/* Flushes, waits for durability and releases the lock. */
void run_close(struct run *r);

/* For a user of a run that another part closes: `closing` is called before the run's last flush.
 * This ends the watch. */
struct run_watch {
    struct run_watch *next, **link; /* link NULL: not watching */
    void (*closing)(struct run_watch *w);
};
void run_watch(struct run *r, struct run_watch *w, void (*closing)(struct run_watch *w));
void run_unwatch(struct run_watch *w); /* fine for one that never watched */

struct store *run_store(const struct run *r); /* the one that it was opened in */
const char *run_uuid(const struct run *r);
uint64_t run_seed(const struct run *r);
struct json *run_config(const struct run *r); /* borrowed */
/* Replaces the configuration, and root and source (absolute; NULL: unchanged). Part of the open
 * transaction. */
void run_set_config(struct run *r, const struct json *config, const char *root, const char *source);
struct json *run_budget(const struct run *r); /* counters at take; borrowed, may be NULL */
const char *run_root(const struct run *r);    /* absolute, or NULL: none, or a run of 0.1 */
const char *run_source(const struct run *r);  /* the same for the blueprint's file */
int32_t run_prompt_format(const struct run *r);
bool run_is_resumed(const struct run *r);
/* The run's status, output and error message. Part of the open transaction. A final status closes
 * the open waits; later transactions of the run fail with STATUS_INVALID. */
void run_set_status(struct run *r, enum run_status status, const struct json *output,
                    const char *error_text);
void run_set_budget(struct run *r, const struct json *counters);

struct step_record {
    int32_t attempt; /* the latest */
    int32_t tries;
    enum step_state state;
    enum effect effect;
    uint8_t in_hash[16];
    struct json *out; /* new reference or NULL */
    char *err;        /* malloc'd or NULL */
    int64_t t0_ms, t1_ms;
    int64_t tok_in, tok_out; /* 0: none, or not recorded */
};
void step_record_deinit(struct step_record *s);

/* The latest attempt of a step; *found false: it was never intended. A new run does not
 * read the disk. */
MUST_CHECK enum status journal_find(struct run *r, const char *path, bool *found,
                                    struct step_record *out, struct error *err);

struct step_intent {
    const char *path;
    int32_t attempt;
    const char *kind; /* "agent", "model", "tool", "human", ... */
    const char *name; /* tool or agent; may be NULL */
    enum effect effect;
    const struct json *args; /* may be NULL */
    const uint8_t *in_hash;  /* 16 bytes or NULL */
};
/* For a step that is already started (after a crash), only counts a try. */
void journal_intend(struct run *r, const struct step_intent *s);

/* More of a model call, for an observer; not recorded. */
struct step_call {
    const char *model, *kind, *finish; /* kind: of model_info */
    int64_t cached;                    /* of tok_in */
    int64_t cost_nano;                 /* 1e-9 dollars; -1: not known */
    int64_t first_us, done_us;         /* since its start; first_us 0: not known */
};
struct step_result {
    const char *path;
    int32_t attempt;
    enum step_state state;
    const struct json *out; /* may be NULL */
    const char *err;        /* may be NULL */
    int64_t tok_in, tok_out;
    int64_t began_ms;             /* for an observer: wall clock; 0: when it was intended here */
    const struct step_call *call; /* for an observer; may be NULL */
};
void journal_finish(struct run *r, const struct step_result *s);

/* Who looks at what a run does, as it is written and before it is durable. Both are called on the
 * loop; all is lent for the call. */
struct run_observer {
    void *ctx;
    void (*intended)(void *ctx, const struct step_intent *s);
    void (*finished)(void *ctx, const struct step_result *s);
};
/* o is lent until the run is closed or another is set; NULL: nobody. */
void run_observe(struct run *r, const struct run_observer *o);
/* The trace that the run belongs to, and the span around it; unset at first. */
void run_set_trace(struct run *r, const struct trace_context *c);
void run_trace_around(const struct run *r, uint8_t span[8]); /* that span; zero: none */
/* The context of a step's own span; unset if the run has no trace. */
struct trace_context run_trace_of_step(const struct run *r, const char *path, int32_t attempt);

/* Appends a message to a conversation; seq is assigned automatically. */
void journal_message(struct run *r, const char *thread, const char *role, const struct json *body);
/* The messages of a thread, in order: new reference to an array. */
MUST_CHECK enum status journal_messages(struct run *r, const char *thread, struct json **out,
                                        struct error *err);

/* Posts one episode in a transaction of its own, after the open one. rec is copied here and
 * compressed on the store thread; an episode with the same path is replaced. */
void journal_episode(struct run *r, const struct episode_row *e);

/* Writes a wait: a row that any process may answer until deadline_ms (0: for ever). It is open
 * until the step of that path and attempt, a parent step or the run ends: journal_finish and
 * run_set_status close it. An open wait keeps its answer; a closed one is opened again. prompt: an
 * object with text, options and default, all optional. */
void journal_wait(struct run *r, const char *path, int32_t attempt, const char *kind,
                  const struct json *prompt, int64_t deadline_ms);
/* Closes a wait whose answer is used although its step continues, so that another question may
 * follow at this path. */
void journal_wait_close(struct run *r, const char *path, int32_t attempt);
/* Closes a wait whose deadline has passed, unless it was answered in time. Once that is durable,
 * journal_wait_answer shows which of the two happened; an answer that store_answer has accepted is
 * never lost. */
void journal_wait_expire(struct run *r, const char *path, int32_t attempt);
/* *answer NULL: not answered, answered too late, or closed. */
MUST_CHECK enum status journal_wait_answer(struct run *r, const char *path, int32_t attempt,
                                           struct json **answer, struct error *err);
/* From any process, without owning the run. STATUS_INVALID when the deadline has passed, the step
 * or the run has ended, or the wait is already answered; the message says which. */
MUST_CHECK enum status store_answer(struct store *s, const char *uuid, const char *path,
                                    const struct json *answer, struct error *err);
/* Deletes a run without a live owner; the next store_gc deletes its blobs. */
MUST_CHECK enum status store_remove_run(struct store *s, const char *uuid, struct error *err);
/* Marks a run for cancellation; its owner sees the mark at its next poll. A run without a live
 * owner ends at once. STATUS_INVALID when it has ended. */
MUST_CHECK enum status store_cancel(struct store *s, const char *uuid, struct error *err);
/* The same without waiting: `done` is called on the loop (store_reply_box). */
void store_answer_later(struct store *s, const char *uuid, const char *path,
                        const struct json *answer, txn_done done, void *ctx);
void store_remove_run_later(struct store *s, const char *uuid, txn_done done, void *ctx);
void store_cancel_later(struct store *s, const char *uuid, txn_done done, void *ctx);
MUST_CHECK enum status run_poll_cancelled(struct run *r, bool *cancelled, struct error *err);

/* SHA-256 over (run uuid, path, attempt): the idempotency key that tools get. */
struct sha256 journal_idem(const struct run *r, const char *path, int32_t attempt);
/* First 64 bits of SHA-256(path, attempt), without the run: the sampler's call id. */
uint64_t journal_call_id(const char *path, int32_t attempt);

/* Posts the open transaction; nothing is posted when it is empty. */
void journal_flush(struct run *r);
/* Flushes; `then` runs on the loop once everything so far is durable (at once if it is). */
void journal_when_durable(struct run *r, txn_done then, void *ctx);
/* Blocks until durable; for the end of a command. */
MUST_CHECK enum status journal_sync(struct run *r, struct error *err);
/* The mailbox that gets completions: the loop_box of the loop that drives the runs, whose handler
 * calls store_take_replies. The loop's owner sets it, and resets it to NULL before it frees the
 * box. With NULL the store uses a mailbox of its own; read it with store_drain_replies. */
void store_set_reply_box(struct store *s, struct mailbox *box);
struct mailbox *store_reply_box(struct store *s);

#endif
