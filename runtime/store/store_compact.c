/* store_compact.c - returning free pages to the file system.
 *
 * SQLite keeps freed pages for later rows; a bound on disk space needs them back. VACUUM writes the
 * whole file again, so for a moment there are two copies. It runs alone on the store thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/store_internal.h"

static enum status apply_compact(struct txn_context *c, const void *arg, struct error *err)
{
    enum status st = db_exec(c->db, "VACUUM", err);

    (void)arg;
    return st ? st : db_exec(c->db, "PRAGMA wal_checkpoint(TRUNCATE)", err);
}

enum status store_compact(struct store *s, struct error *err)
{
    struct txn *t = txn_new(s);
    enum status st;

    t->kind = TXN_ALONE;
    (void)txn_add(t, apply_compact, 1);
    st = txn_post_wait(t, err);
    if (st)
        error_note(err, "compacting the store");
    return st;
}
