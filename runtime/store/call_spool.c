/* call_spool.c - see call_spool.h. Images are read in spool_image.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/call_spool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/memory.h"
#include "runtime/store/run_lock.h"
#include "runtime/store/spool_format.h"
#include "runtime/store/store_internal.h"

/* Larger rows go straight to the table. */
#define RECORD_MAX ((size_t)64 << 10)

struct call_spool {
    char *path;
    int slot, fd;
    struct store_vfs *vfs;
    struct spool_id id;
    struct str record; /* the appending thread's */

    pthread_mutex_t lock; /* of all below */
    /* Records are in [tail, head), or in [tail, wrap) and [SPOOL_HEAD_BYTES, head). */
    size_t head, tail, wrap;
    bool is_wrapped;
    uint64_t last, moved, synced; /* numbers */
    size_t taken_head;            /* of the last image */
    bool is_lost;                 /* the file is no longer at its path */

    bool folder_is_synced; /* the store thread's */
};

/* ---- files */

static enum status claim(const char *path, int flags, int *fd, size_t *size, struct error *err)
{
    struct stat info;
    enum status st = file_open(path, O_RDWR | flags, 0600, fd, NULL, err);
    int e;

    if (st)
        return st;
    e = file_lock_try(*fd);
    if (!e && fstat(*fd, &info) == 0) { /* its size now, not before the lock */
        *size = (size_t)info.st_size;
        return STATUS_OK;
    }
    close(*fd);
    if (e == EAGAIN || e == EACCES)
        return error_set(err, STATUS_BUSY, "%s is in use", path);
    return error_errno(err, e ? e : errno, "locking %s", path);
}

enum status spool_claim(const char *path, int *fd, struct error *err)
{
    size_t size;

    return claim(path, 0, fd, &size, err);
}

enum status spool_empty(int fd, const char *path, struct error *err)
{
    return ftruncate(fd, 0) ? error_errno(err, errno, "emptying %s", path) : STATUS_OK;
}

/* All bytes at `at`, with the fault that a test wants. A rest that was written is overwritten by
 * the next record. */
static enum status write_at(struct call_spool *s, const void *bytes, size_t n, size_t at,
                            struct error *err)
{
    int e = store_vfs_write_fault(s->vfs, n);
    size_t done = 0;

    while (!e && done < n) {
        ssize_t k = pwrite(s->fd, (const char *)bytes + done, n - done, (off_t)(at + done));

        if (k > 0)
            done += (size_t)k;
        else if (k == 0 || errno != EINTR)
            e = k == 0 ? EIO : errno;
    }
    return e ? error_errno(err, e, "writing %s", s->path) : STATUS_OK;
}

/* The first file that is free and empty. */
static enum status take_slot(struct call_spool *s, const char *store, struct error *err)
{
    for (int slot = 0; slot < SPOOLS_MAX; slot++) {
        char *path = spool_path(store, slot);
        struct error busy = ERROR_INIT;
        size_t size = 0;
        enum status st = claim(path, O_CREAT, &s->fd, &size, &busy);

        if (!st && size == 0) {
            s->path = path;
            s->slot = slot;
            return STATUS_OK;
        }
        if (!st)
            close(s->fd); /* left after this store was opened: the next that opens it moves it */
        s->fd = -1;
        free(path);
        if (st && st != STATUS_BUSY) {
            if (err)
                *err = busy;
            return st;
        }
    }
    return error_set(err, STATUS_LIMIT, "%d processes have files of calls beside %s", SPOOLS_MAX,
                     store);
}

enum status spool_open(const char *store, const struct seams *seams, struct store_vfs *vfs,
                       struct call_spool **out, struct error *err)
{
    struct call_spool *s = xcalloc(1, sizeof(*s));
    struct spool_head head;
    enum status st;

    pthread_mutex_init(&s->lock, NULL);
    str_init(&s->record, RECORD_MAX);
    s->vfs = vfs;
    s->fd = -1;
    seams->random.fill(seams->random.ctx, &s->id, sizeof(s->id));
    s->head = s->tail = s->taken_head = SPOOL_HEAD_BYTES;
    st = take_slot(s, store, err);
    if (st == STATUS_OK) {
        spool_head_fill(&head, &s->id);
        st = write_at(s, &head, sizeof(head), 0, err);
    }
    if (st) {
        spool_close(s);
        return st;
    }
    *out = s;
    return STATUS_OK;
}

void spool_close(struct call_spool *s)
{
    if (!s)
        return;
    if (s->fd >= 0) {
        if (s->moved == s->last)
            (void)!ftruncate(s->fd, 0); /* a few bytes that are in the table stay otherwise */
        close(s->fd);
    }
    pthread_mutex_destroy(&s->lock);
    str_deinit(&s->record);
    free(s->path);
    free(s);
}

int spool_slot(const struct call_spool *s)
{
    return s->slot;
}

const char *spool_name(const struct call_spool *s)
{
    return s->path;
}

/* ---- appending */

static enum status file_lost(const struct call_spool *s, struct error *err)
{
    return error_set(err, STATUS_IO, "the file %s was deleted or replaced while it was in use",
                     s->path);
}

/* Where n bytes fit; a ring that is full to the last byte would look empty. */
static bool find_room(struct call_spool *s, size_t n, size_t *at)
{
    *at = s->head;
    if (s->last == s->moved && !s->is_wrapped)
        *at = SPOOL_HEAD_BYTES;
    if (s->is_wrapped)
        return n < s->tail - s->head;
    if (*at + n <= SPOOL_BYTES)
        return true;
    *at = SPOOL_HEAD_BYTES;
    return n < s->tail - SPOOL_HEAD_BYTES;
}

static void note_room(struct call_spool *s, size_t n, size_t at)
{
    if (s->last == s->moved) {
        s->tail = at;
        s->is_wrapped = false;
    } else if (at < s->head) {
        s->wrap = s->head;
        s->is_wrapped = true;
    }
    s->head = at + n;
}

enum status spool_append(struct call_spool *s, const struct call_audit_row *row, uint64_t *number,
                         bool *is_first, struct error *err)
{
    enum status st = STATUS_LIMIT;
    size_t at;

    pthread_mutex_lock(&s->lock);
    if (s->is_lost) {
        pthread_mutex_unlock(&s->lock);
        return file_lost(s, err);
    }
    spool_record_put(&s->record, &s->id, row, s->last + 1, s->synced);
    if (str_ok(&s->record) && find_room(s, s->record.len, &at)) {
        st = write_at(s, str_cstr(&s->record), s->record.len, at, err);
        if (st == STATUS_OK) {
            note_room(s, s->record.len, at);
            *is_first = s->last++ == s->moved;
            *number = s->last;
        }
    } else {
        (void)error_set(err, st, "there is no room in %s", s->path);
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* ---- the store's thread */

static enum status check_file(const struct call_spool *s, struct error *err)
{
    struct stat open_one, named;

    if (fstat(s->fd, &open_one) == 0 && stat(s->path, &named) == 0 &&
        open_one.st_ino == named.st_ino && open_one.st_dev == named.st_dev)
        return STATUS_OK;
    return file_lost(s, err);
}

enum status spool_check(struct call_spool *s, struct error *err)
{
    enum status st = check_file(s, err);

    if (st) {
        pthread_mutex_lock(&s->lock);
        s->is_lost = true;
        pthread_mutex_unlock(&s->lock);
    }
    return st;
}

/* A new file outlives a power failure only with its entry in the folder. */
static enum status sync_folder(struct call_spool *s, struct error *err)
{
    char *folder = folder_of(s->path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status st = STATUS_OK;

    if (fd < 0 || fsync(fd))
        st = error_errno(err, errno, "syncing %s", folder);
    if (fd >= 0)
        close(fd);
    free(folder);
    s->folder_is_synced = st == STATUS_OK;
    return st;
}

enum status spool_sync(struct call_spool *s, uint64_t number, struct error *err)
{
    uint64_t last, synced;
    enum status st;
    int e;

    pthread_mutex_lock(&s->lock);
    last = s->last;
    synced = s->synced;
    pthread_mutex_unlock(&s->lock);
    if (number <= synced)
        return STATUS_OK;
    e = store_vfs_sync_file(s->vfs, s->fd);
    st = e ? error_errno(err, e, "syncing %s", s->path) : check_file(s, err);
    if (st == STATUS_OK && !s->folder_is_synced)
        st = sync_folder(s, err);
    pthread_mutex_lock(&s->lock);
    if (st == STATUS_OK)
        s->synced = last;
    pthread_mutex_unlock(&s->lock);
    return st;
}

size_t spool_waiting_bytes(struct call_spool *s)
{
    size_t n = 0;

    pthread_mutex_lock(&s->lock);
    if (s->last != s->moved)
        n = s->is_wrapped ? s->wrap - s->tail + s->head - SPOOL_HEAD_BYTES : s->head - s->tail;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static enum status read_part(const struct call_spool *s, size_t from, size_t to,
                             struct spool_image *m, struct error *err)
{
    while (from < to) {
        ssize_t k = pread(s->fd, m->bytes + m->n, to - from, (off_t)from);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return error_errno(err, k < 0 ? errno : EIO, "reading %s", s->path);
        from += (size_t)k;
        m->n += (size_t)k;
    }
    return STATUS_OK;
}

enum status spool_take_image(struct call_spool *s, struct spool_image *out, uint64_t *after,
                             uint64_t *last, struct error *err)
{
    struct spool_image m = {.id = s->id, .is_of_this_boot = true};
    size_t tail, middle, from, head;
    enum status st;

    pthread_mutex_lock(&s->lock);
    s->taken_head = head = s->head;
    *after = s->moved;
    *last = s->last;
    tail = s->tail;
    middle = s->is_wrapped ? s->wrap : head;
    from = s->is_wrapped ? SPOOL_HEAD_BYTES : head;
    pthread_mutex_unlock(&s->lock);
    m.bytes = mem_alloc(middle - tail + head - from + 1, 1);
    if (!m.bytes)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the rows in %s", s->path);
    st = read_part(s, tail, middle, &m, err);
    if (st == STATUS_OK)
        st = read_part(s, from, head, &m, err);
    if (st)
        spool_image_deinit(&m);
    else
        *out = m;
    return st;
}

void spool_moved(struct call_spool *s, uint64_t last)
{
    pthread_mutex_lock(&s->lock);
    if (s->is_wrapped && s->taken_head <= s->head)
        s->is_wrapped = false;
    s->tail = s->taken_head;
    s->moved = last;
    pthread_mutex_unlock(&s->lock);
}
