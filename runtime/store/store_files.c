/* store_files.c - are the files that are written still those that the path names?
 *
 * A deleted file takes writes and syncs as before, and all of it is gone when it is closed. So it
 * is asked after each commit, before anybody is told that it is durable.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/stat.h>

#include "runtime/store/store_internal.h"

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

enum status store_files_note(struct store *s, struct error *err)
{
    s->wal_file = (struct file_id){0}; /* SQLite makes it when it is first needed */
    if (look(s->path, &s->file))
        return STATUS_OK;
    return error_set(err, STATUS_IO, "the file of the store, %s, is gone", s->path);
}

enum status store_files_check(struct store *s, struct error *err)
{
    bool has_file = is_same(s->path, &s->file);

    if (s->wal_file.ino == 0)
        (void)look(s->wal_path, &s->wal_file);
    if (has_file && is_same(s->wal_path, &s->wal_file))
        return STATUS_OK;
    return error_set(err, STATUS_IO,
                     "the file %s is gone: it was deleted or replaced while it was in use",
                     has_file ? s->wal_path : s->path);
}
