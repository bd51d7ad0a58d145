/* store.c - opening and closing a store; its readers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/memory.h"
#include "runtime/store/call_fold.h"
#include "runtime/store/journal.h"
#include "runtime/store/run_lock.h"
#include "runtime/store/store_internal.h"

#define ZSTD_ABOVE_DEFAULT 512

static char *path_with(const char *path, const char *tail)
{
    struct str s = STR_INIT;

    str_puts(&s, path);
    str_puts(&s, tail);
    return str_take(&s);
}

static struct store *store_new(const struct store_options *o)
{
    struct store *s = xcalloc(1, sizeof(*s));

    s->options = *o;
    s->path = xstrdup(o->path);
    s->options.path = s->path;
    if (s->options.zstd_above_bytes == 0)
        s->options.zstd_above_bytes = ZSTD_ABOVE_DEFAULT;
    s->lock_path = path_with(o->path, ".lock");
    s->owners_path = path_with(o->path, ".owners");
    s->wal_path = path_with(o->path, "-wal");
    s->seams = o->seams ? o->seams : seams_real();
    s->lock_fd = -1;
    s->box = mailbox_new(NULL, NULL);
    s->reply = s->own_reply = mailbox_new(NULL, NULL);
    atomic_init(&s->has_failed, false);
    atomic_init(&s->spool, NULL);
    atomic_init(&s->commits, 0);
    atomic_init(&s->transactions, 0);
    return s;
}

/* What every SQLite file begins with (its file format, section 1.3), and every rollback journal. */
#define MAGIC         "SQLite format 3"
#define JOURNAL_MAGIC "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"

/* 1: the file begins so; 0: with something else; -1: it is empty or cannot be read. */
static int begins_with(const char *path, const char *magic, size_t n_magic)
{
    char head[sizeof(MAGIC)];
    int fd = -1;
    ssize_t n = -1;

    if (file_open(path, O_RDONLY, 0, &fd, NULL, NULL) == STATUS_OK) {
        n = read(fd, head, n_magic);
        close(fd);
    }
    if (n <= 0)
        return -1;
    return n == (ssize_t)n_magic && memcmp(head, magic, n_magic) == 0;
}

/* SQLite opens these itself, and would wait at a FIFO without end. */
static enum status check_beside(const char *path, struct error *err)
{
    static const char *const tails[] = {"-journal", "-wal", "-shm"};
    enum status st = STATUS_OK;

    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(tails); i++) {
        char *name = path_with(path, tails[i]);

        st = file_check_named(name, err);
        free(name);
    }
    return error_as_config(st, err);
}

/* Separates a wrong file from a damaged store. An empty file may become a store; SQLite reports a
 * file that cannot be read. */
static enum status refuse_other_files(const char *path, struct error *err)
{
    int fd = -1;
    enum status st = file_open(path, O_RDONLY, 0, &fd, NULL, err);

    if (st == STATUS_OK)
        close(fd);
    if (st == STATUS_INVALID)
        return error_as_config(st, err);
    if (begins_with(path, MAGIC, sizeof(MAGIC)) != 0)
        return STATUS_OK;
    (void)error_set(err, STATUS_CONFIG, "%s is not a store: it is not a SQLite database", path);
    error_hint(err, "choose another file with --store; restore a damaged store from a backup");
    return STATUS_CONFIG;
}

static enum status open_lock(struct store *s, int64_t wait_ms, struct error *err)
{
    if (s->lock_fd < 0) {
        enum status st = file_open(s->lock_path, O_RDWR | O_CREAT, 0600, &s->lock_fd, NULL, err);

        if (st)
            return st;
    }
    return file_lock_take(s->lock_fd, store_now_ms(s), wait_ms, err);
}

/* SQLite writes a new store's first page, and the mark for WAL mode, with a rollback journal. After
 * a crash or a power failure then, a journal with its magic number remains next to a file with any
 * content, or a journal with other content next to a database. Only a connection that may write can
 * roll it back. Any other file of that name is not a journal. Errors are ignored here: the check
 * that follows reports them. */
static void undo_half_made(struct store *s)
{
    char *name = path_with(s->path, "-journal");
    int is_journal = begins_with(name, JOURNAL_MAGIC, sizeof(JOURNAL_MAGIC) - 1);
    struct error ignored = ERROR_INIT;
    struct store_db db;
    int64_t tables;

    free(name);
    if (is_journal < 0 || (!is_journal && begins_with(s->path, MAGIC, sizeof(MAGIC)) != 1))
        return;
    if (open_lock(s, 0, &ignored))
        return;
    if (db_open(&db, s->path, store_vfs_name(s->vfs), DB_WRITE, &ignored) == STATUS_OK) {
        (void)!db_query_int(&db, "SELECT count(*) FROM sqlite_schema", &tables, &ignored);
        db_close(&db);
    }
    file_lock_release(s->lock_fd);
}

/* To read a store with a WAL, SQLite creates an index file next to it. Where no file can be
 * created, the store is read without an index if the WAL is empty. */
static enum status choose_look(struct store *s, struct error *err)
{
    char *folder = folder_of(s->path), *index = path_with(s->path, "-shm");
    bool can_write = access(folder, W_OK) == 0, has_index = access(index, R_OK) == 0;
    struct stat log;
    enum status st = STATUS_OK;

    s->look_mode = DB_READ;
    if (s->options.read_only && !can_write && (stat(s->wal_path, &log) || log.st_size == 0)) {
        s->look_mode = DB_FROZEN;
    } else if (s->options.read_only && !can_write && !has_index) {
        (void)error_set(err, STATUS_IO,
                        "%s contains changes that are not in %s yet, and %s is not writable",
                        s->wal_path, s->path, folder);
        error_hint(err, "copy both, and %s.owners if it exists, to a writable folder", s->path);
        st = STATUS_IO;
    }
    free(folder);
    free(index);
    return st;
}

/* Checks the schema without changing the file: a read-only connection never checkpoints,
 * so a store of a newer version is not modified. */
static enum status look_first(struct store *s, bool *is_empty, struct error *err)
{
    struct store_db db;
    enum status st = check_beside(s->path, err);

    *is_empty = !file_exists(s->path);
    if (st || *is_empty)
        return st;
    st = choose_look(s, err);
    if (st)
        return st;
    if (s->look_mode != DB_FROZEN)
        undo_half_made(s);
    st = refuse_other_files(s->path, err);
    if (st == STATUS_OK)
        st = db_open(&db, s->path, store_vfs_name(s->vfs), s->look_mode, err);
    if (st)
        return st;
    st = store_schema_check(&db, s->path, is_empty, err);
    db_close(&db);
    return st;
}

static enum status make_folders(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char *folder;
    enum status st;

    if (!slash || slash == path)
        return STATUS_OK;
    folder = xstrndup(path, (size_t)(slash - path));
    st = dir_make(folder, err);
    free(folder);
    return st;
}

/* Only the user may read prompts and results; SQLite gives its files next to it the same mode. */
static enum status make_private(const char *path, struct error *err)
{
    int fd = -1;
    enum status st = file_open(path, O_RDWR | O_CREAT, 0600, &fd, NULL, err);

    if (st == STATUS_OK)
        close(fd);
    return st;
}

static enum status open_writer(struct store *s, bool is_empty, struct error *err)
{
    enum status st = is_empty ? make_private(s->path, err) : STATUS_OK;

    if (st == STATUS_OK)
        st = db_open(&s->db, s->path, store_vfs_name(s->vfs), is_empty ? DB_CREATE : DB_WRITE, err);

    if (st)
        return st;
    s->db.zstd_above_bytes = s->options.zstd_above_bytes;
    st = db_exec(&s->db,
                 s->options.durability == STORE_FULL ? "PRAGMA synchronous = FULL"
                                                     : "PRAGMA synchronous = NORMAL",
                 err);
    /* Checked again with STORE.lock held: another process may have created it meanwhile. */
    if (st == STATUS_OK)
        st = store_schema_check(&s->db, s->path, &is_empty, err);
    if (st == STATUS_OK && is_empty)
        st = store_schema_create(&s->db, err);
    else if (st == STATUS_OK && s->db.version < STORE_SCHEMA_VERSION)
        st = store_migrate(s, err);
    if (st == STATUS_OK)
        st = store_schema_index(&s->db, err);
    if (st == STATUS_OK)
        st = store_schema_audit(&s->db, err);
    /* A backup leaves WAL, so that it is one file. Put in the store's place it must come back: a
     * rollback journal's deletion, which commits, is not synced, and a power failure undoes it. */
    return st || is_empty ? st : db_exec(&s->db, "PRAGMA journal_mode = WAL", err);
}

static enum status open_for_writing(struct store *s, bool is_empty, struct error *err)
{
    enum status st;

    if (is_empty) {
        st = make_folders(s->path, err);
        if (st)
            return st;
    }
    st = open_lock(s, STORE_WAIT_MS, err);
    if (st)
        return st;
    st = open_writer(s, is_empty, err);
    if (st == STATUS_OK)
        st = calls_recover(s, is_empty, err);
    if (st == STATUS_OK)
        st = store_files_note(s, err);
    file_lock_release(s->lock_fd);
    return st ? st : store_thread_start(s, err);
}

enum status store_open(const struct store_options *o, struct store **out, struct error *err)
{
    struct store *s = store_new(o);
    bool is_empty;
    enum status st = store_vfs_new(o, &s->vfs, err);

    if (st == STATUS_OK)
        st = look_first(s, &is_empty, err);
    if (st)
        goto fail;
    if (is_empty && (!o->create || o->read_only)) {
        st = error_set(err, STATUS_NOT_FOUND, "no store at %s", o->path);
        goto fail;
    }
    if (!o->read_only) {
        st = open_for_writing(s, is_empty, err);
        if (st)
            goto fail;
    }
    *out = s;
    return STATUS_OK;

fail:
    error_note(err, "opening the store");
    store_close(s);
    return st;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    store_thread_stop(s);
    store_drain_replies(s->reply);
    spool_close(atomic_load(&s->spool));
    db_close(&s->db);
    store_vfs_free(s->vfs);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    mailbox_free(s->box);
    mailbox_free(s->own_reply);
    free(s->path);
    free(s->lock_path);
    free(s->owners_path);
    free(s->wal_path);
    free(s->migrated_from);
    free(s);
}

const char *store_path(const struct store *s)
{
    return s->path;
}

const char *store_migrated_from(const struct store *s)
{
    return s->migrated_from;
}

int64_t store_now_ms(const struct store *s)
{
    return seams_wall_ms(s->seams);
}

struct mailbox *store_reply_box(struct store *s)
{
    return s->reply;
}

void store_set_reply_box(struct store *s, struct mailbox *box)
{
    s->reply = box ? box : s->own_reply;
}

enum status store_reader_open(struct store *s, struct store_reader **out, struct error *err)
{
    struct store_reader *r = xcalloc(1, sizeof(*r));
    bool is_empty;
    enum status st;

    r->store = s;
    str_init(&r->text, (size_t)1 << 30);
    st = db_open(&r->db, s->path, store_vfs_name(s->vfs), s->look_mode, err);
    if (st == STATUS_OK)
        st = store_schema_check(&r->db, s->path, &is_empty, err);
    if (st) {
        store_reader_close(r);
        return store_file_explain(s, st, err);
    }
    *out = r;
    return STATUS_OK;
}

void store_reader_close(struct store_reader *r)
{
    if (!r)
        return;
    db_close(&r->db);
    str_deinit(&r->text);
    free(r);
}
