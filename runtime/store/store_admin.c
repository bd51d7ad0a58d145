/* store_admin.c - operations on a run that do not need to own it: answer, cancel, remove.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/store/query.h"
#include "runtime/store/run_lock.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"
#include "runtime/store/wait_rows.h"

struct admin_op {
    struct txn_text uuid, path, answer;
};

static struct txn *new_op(struct store *s, txn_apply apply, const char *uuid, const char *path,
                          const struct json *answer)
{
    struct txn *t = txn_new(s);
    struct admin_op *op = txn_add(t, apply, sizeof(*op));

    if (op) {
        op->uuid = txn_put_words(t, uuid);
        op->path = txn_put_words(t, path);
        op->answer = txn_put_json(t, answer);
    }
    return t;
}

/* The row of a run, its cells living until the statement is reset. */
static enum status get_run(struct txn_context *c, struct cell uuid, sqlite3_stmt **st,
                           struct run_cells *row, struct error *err)
{
    enum status status;
    bool there;

    *st = db_stmt(c->db, STMT_RUN_GET, err);
    if (!*st)
        return STATUS_FAILED;
    bind_text(*st, 1, uuid);
    status = db_step(c->db, *st, &there, err);
    if (status)
        return status;
    if (!there) {
        sqlite3_reset(*st);
        return error_set(err, STATUS_NOT_FOUND, "run %s not found", cell_cstr(uuid));
    }
    status = run_row_read(*st, row, err);
    if (status)
        sqlite3_reset(*st);
    return status;
}

/* The wait that an answer is for, when it takes one now. Only its keys are left in *wait. */
static enum status find_open_wait(struct txn_context *c, const struct run_cells *run,
                                  struct wait_cells *wait, struct error *err)
{
    sqlite3_stmt *st = db_stmt(c->db, STMT_WAIT_LATEST, err);
    bool has_ended = run->ended != CELL_NULL, there;
    struct wait_cells row = {.closed = CELL_NULL};
    enum status status;

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, run->id);
    bind_text(st, 2, wait->path);
    status = db_step(c->db, st, &there, err);
    if (status)
        return status;
    if (there) {
        status = wait_row_read(st, cell_cstr(run->uuid), &row, err);
        if (status == STATUS_OK)
            status = wait_check_open(&row, wait->answered, err);
        if (status == STATUS_OK && strcmp(cell_cstr(row.kind), "timer") == 0)
            status = error_set(err, STATUS_INVALID, "%s waits for a timer, not for an answer",
                               cell_cstr(wait->path));
    }
    sqlite3_reset(st);
    if (status == STATUS_OK && has_ended)
        return run_refuse_ended(cell_cstr(run->uuid), cell_cstr(run->status), err);
    if (status == STATUS_OK && !there)
        return error_set(err, STATUS_NOT_FOUND, "no question is open at %s", cell_cstr(wait->path));
    wait->run = run->id;
    wait->attempt = row.attempt;
    return status;
}

static enum status apply_answer(struct txn_context *c, const void *arg, struct error *err)
{
    const struct admin_op *op = arg;
    struct wait_cells wait = {
        .path = txn_cell(c->txn, op->path),
        .answer = txn_cell(c->txn, op->answer),
        .answered = store_now_ms(c->store),
        .closed = CELL_NULL,
        .closed_as = CELL_NULL,
    };
    struct run_cells run;
    sqlite3_stmt *st;
    enum status status = get_run(c, txn_cell(c->txn, op->uuid), &st, &run, err);

    if (status)
        return status;
    status = find_open_wait(c, &run, &wait, err);
    sqlite3_reset(st); /* the cells of the run's row lived until here */
    return status ? status : wait_row_change(c->db, &wait, err);
}

enum status store_answer(struct store *s, const char *uuid, const char *path,
                         const struct json *answer, struct error *err)
{
    enum status st = txn_post_wait(new_op(s, apply_answer, uuid, path, answer), err);

    if (st)
        error_note(err, "answering");
    return st;
}

void store_answer_later(struct store *s, const char *uuid, const char *path,
                        const struct json *answer, txn_done done, void *ctx)
{
    txn_post(new_op(s, apply_answer, uuid, path, answer), store_reply_box(s), done, ctx);
}

static enum status mark_cancelled(struct txn_context *c, const char *uuid, struct error *err)
{
    sqlite3_stmt *st = db_stmt(c->db, STMT_META_PUT, err);
    char key[48];

    if (!st)
        return STATUS_FAILED;
    run_cancel_key(uuid, key);
    bind_words(st, 1, key);
    bind_int(st, 2, store_now_ms(c->store));
    return db_run(c->db, st, err);
}

/* Without a live owner nobody reads a mark: the run ends here. */
static enum status end_cancelled(struct txn_context *c, const char *uuid,
                                 const struct run_cells *row, struct error *err)
{
    struct run_writer *w = run_writer_new(uuid);
    enum status st = run_writer_from_row(w, row, err);

    w->change.status = RUN_CANCELLED;
    w->change.ended = store_now_ms(c->store);
    if (st == STATUS_OK)
        st = run_writer_store_change(w, c->db, err);
    run_writer_unref(w);
    return st ? st : wait_close_all(c, row->id, RUN_CANCELLED, err);
}

static enum status apply_cancel(struct txn_context *c, const void *arg, struct error *err)
{
    const struct admin_op *op = arg;
    struct cell uuid = txn_cell(c->txn, op->uuid);
    struct error held = ERROR_INIT;
    struct run_cells row;
    sqlite3_stmt *st;
    int fd = -1;
    enum status status = get_run(c, uuid, &st, &row, err);

    if (status)
        return status;
    /* The row is changed while a statement that owns its cells is on it: allowed, since it
     * is the last row that the statement looks at. */
    if (row.ended != CELL_NULL)
        status = run_refuse_ended(cell_cstr(uuid), cell_cstr(row.status), err);
    else if (run_lock_take(c->store->owners_path, row.id, &fd, &held))
        status = mark_cancelled(c, cell_cstr(uuid), err);
    else
        status = end_cancelled(c, cell_cstr(uuid), &row, err);
    sqlite3_reset(st);
    if (fd >= 0)
        close(fd);
    return status;
}

enum status store_cancel(struct store *s, const char *uuid, struct error *err)
{
    return txn_post_wait(new_op(s, apply_cancel, uuid, NULL, NULL), err);
}

void store_cancel_later(struct store *s, const char *uuid, txn_done done, void *ctx)
{
    txn_post(new_op(s, apply_cancel, uuid, NULL, NULL), store_reply_box(s), done, ctx);
}

static enum status apply_remove(struct txn_context *c, const void *arg, struct error *err)
{
    const struct admin_op *op = arg;
    struct cell uuid = txn_cell(c->txn, op->uuid);
    struct run_cells row;
    sqlite3_stmt *st;
    char key[48];
    int fd = -1;
    enum status status = get_run(c, uuid, &st, &row, err);

    if (status == STATUS_CORRUPT && row.id > 0) /* a damaged run may go */
        status = STATUS_OK;
    if (status)
        return status;
    sqlite3_reset(st);
    status = run_lock_take(c->store->owners_path, row.id, &fd, err);
    if (status)
        return status;
    run_cancel_key(cell_cstr(uuid), key);
    st = db_stmt(c->db, STMT_META_DELETE, err);
    if (st) {
        bind_words(st, 1, key);
        status = db_run(c->db, st, err);
        st = db_stmt(c->db, STMT_META_DELETE_KEYS, err);
    }
    if (st && status == STATUS_OK) {
        bind_words(st, 1, cell_cstr(uuid));
        status = db_run(c->db, st, err);
        st = db_stmt(c->db, STMT_RUN_DELETE, err);
    }
    if (!st) {
        status = STATUS_FAILED;
    } else if (status == STATUS_OK) {
        bind_int(st, 1, row.id);
        status = db_run(c->db, st, err);
    }
    close(fd);
    return status;
}

enum status store_remove_run(struct store *s, const char *uuid, struct error *err)
{
    enum status st = txn_post_wait(new_op(s, apply_remove, uuid, NULL, NULL), err);

    if (st)
        error_note(err, "removing run %s", uuid);
    return st;
}

void store_remove_run_later(struct store *s, const char *uuid, txn_done done, void *ctx)
{
    txn_post(new_op(s, apply_remove, uuid, NULL, NULL), store_reply_box(s), done, ctx);
}
