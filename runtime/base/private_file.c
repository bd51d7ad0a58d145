/* private_file.c - see private_file.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/private_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/home.h"
#include "runtime/base/memory.h"

#define FILE_BYTES_MAX ((size_t)4 << 20)
#define LOCK_TRIES     200 /* of 5 ms */
#define FILE_BYTE      0   /* of the lock file; the others are for private_file_hold */

enum status private_file_path(const char *name, struct str *out, struct error *err)
{
    const char *xdg = getenv("XDG_STATE_HOME");
    char home[4096];
    enum status st;

    if (xdg && xdg[0] == '/') { /* a relative one is ignored, as its specification says */
        str_printf(out, "%s/troupe/%s", xdg, name);
        return STATUS_OK;
    }
    st = home_folder(home, sizeof(home), err);
    if (!st)
        str_printf(out, "%s/.local/state/troupe/%s", home, name);
    return st;
}

static enum status check_mode(const char *path, struct error *err)
{
    struct stat info;
    int fd;
    enum status st = file_open(path, O_RDONLY, 0, &fd, &info, err);

    if (st)
        return st;
    close(fd);
    if (!(info.st_mode & (S_IRWXG | S_IRWXO)))
        return STATUS_OK;
    st = error_set(err, STATUS_CONFIG, "%s: other users can read the file", path);
    error_hint(err, "chmod 600 %s", path);
    return st;
}

enum status private_file_load(const struct private_file *f, struct json **out, struct error *err)
{
    const char *path = f->path;
    char *bytes = NULL;
    size_t n = 0;
    enum status st;

    if (!file_exists(path)) {
        *out = jv_object();
        return STATUS_OK;
    }
    st = check_mode(path, err);
    if (!st)
        st = file_read(path, FILE_BYTES_MAX, &bytes, &n, err);
    if (!st && n == 0) { /* a crash between creating and the first writing */
        *out = jv_object();
    } else if (!st && (jv_parse_max(bytes, n, FILE_BYTES_MAX, path, out, NULL) ||
                       jv_get_int(jv_get(*out, "version"), 0) != 1)) {
        st = error_set(err, STATUS_CONFIG, "%s: %s cannot be understood", path, f->what);
        error_hint(err, "remove it; %s", f->lost);
    }
    if (bytes)
        explicit_bzero(bytes, n);
    free(bytes);
    return error_as_config(st, err);
}

static enum status create_folder(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash && slash > path ? xstrndup(path, (size_t)(slash - path)) : NULL;
    enum status st = folder ? dir_make(folder, err) : STATUS_OK;

    free(folder);
    return st;
}

/* An empty file that only its owner can read: file_write_atomic keeps the mode. */
static enum status create(const char *path, struct error *err)
{
    int fd = -1;
    enum status st = STATUS_OK;

    if (!file_exists(path))
        st = file_open(path, O_WRONLY | O_CREAT, S_IRUSR | S_IWUSR, &fd, NULL, err);
    if (fd >= 0)
        close(fd);
    return st;
}

/* Locks one byte of the lock file, for this descriptor. Returns 0 or an errno. */
static int lock_byte(int fd, off_t at)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

    return fcntl(fd, F_OFD_SETLK, &l) == 0 ? 0 : errno == EACCES ? EAGAIN : errno;
}

static enum status open_lock(const char *path, int *fd, struct error *err)
{
    struct str name = STR_INIT;
    enum status st = create_folder(path, err);

    str_printf(&name, "%s.lock", path);
    if (!st)
        st = file_open(str_cstr(&name), O_RDWR | O_CREAT, S_IRUSR | S_IWUSR, fd, NULL, err);
    str_deinit(&name);
    return st;
}

/* The lock of another process is held for some milliseconds; one that is stopped may hold it for
 * ever, so the wait has an end. */
static enum status lock(const char *path, int *fd, struct error *err)
{
    const struct timespec wait = {.tv_nsec = 5000000};
    enum status st = open_lock(path, fd, err);
    int failed = st ? 0 : lock_byte(*fd, FILE_BYTE);

    for (int i = 0; !st && failed == EAGAIN && i < LOCK_TRIES; i++) {
        nanosleep(&wait, NULL);
        failed = lock_byte(*fd, FILE_BYTE);
    }
    if (!failed)
        return st;
    close(*fd);
    if (failed == EAGAIN)
        return error_set(err, STATUS_BUSY, "another process keeps %s.lock locked", path);
    return error_errno(err, failed, "locking %s.lock", path);
}

static enum status write_doc(const char *path, const struct seams *seams, struct json *doc,
                             struct error *err)
{
    struct str text = STR_INIT;
    enum status st;

    jv_set_int(doc, "version", 1);
    jv_write(doc, 1, &text);
    st = str_ok(&text) ? file_write_atomic(seams, path, str_cstr(&text), text.len, err)
                       : error_set(err, STATUS_NO_MEMORY, "no memory for %s", path);
    if (text.data)
        explicit_bzero(text.data, text.len);
    str_deinit(&text);
    return st;
}

enum status private_file_hold(const char *path, uint64_t what, int *fd, struct error *err)
{
    enum status st = open_lock(path, fd, err);
    int failed = st ? 0 : lock_byte(*fd, 1 + (off_t)(what >> 2));

    if (!failed)
        return st;
    close(*fd);
    return failed == EAGAIN ? error_set(err, STATUS_BUSY, "another process holds it")
                            : error_errno(err, failed, "locking %s.lock", path);
}

void private_file_release(int fd)
{
    close(fd); /* the lock goes with it */
}

enum status private_file_change(const struct private_file *f, const struct seams *seams,
                                void (*edit)(void *ctx, struct json *doc), void *ctx,
                                struct error *err)
{
    struct json *doc = NULL;
    int fd = -1;
    enum status st = lock(f->path, &fd, err);

    if (st)
        return st;
    st = create(f->path, err);
    if (!st)
        st = private_file_load(f, &doc, err);
    if (!st) {
        edit(ctx, doc);
        st = write_doc(f->path, seams, doc, err);
    }
    jv_unref(doc);
    close(fd);
    return st;
}
