/* run_row.h - the run of the store thread, and the run of its owner.
 *
 * Inside runtime/store only. struct run_writer is shared by the owner and every
 * transaction in flight (counted); struct run belongs to the loop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_RUN_ROW_H
#define TROUPE_RUNTIME_STORE_RUN_ROW_H

#include <stdatomic.h>

#include "runtime/base/map.h"
#include "runtime/store/hash_set.h"
#include "runtime/store/journal.h"
#include "runtime/store/rows.h"
#include "runtime/store/txn.h"

/* The columns of `run` that change; the store thread rewrites all of them together. */
struct run_change {
    enum run_status status;
    char *budget, *error;  /* malloc'd, may be NULL */
    int64_t output, ended; /* CELL_NULL when none */
};

struct run_writer {
    atomic_int refs;
    atomic_uint_fast64_t durable; /* number of the last transaction on disk */
    /* set before the owner sees it */
    char uuid[37];
    int64_t id; /* 0: its row is not written yet */
    int64_t epoch;
    bool is_taking; /* an ended run is being reopened */
    int lock_fd;    /* its byte of the owners file, closed by run_free; -1: not held */
    /* the store thread's, once the run is open */
    int64_t next_seq, next_tok;
    int64_t n_waits;     /* open ones */
    bool has_tries;      /* some step was started more than once */
    struct map *threads; /* name -> next message number, as a pointer */
    struct run_change change;
    enum status failed; /* of its first transaction that failed: all later ones do too */
    struct error failed_by;
};

struct run_writer *run_writer_new(const char *uuid);
struct run_writer *run_writer_ref(struct run_writer *w);
void run_writer_unref(struct run_writer *w); /* NULL is fine */
/* The next number of a thread's messages, counted up. */
int64_t run_writer_next_message(struct run_writer *w, const char *thread);
void run_writer_set_next_message(struct run_writer *w, const char *thread, int64_t next);
/* Writes w->change; a run that has ended is STATUS_INVALID. */
MUST_CHECK enum status run_writer_store_change(struct run_writer *w, struct store_db *db,
                                               struct error *err);
MUST_CHECK enum status run_writer_from_row(struct run_writer *w, const struct run_cells *row,
                                           struct error *err);
/* "run X has ended (cancelled)" as STATUS_INVALID. */
enum status run_refuse_ended(const char *uuid, const char *status, struct error *err);
struct run_cells run_change_cells(const struct run_writer *w);
/* "key/KEY", where `meta` has the id of the run with this key; malloc'd. */
char *run_key_key(const char *key);
/* The key of a run's cancellation mark in `meta`. */
void run_cancel_key(const char *uuid, char out[48]);

/* The owner's side; loop thread. */
struct run {
    struct store *store;
    struct run_writer *writer;
    struct txn *open;             /* NULL: nothing was added since the last flush */
    uint64_t posted;              /* number of the last transaction given away */
    struct json *config, *budget; /* budget: as of take */
    char *root, *source;          /* may be NULL */
    uint64_t seed;
    int32_t prompt_format;
    bool is_resumed;
    struct store_reader *reader; /* made when the disk is first read */
    struct hash_set before;      /* paths of steps, waits and threads that existed at take */
    struct hash_set touched;     /* the same, written since */
    struct run_watch *watches;   /* called when the run is closed */
    const struct run_observer *observer; /* NULL: nobody */
    struct trace_context trace;          /* its span is that around the run */
};

/* The open transaction, made when there is none. */
struct txn *run_txn(struct run *r);
/* The kind of object at a path: a step and the messages of an agent may have the same path. */
enum run_thing { RUN_STEP, RUN_THREAD, RUN_WAIT, RUN_TOKENS };
uint64_t run_thing_hash(enum run_thing kind, const char *path);
/* A reader that sees all writes to this object: waits for the run's own writes if this process
 * wrote to it. *out NULL: it was never written. */
MUST_CHECK enum status run_reader_for(struct run *r, enum run_thing kind, const char *path,
                                      struct store_reader **out, struct error *err);
/* The reader without waiting; opened on first use. */
MUST_CHECK enum status run_reader(struct run *r, struct store_reader **out, struct error *err);
struct run *run_new(struct store *s, struct run_writer *w); /* adopts w */
void run_free(struct run *r);                               /* without waiting for anything */

#endif
