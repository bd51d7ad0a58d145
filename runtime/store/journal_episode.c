/* journal_episode.c - evaluation episodes and rollouts: one packed row, one transaction.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/blob.h"
#include "runtime/store/query.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"

struct episode_op {
    struct txn_text path, verdict, rec;
    uint64_t seed;
    int32_t status, success, steps;
    int64_t t0, t1;
};

/* Replaces: an episode that was in flight when its process died runs again under the
 * same path. Compression happens here, so that the loop never waits for it. */
static enum status apply_episode(struct txn_context *c, const void *arg, struct error *err)
{
    const struct episode_op *op = arg;
    struct episode_cells row = {
        .run = c->run->id,
        .path = txn_cell(c->txn, op->path),
        .seed = (int64_t)op->seed,
        .status = op->status,
        .success = op->success,
        .steps = op->steps,
        .verdict = txn_cell(c->txn, op->verdict),
        .t0 = op->t0,
        .t1 = op->t1,
    };
    sqlite3_stmt *st = db_stmt(c->db, STMT_EPISODE_PUT, err);
    struct cell plain = txn_cell(c->txn, op->rec);
    enum status status;

    if (!st)
        return STATUS_FAILED;
    if (plain.data) {
        status = blob_compress(c->db, plain, &row.rec, err);
        if (status)
            return status;
    }
    bind_int(st, 1, row.run);
    bind_text(st, 2, row.path);
    sqlite3_bind_int64(st, 3, row.seed);
    bind_int(st, 4, row.status);
    bind_int(st, 5, row.success);
    bind_int(st, 6, row.steps);
    bind_text(st, 7, row.verdict);
    bind_bytes(st, 8, row.rec);
    bind_int(st, 9, row.t0);
    bind_int(st, 10, row.t1);
    bind_int(st, 11, (int64_t)episode_sum(&row));
    return db_run(c->db, st, err);
}

void journal_episode(struct run *r, const struct episode_row *e)
{
    struct txn *t;
    struct episode_op *op;

    journal_flush(r);
    t = run_txn(r);
    op = txn_add(t, apply_episode, sizeof(*op));
    if (op) {
        op->path = txn_put_words(t, e->path);
        op->verdict = txn_put_words(t, e->verdict ? e->verdict : "null");
        op->rec = txn_put(t, e->rec, e->rec_bytes);
        op->seed = e->seed;
        op->status = e->status;
        op->success = e->success;
        op->steps = e->steps;
        op->t0 = e->t0_ms;
        op->t1 = e->t1_ms;
    }
    journal_flush(r);
}
