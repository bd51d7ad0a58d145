/* journal.c - intend, finish, messages: what a run writes.
 *
 * Each of these is an operation of the run's open transaction: arguments are copied on
 * the loop thread, SQL runs on the store thread, which also counts seq and messages, so
 * that numbers follow the order of commits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/journal.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/store/blob.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"
#include "runtime/store/wait_rows.h"

const char *step_state_name(enum step_state s)
{
    static const char *const name[] = {
        [STEP_STARTED] = "started",   [STEP_OK] = "ok",           [STEP_ERROR] = "error",
        [STEP_TIMEOUT] = "timeout",   [STEP_BUDGET] = "budget",   [STEP_CANCELLED] = "cancelled",
        [STEP_REJECTED] = "rejected", [STEP_WAITING] = "waiting",
    };

    return (size_t)s < ARRAY_LEN(name) ? name[s] : "unknown";
}

static const enum status statuses[] = {
    [STEP_STARTED] = STATUS_FAILED,    [STEP_OK] = STATUS_OK,
    [STEP_ERROR] = STATUS_FAILED,      [STEP_TIMEOUT] = STATUS_TIMEOUT,
    [STEP_BUDGET] = STATUS_BUDGET,     [STEP_CANCELLED] = STATUS_CANCELLED,
    [STEP_REJECTED] = STATUS_REJECTED, [STEP_WAITING] = STATUS_WAITING,
};

enum step_state step_state_of(enum status st)
{
    for (int s = STEP_OK; s < (int)ARRAY_LEN(statuses); s++)
        if (statuses[s] == st)
            return (enum step_state)s;
    return STEP_ERROR;
}

enum status step_state_status(enum step_state s)
{
    return (size_t)s < ARRAY_LEN(statuses) ? statuses[s] : STATUS_FAILED;
}

/* SHA-256 of [uuid 0] path 0 attempt as text. */
static struct sha256 key_hash(const char *uuid, const char *path, int32_t attempt)
{
    char small[512];
    size_t n = 0, path_bytes = strlen(path);
    struct str large = STR_INIT;
    struct sha256 h;

    if (path_bytes < sizeof(small) - 64) { /* the usual case allocates nothing */
        int w = uuid ? snprintf(small, sizeof(small), "%s%c%s%c%d", uuid, 0, path, 0, attempt)
                     : snprintf(small, sizeof(small), "%s%c%d", path, 0, attempt);

        n = (size_t)w;
        return sha256_of(small, n);
    }
    if (uuid)
        str_append(&large, uuid, strlen(uuid) + 1);
    str_append(&large, path, path_bytes + 1);
    str_put_i64(&large, attempt);
    h = sha256_of(str_cstr(&large), large.len);
    str_deinit(&large);
    return h;
}

struct sha256 journal_idem(const struct run *r, const char *path, int32_t attempt)
{
    return key_hash(r->writer->uuid, path, attempt);
}

uint64_t journal_call_id(const char *path, int32_t attempt)
{
    struct sha256 h = key_hash(NULL, path, attempt);

    return sha256_first64(&h);
}

struct intend_op {
    struct txn_text path, kind, name, args;
    int32_t attempt;
    int32_t effect;
    bool has_hash;
    uint8_t in_hash[16];
    int64_t t0;
};

/* How often the step's attempt was started. */
static enum status read_tries(struct txn_context *c, struct step_cells *row, struct error *err)
{
    sqlite3_stmt *st = db_stmt(c->db, STMT_STEP_TRIES, err);
    enum status status;
    bool there;

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, c->run->id);
    bind_text(st, 2, row->path);
    bind_int(st, 3, row->attempt);
    status = db_step(c->db, st, &there, err);
    if (status)
        return status;
    row->tries = there ? cell_int(st, 0) : 1;
    sqlite3_reset(st);
    return STATUS_OK;
}

static enum status count_try(struct txn_context *c, const struct step_cells *row, struct error *err)
{
    /* The result half of a step that has none. */
    struct step_cells started = {.path = row->path,
                                 .attempt = row->attempt,
                                 .tries = row->tries + 1,
                                 .out = CELL_NULL,
                                 .t1 = CELL_NULL,
                                 .tok_in = CELL_NULL,
                                 .tok_out = CELL_NULL};
    sqlite3_stmt *st = db_stmt(c->db, STMT_STEP_AGAIN, err);

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, row->run);
    bind_text(st, 2, row->path);
    bind_int(st, 3, row->attempt);
    bind_int(st, 4, (int64_t)step_sum_result(&started));
    bind_int(st, 5, started.tries);
    c->run->has_tries = true;
    return db_run(c->db, st, err);
}

static void bind_intent(sqlite3_stmt *st, const struct step_cells *row)
{
    bind_int(st, 1, row->run);
    bind_text(st, 2, row->path);
    bind_int(st, 3, row->attempt);
    bind_int(st, 4, row->seq);
    bind_text(st, 5, row->kind);
    bind_text(st, 6, row->name);
    bind_int(st, 7, row->effect);
    bind_bytes(st, 8, row->in_hash);
    bind_bytes(st, 9, row->idem);
    bind_text(st, 10, row->args_small);
    bind_int(st, 11, row->args);
    bind_int(st, 12, row->t0);
    sqlite3_bind_int64(st, 13, sum_of_halves(step_sum_intent(row), step_sum_result(row)));
}

static enum status apply_intend(struct txn_context *c, const void *arg, struct error *err)
{
    const struct intend_op *op = arg;
    struct sha256 idem;
    struct step_cells row = {
        .run = c->run->id,
        .path = txn_cell(c->txn, op->path),
        .attempt = op->attempt,
        .seq = c->run->next_seq,
        .kind = txn_cell(c->txn, op->kind),
        .name = txn_cell(c->txn, op->name),
        .effect = op->effect,
        .tries = 1,
        .state = STEP_STARTED,
        .out = CELL_NULL,
        .t0 = op->t0,
        .t1 = CELL_NULL,
        .tok_in = CELL_NULL,
        .tok_out = CELL_NULL,
    };
    sqlite3_stmt *st = db_stmt(c->db, STMT_STEP_INTEND, err);
    enum status status;

    if (!st)
        return STATUS_FAILED;
    if (op->has_hash)
        row.in_hash = (struct cell){op->in_hash, sizeof(op->in_hash)};
    if (op->effect >= EFFECT_IDEMPOTENT) {
        idem = key_hash(c->run->uuid, cell_cstr(row.path), op->attempt);
        row.idem = (struct cell){idem.byte, sizeof(idem.byte)};
    }
    status = blob_put_text(c->db, txn_cell(c->txn, op->args), &row.args_small, &row.args, err);
    if (status)
        return status;
    bind_intent(st, &row);
    status = db_run(c->db, st, err);
    if (status)
        return status;
    if (sqlite3_changes(c->db->handle) == 0) {
        status = read_tries(c, &row, err);
        return status ? status : count_try(c, &row, err);
    }
    c->run->next_seq++;
    return STATUS_OK;
}

void journal_intend(struct run *r, const struct step_intent *s)
{
    struct txn *t = run_txn(r);
    struct intend_op *op = txn_add(t, apply_intend, sizeof(*op));

    if (r->observer)
        r->observer->intended(r->observer->ctx, s);
    if (!op)
        return;
    op->path = txn_put_words(t, s->path);
    op->kind = txn_put_words(t, s->kind);
    op->name = txn_put_words(t, s->name);
    op->args = txn_put_json(t, s->args);
    op->attempt = s->attempt;
    op->effect = (int32_t)s->effect;
    op->has_hash = s->in_hash != NULL;
    if (s->in_hash)
        memcpy(op->in_hash, s->in_hash, sizeof(op->in_hash));
    op->t0 = store_now_ms(r->store);
    hash_set_add(&r->touched, run_thing_hash(RUN_STEP, s->path));
}

struct finish_op {
    struct txn_text path, out, err;
    int32_t attempt;
    int32_t state;
    int64_t tok_in, tok_out, t1;
};

static enum status apply_finish(struct txn_context *c, const void *arg, struct error *err)
{
    const struct finish_op *op = arg;
    struct step_cells row = {
        .path = txn_cell(c->txn, op->path),
        .attempt = op->attempt,
        .tries = 1,
        .state = op->state,
        .err = txn_cell(c->txn, op->err),
        .t1 = op->t1,
        .tok_in = op->tok_in,
        .tok_out = op->tok_out,
    };
    sqlite3_stmt *st = db_stmt(c->db, STMT_STEP_FINISH, err);
    enum status status;

    if (!st)
        return STATUS_FAILED;
    status = blob_put_text(c->db, txn_cell(c->txn, op->out), &row.out_small, &row.out, err);
    if (status == STATUS_OK && c->run->has_tries)
        status = read_tries(c, &row, err);
    if (status)
        return status;
    bind_int(st, 1, c->run->id);
    bind_text(st, 2, row.path);
    bind_int(st, 3, row.attempt);
    bind_int(st, 4, row.state);
    bind_text(st, 5, row.out_small);
    bind_int(st, 6, row.out);
    bind_text(st, 7, row.err);
    bind_int(st, 8, row.t1);
    bind_int(st, 9, row.tok_in);
    bind_int(st, 10, row.tok_out);
    bind_int(st, 11, (int64_t)step_sum_result(&row));
    status = db_run(c->db, st, err);
    if (status == STATUS_OK && sqlite3_changes(c->db->handle) != 1)
        return error_set(err, STATUS_FAILED, "step %s attempt %d was finished without an intent",
                         cell_cstr(row.path), op->attempt);
    if (status || row.state == STEP_STARTED || row.state == STEP_WAITING)
        return status;
    return wait_close_under(c, row.path, row.attempt, row.state, err);
}

void journal_finish(struct run *r, const struct step_result *s)
{
    struct txn *t = run_txn(r);
    struct finish_op *op = txn_add(t, apply_finish, sizeof(*op));

    if (r->observer)
        r->observer->finished(r->observer->ctx, s);
    if (!op)
        return;
    op->path = txn_put_words(t, s->path);
    op->out = txn_put_json(t, s->out);
    op->err = txn_put_words(t, s->err);
    op->attempt = s->attempt;
    op->state = (int32_t)s->state;
    op->tok_in = s->tok_in;
    op->tok_out = s->tok_out;
    op->t1 = store_now_ms(r->store);
    hash_set_add(&r->touched, run_thing_hash(RUN_STEP, s->path));
}

/* ---- observers */

void run_observe(struct run *r, const struct run_observer *o)
{
    r->observer = o;
}

void run_set_trace(struct run *r, const struct trace_context *c)
{
    r->trace = *c;
}

void run_trace_around(const struct run *r, uint8_t span[8])
{
    memcpy(span, r->trace.span, sizeof(r->trace.span));
}

struct trace_context run_trace_of_step(const struct run *r, const char *path, int32_t attempt)
{
    struct trace_context c = r->trace;

    if (trace_context_is_set(&c))
        trace_span_of_step(r->writer->uuid, path, attempt, c.span);
    return c;
}

struct message_op {
    struct txn_text thread, role, body;
};

static enum status apply_message(struct txn_context *c, const void *arg, struct error *err)
{
    const struct message_op *op = arg;
    struct msg_cells row = {
        .run = c->run->id,
        .thread = txn_cell(c->txn, op->thread),
        .role = txn_cell(c->txn, op->role),
    };
    sqlite3_stmt *st = db_stmt(c->db, STMT_MSG_PUT, err);
    enum status status;

    if (!st)
        return STATUS_FAILED;
    row.seq = run_writer_next_message(c->run, cell_cstr(row.thread));
    status = blob_put_text(c->db, txn_cell(c->txn, op->body), &row.small, &row.body, err);
    if (status)
        return status;
    bind_int(st, 1, row.run);
    bind_text(st, 2, row.thread);
    bind_int(st, 3, row.seq);
    bind_text(st, 4, row.role);
    bind_text(st, 5, row.small);
    bind_int(st, 6, row.body);
    bind_int(st, 7, (int64_t)msg_sum(&row));
    return db_run(c->db, st, err);
}

void journal_message(struct run *r, const char *thread, const char *role, const struct json *body)
{
    struct txn *t = run_txn(r);
    struct message_op *op = txn_add(t, apply_message, sizeof(*op));

    if (!op)
        return;
    op->thread = txn_put_words(t, thread);
    op->role = txn_put_words(t, role);
    op->body = txn_put_json(t, body);
    hash_set_add(&r->touched, run_thing_hash(RUN_THREAD, thread));
}
