/* store_admin.c - what any process may do to a run without holding it: answer, cancel,
 * remove.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/store/query.h"
#include "runtime/store/run_lock.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"

struct admin_op {
    struct txn_text uuid, path, answer;
};

/* Posts one operation and waits. */
static enum status post_op(struct store *s, txn_apply apply, const char *uuid, const char *path,
                           const struct json *answer, struct error *err)
{
    struct txn *t = txn_new(s);
    struct admin_op *op = txn_add(t, apply, sizeof(*op));

    if (op) {
        op->uuid = txn_put_words(t, uuid);
        op->path = txn_put_words(t, path);
        op->answer = txn_put_json(t, answer);
    }
    return txn_post_wait(t, err);
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
        return error_set(err, STATUS_NOT_FOUND, "there is no run %s", cell_cstr(uuid));
    }
    status = run_row_read(*st, row, err);
    if (status)
        sqlite3_reset(*st);
    return status;
}

static enum status find_open_wait(struct txn_context *c, int64_t run, struct cell path,
                                  int64_t *attempt, struct error *err)
{
    sqlite3_stmt *st = db_stmt(c->db, STMT_WAIT_LATEST, err);
    struct wait_cells row;
    enum status status;
    bool there;

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, run);
    bind_text(st, 2, path);
    status = db_step(c->db, st, &there, err);
    if (status)
        return status;
    if (!there) {
        status = error_set(err, STATUS_NOT_FOUND, "nothing waits at %s", cell_cstr(path));
    } else {
        status = wait_row_read(st, "", &row, err);
        *attempt = row.attempt;
        if (status == STATUS_OK && row.answer.data)
            status = error_set(err, STATUS_INVALID, "%s was answered already", cell_cstr(path));
    }
    sqlite3_reset(st);
    return status;
}

static enum status apply_answer(struct txn_context *c, const void *arg, struct error *err)
{
    const struct admin_op *op = arg;
    struct wait_cells wait = {
        .path = txn_cell(c->txn, op->path),
        .answer = txn_cell(c->txn, op->answer),
        .answered = store_now_ms(c->store),
    };
    struct run_cells run;
    sqlite3_stmt *st;
    enum status status = get_run(c, txn_cell(c->txn, op->uuid), &st, &run, err);

    if (status)
        return status;
    sqlite3_reset(st);
    status = find_open_wait(c, run.id, wait.path, &wait.attempt, err);
    if (status)
        return status;
    st = db_stmt(c->db, STMT_WAIT_ANSWER, err);
    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, run.id);
    bind_text(st, 2, wait.path);
    bind_int(st, 3, wait.attempt);
    bind_text(st, 4, wait.answer);
    bind_int(st, 5, wait.answered);
    bind_int(st, 6, (int64_t)wait_sum_answer(&wait));
    return db_run(c->db, st, err);
}

enum status store_answer(struct store *s, const char *uuid, const char *path,
                         const struct json *answer, struct error *err)
{
    enum status st = post_op(s, apply_answer, uuid, path, answer, err);

    if (st)
        error_note(err, "answering");
    return st;
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

/* Nobody is there to see a mark: the run ends here. */
static enum status end_cancelled(struct txn_context *c, const char *uuid,
                                 const struct run_cells *row, struct error *err)
{
    struct run_writer *w = run_writer_new(uuid);
    enum status st;

    w->id = row->id;
    run_change_from_row(&w->change, row);
    free(w->change.status);
    w->change.status = xstrdup("cancelled");
    w->change.ended = store_now_ms(c->store);
    st = run_writer_store_change(w, c->db, err);
    run_writer_unref(w);
    return st;
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
    if (row.ended != CELL_NULL)
        status = error_set(err, STATUS_INVALID, "run %s has ended already", cell_cstr(uuid));
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
    return post_op(s, apply_cancel, uuid, NULL, NULL, err);
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
    enum status st = post_op(s, apply_remove, uuid, NULL, NULL, err);

    if (st)
        error_note(err, "removing run %s", uuid);
    return st;
}
