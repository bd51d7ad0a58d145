/* store_backup.c - a copy of the store while it is in use.
 *
 * SQLite's backup interface with a reader that keeps one snapshot, so that writers
 * neither wait nor make the copy restart; the log is not restarted meanwhile. The
 * copy appears under its name only when it is complete.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/store/call_fold.h"
#include "runtime/store/store_internal.h"

#define PAGES_A_STEP 1024

static enum status copy_pages(struct store_db *from, struct store_db *to, struct error *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to->handle, "main", from->handle, "main");
    int rc;

    if (!b)
        return db_error(to, sqlite3_errcode(to->handle), "starting a backup", err);
    do {
        rc = sqlite3_backup_step(b, PAGES_A_STEP);
    } while (rc == SQLITE_OK);
    sqlite3_backup_finish(b);
    return rc == SQLITE_DONE ? STATUS_OK : db_error(to, rc, "copying pages", err);
}

static enum status sync_path(const struct seams *seams, const char *path, int flags,
                             struct error *err)
{
    int fd = open(path, flags | O_CLOEXEC);
    int e;

    if (fd < 0)
        return error_errno(err, errno, "%s", path);
    e = seams->file.sync(seams->file.ctx, fd);
    close(fd);
    return e ? error_errno(err, e, "syncing %s", path) : STATUS_OK;
}

static enum status copy_to(struct store *s, const char *tmp, struct error *err)
{
    struct store_reader *q = NULL;
    struct calls_left *calls = NULL;
    struct store_db to;
    enum status st = calls_look(s->path, &calls, err); /* before the snapshot: call_fold.h */

    if (st == STATUS_OK)
        st = store_reader_open(s, &q, err);
    if (st) {
        calls_left_free(calls);
        return st;
    }
    st = db_run_id(&q->db, STMT_SNAPSHOT, err);
    if (st == STATUS_OK) {
        int64_t version;

        /* The snapshot begins with the first read. */
        st = db_query_int(&q->db, "SELECT count(*) FROM meta", &version, err);
    }
    if (st == STATUS_OK) {
        int fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); /* the user's alone */

        if (fd < 0)
            st = error_errno(err, errno, "%s", tmp);
        else
            close(fd);
        if (st == STATUS_OK)
            st = db_open(&to, tmp, NULL, DB_CREATE, err);
        if (st == STATUS_OK) {
            st = db_exec(&to, "PRAGMA synchronous = OFF", err); /* synced as a whole below */
            if (st == STATUS_OK)
                st = copy_pages(&q->db, &to, err);
            if (st == STATUS_OK)
                st = calls_copy(calls, &to, err);
            /* The copy says WAL in its header; closing must not leave a log behind. */
            if (st == STATUS_OK)
                st = db_exec(&to, "PRAGMA journal_mode = DELETE", err);
            db_close(&to);
        }
    }
    store_reader_close(q);
    calls_left_free(calls);
    return st;
}

enum status store_backup(struct store *s, const char *to, struct error *err)
{
    const struct seams *seams = s->seams;
    struct str tmp = STR_INIT;
    char *folder = folder_of(to);
    enum status st;
    int e;

    str_printf(&tmp, "%s.tmp", to);
    if (file_exists(to)) {
        st = error_set(err, STATUS_INVALID, "%s already exists", to);
        goto done;
    }
    (void)unlink(str_cstr(&tmp)); /* left by a backup that was killed */
    st = copy_to(s, str_cstr(&tmp), err);
    if (st == STATUS_OK)
        st = sync_path(seams, str_cstr(&tmp), O_RDWR, err);
    if (st == STATUS_OK) {
        e = seams->file.rename(seams->file.ctx, str_cstr(&tmp), to);
        if (e)
            st = error_errno(err, e, "renaming to %s", to);
    }
    if (st == STATUS_OK)
        st = sync_path(seams, folder, O_RDONLY | O_DIRECTORY, err);
    else
        (void)unlink(str_cstr(&tmp));
done:
    if (st)
        error_note(err, "backing up the store");
    str_deinit(&tmp);
    free(folder);
    return st;
}
