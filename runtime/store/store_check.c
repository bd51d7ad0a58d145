/* store_check.c - reads the whole store, and names the place of each error.
 *
 * SQLite's own check covers pages and keys but not values: it does not detect a flipped bit
 * in a text. The sums of rows and the hashes of blobs do. A damaged page ends the scan of
 * its table, not of the others.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/store/blob.h"
#include "runtime/store/call_audit.h"
#include "runtime/store/call_fold.h"
#include "runtime/store/rows.h"
#include "runtime/store/store_internal.h"
#include "runtime/store/token_rows.h"

struct check {
    struct store_reader *q;
    struct calls_left *calls; /* rows that are not in their table yet */
    struct str *report;
    int64_t n_found;
    struct str plain;    /* unpacked content */
    struct arena *arena; /* unpacked token records */
    int64_t uuid_of;     /* the run that `uuid` names */
    char uuid[64];
    int64_t run, seq; /* of the row before, for gaps */
    int64_t max_rows; /* that the file can hold; pages of a damaged one may be linked many times */
    char thread[512];
};

static void found(struct check *c, const struct error *err)
{
    c->n_found++;
    if (err->where[0])
        str_printf(c->report, "%s: ", err->where);
    str_printf(c->report, "%s\n", err->message);
}

/* The run's uuid, or its number when the run's row is missing. */
static const char *name_run(struct check *c, int64_t id)
{
    struct error err;
    sqlite3_stmt *st;
    bool row = false;

    if (c->uuid_of == id && c->uuid[0])
        return c->uuid;
    c->uuid_of = id;
    (void)snprintf(c->uuid, sizeof(c->uuid), "#%lld", (long long)id);
    st = db_stmt(&c->q->db, STMT_RUN_UUID, &err);
    if (!st)
        return c->uuid;
    bind_int(st, 1, id);
    if (db_step(&c->q->db, st, &row, &err) == STATUS_OK && row)
        (void)snprintf(c->uuid, sizeof(c->uuid), "%.60s", cell_cstr(cell_text(st, 0)));
    sqlite3_reset(st);
    return c->uuid;
}

#define ROW_BYTES                                                                                  \
    6 /* of the smallest row: its cell and the pointer to it (SQLite, "File Format") */

static int64_t pragma_int(struct check *c, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t value = 0;

    if (sqlite3_prepare_v2(c->q->db.handle, sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        value = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return value;
}

static int64_t max_rows(struct check *c)
{
    return pragma_int(c, "PRAGMA page_count") * pragma_int(c, "PRAGMA page_size") / ROW_BYTES;
}

typedef void (*check_row)(struct check *c, sqlite3_stmt *st);

static void scan(struct check *c, enum stmt_id id, const char *table, check_row check)
{
    struct error err = ERROR_INIT;
    sqlite3_stmt *st = db_stmt(&c->q->db, id, &err);
    bool row = st != NULL;
    int64_t left = c->max_rows;

    c->run = -1;
    while (row && left-- > 0 && db_step(&c->q->db, st, &row, &err) == STATUS_OK && row)
        check(c, st);
    if (left < 0)
        error_set(&err, STATUS_CORRUPT, "it has more rows than its file can hold");
    if (st)
        sqlite3_reset(st);
    if (err.status) {
        error_note(&err, "table %s", table);
        found(c, &err);
    }
}

/* The rows that use a damaged blob. */
static void name_users(struct check *c, int64_t blob)
{
    struct error err = ERROR_INIT;
    sqlite3_stmt *st = db_stmt(&c->q->db, STMT_BLOB_USERS, &err);
    bool row = true;
    int64_t left = c->max_rows;

    if (!st)
        return;
    bind_int(st, 1, blob);
    while (left-- > 0 && db_step(&c->q->db, st, &row, &err) == STATUS_OK && row)
        str_printf(c->report, "  blob %lld is named by %s run=%s path=%s %lld\n", (long long)blob,
                   cell_cstr(cell_text(st, 0)), name_run(c, cell_int(st, 1)),
                   cell_cstr(cell_text(st, 2)), (long long)cell_int(st, 3));
    sqlite3_reset(st);
}

static void check_blob(struct check *c, sqlite3_stmt *st)
{
    struct error err = ERROR_INIT;
    int64_t id = cell_int(st, 0);

    if (blob_check_row(&c->q->db, st, &c->plain, &err)) {
        found(c, &err);
        name_users(c, id);
    }
}

static void check_run(struct check *c, sqlite3_stmt *st)
{
    struct error err = ERROR_INIT;
    struct run_cells row;

    if (run_row_read(st, &row, &err))
        found(c, &err);
}

static void check_step(struct check *c, sqlite3_stmt *st)
{
    struct error err = ERROR_INIT;
    struct step_cells row;

    if (step_row_read(st, name_run(c, cell_int(st, 0)), &row, &err))
        found(c, &err);
}

static void check_message(struct check *c, sqlite3_stmt *st)
{
    struct error err = ERROR_INIT;
    struct msg_cells row;
    const char *uuid = name_run(c, cell_int(st, 0));
    int64_t expected;

    if (msg_row_read(st, uuid, &row, &err))
        found(c, &err);
    expected = c->run == row.run && strcmp(c->thread, cell_cstr(row.thread)) == 0 ? c->seq + 1 : 0;
    if (row.seq != expected) {
        error_clear(&err);
        (void)error_set(&err, STATUS_CORRUPT,
                        "msg run=%s thread=%s: expected message %lld, found %lld", uuid,
                        cell_cstr(row.thread), (long long)expected, (long long)row.seq);
        found(c, &err);
    }
    c->run = row.run;
    c->seq = row.seq;
    (void)snprintf(c->thread, sizeof(c->thread), "%s", cell_cstr(row.thread));
}

static void check_wait(struct check *c, sqlite3_stmt *st)
{
    struct error err = ERROR_INIT;
    struct wait_cells row;

    if (wait_row_read(st, name_run(c, cell_int(st, 0)), &row, &err))
        found(c, &err);
}

static void check_tokens(struct check *c, sqlite3_stmt *st)
{
    struct error err = ERROR_INIT;
    struct tok_cells row;
    struct token_record record;
    enum status status =
        tok_row_read(&c->q->db, st, name_run(c, cell_int(st, 0)), &c->plain, &row, &err);

    if (status == STATUS_OK)
        status = token_row_unpack(&row, c->arena, &record, &err);
    if (status)
        found(c, &err);
    arena_reset(c->arena);
}

static void check_episode(struct check *c, sqlite3_stmt *st)
{
    struct error err = ERROR_INIT;
    struct episode_cells row;
    enum status status = episode_row_read(st, name_run(c, cell_int(st, 0)), &row, &err);

    if (status == STATUS_OK && row.rec.data) {
        status = blob_decompress(&c->q->db, row.rec, (size_t)1 << 30, &c->plain, &err);
        if (status)
            error_note(&err, "episode run=%s path=%s", c->uuid, cell_cstr(row.path));
    }
    if (status)
        found(c, &err);
}

static void check_seq(struct check *c, sqlite3_stmt *st)
{
    struct error err = ERROR_INIT;
    int64_t run = cell_int(st, 0), seq = cell_int(st, 1);
    int64_t expected = c->run == run ? c->seq + 1 : 0;

    if (seq != expected) {
        (void)error_set(&err, STATUS_CORRUPT, "step run=%s: expected seq %lld, found %lld (a gap)",
                        name_run(c, run), (long long)expected, (long long)seq);
        found(c, &err);
    }
    c->run = run;
    c->seq = seq;
}

/* PRAGMA integrity_check gives "ok" or one line a fault; foreign_key_check a row a fault. */
static void check_pragma(struct check *c, const char *sql, bool is_ok_when_ok)
{
    struct error err = ERROR_INIT;
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(c->q->db.handle, sql, -1, &st, NULL);

    while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *text = cell_cstr(cell_text(st, 0));

        rc = SQLITE_OK;
        if (is_ok_when_ok && strcmp(text, "ok") == 0)
            continue;
        error_clear(&err);
        (void)error_set(&err, STATUS_CORRUPT, "%s: %s", sql, text);
        found(c, &err);
    }
    if (rc != SQLITE_DONE && rc != SQLITE_OK) {
        (void)db_error(&c->q->db, rc, sql, &err);
        found(c, &err);
    }
    sqlite3_finalize(st);
}

static void check_calls(struct check *c)
{
    struct error err = ERROR_INIT;

    if (call_audit_check(c->q, &err) || (c->calls && calls_check(c->calls, &c->q->db, &err)))
        found(c, &err);
    calls_left_free(c->calls);
}

enum status store_check(struct store *s, struct str *report, struct error *err)
{
    struct check c = {.report = report, .plain = STR_INIT, .uuid_of = -1};
    struct error calls = ERROR_INIT;
    enum status st = call_audit_settle(s, err);

    if (st == STATUS_OK && calls_look(s->path, &c.calls, &calls)) /* before the table is read */
        found(&c, &calls);
    if (st == STATUS_OK)
        st = store_reader_open(s, &c.q, err);
    if (st) {
        calls_left_free(c.calls);
        return st;
    }
    c.arena = arena_new(4096);
    c.plain.max = (size_t)1 << 30;
    c.max_rows = max_rows(&c);
    check_pragma(&c, "PRAGMA integrity_check", true);
    check_pragma(&c, "PRAGMA foreign_key_check", false);
    scan(&c, STMT_BLOB_ALL, "blob", check_blob);
    scan(&c, STMT_CHECK_RUN, "run", check_run);
    scan(&c, STMT_CHECK_STEP, "step", check_step);
    scan(&c, STMT_CHECK_SEQ, "step", check_seq);
    scan(&c, STMT_CHECK_MSG, "msg", check_message);
    scan(&c, STMT_CHECK_WAIT, "wait", check_wait);
    scan(&c, STMT_CHECK_TOK, "tok", check_tokens);
    scan(&c, STMT_CHECK_EPISODE, "episode", check_episode);
    check_calls(&c);
    store_reader_close(c.q);
    arena_free(c.arena);
    str_deinit(&c.plain);
    if (c.n_found == 0)
        return STATUS_OK;
    return error_set(err, STATUS_CORRUPT, "store %s: %lld finding%s", s->path, (long long)c.n_found,
                     plural_s(c.n_found));
}
