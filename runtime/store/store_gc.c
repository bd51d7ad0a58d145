/* store_gc.c - deleting unused blobs and pieces of token records.
 *
 * Runs alone on the store thread. Foreign keys are off meanwhile: with them on, SQLite
 * would search every table for each blob that goes, and the list was made by that very
 * search. Rows that name blobs cannot appear in between, STORE.lock is held.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/store_internal.h"

struct gc_op {
    int64_t *n, *bytes; /* the caller waits */
};

static enum status collect(struct store_db *db, const struct gc_op *op, struct error *err)
{
    enum status st = db_exec(db,
                             "BEGIN IMMEDIATE; DROP TABLE IF EXISTS temp.gone;"
                             "CREATE TEMP TABLE gone AS SELECT id FROM blob WHERE id NOT IN ("
                             " SELECT config FROM run WHERE config NOTNULL UNION ALL"
                             " SELECT output FROM run WHERE output NOTNULL UNION ALL"
                             " SELECT args FROM step WHERE args NOTNULL UNION ALL"
                             " SELECT out FROM step WHERE out NOTNULL UNION ALL"
                             " SELECT body FROM msg WHERE body NOTNULL)",
                             err);

    if (st == STATUS_OK)
        st = db_query_int(db, "SELECT count(*) FROM temp.gone", op->n, err);
    if (st == STATUS_OK)
        st = db_query_int(db,
                          "SELECT coalesce(sum(length(data)), 0) FROM blob"
                          " WHERE id IN (SELECT id FROM temp.gone)",
                          op->bytes, err);
    if (st == STATUS_OK)
        st = db_exec(db,
                     "DELETE FROM blob WHERE id IN (SELECT id FROM temp.gone);"
                     "DROP TABLE temp.gone;"
                     "WITH RECURSIVE used(id, last) AS ("
                     " SELECT first, first + pieces - 1 FROM tok WHERE pieces > 0 UNION ALL"
                     " SELECT id + 1, last FROM used WHERE id < last)"
                     " DELETE FROM piece WHERE id NOT IN (SELECT id FROM used);"
                     "COMMIT",
                     err);
    if (!sqlite3_get_autocommit(db->handle))
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

static enum status apply_gc(struct txn_context *c, const void *arg, struct error *err)
{
    enum status st = db_exec(c->db, "PRAGMA foreign_keys = OFF", err);
    enum status back;

    if (st)
        return st;
    st = collect(c->db, arg, err);
    back = db_exec(c->db, "PRAGMA foreign_keys = ON", st ? NULL : err);
    return st ? st : back;
}

enum status store_gc(struct store *s, int64_t *n, int64_t *bytes, struct error *err)
{
    struct txn *t = txn_new(s);
    struct gc_op *op = txn_add(t, apply_gc, sizeof(*op));
    int64_t n_gone = 0, bytes_gone = 0;
    enum status st;

    t->kind = TXN_ALONE;
    if (op)
        *op = (struct gc_op){.n = &n_gone, .bytes = &bytes_gone};
    st = txn_post_wait(t, err);
    if (st) {
        error_note(err, "deleting unused blobs");
        return st;
    }
    if (n)
        *n = n_gone;
    if (bytes)
        *bytes = bytes_gone;
    return STATUS_OK;
}
