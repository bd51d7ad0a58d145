/* seams_file.c - whole files: atomic writes, bounded reads, folders.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/str.h"

/* First size of file_read's buffer when the file's size is unknown (/proc). */
#define READ_CHUNK ((size_t)64 << 10)

/* Creates path.tmp. An old one is a leftover of a crash, or a trap in a folder that others
 * can write: O_EXCL never follows it. A file that is replaced keeps its mode. */
static int open_temporary(const char *tmp, const char *path, int *fd)
{
    struct stat st;
    int saved;

    if (unlink(tmp) && errno != ENOENT)
        return errno;
    *fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (*fd < 0)
        return errno;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && fchmod(*fd, st.st_mode & 07777)) {
        saved = errno;
        close(*fd);
        return saved;
    }
    return 0;
}

static int sync_folder_of(const struct seams *s, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == path ? xstrdup("/")
                   : slash       ? xstrndup(path, (size_t)(slash - path))
                                 : xstrdup(".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 ? errno : s->file.sync(s->file.ctx, fd);

    if (fd >= 0)
        close(fd);
    free(folder);
    return failed;
}

enum status file_write_atomic(const struct seams *s, const char *path, const void *bytes, size_t n,
                              struct error *err)
{
    struct str tmp = STR_INIT;
    enum status st = STATUS_OK;
    int fd = -1;
    int failed;

    str_printf(&tmp, "%s.tmp", path);
    failed = str_ok(&tmp) ? open_temporary(str_cstr(&tmp), path, &fd) : ENAMETOOLONG;
    if (failed) {
        st = error_errno(err, failed, "creating %s.tmp", path);
        goto done;
    }
    failed = s->file.write_all(s->file.ctx, fd, bytes, n);
    if (!failed)
        failed = s->file.sync(s->file.ctx, fd);
    if (close(fd) && !failed)
        failed = errno;
    if (!failed)
        failed = s->file.rename(s->file.ctx, str_cstr(&tmp), path);
    if (failed) {
        unlink(str_cstr(&tmp));
        st = error_errno(err, failed, "writing %s", path);
        goto done;
    }
    failed = sync_folder_of(s, path);
    if (failed)
        st = error_errno(err, failed, "syncing the folder of %s", path);
done:
    str_deinit(&tmp);
    return st;
}

/* Reads on until the end, whatever fstat said: a file may grow, one of /proc has no size.
 * On success *buffer holds *len bytes and has room for one more. */
static enum status read_all(int fd, size_t expected, size_t max_bytes, char **buffer, size_t *len,
                            struct error *err)
{
    size_t cap = 0;

    *len = 0;
    for (;;) {
        ssize_t got;

        if (*len == cap) {
            size_t more = cap == 0 && expected > 0 ? expected + 1 : cap + READ_CHUNK;

            if (!mem_grow((void **)buffer, more + 1, 1))
                return error_set(err, STATUS_NO_MEMORY, "no memory for %zu bytes", more);
            cap = more;
        }
        got = read(fd, *buffer + *len, cap - *len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(err, errno, "reading");
        if (got == 0)
            return STATUS_OK;
        *len += (size_t)got;
        if (*len > max_bytes)
            return error_set(err, STATUS_LIMIT, "larger than %zu bytes", max_bytes);
    }
}

enum status file_read(const char *path, size_t max_bytes, char **out, size_t *n, struct error *err)
{
    struct stat st;
    char *buffer = NULL;
    size_t len = 0;
    int fd = -1;
    enum status status = file_open(path, O_RDONLY, 0, &fd, &st, err);

    if (status)
        return status;
    if (st.st_size > 0 && (uintmax_t)st.st_size > max_bytes) {
        status = error_set(err, STATUS_LIMIT, "larger than %zu bytes", max_bytes);
    } else {
        size_t expected = st.st_size > 0 ? (size_t)st.st_size : 0;

        status = read_all(fd, expected, max_bytes, &buffer, &len, err);
    }
    close(fd);
    if (status) {
        error_note(err, "%s", path);
        free(buffer);
        return status;
    }
    buffer[len] = '\0';
    *out = buffer;
    if (n)
        *n = len;
    return STATUS_OK;
}

bool file_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

static int make_one(const char *path)
{
    struct stat st;

    if (mkdir(path, 0777) == 0)
        return 0;
    if (errno == EEXIST && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        return ENOTDIR;
    return errno == EEXIST ? 0 : errno;
}

enum status dir_make(const char *path, struct error *err)
{
    char *copy = xstrdup(path);
    int failed = 0;

    for (char *c = copy + (*copy == '/'); *c && !failed; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        failed = make_one(copy);
        *c = '/';
    }
    if (!failed)
        failed = make_one(copy);
    free(copy);
    return failed ? error_errno(err, failed, "creating the folder %s", path) : STATUS_OK;
}
