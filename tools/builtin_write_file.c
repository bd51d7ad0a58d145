/* builtin_write_file.c - writes a whole file inside the root: old or new, never half.
 *
 * The text goes into a new file beside its target and is renamed over it, all relative to one
 * descriptor of the directory. A rename replaces a link, it never follows one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/beneath.h"
#include "tools/builtin.h"

static const struct tool_declaration declaration = {
    .name = "write_file",
    .description = "Writes a text file, replacing what was there; missing directories are made.",
    .source = "built-in",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"path\":{\"type\":\"string\",\"minLength\":1,\"description\":\"relative to the root\"},"
        "\"text\":{\"type\":\"string\",\"maxLength\":1048576}},"
        "\"required\":[\"path\",\"text\"],\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"bytes\":{\"type\":\"integer\"}},"
                     "\"required\":[\"bytes\"]}",
    .effect = EFFECT_IDEMPOTENT,
    .access = TOOL_WRITES,
};

/* What stands there now: a regular file lends its mode, anything else is refused. */
static enum status look_at_target(int dir, const char *name, mode_t *mode, struct error *err)
{
    struct stat s;

    *mode = 0644;
    if (fstatat(dir, name, &s, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? STATUS_OK : error_errno(err, errno, "looking at \"%.200s\"", name);
    if (!S_ISREG(s.st_mode))
        return error_set(err, STATUS_INVALID, "\"%.200s\" is there and not a regular file", name);
    *mode = s.st_mode & 0777;
    return STATUS_OK;
}

static enum status fill(const struct seams *seams, int fd, const char *text, size_t n, mode_t mode,
                        struct error *err)
{
    const struct file_seam *f = &seams->file;
    int errnum = f->write_all(f->ctx, fd, text, n);

    if (!errnum && fchmod(fd, mode))
        errnum = errno;
    if (!errnum)
        errnum = f->sync(f->ctx, fd);
    return errnum ? error_errno(err, errnum, "writing") : STATUS_OK;
}

static enum status replace(const struct seams *seams, int dir, const char *name, const char *text,
                           size_t n, struct error *err)
{
    char aside[48];
    mode_t mode;
    int fd;
    enum status st = look_at_target(dir, name, &mode, err);

    if (st)
        return st;
    (void)snprintf(aside, sizeof(aside), ".%016llx.part",
                   (unsigned long long)seams_random_u64(seams));
    fd = openat(dir, aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, errno, "making a file beside \"%.200s\"", name);
    st = fill(seams, fd, text, n, mode, err);
    close(fd);
    if (!st && renameat(dir, aside, dir, name))
        st = error_errno(err, errno, "putting \"%.200s\" in place", name);
    if (st)
        (void)unlinkat(dir, aside, 0);
    return st;
}

/* The directory's own entry, so that the new name survives a loss of power. */
static enum status sync_directory(const struct seams *seams, int dir, struct error *err)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int errnum = fd < 0 ? errno : seams->file.sync(seams->file.ctx, fd);

    if (fd >= 0)
        close(fd);
    return errnum ? error_errno(err, errnum, "syncing the directory") : STATUS_OK;
}

static void start(struct tool *t, struct tool_call *c)
{
    const struct file_root *root = t->ctx;
    const struct json *text = jv_get(c->arguments, "text");
    struct error err = ERROR_INIT;
    const char *path, *name;
    struct json *result;
    int dir;
    enum status st = file_tool_path(c, "", &path, &err);

    if (!st)
        st = beneath_parent(root->fd, path, &dir, &name, &err);
    if (!st) {
        st = replace(root->seams, dir, name, jv_get_string(text, ""), jv_string_len(text), &err);
        if (!st)
            st = sync_directory(root->seams, dir, &err);
        close(dir);
    }
    if (st) {
        file_tool_fail(c, &err);
        return;
    }
    result = jv_object();
    jv_set_int(result, "bytes", (int64_t)jv_string_len(text));
    tool_call_finish(c, TOOL_OK, result);
}

enum status builtin_write_file(const struct tool_registry_options *o, struct tool **out,
                               struct error *err)
{
    static const struct tool_ops ops = {.start = start, .free = file_tool_free};

    return file_tool_new(o, &declaration, &ops, out, err);
}
