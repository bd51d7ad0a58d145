/* txn.h - the contents of a transaction: a list of operations.
 *
 * Inside runtime/store only. Built on one thread, then passed to the store thread. An
 * operation is a function and a plain struct of arguments. Texts are copied into one
 * buffer of the transaction and referenced by offset, so that an operation needs no
 * allocation of its own. If memory is exhausted, the transaction is marked and fails as a
 * whole later.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_TXN_H
#define TROUPE_RUNTIME_STORE_TXN_H

#include "runtime/base/json.h"
#include "runtime/base/mailbox.h"
#include "runtime/store/store.h"
#include "runtime/store/store_db.h"

struct run_writer;
struct txn;

/* The context of an operation, on the store thread. */
struct txn_context {
    struct store *store;
    struct store_db *db;
    struct run_writer *run; /* NULL outside of runs */
    const struct txn *txn;  /* for txn_cell */
};
typedef enum status (*txn_apply)(struct txn_context *c, const void *op, struct error *err);

/* Bytes in the transaction's text; at == TXN_NO_TEXT: NULL. */
struct txn_text {
    uint32_t at, n;
};
#define TXN_NO_TEXT UINT32_MAX

enum txn_kind {
    TXN_WRITE, /* inside the batch's transaction */
    TXN_SYNC,  /* the row of a call with this number is to be on the disk; 0: only look */
    TXN_ALONE, /* outside of any transaction, with STORE.lock held */
    TXN_STOP   /* the store thread ends after all earlier transactions */
};

struct txn {
    struct mail mail; /* first member; used by the mailbox while posted */
    struct store *store;
    struct run_writer *run; /* one reference, or NULL */
    enum txn_kind kind;
    enum status status;  /* STATUS_NO_MEMORY if building failed; later the result */
    struct error *error; /* the error, or NULL */
    unsigned char *ops;
    size_t ops_bytes, ops_cap;
    struct str text;
    uint64_t number; /* within the run, from 1; of TXN_SYNC, of a row (call_spool.h) */
    struct mailbox *reply;
    txn_done done;
    void *ctx;
};

/* A transaction of a run; takes a reference to `run`. */
struct txn *txn_new_for_run(struct store *s, struct run_writer *run);
/* Adds an operation; returns zeroed space for its arguments (plain data), valid until the next
 * call. NULL: memory is exhausted. */
void *txn_add(struct txn *t, txn_apply apply, size_t size_bytes);
struct txn_text txn_put(struct txn *t, const void *bytes, size_t n); /* bytes NULL: NULL */
struct txn_text txn_put_words(struct txn *t, const char *text);
struct txn_text txn_put_json(struct txn *t, const struct json *v); /* NULL: NULL */
/* For callers that append to t->text themselves: the text added after `at`. */
struct txn_text txn_text_since(struct txn *t, size_t at);
struct cell txn_cell(const struct txn *t, struct txn_text text);

/* Applies the operations in order; stops at the first failure. */
MUST_CHECK enum status txn_apply_all(struct txn *t, struct store_db *db, struct error *err);
void txn_fail(struct txn *t, enum status status, const struct error *err);
/* Sends the completion and releases the transaction; on the store thread. */
void txn_complete(struct txn *t);

#endif
