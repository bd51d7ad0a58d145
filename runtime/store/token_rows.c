/* token_rows.c - token records in the journal: one row per model call.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/token_rows.h"

#include "runtime/base/memory.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"

/* A longer record is stored in pieces. */
#define INLINE_BYTES 400
/* Eight to a page of 4 KB: 4,088 bytes less 2 of pointer, 5 of cell head and 4 of record head
 * each. */
#define PIECE_BYTES 496

struct tokens_op {
    struct txn_text path, rec;
    int32_t attempt;
};

/* Ids follow each other: one connection writes, inside one transaction. */
static enum status put_pieces(struct store_db *db, struct tok_cells *row, struct error *err)
{
    sqlite3_stmt *st = db_stmt(db, STMT_PIECE_PUT, err);
    const char *bytes = row->rec.data;
    size_t left = row->rec.n;

    if (!st)
        return STATUS_FAILED;
    row->pieces = 0;
    for (; left > 0; row->pieces++) {
        size_t n = left < PIECE_BYTES ? left : PIECE_BYTES;
        enum status status;

        bind_int(st, 1, row->pieces ? row->first + row->pieces : CELL_NULL);
        bind_bytes(st, 2, (struct cell){bytes, n});
        status = db_run(db, st, err);
        if (status)
            return status;
        if (row->pieces == 0)
            row->first = sqlite3_last_insert_rowid(db->handle);
        bytes += n;
        left -= n;
    }
    return STATUS_OK;
}

static enum status apply_tokens(struct txn_context *c, const void *arg, struct error *err)
{
    const struct tokens_op *op = arg;
    struct tok_cells row = {
        .run = c->run->id,
        .path = txn_cell(c->txn, op->path),
        .attempt = op->attempt,
        .seq = c->run->next_tok++,
        .rec = txn_cell(c->txn, op->rec),
        .first = CELL_NULL,
        .pieces = CELL_NULL,
    };
    sqlite3_stmt *st = db_stmt(c->db, STMT_TOK_PUT, err);

    if (!st)
        return STATUS_FAILED;
    if (row.rec.n > INLINE_BYTES) {
        enum status status = put_pieces(c->db, &row, err);

        if (status)
            return status;
    }
    bind_int(st, 1, row.run);
    bind_text(st, 2, row.path);
    bind_int(st, 3, row.attempt);
    bind_int(st, 4, row.seq);
    bind_bytes(st, 5, row.first == CELL_NULL ? row.rec : (struct cell){NULL, 0});
    bind_int(st, 6, row.first);
    bind_int(st, 7, row.pieces);
    bind_int(st, 8, (int64_t)tok_sum(&row));
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
    rest.path = NULL; /* it is in the row's key */
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
        status = tok_row_read(&q->db, st, uuid, &q->text, &row, err);
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
