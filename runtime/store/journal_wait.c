/* journal_wait.c - questions of a run: asking, reading the answer, deadlines.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/memory.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"
#include "runtime/store/wait_rows.h"

struct wait_op {
    struct txn_text path, kind, prompt;
    int32_t attempt;
    int64_t deadline;
};

static enum status count_open(struct txn_context *c, struct error *err)
{
    sqlite3_stmt *st = db_stmt(c->db, STMT_WAIT_OPEN_COUNT, err);
    enum status status;
    bool row;

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, c->run->id);
    status = db_step(c->db, st, &row, err);
    if (status == STATUS_OK && row)
        c->run->n_waits = cell_int(st, 0);
    sqlite3_reset(st);
    return status;
}

/* One that is open already keeps its answer: the question is asked once. */
static enum status apply_wait(struct txn_context *c, const void *arg, struct error *err)
{
    const struct wait_op *op = arg;
    struct wait_cells row = {
        .run = c->run->id,
        .path = txn_cell(c->txn, op->path),
        .attempt = op->attempt,
        .kind = txn_cell(c->txn, op->kind),
        .prompt = txn_cell(c->txn, op->prompt),
        .deadline = op->deadline,
        .answered = CELL_NULL,
        .closed = CELL_NULL,
        .closed_as = CELL_NULL,
    };
    sqlite3_stmt *st = db_stmt(c->db, STMT_WAIT_PUT, err);
    enum status status;

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, row.run);
    bind_text(st, 2, row.path);
    bind_int(st, 3, row.attempt);
    bind_text(st, 4, row.kind);
    bind_text(st, 5, row.prompt);
    bind_int(st, 6, row.deadline);
    sqlite3_bind_int64(st, 7, sum_of_halves(wait_sum_question(&row), wait_sum_answer(&row)));
    status = db_run(c->db, st, err);
    return status ? status : count_open(c, err);
}

void journal_wait(struct run *r, const char *path, int32_t attempt, const char *kind,
                  const struct json *prompt, int64_t deadline_ms)
{
    struct txn *t = run_txn(r);
    struct wait_op *op = txn_add(t, apply_wait, sizeof(*op));

    if (!op)
        return;
    op->path = txn_put_words(t, path);
    op->kind = txn_put_words(t, kind);
    op->prompt = prompt ? txn_put_json(t, prompt) : txn_put_words(t, "null");
    op->attempt = attempt;
    op->deadline = deadline_ms > 0 ? deadline_ms : CELL_NULL;
    hash_set_add(&r->touched, run_thing_hash(RUN_WAIT, path));
}

struct close_op {
    struct txn_text path;
    int32_t attempt;
    int32_t state;
    bool unless_answered;
};

static enum status apply_close(struct txn_context *c, const void *arg, struct error *err)
{
    const struct close_op *op = arg;
    struct cell path = txn_cell(c->txn, op->path);
    sqlite3_stmt *st = db_stmt(c->db, STMT_WAIT_GET, err);
    struct wait_cells w;
    enum status status;
    bool there, keep = true;

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, c->run->id);
    bind_text(st, 2, path);
    bind_int(st, 3, op->attempt);
    status = db_step(c->db, st, &there, err);
    if (status)
        return status;
    if (there) {
        status = wait_row_read(st, c->run->uuid, &w, err);
        keep = op->unless_answered && wait_has_answer(&w);
    }
    sqlite3_reset(st);
    if (status || !there || keep)
        return status;
    return wait_close_under(c, path, op->attempt, op->state, err);
}

static void post_close(struct run *r, const char *path, int32_t attempt, enum step_state state,
                       bool unless_answered)
{
    struct txn *t = run_txn(r);
    struct close_op *op = txn_add(t, apply_close, sizeof(*op));

    if (!op)
        return;
    op->path = txn_put_words(t, path);
    op->attempt = attempt;
    op->state = (int32_t)state;
    op->unless_answered = unless_answered;
}

void journal_wait_close(struct run *r, const char *path, int32_t attempt)
{
    post_close(r, path, attempt, STEP_OK, false);
}

void journal_wait_expire(struct run *r, const char *path, int32_t attempt)
{
    post_close(r, path, attempt, STEP_TIMEOUT, true);
}

/* Asked again and again while others of the run write: it never waits for them. A
 * question that is not on disk yet has no answer. */
enum status journal_wait_answer(struct run *r, const char *path, int32_t attempt,
                                struct json **answer, struct error *err)
{
    struct store_reader *q;
    struct wait_cells row;
    sqlite3_stmt *st;
    enum status status = run_reader(r, &q, err);
    bool there;

    *answer = NULL;
    if (status)
        return status;
    st = db_stmt(&q->db, STMT_WAIT_GET, err);
    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, r->writer->id);
    bind_words(st, 2, path);
    bind_int(st, 3, attempt);
    status = db_step(&q->db, st, &there, err);
    if (status)
        return status;
    if (there) {
        status = wait_row_read(st, run_uuid(r), &row, err);
        /* One of a closed question was used. */
        if (status == STATUS_OK && row.closed == CELL_NULL && wait_has_answer(&row))
            status = jv_parse(row.answer.data, row.answer.n, "answer", answer, err);
    }
    sqlite3_reset(st);
    return status;
}
