/* store_files.c - checks that the open files are still the files at their paths.
 *
 * A deleted file still accepts writes and syncs, and its data is lost when it is closed. So the
 * files are checked after each commit, before the commit is reported as durable; and by a run that
 * commits nothing for a while.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/memory.h"
#include "runtime/store/store_internal.h"

char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static bool look(const char *path, struct file_id *out)
{
    struct stat s;

    if (stat(path, &s))
        return false;
    *out = (struct file_id){.dev = s.st_dev, .ino = s.st_ino};
    return true;
}

static bool is_same(const char *path, const struct file_id *was)
{
    struct file_id is;

    return look(path, &is) && is.dev == was->dev && is.ino == was->ino;
}

static enum status file_lost(const char *path, struct error *err)
{
    return error_set(err, STATUS_IO, "the file %s was deleted or replaced while it was in use",
                     path);
}

/* The file that is missing, or NULL. */
static const char *which_is_gone(const struct store *s)
{
    struct file_id log;
    ino_t was = atomic_load_explicit(&s->log_inode, memory_order_relaxed);

    if (!is_same(s->path, &s->file))
        return s->path;
    if (was && !(look(s->wal_path, &log) && log.ino == was))
        return s->wal_path;
    return NULL;
}

static void note_log(struct store *s)
{
    struct file_id log;

    if (look(s->wal_path, &log))
        atomic_store_explicit(&s->log_inode, log.ino, memory_order_relaxed);
}

enum status store_files_note(struct store *s, struct error *err)
{
    if (!look(s->path, &s->file))
        return file_lost(s->path, err);
    note_log(s);
    return STATUS_OK;
}

enum status store_file_explain(const struct store *s, enum status st, struct error *err)
{
    const char *path = s->has_thread ? which_is_gone(s) : NULL;

    return path ? file_lost(path, err) : st;
}

void store_hint_safe(struct error *err)
{
    error_hint(err, "nothing was written after this error; all acknowledged data is safe");
}

enum status store_can_record(struct store *s, struct error *err)
{
    enum status st;

    if (!s->has_thread)
        return STATUS_OK;
    if (atomic_load_explicit(&s->has_failed, memory_order_acquire)) {
        if (err)
            *err = s->stopped_by;
        return s->stopped_by.status;
    }
    st = store_files_check(s, err);
    if (st)
        store_hint_safe(err);
    return st;
}

enum status store_files_check(struct store *s, struct error *err)
{
    const char *path;

    if (atomic_load_explicit(&s->log_inode, memory_order_relaxed) == 0)
        note_log(s);
    path = which_is_gone(s);
    return path ? file_lost(path, err) : STATUS_OK;
}
