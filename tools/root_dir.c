/* root_dir.c - openat2 and the messages for its errors.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/root_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/memory.h"

/* The kernel returns EAGAIN when a rename races with "..": try again (openat2(2)). */
#define TRIES 64

enum status root_dir_open(const char *path, int *fd, struct error *err)
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
        return error_set(err, STATUS_NOT_FOUND, "\"%.200s\" does not exist", path);
    case ENOTDIR:
        return error_set(err, STATUS_INVALID,
                         "\"%.200s\" is not a directory, or leads through a file", path);
    case EISDIR:
        return error_set(err, STATUS_INVALID, "\"%.200s\" is a directory", path);
    case ENOSYS:
        return error_set(
            err, STATUS_UNSUPPORTED,
            "the file tools need openat2, which this kernel lacks (Linux 5.6 and later have it)");
    default:
        return error_errno(err, errnum, "opening \"%.200s\"", path);
    }
}

enum status root_dir_open_at(int root, const char *path, int flags, int *fd, struct error *err)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long got = -1;

    if (!*path || strlen(path) > ROOT_DIR_MAX_PATH)
        return error_set(err, STATUS_INVALID, "expected a path of 1 to %d bytes",
                         ROOT_DIR_MAX_PATH);
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

/* Replaces dir by its directory `name` (one component), created if it is missing. */
static enum status descend(int *dir, const char *name, int32_t *n_made, struct error *err)
{
    int next = -1;
    enum status st = root_dir_open_at(*dir, name, O_PATH | O_DIRECTORY, &next, err);

    if (st == STATUS_NOT_FOUND) {
        if (!mkdirat(*dir, name, 0777))
            (*n_made)++;
        else if (errno != EEXIST)
            return error_errno(err, errno, "creating the directory \"%.200s\"", name);
        st = root_dir_open_at(*dir, name, O_PATH | O_DIRECTORY, &next, err);
    }
    if (st)
        return st;
    close(*dir);
    *dir = next;
    return STATUS_OK;
}

/* The next component of the directory part, which ends at `last`; false: there is none. */
static bool next_component(const char **at, const char *last, char out[256], size_t *n)
{
    while (*at < last && **at == '/')
        (*at)++;
    *n = strcspn(*at, "/");
    if (*at >= last)
        return false;
    if (*n < 256) {
        memcpy(out, *at, *n);
        out[*n] = '\0';
    }
    *at += *n;
    return true;
}

/* Checks the whole path before any directory is created. */
static enum status check_path(const char *path, const char *last, struct error *err)
{
    char component[256];
    size_t n;

    if (path[0] == '/')
        return refuse(EXDEV, path, err);
    if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
        return error_set(err, STATUS_INVALID, "\"%.200s\" does not name a file", path);
    if (strlen(last) >= sizeof(component) || strlen(path) > ROOT_DIR_MAX_PATH)
        return refuse(ENAMETOOLONG, path, err);
    for (const char *at = path; next_component(&at, last, component, &n);) {
        if (n >= sizeof(component))
            return refuse(ENAMETOOLONG, path, err);
        if (strcmp(component, "..") == 0)
            return refuse(EXDEV, path, err);
    }
    return STATUS_OK;
}

static const char *last_name(const char *path)
{
    const char *last = strrchr(path, '/');

    return last ? last + 1 : path;
}

enum status root_dir_parent(int root, const char *path, int *fd, const char **name, int32_t *n_made,
                            struct error *err)
{
    const char *last = last_name(path);
    char component[256];
    int dir = -1;
    size_t n;
    enum status st = check_path(path, last, err);

    *n_made = 0;
    if (!st)
        st = root_dir_open_at(root, ".", O_PATH | O_DIRECTORY, &dir, err);
    for (const char *at = path; !st && next_component(&at, last, component, &n);)
        st = descend(&dir, component, n_made, err);
    if (st) {
        if (dir >= 0)
            close(dir);
        root_dir_remove(root, path, *n_made);
        *n_made = 0;
        return st;
    }
    *fd = dir;
    *name = last;
    return STATUS_OK;
}

void root_dir_remove(int root, const char *path, int32_t n_made)
{
    char *prefix = xstrndup(path, (size_t)(last_name(path) - path)), *name;
    int dir;

    for (size_t n = strlen(prefix); n_made > 0 && n > 0; n = strlen(prefix)) {
        if (prefix[n - 1] == '/') {
            prefix[n - 1] = '\0';
            continue;
        }
        name = prefix + (last_name(prefix) - prefix);
        if (strcmp(name, ".") != 0) {
            char *made = xstrdup(name);

            *name = '\0';
            if (!root_dir_open_at(root, *prefix ? prefix : ".", O_PATH | O_DIRECTORY, &dir, NULL)) {
                (void)unlinkat(dir, made, AT_REMOVEDIR); /* not while others use it */
                close(dir);
            }
            n_made--;
            free(made);
        }
        *name = '\0';
    }
    free(prefix);
}
