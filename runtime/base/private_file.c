/* private_file.c - see private_file.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/private_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/home.h"
#include "runtime/base/memory.h"

#define FILE_BYTES_MAX ((size_t)4 << 20)
#define LOCK_TRIES     200 /* of 5 ms */

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

/* The folder, and an empty file that only its owner can read: file_write_atomic keeps the mode. */
static enum status create(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash && slash > path ? xstrndup(path, (size_t)(slash - path)) : NULL;
    enum status st = folder ? dir_make(folder, err) : STATUS_OK;
    int fd = -1;

    if (!st && !file_exists(path))
        st = file_open(path, O_WRONLY | O_CREAT, S_IRUSR | S_IWUSR, &fd, NULL, err);
    if (fd >= 0)
        close(fd);
    free(folder);
    return st;
}

/* The lock of another process is held for some milliseconds; one that is stopped may hold it for
 * ever, so the wait has an end. */
static enum status lock(const char *path, int *fd, struct error *err)
{
    struct str name = STR_INIT;
    const struct timespec wait = {.tv_nsec = 5000000};
    enum status st;
    int tries = 0;

    str_printf(&name, "%s.lock", path);
    st = file_open(str_cstr(&name), O_RDWR | O_CREAT, S_IRUSR | S_IWUSR, fd, NULL, err);
    while (!st && flock(*fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            st = error_errno(err, errno, "locking %s", str_cstr(&name));
        else if (++tries == LOCK_TRIES)
            st = error_set(err, STATUS_BUSY, "another process keeps %s locked", str_cstr(&name));
        else
            nanosleep(&wait, NULL);
        if (st)
            close(*fd);
    }
    str_deinit(&name);
    return st;
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

enum status private_file_change(const struct private_file *f, const struct seams *seams,
                                void (*edit)(void *ctx, struct json *doc), void *ctx,
                                struct error *err)
{
    struct json *doc = NULL;
    int fd = -1;
    enum status st = create(f->path, err);

    if (!st)
        st = lock(f->path, &fd, err);
    if (st)
        return st;
    st = private_file_load(f, &doc, err);
    if (!st) {
        edit(ctx, doc);
        st = write_doc(f->path, seams, doc, err);
    }
    jv_unref(doc);
    close(fd);
    return st;
}
