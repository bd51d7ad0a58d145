/* txn.h - what a transaction is inside: an owned list of operations.
 *
 * Inside runtime/store only. Built on one thread, then given to the store thread. An
 * operation is a function of the file that knows it and a plain struct of arguments;
 * texts go into one buffer of the transaction and are named by offset, so that building
 * costs a few copies and no allocation of its own. What does not fit in memory marks the
 * transaction, which then fails as a whole when it is its turn.
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

/* What an operation works on, on the store thread. */
struct txn_context {
    struct store *store;
    struct store_db *db;
    struct run_writer *run; /* NULL outside of runs */
    const struct txn *txn;  /* for txn_cell */
};
typedef enum status (*txn_apply)(struct txn_context *c, const void *op, struct error *err);

/* Bytes in the transaction's text; at TXN_NO_TEXT: NULL. */
struct txn_text {
    uint32_t at, n;
};
#define TXN_NO_TEXT UINT32_MAX

enum txn_kind {
    TXN_WRITE, /* inside the batch's transaction */
    TXN_ALONE, /* outside of any transaction, with STORE.lock held */
    TXN_STOP   /* the store thread ends when all before it is done */
};

struct txn {
    struct mail mail; /* first: the mailbox's while posted */
    struct store *store;
    struct run_writer *run; /* one reference, or NULL */
    enum txn_kind kind;
    enum status status;  /* set while building by what did not fit, then the outcome */
    struct error *error; /* words of a failure, or NULL */
    unsigned char *ops;
    size_t ops_bytes, ops_cap;
    struct str text;
    uint64_t number; /* within the run, from 1 */
    struct mailbox *reply;
    txn_done done;
    void *ctx;
};

/* For a run; takes a reference of its own. */
struct txn *txn_new_for_run(struct store *s, struct run_writer *run);
/* Zeroed room for the operation's arguments (plain data), valid until the next call here;
 * NULL when there is no memory. */
void *txn_add(struct txn *t, txn_apply apply, size_t size_bytes);
struct txn_text txn_put(struct txn *t, const void *bytes, size_t n); /* bytes NULL: NULL */
struct txn_text txn_put_words(struct txn *t, const char *text);
struct txn_text txn_put_json(struct txn *t, const struct json *v); /* NULL: NULL */
/* For writers that append to t->text themselves: what was added behind `at`. */
struct txn_text txn_text_since(struct txn *t, size_t at);
struct cell txn_cell(const struct txn *t, struct txn_text text);

/* Applies the operations in order; stops at the first failure. */
MUST_CHECK enum status txn_apply_all(struct txn *t, struct store_db *db, struct error *err);
void txn_fail(struct txn *t, enum status status, const struct error *err);
/* Sends the completion on its way and gives up the transaction; on the store thread. */
void txn_complete(struct txn *t);

#endif
