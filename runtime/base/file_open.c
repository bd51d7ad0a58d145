/* file_open.c - regular files only, and never a wait.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/file_open.h"

#include <errno.h>
#include <unistd.h>

static const char *kind_of(mode_t mode)
{
    if (S_ISDIR(mode))
        return "a folder";
    if (S_ISFIFO(mode))
        return "a FIFO";
    if (S_ISSOCK(mode))
        return "a socket";
    return S_ISCHR(mode) || S_ISBLK(mode) ? "a device" : "no file";
}

static enum status refuse(const char *name, mode_t mode, struct error *err)
{
    return error_set(err, STATUS_INVALID, "%s is %s, not a regular file", name, kind_of(mode));
}

enum status file_check_regular(int fd, const char *name, struct stat *info, struct error *err)
{
    struct stat own;

    info = info ? info : &own;
    if (fstat(fd, info))
        return error_errno(err, errno, "reading %s", name);
    return S_ISREG(info->st_mode) ? STATUS_OK : refuse(name, info->st_mode, err);
}

enum status file_check_named(const char *path, struct error *err)
{
    struct stat info;

    return stat(path, &info) || S_ISREG(info.st_mode) ? STATUS_OK : refuse(path, info.st_mode, err);
}

enum status file_open(const char *path, int flags, mode_t mode, int *fd, struct stat *info,
                      struct error *err)
{
    int got = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode);
    enum status st;

    if (got < 0) {
        int failed = errno;
        struct stat named;

        /* A FIFO without a reader (ENXIO), a socket (ENXIO), a folder to be written (EISDIR). */
        if ((failed == ENXIO || failed == EISDIR) && stat(path, &named) == 0 &&
            !S_ISREG(named.st_mode))
            return refuse(path, named.st_mode, err);
        return error_errno(err, failed, "opening %s", path);
    }
    st = file_check_regular(got, path, info, err);
    if (st) {
        close(got);
        return st;
    }
    *fd = got;
    return STATUS_OK;
}
