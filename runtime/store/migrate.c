/* migrate.c - migrates an older store to the version of this program, one version at a time.
 *
 * Forward only. STORE.lock is held, and no run of the store may have a live owner: an older program
 * would continue to write rows in the old format. (One that only has the store open finds that the
 * columns with the sums have another name, and fails without writing.) The store is first copied to
 * STORE.before-vN, and the copy is kept. The migration itself is one transaction. If the program is
 * killed before its end, the next one makes a copy with the same content: only one of them is kept.
 *
 * Sums are checked with the old columns and recomputed over the new ones. A row whose old sum is
 * wrong gets a wrong new one, so that the damage stays visible and the rest can be used.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/memory.h"
#include "runtime/store/rows.h"
#include "runtime/store/run_lock.h"
#include "runtime/store/store_columns.h"
#include "runtime/store/store_internal.h"

#define SPARE_BYTES ((int64_t)1 << 20)

/* ---- version 1 to 2: prompt_format, root and source of runs; closed of waits; sums over the id
 * and epoch of runs and the tries of steps. */

static int64_t damaged(int64_t sums, bool is_sound)
{
    return is_sound ? sums : (int64_t) ~(uint64_t)sums;
}

/* One row of a statement of old columns, with what sets its new sums. */
typedef void (*rewrite_row)(sqlite3_stmt *row, sqlite3_stmt *change);

static void rewrite_run(sqlite3_stmt *row, sqlite3_stmt *change)
{
    struct run_cells r;
    bool is_sound = run_row_read(row, &r, NULL) == STATUS_OK;

    bind_int(change, 1, damaged(sum_of_halves(run_sum_identity(&r), run_sum_change(&r)), is_sound));
    bind_int(change, 2, r.id);
}

static void rewrite_step(sqlite3_stmt *row, sqlite3_stmt *change)
{
    struct step_cells s;
    bool is_sound = step_row_read(row, "", &s, NULL) == STATUS_OK;

    bind_int(change, 1, damaged(sum_of_halves(step_sum_intent(&s), step_sum_result(&s)), is_sound));
    bind_int(change, 2, s.run);
    bind_text(change, 3, s.path);
    bind_int(change, 4, s.attempt);
}

static void rewrite_wait(sqlite3_stmt *row, sqlite3_stmt *change)
{
    struct wait_cells w;
    bool is_sound = wait_row_read(row, "", &w, NULL) == STATUS_OK;

    bind_int(change, 1,
             damaged(sum_of_halves(wait_sum_question(&w), wait_sum_answer(&w)), is_sound));
    bind_int(change, 2, w.run);
    bind_text(change, 3, w.path);
    bind_int(change, 4, w.attempt);
    bind_int(change, 5, w.closed);
    bind_int(change, 6, w.closed_as);
}

/* Reads a copy of the keys and columns (a temporary table), so that no row is changed under the
 * statement that reads it. */
static enum status rewrite(struct store_db *db, const char *select, const char *update,
                           rewrite_row each, struct error *err)
{
    sqlite3_stmt *row = NULL, *change = NULL;
    int rc = sqlite3_prepare_v2(db->handle, select, -1, &row, NULL);
    enum status st = STATUS_OK;
    bool there = true;

    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db->handle, update, -1, &change, NULL);
    if (rc != SQLITE_OK)
        st = db_error(db, rc, "preparing a migration", err);
    while (st == STATUS_OK) {
        st = db_step(db, row, &there, err);
        if (st || !there)
            break;
        each(row, change);
        st = db_run(db, change, err);
    }
    sqlite3_finalize(row);
    sqlite3_finalize(change);
    return st;
}

#define COPY(table, columns, where)                                                                \
    "CREATE TEMP TABLE old_" #table " AS SELECT * FROM (SELECT " columns " FROM " #table where ")" \
    ";"

static enum status migrate_to_2(struct store_db *db, struct error *err)
{
    enum status st = db_exec(
        db,
        COPY(run, RUN_COLUMNS_V1, "") COPY(step, STEP_COLUMNS_V1, " WHERE tries <> 1")
            COPY(wait, WAIT_COLUMNS_V1,
                 "") "ALTER TABLE run ADD COLUMN prompt_format INTEGER NOT NULL DEFAULT 1;"
                     "ALTER TABLE run ADD COLUMN root TEXT; ALTER TABLE run ADD COLUMN source TEXT;"
                     "ALTER TABLE run RENAME COLUMN sum TO sums;"
                     "ALTER TABLE step RENAME COLUMN sum TO sums;"
                     "ALTER TABLE wait ADD COLUMN closed INTEGER; ALTER TABLE wait ADD COLUMN "
                     "closed_as INTEGER;"
                     "ALTER TABLE wait RENAME COLUMN sum TO sums;",
        err);

    if (st == STATUS_OK)
        st = rewrite(db, "SELECT * FROM temp.old_run", "UPDATE run SET sums = ?1 WHERE id = ?2",
                     rewrite_run, err);
    if (st == STATUS_OK)
        st = rewrite(db, "SELECT * FROM temp.old_step",
                     "UPDATE step SET sums = ?1 WHERE run = ?2 AND path = ?3 AND attempt = ?4",
                     rewrite_step, err);
    if (st == STATUS_OK)
        st = rewrite(db, "SELECT * FROM temp.old_wait",
                     "UPDATE wait SET sums = ?1, closed = ?5, closed_as = ?6"
                     " WHERE run = ?2 AND path = ?3 AND attempt = ?4",
                     rewrite_wait, err);
    if (st)
        return st;
    return db_exec(db,
                   "DROP TABLE temp.old_run; DROP TABLE temp.old_step; DROP TABLE temp.old_wait;"
                   "PRAGMA user_version = 2",
                   err);
}

static enum status (*const step_to[STORE_SCHEMA_VERSION + 1])(struct store_db *db,
                                                              struct error *err) = {
    [2] = migrate_to_2,
};

/* ---- around all of them */

static enum status check_free_space(struct store *s, struct error *err)
{
    int64_t pages = 0, size = 0, need, there;
    struct statvfs fs;
    enum status st = db_query_int(&s->db, "PRAGMA page_count", &pages, err);

    if (st == STATUS_OK)
        st = db_query_int(&s->db, "PRAGMA page_size", &size, err);
    if (st || statvfs(s->path, &fs))
        return st;
    need = 2 * pages * size + SPARE_BYTES; /* the copy, and at most all of it again in the log */
    there = (int64_t)(fs.f_bavail * fs.f_frsize);
    if (there >= need)
        return STATUS_OK;
    (void)error_set(err, STATUS_DISK_FULL,
                    "%s has store version %d and must be migrated to version %d; this needs %lld "
                    "bytes of disk space, and %lld are free",
                    s->path, (int)s->db.version, STORE_SCHEMA_VERSION, (long long)need,
                    (long long)there);
    error_hint(err, "`troupe runs` and `troupe show` can read it without a migration");
    return STATUS_DISK_FULL;
}

static enum status check_owners(struct store *s, struct error *err)
{
    if (!run_lock_any_is_held(s->owners_path))
        return STATUS_OK;
    (void)error_set(err, STATUS_BUSY,
                    "%s has store version %d and must be migrated to version %d, but another "
                    "process is working on one of its runs",
                    s->path, (int)s->db.version, STORE_SCHEMA_VERSION);
    error_hint(
        err, "try again when that process has ended; `troupe runs` and `troupe show` can read the "
             "store without a migration");
    return STATUS_BUSY;
}

/* ---- the copy */

/* STORE.before-v2 for 1, STORE.before-v2-N for N. */
static char *copy_name(const struct store *s, int i)
{
    struct str name = STR_INIT;

    str_printf(&name, "%s.before-v%d", s->path, STORE_SCHEMA_VERSION);
    if (i > 1)
        str_printf(&name, "-%d", i);
    return str_take(&name);
}

static bool read_equally(int a, int b, int64_t bytes)
{
    char x[8192], y[8192];
    ssize_t n;

    for (int64_t at = 0; at < bytes; at += n) {
        n = pread(a, x, sizeof(x), at);
        if (n <= 0 || pread(b, y, (size_t)n, at) != n || memcmp(x, y, (size_t)n) != 0)
            return false;
    }
    return true;
}

/* False also if one cannot be read. */
static bool have_equal_bytes(const char *a, const char *b)
{
    struct error ignored = ERROR_INIT;
    struct stat x, y;
    int fd = -1, fd2 = -1;
    bool equal = file_open(a, O_RDONLY, 0, &fd, &x, &ignored) == STATUS_OK &&
                 file_open(b, O_RDONLY, 0, &fd2, &y, &ignored) == STATUS_OK &&
                 x.st_size == y.st_size && read_equally(fd, fd2, x.st_size);

    if (fd >= 0)
        close(fd);
    if (fd2 >= 0)
        close(fd2);
    return equal;
}

/* Makes a copy under the first free name. If an earlier one has the same bytes, that one stays and
 * the new one is deleted. */
static enum status make_copy(struct store *s, char **out, struct error *err)
{
    char *copy = copy_name(s, 1), *earlier = NULL;
    int n = 1;
    enum status st;

    while (file_exists(copy)) {
        free(copy);
        copy = copy_name(s, ++n);
    }
    st = store_backup(s, copy, err);
    for (int i = 1; st == STATUS_OK && i < n; i++) {
        earlier = copy_name(s, i);
        if (have_equal_bytes(earlier, copy)) {
            (void)unlink(copy);
            free(copy);
            copy = earlier;
            break;
        }
        free(earlier);
    }
    if (st)
        free(copy);
    else
        *out = copy;
    return st;
}

static enum status step_all(struct store *s, struct error *err)
{
    enum status st = db_exec(&s->db, "PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE", err);

    for (int v = s->db.version + 1; st == STATUS_OK && v <= STORE_SCHEMA_VERSION; v++)
        st = step_to[v](&s->db, err);
    if (st == STATUS_OK)
        st = db_exec(&s->db, "COMMIT", err);
    if (!sqlite3_get_autocommit(s->db.handle))
        (void)sqlite3_exec(s->db.handle, "ROLLBACK", NULL, NULL, NULL);
    if (st == STATUS_OK)
        st = db_exec(&s->db, "PRAGMA foreign_keys = ON", err);
    return st;
}

enum status store_migrate(struct store *s, struct error *err)
{
    char *backup = NULL;
    enum status st = check_owners(s, err);

    if (st == STATUS_OK)
        st = check_free_space(s, err);
    if (st == STATUS_OK)
        st = make_copy(s, &backup, err);
    if (st == STATUS_OK)
        st = step_all(s, err);
    if (st) {
        free(backup);
        error_note(err, "migrating the store to version %d", STORE_SCHEMA_VERSION);
        return st;
    }
    s->db.version = STORE_SCHEMA_VERSION;
    s->migrated_from = backup;
    return STATUS_OK;
}
