/* power_vfs.c - a file layer of SQLite that logs all writes and syncs in their order.
 *
 * A file is a file of the system's layer with three methods replaced; our data follows it in
 * memory. Folders are synced where SQLite's own layer does it: after the first sync of a journal or
 * log that was opened for creation, and after a deletion that asks for it (os_unix.c, unixSync and
 * unixDelete).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/integration/store/power_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "tests/integration/store/power_draw.h"

struct power_vfs {
    sqlite3_vfs base;  /* must be first: the file of SQLite */
    sqlite3_vfs *real; /* the system's layer */
    size_t tail_at;    /* offset of struct tail in a file */
    pthread_mutex_t lock;
    struct power_draw draw;
    bool has_database; /* its creation is in the log */
    struct power_event *event;
    size_t n, cap;
    unsigned char *bytes;
    size_t n_bytes, cap_bytes;
};

/* Follows the file of the system's layer in memory. */
struct tail {
    struct power_vfs *vfs;
    const sqlite3_io_methods *real;
    sqlite3_io_methods methods;
    enum power_file file;
    bool syncs_folder; /* with its next sync */
};

static struct power_vfs *vfs_of(sqlite3_vfs *vfs)
{
    return (struct power_vfs *)(void *)vfs;
}

/* The methods of a file that SQLite calls are a member of its tail. */
static struct tail *tail_of(sqlite3_file *f)
{
    return CONTAINER_OF(f->pMethods, struct tail, methods);
}

/* The lock is held, so that the log has the order of the disk. */
static void note(struct power_vfs *v, struct power_event e, const void *bytes)
{
    if (v->n == v->cap) {
        v->cap = v->cap ? v->cap * 2 : 1024;
        v->event = xrealloc(v->event, v->cap * sizeof(*v->event));
    }
    e.data = v->n_bytes;
    if (e.n > 0) {
        while (v->cap_bytes - v->n_bytes < e.n) {
            v->cap_bytes = v->cap_bytes ? v->cap_bytes * 2 : (size_t)1 << 20;
            v->bytes = xrealloc(v->bytes, v->cap_bytes);
        }
        memcpy(v->bytes + v->n_bytes, bytes, e.n);
        v->n_bytes += e.n;
    }
    v->event[v->n++] = e;
}

static int power_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    struct tail *t = tail_of(f);
    int rc;

    pthread_mutex_lock(&t->vfs->lock);
    rc = t->real->xWrite(f, from, n, at);
    if (rc == SQLITE_OK)
        note(t->vfs,
             (struct power_event){
                 .kind = POWER_WRITE, .file = t->file, .at = (size_t)at, .n = (size_t)n},
             from);
    pthread_mutex_unlock(&t->vfs->lock);
    return rc;
}

static int power_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct tail *t = tail_of(f);
    int rc;

    pthread_mutex_lock(&t->vfs->lock);
    rc = t->real->xTruncate(f, size);
    if (rc == SQLITE_OK)
        note(t->vfs,
             (struct power_event){.kind = POWER_TRUNCATE, .file = t->file, .at = (size_t)size},
             NULL);
    pthread_mutex_unlock(&t->vfs->lock);
    return rc;
}

static int power_sync(sqlite3_file *f, int flags)
{
    struct tail *t = tail_of(f);

    (void)flags; /* the size is synced either way; only times are not */
    pthread_mutex_lock(&t->vfs->lock);
    note(t->vfs, (struct power_event){.kind = POWER_SYNC, .file = t->file}, NULL);
    if (t->syncs_folder)
        note(t->vfs, (struct power_event){.kind = POWER_SYNC_FOLDER}, NULL);
    t->syncs_folder = false;
    pthread_mutex_unlock(&t->vfs->lock);
    return SQLITE_OK;
}

static int power_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags,
                      int *out_flags)
{
    struct power_vfs *v = vfs_of(vfs);
    struct tail *t = (struct tail *)(void *)((char *)f + v->tail_at);
    enum power_file file = flags & SQLITE_OPEN_MAIN_DB ? POWER_DATABASE
                           : flags & SQLITE_OPEN_WAL   ? POWER_WAL
                                                       : POWER_JOURNAL;
    bool is_there;
    int rc;

    if (!(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)))
        return v->real->xOpen(v->real, name, f, flags, out_flags); /* temporary */
    pthread_mutex_lock(&v->lock);
    is_there = file_exists(name); /* xAccess treats an empty file as missing */
    if (file == POWER_DATABASE) { /* the store creates it before it is opened */
        is_there = v->has_database;
        v->has_database = true;
    }
    rc = v->real->xOpen(v->real, name, f, flags, out_flags);
    if (rc == SQLITE_OK) {
        *t = (struct tail){.vfs = v, .real = f->pMethods, .methods = *f->pMethods, .file = file};
        t->syncs_folder = file != POWER_DATABASE && (flags & SQLITE_OPEN_CREATE);
        t->methods.xWrite = power_write;
        t->methods.xTruncate = power_truncate;
        t->methods.xSync = power_sync;
        f->pMethods = &t->methods;
        if (!is_there)
            note(v, (struct power_event){.kind = POWER_CREATE, .file = file}, NULL);
    }
    pthread_mutex_unlock(&v->lock);
    return rc;
}

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);

    return n >= m && strcmp(name + n - m, end) == 0;
}

static int power_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    struct power_vfs *v = vfs_of(vfs);
    enum power_file file = ends_in(name, "-wal")       ? POWER_WAL
                           : ends_in(name, "-journal") ? POWER_JOURNAL
                                                       : POWER_DATABASE;
    int rc;

    pthread_mutex_lock(&v->lock);
    rc = v->real->xDelete(v->real, name, 0);
    if (rc == SQLITE_OK) {
        note(v, (struct power_event){.kind = POWER_DELETE, .file = file}, NULL);
        if (sync_folder & 1)
            note(v, (struct power_event){.kind = POWER_SYNC_FOLDER}, NULL);
    }
    pthread_mutex_unlock(&v->lock);
    return rc;
}

static int power_randomness(sqlite3_vfs *vfs, int n, char *out)
{
    struct power_vfs *v = vfs_of(vfs);

    pthread_mutex_lock(&v->lock);
    for (int i = 0; i < n; i++)
        out[i] = (char)power_draw(&v->draw, 256);
    pthread_mutex_unlock(&v->lock);
    return n;
}

void power_vfs_new(uint64_t seed, struct power_vfs **out)
{
    struct power_vfs *v = xcalloc(1, sizeof(*v));
    const size_t align = _Alignof(struct tail);

    v->real = sqlite3_vfs_find(NULL);
    v->base = *v->real;
    v->base.pNext = NULL;
    v->base.zName = "power";
    v->tail_at = ((size_t)v->real->szOsFile + align - 1) / align * align;
    v->base.szOsFile = (int)(v->tail_at + sizeof(struct tail));
    v->base.xOpen = power_open;
    v->base.xDelete = power_delete;
    v->base.xRandomness = power_randomness;
    v->draw = (struct power_draw){.seed = seed, .stream = UINT32_MAX};
    pthread_mutex_init(&v->lock, NULL);
    *out = v;
}

size_t power_vfs_start(struct power_vfs *v, const char *path)
{
    struct error err = ERROR_INIT;
    char *bytes = NULL;
    size_t n = 0;

    v->has_database = file_exists(path);
    if (v->has_database && file_read(path, (size_t)1 << 30, &bytes, &n, &err) == STATUS_OK) {
        note(v, (struct power_event){.kind = POWER_CREATE, .file = POWER_DATABASE}, NULL);
        note(v, (struct power_event){.kind = POWER_WRITE, .file = POWER_DATABASE, .n = n}, bytes);
        note(v, (struct power_event){.kind = POWER_SYNC, .file = POWER_DATABASE}, NULL);
        note(v, (struct power_event){.kind = POWER_SYNC_FOLDER}, NULL);
        free(bytes);
    }
    (void)sqlite3_vfs_register(&v->base, 1);
    sqlite3_randomness(0, NULL); /* resets the generator: the next draw asks us for a seed */
    return v->n;
}

void power_vfs_stop(struct power_vfs *v)
{
    sqlite3_vfs_unregister(&v->base);
    sqlite3_randomness(0, NULL);
}

void power_vfs_free(struct power_vfs *v)
{
    if (!v)
        return;
    pthread_mutex_destroy(&v->lock);
    free(v->event);
    free(v->bytes);
    free(v);
}

size_t power_vfs_position(struct power_vfs *v)
{
    size_t n;

    pthread_mutex_lock(&v->lock);
    n = v->n;
    pthread_mutex_unlock(&v->lock);
    return n;
}

const struct power_event *power_vfs_event(const struct power_vfs *v, size_t i)
{
    return &v->event[i];
}

const unsigned char *power_vfs_bytes(const struct power_vfs *v, const struct power_event *e)
{
    return v->bytes + e->data;
}
