/* call_fold.h - rows of calls on their way from files (call_spool.h) into the table call_audit.
 *
 * Many rows are one transaction: their chain is computed there, and meta has, in the same
 * transaction, the file's id and the number of its last row (key calls/SLOT). So a row is moved
 * exactly once, whenever the process or the machine stops.
 *
 * Rows stay in the file for FOLD_MS at most, or until FOLD_BYTES wait, while the store can be
 * written (a full disk, or another process in a long transaction, delays it; a full file makes the
 * next rows go straight to the table, which then waits). Within this process
 * call_audit_read and store_check move them first, and store_backup copies what all processes have
 * in their files; for other readers rows of a live process are there FOLD_MS
 * later, and those of a killed one once the store is opened for writing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_CALL_FOLD_H
#define TROUPE_RUNTIME_STORE_CALL_FOLD_H

#include "runtime/store/call_spool.h"
#include "runtime/store/store_db.h"

#define FOLD_MS    100
#define FOLD_BYTES (SPOOL_BYTES / 4)

/* When a store is opened for writing, STORE.lock is held: what dead processes have left.
 * STATUS_CORRUPT: a row is missing. is_new: the store was made just now, so that earlier rows of
 * the files were in one that is gone. */
MUST_CHECK enum status calls_recover(struct store *s, bool is_new, struct error *err);

/* ---- the store's thread */
/* Milliseconds until rows are to be moved; 0: now, -1: none wait. */
int64_t calls_due_ms(struct store *s);
/* Moves what waits; STORE.lock is held and no transaction is open. */
MUST_CHECK enum status calls_fold(struct store *s, struct error *err);

/* ---- readers */
/* What all files beside a store hold at this moment. Read before the table is, nothing that was
 * acknowledged by then is missing in both. */
struct calls_left;
MUST_CHECK enum status calls_look(const char *store, struct calls_left **out, struct error *err);
void calls_left_free(struct calls_left *l);
/* Puts into a copy of the table what it does not have. */
MUST_CHECK enum status calls_copy(const struct calls_left *l, struct store_db *to,
                                  struct error *err);
/* STATUS_CORRUPT: a row of a dead process is missing. */
MUST_CHECK enum status calls_check(const struct calls_left *l, struct store_db *db,
                                   struct error *err);

#endif
