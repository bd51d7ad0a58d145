/* store_db.c - one SQLite connection with its prepared statements and compressors.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/store_db.h"

#include <string.h>
#include <sys/resource.h>

#include "runtime/store/store.h"
#include "runtime/store/store_columns.h"

/* How long a statement waits for a lock of another process. Writers queue on STORE.lock, so this
 * only applies to other programs (the sqlite3 shell, a backup tool). */
#define BUSY_WAIT_MS 10000

#define STMT(name, sql) [STMT_##name] = sql,

#define RUN_COLUMNS  RUN_COLUMNS_V2
#define STEP_COLUMNS STEP_COLUMNS_V2
#define WAIT_COLUMNS WAIT_COLUMNS_V2
#define WAIT_CLOSED  "closed"
static const char *const statement_text[STMT_N] = {
#include "runtime/store/store_sql.def"
};
#undef RUN_COLUMNS
#undef STEP_COLUMNS
#undef WAIT_COLUMNS
#undef WAIT_CLOSED

/* Those that read; a store of version 1 is never written. */
#define RUN_COLUMNS  RUN_COLUMNS_V1
#define STEP_COLUMNS STEP_COLUMNS_V1
#define WAIT_COLUMNS WAIT_COLUMNS_V1
#define WAIT_CLOSED  WAIT_CLOSED_V1
static const char *const statement_text_v1[STMT_N] = {
#include "runtime/store/store_sql.def"
};
#undef STMT

enum status db_status_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return STATUS_OK;
    case SQLITE_FULL:
        return STATUS_DISK_FULL;
    case SQLITE_NOMEM:
        return STATUS_NO_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return STATUS_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return STATUS_BUSY;
    case SQLITE_TOOBIG:
        return STATUS_LIMIT;
    case SQLITE_IOERR:
        return rc == SQLITE_IOERR_NOMEM ? STATUS_NO_MEMORY : STATUS_IO;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return STATUS_IO;
    default:
        return STATUS_FAILED;
    }
}

/* A limit on the size of files looks like a full or broken disk to SQLite. */
static void hint_at_limits(int rc, struct error *err)
{
    struct rlimit limit;

    if ((rc & 0xff) != SQLITE_FULL && (rc & 0xff) != SQLITE_IOERR)
        return;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        error_hint(err, "the file size limit is %llu bytes (`ulimit -f`)",
                   (unsigned long long)limit.rlim_cur);
}

enum status db_error(struct store_db *db, int rc, const char *what, struct error *err)
{
    const char *path = db->handle ? sqlite3_db_filename(db->handle, "main") : NULL;
    const char *words = sqlite3_errstr(rc);

    if (db->handle && (sqlite3_extended_errcode(db->handle) & 0xff) == (rc & 0xff))
        words = sqlite3_errmsg(db->handle);
    (void)error_set(err, db_status_of(rc), "store %s: %s: %s (%d)", path ? path : "", what, words,
                    rc);
    hint_at_limits(rc, err);
    return db_status_of(rc);
}

static enum status set_pragmas(struct store_db *db, enum db_mode mode, struct error *err)
{
    /* secure_delete is on in some builds and doubles the pages that a delete touches. The
     * sub-journals of savepoints stay in memory. */
    enum status st = db_exec(db,
                             "PRAGMA foreign_keys = ON; PRAGMA secure_delete = OFF;"
                             "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON;"
                             "PRAGMA trusted_schema = OFF;",
                             err);

    if (st)
        return st;
    if (mode <= DB_FROZEN)
        return db_exec(db, "PRAGMA cache_size = -8000;", err);
    /* One place decides when to checkpoint: store_thread.c. */
    return db_exec(db,
                   "PRAGMA cache_size = -32000; PRAGMA wal_autocheckpoint = 0;"
                   "PRAGMA journal_size_limit = 67108864;",
                   err);
}

static void frozen_uri(const char *path, struct str *out)
{
    str_puts(out, "file:");
    for (const char *p = path; *p; p++) {
        if (*p == '%' || *p == '?' || *p == '#')
            str_printf(out, "%%%02X", (unsigned char)*p);
        else
            str_putc(out, *p);
    }
    str_puts(out, "?immutable=1");
}

enum status db_open(struct store_db *db, const char *path, const char *vfs, enum db_mode mode,
                    struct error *err)
{
    int flags = SQLITE_OPEN_NOMUTEX;
    int rc;
    enum status st;

    struct str uri = STR_INIT;

    *db = (struct store_db){.zstd_above_bytes = 512, .version = STORE_SCHEMA_VERSION};
    str_init(&db->scratch, (size_t)1 << 30);
    flags |= mode <= DB_FROZEN ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    if (mode == DB_CREATE)
        flags |= SQLITE_OPEN_CREATE;
    if (mode == DB_FROZEN) {
        flags |= SQLITE_OPEN_URI;
        frozen_uri(path, &uri);
    }
    rc = sqlite3_open_v2(mode == DB_FROZEN ? str_cstr(&uri) : path, &db->handle, flags, vfs);
    str_deinit(&uri);
    if (rc != SQLITE_OK) {
        int e = db->handle ? sqlite3_system_errno(db->handle) : 0;

        st = error_set(err, db_status_of(rc), "store %s: cannot open: %s%s%s", path,
                       db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc), e ? ": " : "",
                       e ? strerror(e) : "");
        db_close(db);
        return st;
    }
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, BUSY_WAIT_MS);
    /* Allowed to fail: builds without lookaside are a little slower, nothing else. */
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_LOOKASIDE, NULL, 512, 128);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    st = set_pragmas(db, mode, err);
    if (st)
        db_close(db);
    return st;
}

void db_close(struct store_db *db)
{
    for (int i = 0; i < STMT_N; i++)
        sqlite3_finalize(db->stmt[i]);
    memset(db->stmt, 0, sizeof(db->stmt));
    sqlite3_close(db->handle);
    db->handle = NULL;
    ZSTD_freeCCtx(db->pack);
    ZSTD_freeDCtx(db->unpack);
    db->pack = NULL;
    db->unpack = NULL;
    str_deinit(&db->scratch);
}

enum status db_exec(struct store_db *db, const char *sql, struct error *err)
{
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? STATUS_OK : db_error(db, rc, "running a command", err);
}

enum status db_query_int(struct store_db *db, const char *sql, int64_t *out, struct error *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW)
            *out = sqlite3_column_int64(st, 0);
    }
    sqlite3_finalize(st);
    if (rc == SQLITE_ROW)
        return STATUS_OK;
    return db_error(db, rc == SQLITE_DONE ? SQLITE_ERROR : rc, sql, err);
}

sqlite3_stmt *db_stmt(struct store_db *db, enum stmt_id id, struct error *err)
{
    int rc;

    if (db->stmt[id])
        return db->stmt[id];
    rc = sqlite3_prepare_v3(db->handle, (db->version == 1 ? statement_text_v1 : statement_text)[id],
                            -1, SQLITE_PREPARE_PERSISTENT, &db->stmt[id], NULL);
    if (rc != SQLITE_OK) {
        (void)db_error(db, rc, "preparing a statement", err);
        return NULL;
    }
    return db->stmt[id];
}

enum status db_run(struct store_db *db, sqlite3_stmt *st, struct error *err)
{
    int rc = sqlite3_step(st);
    enum status status = STATUS_OK;

    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        status = db_error(db, rc, "writing", err);
    sqlite3_reset(st);
    return status;
}

enum status db_run_id(struct store_db *db, enum stmt_id id, struct error *err)
{
    sqlite3_stmt *st = db_stmt(db, id, err);

    return st ? db_run(db, st, err) : STATUS_FAILED;
}

enum status db_step(struct store_db *db, sqlite3_stmt *st, bool *row, struct error *err)
{
    int rc = sqlite3_step(st);
    enum status status;

    *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        return STATUS_OK;
    status = db_error(db, rc, "reading", err);
    sqlite3_reset(st);
    return status;
}

void bind_int(sqlite3_stmt *st, int i, int64_t v)
{
    if (v == CELL_NULL)
        sqlite3_bind_null(st, i);
    else
        sqlite3_bind_int64(st, i, v);
}

void bind_text(sqlite3_stmt *st, int i, struct cell text)
{
    if (text.data)
        sqlite3_bind_text64(st, i, text.data, text.n, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(st, i);
}

void bind_words(sqlite3_stmt *st, int i, const char *text)
{
    bind_text(st, i, cell_words(text));
}

void bind_bytes(sqlite3_stmt *st, int i, struct cell bytes)
{
    if (bytes.data)
        sqlite3_bind_blob64(st, i, bytes.data, bytes.n, SQLITE_STATIC);
    else
        sqlite3_bind_null(st, i);
}

int64_t cell_int(sqlite3_stmt *st, int i)
{
    return sqlite3_column_type(st, i) == SQLITE_NULL ? CELL_NULL : sqlite3_column_int64(st, i);
}

struct cell cell_text(sqlite3_stmt *st, int i)
{
    struct cell c = {.data = sqlite3_column_text(st, i)};

    c.n = (size_t)sqlite3_column_bytes(st, i);
    return c;
}

struct cell cell_bytes(sqlite3_stmt *st, int i)
{
    struct cell c = {.data = NULL};

    if (sqlite3_column_type(st, i) == SQLITE_NULL)
        return c;
    c.data = sqlite3_column_blob(st, i);
    c.n = (size_t)sqlite3_column_bytes(st, i);
    if (!c.data)
        c.data = ""; /* empty, which SQLite gives as NULL */
    return c;
}

struct cell cell_words(const char *text)
{
    return (struct cell){.data = text, .n = text ? strlen(text) : 0};
}

const char *cell_cstr(struct cell c)
{
    return c.data ? (const char *)c.data : "";
}
