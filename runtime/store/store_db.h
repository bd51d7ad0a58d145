/* store_db.h - one SQLite connection with its prepared statements and compressors.
 *
 * Inside runtime/store only. A connection belongs to one thread at a time. Bound bytes
 * are not copied: they must stay valid until the statement has run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_STORE_DB_H
#define TROUPE_RUNTIME_STORE_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zstd.h>

#include "runtime/base/status.h"
#include "runtime/base/str.h"

enum stmt_id {
#define STMT(name, sql) STMT_##name,
#include "runtime/store/store_sql.def"
#undef STMT
    STMT_N
};

/* An integer column that is NULL. */
#define CELL_NULL INT64_MIN

/* Text or bytes of a column; data NULL is SQL's NULL. */
struct cell {
    const void *data;
    size_t n;
};

struct store_db {
    sqlite3 *handle;
    int version; /* of the store, PRAGMA user_version: what its statements are made for */
    sqlite3_stmt *stmt[STMT_N];
    ZSTD_CCtx *pack;   /* made on first use */
    ZSTD_DCtx *unpack; /* made on first use */
    struct str scratch;
    int32_t zstd_above_bytes; /* -1: never */
};

/* DB_FROZEN: no process can write the file, so no lock and no WAL index is needed. */
enum db_mode { DB_READ, DB_FROZEN, DB_WRITE, DB_CREATE };

/* vfs NULL: SQLite's own. Sets the common pragmas; does not check the schema. */
MUST_CHECK enum status db_open(struct store_db *db, const char *path, const char *vfs,
                               enum db_mode mode, struct error *err);
void db_close(struct store_db *db);

/* Fills err for a result code of SQLite; `what` names the operation. */
enum status db_error(struct store_db *db, int rc, const char *what, struct error *err);
enum status db_status_of(int rc);

/* Runs SQL without results. */
MUST_CHECK enum status db_exec(struct store_db *db, const char *sql, struct error *err);
/* The integer of a one-row, one-column query. */
MUST_CHECK enum status db_query_int(struct store_db *db, const char *sql, int64_t *out,
                                    struct error *err);

/* The statement, ready to be bound; NULL when it cannot be prepared (err is set). */
sqlite3_stmt *db_stmt(struct store_db *db, enum stmt_id id, struct error *err);
/* Steps a statement that gives no rows, and resets it. */
MUST_CHECK enum status db_run(struct store_db *db, sqlite3_stmt *st, struct error *err);
MUST_CHECK enum status db_run_id(struct store_db *db, enum stmt_id id, struct error *err);
/* One row: *row says whether there is one. The caller resets after the last. */
MUST_CHECK enum status db_step(struct store_db *db, sqlite3_stmt *st, bool *row, struct error *err);

void bind_int(sqlite3_stmt *st, int i, int64_t v); /* CELL_NULL binds NULL */
void bind_text(sqlite3_stmt *st, int i, struct cell text);
void bind_words(sqlite3_stmt *st, int i, const char *text); /* NUL-terminated or NULL */
void bind_bytes(sqlite3_stmt *st, int i, struct cell bytes);

int64_t cell_int(sqlite3_stmt *st, int i); /* CELL_NULL for NULL */
struct cell cell_text(sqlite3_stmt *st, int i);
struct cell cell_bytes(sqlite3_stmt *st, int i);
struct cell cell_words(const char *text);
/* For messages: the text or "". Text cells end in a NUL. */
const char *cell_cstr(struct cell c);

#endif
