/* run_take.c - taking over a run: lock it, check its rows, raise its epoch.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/store/blob.h"
#include "runtime/store/run_lock.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"

#define CONFIG_MAX_BYTES ((size_t)64 << 20)

typedef enum status (*row_check)(struct store_reader *q, sqlite3_stmt *st, struct run *r,
                                 struct error *err);

static enum status for_each(struct store_reader *q, enum stmt_id id, struct run *r, row_check check,
                            struct error *err)
{
    sqlite3_stmt *st = db_stmt(&q->db, id, err);
    enum status status;
    bool row;

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, r->writer->id);
    for (;;) {
        status = db_step(&q->db, st, &row, err);
        if (status || !row)
            break;
        status = check(q, st, r, err);
        if (status)
            break;
    }
    sqlite3_reset(st);
    return status;
}

static enum status check_blob(struct store_reader *q, int64_t id, struct error *err)
{
    return id == CELL_NULL ? STATUS_OK : blob_get(&q->db, id, &q->text, err);
}

/* `where` names the row, the blob's own place goes into the message. */
static enum status of_row(enum status st, struct error *err, const char *table, struct cell key,
                          int64_t number)
{
    if (st)
        error_note(err, "%s %s %lld", table, cell_cstr(key), (long long)number);
    return st;
}

static enum status take_step(struct store_reader *q, sqlite3_stmt *st, struct run *r,
                             struct error *err)
{
    struct step_cells s;
    enum status status = step_row_read(st, r->writer->uuid, &s, err);

    if (status)
        return status;
    hash_set_add(&r->before, run_thing_hash(RUN_STEP, cell_cstr(s.path)));
    r->writer->has_tries |= s.tries != 1;
    if (s.seq >= r->writer->next_seq)
        r->writer->next_seq = s.seq + 1;
    status = check_blob(q, s.args, err);
    if (status == STATUS_OK)
        status = check_blob(q, s.out, err);
    return of_row(status, err, "step", s.path, s.attempt);
}

static enum status take_message(struct store_reader *q, sqlite3_stmt *st, struct run *r,
                                struct error *err)
{
    struct msg_cells m;
    enum status status = msg_row_read(st, r->writer->uuid, &m, err);

    if (status)
        return status;
    hash_set_add(&r->before, run_thing_hash(RUN_THREAD, cell_cstr(m.thread)));
    run_writer_set_next_message(r->writer, cell_cstr(m.thread), m.seq + 1); /* in order */
    return of_row(check_blob(q, m.body, err), err, "message", m.thread, m.seq);
}

static enum status take_wait(struct store_reader *q, sqlite3_stmt *st, struct run *r,
                             struct error *err)
{
    struct wait_cells w;
    enum status status = wait_row_read(st, r->writer->uuid, &w, err);

    (void)q;
    if (status)
        return status;
    hash_set_add(&r->before, run_thing_hash(RUN_WAIT, cell_cstr(w.path)));
    r->writer->n_waits += w.closed == CELL_NULL;
    return STATUS_OK;
}

static enum status take_tokens(struct store_reader *q, sqlite3_stmt *st, struct run *r,
                               struct error *err)
{
    struct tok_cells t;
    enum status status = tok_row_read(&q->db, st, r->writer->uuid, &q->text, &t, err);

    if (status)
        return status;
    hash_set_add(&r->before, run_thing_hash(RUN_TOKENS, cell_cstr(t.path)));
    if (t.seq >= r->writer->next_tok)
        r->writer->next_tok = t.seq + 1;
    return STATUS_OK;
}

static enum status take_episode(struct store_reader *q, sqlite3_stmt *st, struct run *r,
                                struct error *err)
{
    struct episode_cells e;

    (void)q;
    return episode_row_read(st, r->writer->uuid, &e, err);
}

static enum status load_run_row(struct store_reader *q, struct run *r, struct error *err)
{
    sqlite3_stmt *st = db_stmt(&q->db, STMT_RUN_GET, err);
    struct run_cells row;
    enum status status;
    bool found;

    if (!st)
        return STATUS_FAILED;
    bind_words(st, 1, r->writer->uuid);
    status = db_step(&q->db, st, &found, err);
    if (status)
        return status;
    if (!found)
        return error_set(err, STATUS_NOT_FOUND, "run %s not found", r->writer->uuid);
    status = run_row_read(st, &row, err);
    if (status == STATUS_OK)
        status = run_writer_from_row(r->writer, &row, err);
    if (status == STATUS_OK) {
        r->seed = (uint64_t)row.seed;
        r->prompt_format = (int32_t)row.prompt_format;
        r->root = row.root.data ? xstrndup(row.root.data, row.root.n) : NULL;
        r->source = row.source.data ? xstrndup(row.source.data, row.source.n) : NULL;
    }
    if (status == STATUS_OK && row.budget.data)
        status = jv_parse(row.budget.data, row.budget.n, "budget", &r->budget, err);
    if (status == STATUS_OK && row.output != CELL_NULL)
        status = of_row(check_blob(q, row.output, err), err, "output of run", row.uuid, row.epoch);
    if (status == STATUS_OK && row.config != CELL_NULL) {
        status = of_row(check_blob(q, row.config, err), err, "config of run", row.uuid, row.epoch);
        if (status == STATUS_OK)
            status = jv_parse_max(str_cstr(&q->text), q->text.len, CONFIG_MAX_BYTES, "config",
                                  &r->config, err);
    }
    sqlite3_reset(st);
    return status;
}

/* Reads and checks every row of the run of w->id into a new handle. */
static enum status run_load(struct store_reader *q, struct run *r, struct error *err)
{
    enum status st = load_run_row(q, r, err);

    if (st == STATUS_OK)
        st = for_each(q, STMT_STEP_ALL, r, take_step, err);
    if (st == STATUS_OK)
        st = for_each(q, STMT_MSG_ALL, r, take_message, err);
    if (st == STATUS_OK)
        st = for_each(q, STMT_WAIT_ALL, r, take_wait, err);
    if (st == STATUS_OK)
        st = for_each(q, STMT_TOK_ALL, r, take_tokens, err);
    if (st == STATUS_OK)
        st = for_each(q, STMT_EPISODE_ALL, r, take_episode, err);
    return st;
}

static enum status find_id(struct store_reader *q, const char *uuid, int64_t *id, struct error *err)
{
    sqlite3_stmt *st = db_stmt(&q->db, STMT_RUN_GET, err);
    enum status status;
    bool found;

    if (!st)
        return STATUS_FAILED;
    bind_words(st, 1, uuid);
    status = db_step(&q->db, st, &found, err);
    if (status)
        return status;
    if (found)
        *id = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return found ? STATUS_OK : error_set(err, STATUS_NOT_FOUND, "run %s not found", uuid);
}

/* arg: does it run again after it ended? */
static enum status apply_take(struct txn_context *c, const void *arg, struct error *err)
{
    const bool *again = arg;
    sqlite3_stmt *st = db_stmt(c->db, *again ? STMT_RUN_REOPEN : STMT_RUN_TAKE, err);
    int64_t epoch = c->run->epoch;
    struct run_cells row;
    enum status status;

    if (!st)
        return STATUS_FAILED;
    if (*again) {
        c->run->change.status = RUN_RUNNING;
        c->run->change.output = c->run->change.ended = CELL_NULL;
        free(c->run->change.error);
        c->run->change.error = NULL;
    }
    c->run->epoch++;
    row = run_change_cells(c->run);
    bind_int(st, 1, c->run->id);
    bind_int(st, 2, epoch);
    bind_int(st, 3, (int64_t)run_sum_change(&row));
    if (*again)
        bind_text(st, 4, row.status);
    status = db_run(c->db, st, err);
    if (status)
        return status;
    if (sqlite3_changes(c->db->handle) != 1)
        return error_set(err, STATUS_BUSY, "run %s was taken by another process", c->run->uuid);
    return STATUS_OK;
}

/* Rejects a run that has ended, for every caller. */
static enum status check_end(const struct run *r, bool again, struct error *err)
{
    enum run_status is = r->writer->change.status;

    if (!again && run_status_is_final(is))
        return run_refuse_ended(run_uuid(r), run_status_word(is), err);
    if (again && !run_status_is_final(is))
        return error_set(err, STATUS_INVALID, "run %s has not ended (%s)", run_uuid(r),
                         run_status_word(is));
    if (again && !run_status_is_repairable(is))
        return run_refuse_ended(run_uuid(r), run_status_word(is), err);
    return STATUS_OK;
}

/* The lock first, then the rows: nobody else writes them from here on. */
static enum status take(struct store *s, const char *uuid, bool again, struct run **out,
                        struct error *err)
{
    struct run *r = run_new(s, run_writer_new(uuid));
    struct store_reader *q = NULL;
    struct txn *t;
    bool *op;
    enum status st = store_reader_open(s, &q, err);

    if (st == STATUS_OK)
        st = find_id(q, uuid, &r->writer->id, err);
    if (st == STATUS_OK)
        st = run_lock_take(s->owners_path, r->writer->id, &r->writer->lock_fd, err);
    if (st == STATUS_OK)
        st = run_load(q, r, err);
    if (st == STATUS_OK)
        st = check_end(r, again, err);
    if (st == STATUS_OK) {
        t = txn_new_for_run(s, r->writer);
        op = txn_add(t, apply_take, sizeof(*op));
        if (op)
            *op = again;
        r->writer->is_taking = again;
        st = txn_post_wait(t, err);
        r->writer->is_taking = false;
    }
    if (st) {
        error_note(err, "taking run %s", uuid);
        store_reader_close(q);
        run_free(r);
        return st;
    }
    r->is_resumed = true;
    r->reader = q;
    *out = r;
    return STATUS_OK;
}

enum status run_take(struct store *s, const char *uuid, struct run **out, struct error *err)
{
    return take(s, uuid, false, out, err);
}

enum status run_reopen(struct store *s, const char *uuid, struct run **out, struct error *err)
{
    return take(s, uuid, true, out, err);
}
