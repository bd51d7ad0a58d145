/* beneath.c - openat2 and the words for its refusals.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel answers EAGAIN when a rename raced with "..": then another try is right (openat2(2)).
 */
#define TRIES 64

enum status beneath_root(const char *path, int *fd, struct error *err)
{
    *fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return error_errno(err, errno, "opening the root %s", path);
    return STATUS_OK;
}

static enum status refuse(int errnum, const char *path, struct error *err)
{
    switch (errnum) {
    case EXDEV:
        return error_set(err, STATUS_INVALID, "\"%.200s\" leads outside the root", path);
    case ELOOP:
        return error_set(err, STATUS_INVALID,
                         "\"%.200s\" passes through a symbolic link; links are not followed", path);
    case ENOENT:
        return error_set(err, STATUS_NOT_FOUND, "\"%.200s\" is not there", path);
    case ENOTDIR:
        return error_set(err, STATUS_INVALID, "\"%.200s\" passes through, or is, no directory",
                         path);
    case EISDIR:
        return error_set(err, STATUS_INVALID, "\"%.200s\" is a directory", path);
    case ENOSYS:
        return error_set(
            err, STATUS_UNSUPPORTED,
            "this kernel has no openat2 (Linux 5.6), without which files are not safe");
    default:
        return error_errno(err, errnum, "opening \"%.200s\"", path);
    }
}

enum status beneath_open(int root, const char *path, int flags, int *fd, struct error *err)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long got = -1;

    if (!*path || strlen(path) > BENEATH_MAX_PATH)
        return error_set(err, STATUS_INVALID, "expected a path of 1 to %d bytes", BENEATH_MAX_PATH);
    if (!(flags & O_PATH))
        how.flags |= O_NOCTTY | O_NONBLOCK;
    errno = EAGAIN;
    for (int i = 0; i < TRIES && got < 0 && errno == EAGAIN; i++)
        got = syscall(SYS_openat2, root, path, &how, sizeof(how));
    if (got < 0)
        return refuse(errno, path, err);
    *fd = (int)got;
    return STATUS_OK;
}

/* Opens `name`, one component, beneath dir and gives dir up; makes it where it is missing. */
static enum status descend(int *dir, const char *name, struct error *err)
{
    int next = -1;
    enum status st = beneath_open(*dir, name, O_PATH | O_DIRECTORY, &next, err);

    if (st == STATUS_NOT_FOUND) {
        if (mkdirat(*dir, name, 0777) && errno != EEXIST)
            return error_errno(err, errno, "making the directory \"%.200s\"", name);
        st = beneath_open(*dir, name, O_PATH | O_DIRECTORY, &next, err);
    }
    if (st)
        return st;
    close(*dir);
    *dir = next;
    return STATUS_OK;
}

enum status beneath_parent(int root, const char *path, int *fd, const char **name,
                           struct error *err)
{
    const char *last = strrchr(path, '/');
    char component[256];
    int dir = -1;
    enum status st;

    last = last ? last + 1 : path;
    if (path[0] == '/')
        return refuse(EXDEV, path, err);
    if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
        return error_set(err, STATUS_INVALID, "\"%.200s\" names no file", path);
    st = beneath_open(root, ".", O_PATH | O_DIRECTORY, &dir, err);
    for (const char *at = path; !st && at < last;) {
        size_t n = strcspn(at, "/");

        if (n >= sizeof(component)) {
            st = refuse(ENAMETOOLONG, path, err);
            break;
        }
        memcpy(component, at, n);
        component[n] = '\0';
        at += n + 1;
        if (n > 0)
            st = descend(&dir, component, err);
    }
    if (st) {
        if (dir >= 0)
            close(dir);
        return st;
    }
    *fd = dir;
    *name = last;
    return STATUS_OK;
}
