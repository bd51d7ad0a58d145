/* store_vfs.c - SQLite's file layer with a counter and fault injection.
 *
 * A file is the system's file with a header before it. Methods up to version 2 (shared
 * memory) are passed on; memory-mapped reads are not offered, the store does not use them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/store_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/store/store.h"

struct store_vfs {
    sqlite3_vfs base;  /* first: what SQLite holds */
    sqlite3_vfs *real; /* the system's */
    int (*sync_hook)(void *ctx);
    void *sync_hook_ctx;
    int (*write_hook)(void *ctx, size_t n);
    void *write_hook_ctx;
    atomic_int_fast64_t fsyncs;
    char name[40];
};

struct shim_file {
    sqlite3_file base; /* first: what SQLite holds */
    struct store_vfs *vfs;
    sqlite3_file *real; /* behind this head */
};

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct shim_file *)(void *)f)->real;
}

static struct store_vfs *vfs_of(sqlite3_file *f)
{
    return ((struct shim_file *)(void *)f)->vfs;
}

static int shim_close(sqlite3_file *f)
{
    sqlite3_file *real = real_of(f);

    return real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
}

static int shim_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
}

static int write_fault(sqlite3_file *f, size_t n)
{
    int e = store_vfs_write_fault(vfs_of(f), n);

    if (e == 0)
        return SQLITE_OK;
    return e == ENOSPC || e == EDQUOT ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int shim_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    int rc = write_fault(f, (size_t)n);

    return rc ? rc : real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int rc = write_fault(f, 0);

    return rc ? rc : real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int shim_sync(sqlite3_file *f, int flags)
{
    struct store_vfs *v = vfs_of(f);

    atomic_fetch_add_explicit(&v->fsyncs, 1, memory_order_relaxed);
    if (v->sync_hook)
        return v->sync_hook(v->sync_hook_ctx) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
    return real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int shim_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int shim_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int shim_check_reserved(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int shim_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int shim_sector_size(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int shim_characteristics(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int shim_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int shim_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int shim_shm_unmap(sqlite3_file *f, int delete_flag)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), delete_flag);
}

static const sqlite3_io_methods shim_methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector_size,
    .xDeviceCharacteristics = shim_characteristics,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
    struct store_vfs *v = (struct store_vfs *)(void *)vfs;
    struct shim_file *s = (struct shim_file *)(void *)f;
    int rc;

    s->vfs = v;
    s->real = (sqlite3_file *)(void *)(s + 1);
    rc = v->real->xOpen(v->real, name, s->real, flags, out_flags);
    /* SQLite calls xClose exactly when pMethods is set. */
    f->pMethods = s->real->pMethods ? &shim_methods : NULL;
    return rc;
}

static sqlite3_vfs *system_of(sqlite3_vfs *vfs)
{
    return ((struct store_vfs *)(void *)vfs)->real;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    return system_of(vfs)->xDelete(system_of(vfs), name, sync_dir);
}

static int shim_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    return system_of(vfs)->xAccess(system_of(vfs), name, flags, out);
}

static int shim_full_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    return system_of(vfs)->xFullPathname(system_of(vfs), name, n, out);
}

static int shim_randomness(sqlite3_vfs *vfs, int n, char *out)
{
    return system_of(vfs)->xRandomness(system_of(vfs), n, out);
}

static int shim_sleep(sqlite3_vfs *vfs, int us)
{
    return system_of(vfs)->xSleep(system_of(vfs), us);
}

static int shim_time(sqlite3_vfs *vfs, double *out)
{
    return system_of(vfs)->xCurrentTime(system_of(vfs), out);
}

static int shim_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    return system_of(vfs)->xGetLastError(system_of(vfs), n, out);
}

static int shim_time64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    return system_of(vfs)->xCurrentTimeInt64(system_of(vfs), out);
}

enum status store_vfs_new(const struct store_options *o, struct store_vfs **out, struct error *err)
{
    struct store_vfs *v;
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);

    if (!real)
        return error_set(err, STATUS_FAILED, "SQLite has no file layer for this system");
    v = xcalloc(1, sizeof(*v));
    (void)snprintf(v->name, sizeof(v->name), "troupe-%p", (void *)v);
    v->real = real;
    v->sync_hook = o->sync_hook;
    v->sync_hook_ctx = o->sync_hook_ctx;
    v->write_hook = o->write_hook;
    v->write_hook_ctx = o->write_hook_ctx;
    atomic_init(&v->fsyncs, 0);
    v->base = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = (int)sizeof(struct shim_file) + real->szOsFile,
        .mxPathname = real->mxPathname,
        .zName = v->name,
        .xOpen = shim_open,
        .xDelete = shim_delete,
        .xAccess = shim_access,
        .xFullPathname = shim_full_path,
        .xRandomness = shim_randomness,
        .xSleep = shim_sleep,
        .xCurrentTime = shim_time,
        .xGetLastError = shim_last_error,
        .xCurrentTimeInt64 = shim_time64,
    };
    if (sqlite3_vfs_register(&v->base, 0) != SQLITE_OK) {
        free(v);
        return error_set(err, STATUS_NO_MEMORY, "SQLite cannot register the file layer");
    }
    *out = v;
    return STATUS_OK;
}

void store_vfs_free(struct store_vfs *v)
{
    if (!v)
        return;
    sqlite3_vfs_unregister(&v->base);
    free(v);
}

const char *store_vfs_name(const struct store_vfs *v)
{
    return v->name;
}

int64_t store_vfs_fsyncs(const struct store_vfs *v)
{
    return atomic_load_explicit(&v->fsyncs, memory_order_relaxed);
}

int store_vfs_write_fault(const struct store_vfs *v, size_t n)
{
    return v->write_hook ? v->write_hook(v->write_hook_ctx, n) : 0;
}

int store_vfs_sync_file(struct store_vfs *v, int fd)
{
    atomic_fetch_add_explicit(&v->fsyncs, 1, memory_order_relaxed);
    if (v->sync_hook)
        return v->sync_hook(v->sync_hook_ctx) ? EIO : 0;
    return fdatasync(fd) ? errno : 0;
}
