/* store_schema.c - creating the schema, and refusing files that are not ours.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "runtime/store/store_internal.h"

/* PRAGMA application_id: "Trpe". Marks the file as ours for other programs and for us. */
#define APPLICATION_ID 0x54727065

extern const char store_schema_text[]; /* schema.sql, embedded by CMakeLists.txt */

enum status store_schema_check(struct store_db *db, const char *path, bool *is_empty,
                               struct error *err)
{
    int64_t version = 0, application = 0, tables = 0;
    enum status st = db_query_int(db, "PRAGMA user_version", &version, err);

    if (st == STATUS_OK)
        st = db_query_int(db, "PRAGMA application_id", &application, err);
    if (st == STATUS_OK)
        st = db_query_int(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (st)
        return st;
    *is_empty = version == 0 && application == 0 && tables == 0;
    if (*is_empty)
        return STATUS_OK;
    if (application != APPLICATION_ID)
        return error_set(err, STATUS_CONFIG, "%s is a database of another program", path);
    if (version > STORE_SCHEMA_VERSION) {
        (void)error_set(err, STATUS_CONFIG,
                        "%s was written by a newer version (store version %lld, this program "
                        "knows %d); it was left untouched",
                        path, (long long)version, STORE_SCHEMA_VERSION);
        error_hint(err, "use the newer program, or another --store");
        return STATUS_CONFIG;
    }
    if (version != STORE_SCHEMA_VERSION)
        return error_set(err, STATUS_CONFIG, "%s has the unknown store version %lld", path,
                         (long long)version);
    return STATUS_OK;
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
