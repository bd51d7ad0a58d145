/* store_schema.c - creating the schema, and rejecting files that are not stores.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "runtime/store/store_internal.h"

/* PRAGMA application_id: "Trpe". Marks the file as ours for other programs and for us. */
#define APPLICATION_ID 0x54727065

extern const char store_schema_text[]; /* schema.sql, embedded by CMakeLists.txt */

/* What identifies the file: both marks and whether it is empty, as of one moment (another
 * process may be creating the schema just now: read one by one they need not belong together). */
struct schema_marks {
    int64_t version, application, tables;
};

static enum status read_marks(struct store_db *db, struct schema_marks *m, struct error *err)
{
    enum status st = db_exec(db, "BEGIN", err);

    if (st)
        return st;
    st = db_query_int(db, "PRAGMA user_version", &m->version, err);
    if (st == STATUS_OK)
        st = db_query_int(db, "PRAGMA application_id", &m->application, err);
    if (st == STATUS_OK)
        st = db_query_int(db, "SELECT count(*) FROM sqlite_schema", &m->tables, err);
    (void)sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL); /* it only read */
    return st;
}

enum status store_schema_check(struct store_db *db, const char *path, bool *is_empty,
                               struct error *err)
{
    struct schema_marks m = {0};
    enum status st = read_marks(db, &m, err);

    if (st)
        return st;
    *is_empty = m.version == 0 && m.application == 0 && m.tables == 0;
    if (*is_empty)
        return STATUS_OK;
    if (m.application != APPLICATION_ID)
        return error_set(err, STATUS_CONFIG, "%s is a SQLite database of another program", path);
    if (m.version > STORE_SCHEMA_VERSION) {
        (void)error_set(err, STATUS_CONFIG,
                        "%s was written by a newer version of the program (store version %lld, "
                        "this program supports %d); it is unchanged",
                        path, (long long)m.version, STORE_SCHEMA_VERSION);
        error_hint(err, "use the newer program, or choose another store with --store");
        return STATUS_CONFIG;
    }
    if (m.version < 1)
        return error_set(err, STATUS_CONFIG, "%s has the unknown store version %lld", path,
                         (long long)m.version);
    db->version = (int)m.version;
    return STATUS_OK;
}

enum status store_schema_index(struct store_db *db, struct error *err)
{
    return db_exec(db, "CREATE INDEX IF NOT EXISTS step_by_seq ON step(run, seq)", err);
}

enum status store_schema_audit(struct store_db *db, struct error *err)
{
    return db_exec(db,
                   "CREATE TABLE IF NOT EXISTS call_audit ("
                   "id INTEGER PRIMARY KEY," /* 1, 2, 3, ... */
                   "at INTEGER NOT NULL, took INTEGER NOT NULL, effect INTEGER NOT NULL,"
                   "who TEXT NOT NULL, view TEXT NOT NULL, server TEXT NOT NULL,"
                   "method TEXT NOT NULL, target TEXT NOT NULL, decision TEXT NOT NULL,"
                   "rule TEXT NOT NULL, outcome TEXT NOT NULL, arguments BLOB NOT NULL,"
                   "chain BLOB NOT NULL) STRICT;"
                   "CREATE TRIGGER IF NOT EXISTS call_audit_stays BEFORE DELETE ON call_audit "
                   "BEGIN SELECT raise(ABORT, 'rows of call_audit stay'); END;"
                   "CREATE TRIGGER IF NOT EXISTS call_audit_is_as_written BEFORE UPDATE ON "
                   "call_audit BEGIN SELECT raise(ABORT, 'rows of call_audit stay'); END",
                   err);
}

enum status store_schema_create(struct store_db *db, struct error *err)
{
    char marks[96];
    enum status st = db_exec(db, "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE", err);

    if (st)
        return st;
    (void)snprintf(marks, sizeof(marks),
                   "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", APPLICATION_ID,
                   STORE_SCHEMA_VERSION);
    st = db_exec(db, store_schema_text, err);
    if (st == STATUS_OK)
        st = db_exec(db, marks, err);
    if (st && !sqlite3_get_autocommit(db->handle))
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return st;
}
