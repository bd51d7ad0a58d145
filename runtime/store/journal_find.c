/* journal_find.c - reading steps and messages from the journal.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/store/blob.h"
#include "runtime/store/cell_json.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"

void step_record_deinit(struct step_record *s)
{
    jv_unref(s->out);
    free(s->err);
    s->out = NULL;
    s->err = NULL;
}

static enum status record_of(struct store_reader *q, const struct step_cells *row,
                             struct step_record *out, struct error *err)
{
    struct step_record s = {
        .attempt = (int32_t)row->attempt,
        .tries = (int32_t)row->tries,
        .state = (enum step_state)row->state,
        .effect = (enum effect)row->effect,
        .t0_ms = row->t0,
        .t1_ms = row->t1 == CELL_NULL ? 0 : row->t1,
        .tok_in = row->tok_in == CELL_NULL ? 0 : row->tok_in,
        .tok_out = row->tok_out == CELL_NULL ? 0 : row->tok_out,
    };
    enum status st = cell_json(q, row->out_small, row->out, &s.out, err);

    if (st)
        return st;
    if (row->in_hash.n == sizeof(s.in_hash))
        memcpy(s.in_hash, row->in_hash.data, sizeof(s.in_hash));
    if (row->err.data)
        s.err = xstrndup(row->err.data, row->err.n);
    *out = s;
    return STATUS_OK;
}

enum status journal_find(struct run *r, const char *path, bool *found, struct step_record *out,
                         struct error *err)
{
    struct store_reader *q;
    struct step_cells row;
    sqlite3_stmt *st;
    enum status status = run_reader_for(r, RUN_STEP, path, &q, err);
    bool there;

    *found = false;
    if (status || !q)
        return status;
    st = db_stmt(&q->db, STMT_STEP_LATEST, err);
    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, r->writer->id);
    bind_words(st, 2, path);
    status = db_step(&q->db, st, &there, err);
    if (status)
        return status;
    if (there) {
        status = step_row_read(st, run_uuid(r), &row, err);
        if (status == STATUS_OK)
            status = record_of(q, &row, out, err);
        *found = status == STATUS_OK;
    }
    sqlite3_reset(st);
    return status;
}

static enum status append_message(struct store_reader *q, sqlite3_stmt *st, const char *run,
                                  struct json *list, struct error *err)
{
    struct msg_cells row;
    struct json *body = NULL;
    enum status status = msg_row_read(st, run, &row, err);

    if (status == STATUS_OK)
        status = cell_json(q, row.small, row.body, &body, err);
    if (status)
        return status;
    jv_append_adopt(list, body ? body : jv_null());
    return STATUS_OK;
}

enum status journal_messages(struct run *r, const char *thread, struct json **out,
                             struct error *err)
{
    struct store_reader *q;
    struct json *list;
    sqlite3_stmt *st;
    enum status status = run_reader_for(r, RUN_THREAD, thread, &q, err);
    bool row = true;

    if (status)
        return status;
    if (!q) {
        *out = jv_array();
        return STATUS_OK;
    }
    st = db_stmt(&q->db, STMT_MSG_THREAD, err);
    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, r->writer->id);
    bind_words(st, 2, thread);
    list = jv_array();
    while (status == STATUS_OK) {
        status = db_step(&q->db, st, &row, err);
        if (status || !row)
            break;
        status = append_message(q, st, run_uuid(r), list, err);
    }
    sqlite3_reset(st);
    if (status)
        jv_unref(list);
    else
        *out = list;
    return status;
}

enum status run_poll_cancelled(struct run *r, bool *cancelled, struct error *err)
{
    struct store_reader *q;
    sqlite3_stmt *st;
    char key[48];
    enum status status = run_reader(r, &q, err);

    if (status)
        return status;
    st = db_stmt(&q->db, STMT_META_GET, err);
    if (!st)
        return STATUS_FAILED;
    run_cancel_key(run_uuid(r), key);
    bind_words(st, 1, key);
    status = db_step(&q->db, st, cancelled, err);
    sqlite3_reset(st);
    return status;
}
