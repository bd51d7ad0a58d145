/* call_audit.c - see call_audit.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/call_audit.h"

#include <string.h>

#include "runtime/store/journal.h"
#include "runtime/store/store_internal.h"

/* The columns in the order of the statements; the chain is the last one. */
enum { N_TEXTS = 8 };
struct audit_cells {
    int64_t id, at, took, effect;
    struct cell text[N_TEXTS]; /* who, view, server, method, target, decision, rule, outcome */
    struct cell arguments;
};

/* Numbers, and texts with their length, so that no two rows give the same bytes. */
static struct sha256 chain_of(struct cell before, const struct audit_cells *c)
{
    struct hasher *h = hasher_new();
    const int64_t numbers[] = {c->id, c->at, c->took, c->effect};

    hasher_add(h, before.data, before.n);
    hasher_add(h, numbers, sizeof(numbers));
    for (int i = 0; i <= N_TEXTS; i++) {
        const struct cell *t = i < N_TEXTS ? &c->text[i] : &c->arguments;
        uint64_t n = t->n;

        hasher_add(h, &n, sizeof(n));
        hasher_add(h, t->data, t->n);
    }
    return hasher_finish(h);
}

/* ---- writing */

struct audit_op {
    int64_t at, took;
    int32_t effect;
    struct sha256 arguments;
    struct txn_text text[N_TEXTS];
};

/* The id and the chain of the last row; 0 and nothing for the first. */
static enum status last_row(struct store_db *db, int64_t *id, struct sha256 *chain, size_t *n,
                            struct error *err)
{
    sqlite3_stmt *st = db_stmt(db, STMT_AUDIT_LAST, err);
    bool row;
    enum status status;
    struct cell c;

    if (!st)
        return STATUS_FAILED;
    status = db_step(db, st, &row, err);
    if (status || !row)
        return status;
    *id = cell_int(st, 0);
    c = cell_bytes(st, 1);
    *n = c.n < sizeof(*chain) ? c.n : sizeof(*chain);
    memcpy(chain, c.data, *n);
    sqlite3_reset(st);
    return STATUS_OK;
}

static enum status apply_audit(struct txn_context *c, const void *arg, struct error *err)
{
    const struct audit_op *op = arg;
    struct audit_cells row = {.at = op->at,
                              .took = op->took,
                              .effect = op->effect,
                              .arguments = {&op->arguments, sizeof(op->arguments)}};
    struct sha256 before = {0}, chain;
    size_t n = 0;
    enum status status = last_row(c->db, &row.id, &before, &n, err);
    sqlite3_stmt *st = status ? NULL : db_stmt(c->db, STMT_AUDIT_PUT, err);

    if (!st)
        return status ? status : STATUS_FAILED;
    row.id++;
    for (int i = 0; i < N_TEXTS; i++)
        row.text[i] = txn_cell(c->txn, op->text[i]);
    chain = chain_of((struct cell){&before, n}, &row);
    bind_int(st, 1, row.id);
    bind_int(st, 2, row.at);
    bind_int(st, 3, row.took);
    bind_int(st, 4, row.effect);
    for (int i = 0; i < N_TEXTS; i++)
        bind_text(st, 5 + i, row.text[i]);
    bind_bytes(st, 5 + N_TEXTS, row.arguments);
    bind_bytes(st, 6 + N_TEXTS, (struct cell){&chain, sizeof(chain)});
    return db_run(c->db, st, err);
}

void call_audit_append(struct store *s, const struct call_audit_row *row, txn_done done, void *ctx)
{
    const char *const texts[N_TEXTS] = {row->who,    row->view,     row->server, row->method,
                                        row->target, row->decision, row->rule,   row->outcome};
    struct txn *t = txn_new(s);
    struct audit_op *op = txn_add(t, apply_audit, sizeof(*op));

    if (op) {
        op->at = row->at_ms;
        op->took = row->took_us;
        op->effect = (int32_t)row->effect;
        op->arguments = row->arguments;
        for (int i = 0; i < N_TEXTS; i++)
            op->text[i] = txn_put_words(t, texts[i] ? texts[i] : "");
    }
    txn_post(t, done ? store_reply_box(s) : NULL, done, ctx);
}

/* ---- reading */

static void read_cells(sqlite3_stmt *st, struct audit_cells *c, struct cell *chain)
{
    c->id = cell_int(st, 0);
    c->at = cell_int(st, 1);
    c->took = cell_int(st, 2);
    c->effect = cell_int(st, 3);
    for (int i = 0; i < N_TEXTS; i++)
        c->text[i] = cell_text(st, 4 + i);
    c->arguments = cell_bytes(st, 4 + N_TEXTS);
    *chain = cell_bytes(st, 5 + N_TEXTS);
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
    const char **const texts[N_TEXTS] = {&row.who,    &row.view,     &row.server, &row.method,
                                         &row.target, &row.decision, &row.rule,   &row.outcome};

    for (int i = 0; i < N_TEXTS; i++)
        *texts[i] = cell_cstr(c->text[i]);
    if (c->arguments.n == sizeof(row.arguments))
        memcpy(&row.arguments, c->arguments.data, sizeof(row.arguments));
    return row;
}

enum status call_audit_read(struct store_reader *r, int64_t after,
                            bool (*each)(void *ctx, const struct call_audit_row *row), void *ctx,
                            struct error *err)
{
    bool there, go_on = true;
    enum status status = has_table(&r->db, &there, err);
    sqlite3_stmt *st;

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
    bind_int(st, 1, 0);
    while (!status && (status = db_step(&r->db, st, &there, err)) == STATUS_OK && there) {
        struct audit_cells cells;
        struct cell chain;

        read_cells(st, &cells, &chain);
        now = chain_of((struct cell){&before, n}, &cells);
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
    sqlite3_reset(st);
    return status;
}
