/* call_audit.c - see call_audit.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/call_audit.h"

#include <string.h>

#include "runtime/store/audit_rows.h"
#include "runtime/store/call_fold.h"
#include "runtime/store/journal.h"
#include "runtime/store/store_internal.h"

/* ---- writing */

/* A row that goes straight to the table. */
struct audit_op {
    int64_t at, took;
    enum effect effect;
    struct sha256 arguments;
    struct txn_text text[N_AUDIT_TEXTS];
};

static enum status apply_audit(struct txn_context *c, const void *arg, struct error *err)
{
    const struct audit_op *op = arg;
    struct call_audit_row row = {
        .at_ms = op->at, .took_us = op->took, .effect = op->effect, .arguments = op->arguments};
    const char **const texts[N_AUDIT_TEXTS] = {&row.who,    &row.view,   &row.server,
                                               &row.method, &row.target, &row.decision,
                                               &row.rule,   &row.outcome};
    struct audit_chain chain;
    enum status status = audit_chain_begin(c->db, &chain, err);

    for (int i = 0; i < N_AUDIT_TEXTS; i++)
        *texts[i] = cell_cstr(txn_cell(c->txn, op->text[i]));
    if (status == STATUS_OK)
        status = audit_chain_put(c->db, &chain, &row, err);
    audit_chain_end(&chain);
    return status;
}

static void post_row(struct store *s, const struct call_audit_row *row, txn_done done, void *ctx)
{
    const char *const texts[N_AUDIT_TEXTS] = {row->who,    row->view,   row->server,
                                              row->method, row->target, row->decision,
                                              row->rule,   row->outcome};
    struct txn *t = txn_new(s);
    struct audit_op *op = txn_add(t, apply_audit, sizeof(*op));

    if (op) {
        op->at = row->at_ms;
        op->took = row->took_us;
        op->effect = row->effect;
        op->arguments = row->arguments;
        for (int i = 0; i < N_AUDIT_TEXTS; i++)
            op->text[i] = txn_put_words(t, texts[i] ? texts[i] : "");
    }
    txn_post(t, done ? store_reply_box(s) : NULL, done, ctx);
}

/* The file is made with the first row, so that a command that makes no call leaves none. */
static enum status append_to_spool(struct store *s, const struct call_audit_row *row,
                                   uint64_t *number, bool *is_first, struct error *err)
{
    struct call_spool *spool = atomic_load_explicit(&s->spool, memory_order_relaxed);

    if (!spool) {
        enum status st = spool_open(s->path, s->seams, s->vfs, &spool, err);

        if (st)
            return st;
        atomic_store_explicit(&s->spool, spool, memory_order_release);
    }
    return spool_append(spool, row, number, is_first, err);
}

static void post_sync(struct store *s, uint64_t number, txn_done done, void *ctx)
{
    struct txn *t = txn_new(s);

    t->kind = TXN_SYNC;
    t->number = number;
    txn_post(t, done ? store_reply_box(s) : NULL, done, ctx);
}

static void fail_later(struct store *s, enum status st, const struct error *err, txn_done done,
                       void *ctx)
{
    struct txn *t = txn_new(s);

    txn_fail(t, st, err);
    t->reply = store_reply_box(s);
    t->done = done;
    t->ctx = ctx;
    txn_complete(t);
}

bool call_audit_append(struct store *s, const struct call_audit_row *row,
                       enum store_durability durability, txn_done done, void *ctx)
{
    struct error err = ERROR_INIT;
    uint64_t number = 0;
    bool is_first = false;
    enum status st = STATUS_LIMIT;

    if (s->has_thread && !atomic_load_explicit(&s->has_failed, memory_order_acquire))
        st = append_to_spool(s, row, &number, &is_first, &err);
    if (st == STATUS_LIMIT) { /* or it fails there, by name */
        post_row(s, row, done, ctx);
        return !done;
    }
    if (st) {
        error_note(&err, "recording a call");
        if (done)
            fail_later(s, st, &err, done, ctx);
        return !done;
    }
    if (done && durability == STORE_FULL && s->options.durability == STORE_FULL) {
        post_sync(s, number, done, ctx);
        return false;
    }
    if (is_first) /* the store's thread looks at it, and begins to wait */
        post_sync(s, 0, NULL, NULL);
    return true;
}

/* ---- reading */

static enum status apply_fold(struct txn_context *c, const void *arg, struct error *err)
{
    (void)arg;
    return calls_fold(c->store, err);
}

enum status call_audit_settle(struct store *s, struct error *err)
{
    struct txn *t;

    if (!atomic_load_explicit(&s->spool, memory_order_acquire))
        return STATUS_OK;
    t = txn_new(s);
    t->kind = TXN_ALONE;
    (void)txn_add(t, apply_fold, 1);
    return txn_post_wait(t, err);
}

static void read_cells(sqlite3_stmt *st, struct audit_cells *c, struct cell *chain)
{
    c->id = cell_int(st, 0);
    c->at = cell_int(st, 1);
    c->took = cell_int(st, 2);
    c->effect = cell_int(st, 3);
    for (int i = 0; i < N_AUDIT_TEXTS; i++)
        c->text[i] = cell_text(st, 4 + i);
    c->arguments = cell_bytes(st, 4 + N_AUDIT_TEXTS);
    *chain = cell_bytes(st, 5 + N_AUDIT_TEXTS);
}

/* A store that only older programs have written has no such table. */
static enum status has_table(struct store_db *db, bool *out, struct error *err)
{
    int64_t n = 0;
    enum status st =
        db_query_int(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'call_audit'", &n, err);

    *out = n > 0;
    return st;
}

static struct call_audit_row row_of(const struct audit_cells *c)
{
    struct call_audit_row row = {
        .id = c->id,
        .at_ms = c->at,
        .took_us = c->took,
        .effect = c->effect >= 0 && c->effect < N_EFFECTS ? (enum effect)c->effect : EFFECT_ONCE,
    };
    const char **const texts[N_AUDIT_TEXTS] = {&row.who,    &row.view,   &row.server,
                                               &row.method, &row.target, &row.decision,
                                               &row.rule,   &row.outcome};

    for (int i = 0; i < N_AUDIT_TEXTS; i++)
        *texts[i] = cell_cstr(c->text[i]);
    if (c->arguments.n == sizeof(row.arguments))
        memcpy(&row.arguments, c->arguments.data, sizeof(row.arguments));
    return row;
}

enum status call_audit_read(struct store_reader *r, int64_t after,
                            bool (*each)(void *ctx, const struct call_audit_row *row), void *ctx,
                            struct error *err)
{
    bool there = false, go_on = true;
    enum status status = call_audit_settle(r->store, err);
    sqlite3_stmt *st;

    if (status == STATUS_OK)
        status = has_table(&r->db, &there, err);

    if (status || !there)
        return status;
    st = db_stmt(&r->db, STMT_AUDIT_ALL, err);
    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, after);
    while (go_on && (status = db_step(&r->db, st, &there, err)) == STATUS_OK && there) {
        struct audit_cells cells;
        struct cell chain;
        struct call_audit_row row;

        read_cells(st, &cells, &chain);
        row = row_of(&cells);
        go_on = each(ctx, &row);
    }
    sqlite3_reset(st);
    return status;
}

enum status call_audit_check(struct store_reader *r, struct error *err)
{
    struct hasher *hasher;
    struct sha256 before = {0}, now;
    size_t n = 0;
    int64_t expected = 1;
    bool there;
    enum status status = has_table(&r->db, &there, err);
    sqlite3_stmt *st;

    if (status || !there)
        return status;
    st = db_stmt(&r->db, STMT_AUDIT_ALL, err);
    if (!st)
        return STATUS_FAILED;
    hasher = hasher_new();
    bind_int(st, 1, 0);
    while (!status && (status = db_step(&r->db, st, &there, err)) == STATUS_OK && there) {
        struct audit_cells cells;
        struct cell chain;

        read_cells(st, &cells, &chain);
        now = audit_chain_of(hasher, (struct cell){&before, n}, &cells);
        if (cells.id != expected)
            status =
                error_set(err, STATUS_CORRUPT, "call_audit: expected row %lld, found %lld (a gap)",
                          (long long)expected, (long long)cells.id);
        else if (chain.n != sizeof(now) || memcmp(chain.data, &now, sizeof(now)) != 0)
            status = error_set(err, STATUS_CORRUPT,
                               "call_audit row %lld: the row, or one before it, was changed",
                               (long long)cells.id);
        before = now;
        n = sizeof(before);
        expected++;
    }
    hasher_free(hasher);
    sqlite3_reset(st);
    return status;
}
