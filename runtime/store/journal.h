/* journal.h - find, intend, finish: how anything durable happens.
 *
 * A run is a row; what it does are steps, named by path and attempt. Whoever does a
 * step asks journal_find first (is it done already?), writes journal_intend before
 * the effect and journal_finish after it. All of these go into the run's open
 * transaction; the loop posts it once a tick (journal_flush), so that the
 * transaction that records a result also holds the next intent, the messages, the
 * budget and what follows. Nobody waits for it, except before an `idempotent` or
 * `once` effect and before anything that counts leaves the process: those use
 * journal_when_durable.
 *
 * Attempt rises only after a known failure. After a crash it stays, and `tries`
 * counts. The whole of this header is called on the loop thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_JOURNAL_H
#define TROUPE_RUNTIME_STORE_JOURNAL_H

#include "runtime/base/effect.h"
#include "runtime/base/json.h"
#include "runtime/store/run_status.h"
#include "runtime/store/store.h"

/* How this program renders prompts. A run keeps the number that it was begun with; release 0.1
 * had 1. Whoever renders for an older run renders as it was, or refuses by name. */
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
    int32_t prompt_format;     /* 0: RUN_PROMPT_FORMAT; a copy has that of its original */
};

/* The same without waiting: `created` is called on the loop, with the run (the caller's from then
 * on), or with NULL and what went wrong. */
typedef void (*run_created)(void *ctx, struct run *r, enum status status, const struct error *err);
void run_create_later(struct store *s, const struct run_spec *spec, run_created created, void *ctx);
/* Creates the row (durable before it returns) and takes its lock. A path that is not absolute is
 * STATUS_INVALID. */
MUST_CHECK enum status run_create(struct store *s, const struct run_spec *spec, struct run **out,
                                  struct error *err);
/* Takes a run that nobody holds: epoch + 1. STATUS_BUSY when its owner lives;
 * STATUS_CORRUPT when a payload's checksum is wrong; STATUS_INVALID when it has ended. */
MUST_CHECK enum status run_take(struct store *s, const char *uuid, struct run **out,
                                struct error *err);
/* The same for a run that ended in error, timeout or budget, to repair it: it runs again, and its
 * output and error are gone. One that ended otherwise, or has not, is STATUS_INVALID. */
MUST_CHECK enum status run_reopen(struct store *s, const char *uuid, struct run **out,
                                  struct error *err);
/* Flushes, waits for durability and gives the lock back. */
void run_close(struct run *r);

/* For whoever holds on to a run that somebody else closes: `closing` is called before the run's
 * last words are written, and the watch is over then. */
struct run_watch {
    struct run_watch *next, **link; /* link NULL: not watching */
    void (*closing)(struct run_watch *w);
};
void run_watch(struct run *r, struct run_watch *w, void (*closing)(struct run_watch *w));
void run_unwatch(struct run_watch *w); /* one that never watched is fine */

const char *run_uuid(const struct run *r);
uint64_t run_seed(const struct run *r);
struct json *run_config(const struct run *r); /* lent */
/* Another one from here on, with another root and source (absolute; NULL: as they were). Part of
 * the open transaction. */
void run_set_config(struct run *r, const struct json *config, const char *root, const char *source);
struct json *run_budget(const struct run *r); /* counters when it was taken; lent, may be NULL */
const char *run_root(const struct run *r);    /* absolute, or NULL: none, or a run of 0.1 */
const char *run_source(const struct run *r);  /* the same of the blueprint's file */
int32_t run_prompt_format(const struct run *r);
bool run_is_resumed(const struct run *r);
/* The run's status, output and words. Part of the open transaction. A final status closes what
 * still waits; from the next transaction on nothing of the run is written any more (its
 * transactions fail with STATUS_INVALID). */
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

/* The latest attempt of a step; *found false: it was never intended. A fresh run does
 * not touch the disk. */
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
/* A step already started (after a crash) only counts a try. */
void journal_intend(struct run *r, const struct step_intent *s);

struct step_result {
    const char *path;
    int32_t attempt;
    enum step_state state;
    const struct json *out; /* may be NULL */
    const char *err;        /* may be NULL */
    int64_t tok_in, tok_out;
};
void journal_finish(struct run *r, const struct step_result *s);

/* A conversation is a list of references; seq follows by itself. */
void journal_message(struct run *r, const char *thread, const char *role, const struct json *body);
/* The messages of a thread, in order: new reference to an array. */
MUST_CHECK enum status journal_messages(struct run *r, const char *thread, struct json **out,
                                        struct error *err);

/* Posts one episode in one transaction, after what is open. rec is copied here and compressed on
 * the store thread; an episode of the same path is replaced. */
void journal_episode(struct run *r, const struct episode_row *e);

/* Waits: a row that any process may answer until deadline_ms (0: for ever). It is open until the
 * step of that path and attempt, one above it, or the run ends: journal_finish and run_set_status
 * close it. One that is open keeps its answer, one that is closed is asked anew. prompt: an
 * object with text, options and default, each of which may be missing. */
void journal_wait(struct run *r, const char *path, int32_t attempt, const char *kind,
                  const struct json *prompt, int64_t deadline_ms);
/* Its answer was used while its step goes on: another question may follow at this path. */
void journal_wait_close(struct run *r, const char *path, int32_t attempt);
/* Its deadline has come: closed unless it was answered in time. Once that is durable,
 * journal_wait_answer tells which of the two it was; an answer that another process was told is
 * taken is never passed over. */
void journal_wait_expire(struct run *r, const char *path, int32_t attempt);
/* *answer NULL: not answered, later than its deadline, or closed. */
MUST_CHECK enum status journal_wait_answer(struct run *r, const char *path, int32_t attempt,
                                           struct json **answer, struct error *err);
/* From any process, without holding the run. STATUS_INVALID when the time to answer is over, the
 * step or the run has ended, or it was answered already; the words say which. */
MUST_CHECK enum status store_answer(struct store *s, const char *uuid, const char *path,
                                    const struct json *answer, struct error *err);
/* Deletes a run that nobody holds; its content goes with the next store_gc. */
MUST_CHECK enum status store_remove_run(struct store *s, const char *uuid, struct error *err);
/* Marks a run for cancellation; its owner sees it at its next poll. One that nobody holds ends
 * here. STATUS_INVALID when it has ended. */
MUST_CHECK enum status store_cancel(struct store *s, const char *uuid, struct error *err);
MUST_CHECK enum status run_poll_cancelled(struct run *r, bool *cancelled, struct error *err);

/* SHA-256 over (run uuid, path, attempt): handed to tools as the key of the effect. */
struct sha256 journal_idem(const struct run *r, const char *path, int32_t attempt);
/* First 64 bits of SHA-256(path, attempt), without the run: the sampler's call id. */
uint64_t journal_call_id(const char *path, int32_t attempt);

/* Posts the open transaction; nothing is posted when it is empty. */
void journal_flush(struct run *r);
/* Flushes; `then` runs on the loop once everything so far is durable (at once if it is). */
void journal_when_durable(struct run *r, txn_done then, void *ctx);
/* Blocks until durable; for the end of a command. */
MUST_CHECK enum status journal_sync(struct run *r, struct error *err);
/* Where completions come back: the mailbox of the loop that drives the runs (loop_box), whose
 * handler calls store_take_replies. Set by the loop's owner, and set back to NULL before that box
 * goes: then the store has one of its own, for whoever asks it by store_drain_replies. */
void store_set_reply_box(struct store *s, struct mailbox *box);
struct mailbox *store_reply_box(struct store *s);

#endif
