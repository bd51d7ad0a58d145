/* store.h - the store, a SQLite file: one writer thread, many readers.
 *
 * Every write is a transaction posted to the store thread (struct txn: a list of
 * operations in its own SAVEPOINT). When a commit returns, the store thread commits
 * everything queued since (group commit without a timer). Readers have connections
 * of their own. Several processes may use one store: each batch and checkpoint holds
 * a lock on STORE.lock; a run's owner is alive while it holds a kernel lock on its
 * byte of STORE.owners, so that resume after kill -9 is immediate.
 *
 * An I/O error stops all further writes: every later transaction fails with it, until the store is
 * opened again. What SQLite holds in memory and what is on the disk may differ then.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_STORE_H
#define TROUPE_RUNTIME_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/hash.h"
#include "runtime/base/mailbox.h"
#include "runtime/base/seams.h"
#include "runtime/base/status.h"
#include "runtime/base/str.h"

#define STORE_SCHEMA_VERSION 2
#define STORE_INLINE_BYTES   256

enum store_durability { STORE_FULL, STORE_NORMAL };

struct store_options {
    const char *path;
    enum store_durability durability; /* FULL for runs, NORMAL for throw-away rollouts */
    bool create;                      /* create the file and its folders if missing */
    bool read_only;
    int32_t zstd_above_bytes; /* 0: default 512; -1: never */
    const struct seams *seams;
    /* Tests: called in place of fsync (delay, failure); NULL: the real one. */
    int (*sync_hook)(void *ctx);
    void *sync_hook_ctx;
    /* Tests: called before each write of n bytes (0: a truncation); if it returns an errno
     * other than 0, the write fails with it. */
    int (*write_hook)(void *ctx, size_t n);
    void *write_hook_ctx;
};

struct store;

/* STATUS_CONFIG for a store of a newer version and for a file that is not a SQLite database; the
 * file is not changed. A store of an older version is migrated when it is opened for writing, after
 * a copy to PATH.before-vN (STATUS_BUSY while one of its runs has a live owner); when it is opened
 * for reading it is not changed. */
MUST_CHECK enum status store_open(const struct store_options *o, struct store **out,
                                  struct error *err);
/* Commits everything queued and delivers the remaining replies. The caller closes runs and readers
 * first. */
void store_close(struct store *s);
const char *store_path(const struct store *s);
/* STATUS_IO: nothing more can be recorded until the store is opened again, because the file was
 * deleted or replaced, or an I/O error ended all writing (not a full disk, which passes). Every
 * commit finds that; this is for one who commits nothing for a while. Looks at names only; any
 * thread. */
MUST_CHECK enum status store_can_record(struct store *s, struct error *err);
/* The path of the copy, if opening migrated the store; else NULL. */
const char *store_migrated_from(const struct store *s);

/* ---- writing */
struct txn;
/* Called on the thread that drains the mailbox given to txn_post. */
typedef void (*txn_done)(void *ctx, enum status status, const struct error *err);

struct txn *txn_new(struct store *s);
void txn_free(struct txn *t); /* one that was not posted */
bool txn_is_empty(const struct txn *t);
/* Posts the transaction and takes ownership of it. done may be NULL. Completion mail goes to
 * `reply` (drain it with store_drain_replies); NULL: done is called on the store thread. */
void txn_post(struct txn *t, struct mailbox *reply, txn_done done, void *ctx);
/* Posts and waits; for commands and tests, never on the loop thread during a run. */
MUST_CHECK enum status txn_post_wait(struct txn *t, struct error *err);
void store_drain_replies(struct mailbox *reply);
struct mail;
void store_take_replies(struct mail *all); /* mail taken from that mailbox */

/* ---- reading: a connection that belongs to the calling thread */
struct store_reader;
MUST_CHECK enum status store_reader_open(struct store *s, struct store_reader **out,
                                         struct error *err);
void store_reader_close(struct store_reader *r);

/* ---- whole-store commands */
struct store_stats {
    int64_t free_bytes; /* free pages of the file */
    int64_t file_bytes, wal_bytes, n_runs, n_steps, n_blobs, blob_plain_bytes, blob_stored_bytes,
        n_token_records, n_episodes, commits, fsyncs, transactions;
};
/* Only what costs nothing: file_bytes, wal_bytes, commits, transactions and fsyncs. */
void store_pulse(const struct store *s, struct store_stats *out);
MUST_CHECK enum status store_stats(struct store *s, struct store_stats *out, struct error *err);
/* Checks pages, foreign keys, every blob's hash, every row's checksum and gaps in step.seq. Each
 * error is a line in `report` that names its place; STATUS_CORRUPT when there is one. */
MUST_CHECK enum status store_check(struct store *s, struct str *report, struct error *err);
MUST_CHECK enum status store_backup(struct store *s, const char *to, struct error *err);
/* Deletes unused blobs; *n and *bytes are their number and size. */
MUST_CHECK enum status store_gc(struct store *s, int64_t *n, int64_t *bytes, struct error *err);
/* Returns free pages to the file system; temporarily needs the size of the store again. */
MUST_CHECK enum status store_compact(struct store *s, struct error *err);

#endif
