/* atomic_file.c - see atomic_file.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/memory.h"
#include "runtime/base/str.h"

struct atomic_file {
    const struct seams *seams;
    char *path, *temporary;
    int fd, failed; /* failed: the first errno, or 0 */
};

static void free_file(struct atomic_file *f)
{
    free(f->path);
    free(f->temporary);
    free(f);
}

enum status atomic_file_open(const char *path, const struct seams *seams, struct atomic_file **out,
                             struct error *err)
{
    struct atomic_file *f = xcalloc(1, sizeof(*f));
    struct str temporary = STR_INIT;
    enum status st;

    str_printf(&temporary, "%s.tmp", path);
    f->seams = seams;
    f->path = xstrdup(path);
    f->temporary = str_take(&temporary);
    st = file_open(f->temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644, &f->fd, NULL, err);
    if (st) {
        free_file(f);
        return st;
    }
    *out = f;
    return STATUS_OK;
}

bool atomic_file_write(struct atomic_file *f, const void *bytes, size_t n)
{
    if (f->failed == 0 && n > 0)
        f->failed = f->seams->file.write_all(f->seams->file.ctx, f->fd, bytes, n);
    return f->failed == 0;
}

/* The rename itself must survive a crash too. */
static int sync_folder_of(const char *path, const struct seams *seams)
{
    char *dir = xstrdup(path), *slash = strrchr(dir, '/');
    int fd, e;

    if (slash == dir)
        dir[1] = '\0';
    else if (slash)
        *slash = '\0';
    fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    e = fd < 0 ? errno : seams->file.sync(seams->file.ctx, fd);
    if (fd >= 0)
        close(fd);
    free(dir);
    return e;
}

enum status atomic_file_close(struct atomic_file *f, struct error *err)
{
    enum status st = STATUS_OK;
    int e = f->failed;

    if (e == 0)
        e = f->seams->file.sync(f->seams->file.ctx, f->fd);
    if (close(f->fd) != 0 && e == 0)
        e = errno;
    if (e == 0)
        e = f->seams->file.rename(f->seams->file.ctx, f->temporary, f->path);
    if (e != 0) {
        st = error_errno(err, e, "cannot write %s", f->path);
        unlink(f->temporary);
    } else if ((e = sync_folder_of(f->path, f->seams)) != 0) {
        st = error_errno(err, e, "cannot sync the folder of %s", f->path);
    }
    free_file(f);
    return st;
}

void atomic_file_drop(struct atomic_file *f)
{
    if (!f)
        return;
    close(f->fd);
    unlink(f->temporary);
    free_file(f);
}
