/* call_audit.h - which calls of tools have passed the MCP hub: an append-only table.
 *
 * Each row has a SHA-256 over the row before it and its own columns, so that a changed, removed or
 * inserted row breaks the chain there: store_check names the first one. (Rows cut off at the end
 * leave a shorter chain that is sound.) Arguments are a hash only. Rows have no run: `run` and its
 * rows are another record.
 *
 * A row is first in a file beside the store, and within FOLD_MS in the table (call_fold.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_CALL_AUDIT_H
#define TROUPE_RUNTIME_STORE_CALL_AUDIT_H

#include "runtime/base/effect.h"
#include "runtime/store/store.h"

struct call_audit_row {
    int64_t id;                           /* from 1 on, without gaps; given by the store */
    int64_t at_ms, took_us;               /* the end of the call, ms since the epoch; its length */
    const char *who, *view;               /* the principal; its view, "" for the default one */
    const char *server, *method, *target; /* the server's own name of the tool, or the URI */
    const char *decision, *rule;          /* allow or deny; which rule, "" for none */
    const char *outcome;                  /* ok, input, task, error, cancelled */
    enum effect effect;
    struct sha256 arguments; /* of the canonical JSON of what was asked */
};
/* Copies the row; always on the thread that handles the store's replies. true: it is kept, and
 * `done` is not called: with STORE_NORMAL it outlives this process once it is written to a file
 * beside the store (call_spool.h), and a power failure within about FOLD_MS. false: `done` comes
 * later, where the replies are handled: the row is kept, or cannot be. With STORE_FULL, in a store
 * that has it too, kept is what outlives a power failure. done NULL: nobody waits. */
bool call_audit_append(struct store *s, const struct call_audit_row *row,
                       enum store_durability durability, txn_done done, void *ctx);

/* The rows with an id above `after`, those of this process that are still in its file too (not on
 * the store's thread), oldest first, until `each` returns false. Texts are lent. */
MUST_CHECK enum status call_audit_read(struct store_reader *r, int64_t after,
                                       bool (*each)(void *ctx, const struct call_audit_row *row),
                                       void *ctx, struct error *err);

/* Moves what this process has in its file into the table and waits for that; for commands and
 * tests.
 */
MUST_CHECK enum status call_audit_settle(struct store *s, struct error *err);

/* ---- of store_check.c: one line in `report` for the first row whose chain is broken. */
MUST_CHECK enum status call_audit_check(struct store_reader *r, struct error *err);

#endif
