/* token_rows.c - token records in the journal: one row a model call.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/token_rows.h"

#include "runtime/base/memory.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"

struct tokens_op {
    struct txn_text path, rec;
    int32_t attempt;
};

static enum status apply_tokens(struct txn_context *c, const void *arg, struct error *err)
{
    const struct tokens_op *op = arg;
    struct tok_cells row = {
        .run = c->run->id,
        .path = txn_cell(c->txn, op->path),
        .attempt = op->attempt,
        .seq = c->run->next_tok++,
        .rec = txn_cell(c->txn, op->rec),
    };
    sqlite3_stmt *st = db_stmt(c->db, STMT_TOK_PUT, err);

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, row.run);
    bind_text(st, 2, row.path);
    bind_int(st, 3, row.attempt);
    bind_int(st, 4, row.seq);
    bind_bytes(st, 5, row.rec);
    bind_int(st, 6, (int64_t)tok_sum(&row));
    return db_run(c->db, st, err);
}

void journal_tokens(struct run *r, const struct token_record *t)
{
    struct txn *txn = run_txn(r);
    struct tokens_op *op = txn_add(txn, apply_tokens, sizeof(*op));
    struct token_record rest = *t;
    size_t at;

    if (!op)
        return;
    op->path = txn_put_words(txn, t->path);
    op->attempt = t->attempt;
    rest.path = NULL; /* stands in the row's key */
    at = txn->text.len;
    token_record_pack(&rest, &txn->text);
    op->rec = txn_text_since(txn, at);
    hash_set_add(&r->touched, run_thing_hash(RUN_TOKENS, t->path));
}

enum status token_row_unpack(const struct tok_cells *row, struct arena *a, struct token_record *out,
                             struct error *err)
{
    enum status st = token_record_unpack(row->rec.data, row->rec.n, a, out, err);

    if (st) {
        error_note(err, "tokens of %s", cell_cstr(row->path));
        return st;
    }
    out->path = arena_strndup(a, row->path.data, row->path.n);
    out->attempt = (int32_t)row->attempt;
    return STATUS_OK;
}

enum status token_row_find(struct store_reader *q, int64_t run, const char *uuid, const char *path,
                           int64_t attempt, struct arena *a, bool *found, struct token_record *out,
                           struct error *err)
{
    sqlite3_stmt *st = db_stmt(&q->db, STMT_TOK_GET, err);
    struct tok_cells row;
    enum status status;
    bool there;

    *found = false;
    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, run);
    bind_words(st, 2, path);
    bind_int(st, 3, attempt);
    status = db_step(&q->db, st, &there, err);
    if (status)
        return status;
    if (there) {
        status = tok_row_read(st, uuid, &row, err);
        if (status == STATUS_OK)
            status = token_row_unpack(&row, a, out, err);
        *found = status == STATUS_OK;
    }
    sqlite3_reset(st);
    return status;
}

enum status journal_find_tokens(struct run *r, const char *path, int32_t attempt, struct arena *a,
                                bool *found, struct token_record *out, struct error *err)
{
    struct store_reader *q;
    enum status st = run_reader_for(r, RUN_TOKENS, path, &q, err);

    *found = false;
    if (st || !q)
        return st;
    return token_row_find(q, r->writer->id, run_uuid(r), path, attempt, a, found, out, err);
}
