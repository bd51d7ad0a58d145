/* builtin_write_file.c - writes a whole file inside the root, atomically.
 *
 * The text goes into a temporary file in the root (part_file.h), or next to its target if that is
 * on another file system, which is then renamed to the target. All paths are relative to directory
 * descriptors. A rename replaces a link and never follows it. A failed call removes the directories
 * that it created.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/builtin.h"
#include "tools/part_file.h"
#include "tools/root_dir.h"

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

/* An existing regular file gives its mode; anything else that exists is refused. */
static enum status look_at_target(int dir, const char *name, mode_t *mode, struct error *err)
{
    struct stat s;

    *mode = 0644;
    if (fstatat(dir, name, &s, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? STATUS_OK : error_errno(err, errno, "checking \"%.200s\"", name);
    if (!S_ISREG(s.st_mode))
        return error_set(err, STATUS_INVALID, "\"%.200s\" exists and is not a regular file", name);
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

struct text {
    const char *bytes;
    size_t n;
    mode_t mode;
};

/* Writes through a temporary file in `aside`. *elsewhere: it cannot be created or renamed there. */
static enum status write_by(const struct seams *seams, int aside, int dir, const char *name,
                            const struct text *t, bool *elsewhere, struct error *err)
{
    char part[PART_FILE_NAME];
    int fd;
    enum status st = part_file_open(seams, aside, part, &fd, err);

    *elsewhere = st != STATUS_OK;
    if (st)
        return st;
    st = fill(seams, fd, t->bytes, t->n, t->mode, err);
    if (!st && renameat(aside, part, dir, name)) {
        *elsewhere = errno == EXDEV;
        st = error_errno(err, errno, "renaming the new file to \"%.200s\"", name);
    }
    if (st)
        (void)unlinkat(aside, part, 0);
    close(fd);
    return st;
}

static enum status replace(const struct file_root *root, int dir, const char *name,
                           const char *bytes, size_t n, struct error *err)
{
    struct text t = {.bytes = bytes, .n = n};
    bool elsewhere = false;
    enum status st = look_at_target(dir, name, &t.mode, err);

    if (!st)
        st = write_by(root->seams, root->fd, dir, name, &t, &elsewhere, err);
    if (elsewhere)
        st = write_by(root->seams, dir, dir, name, &t, &elsewhere, err);
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
    int32_t n_made = 0;
    int dir;
    enum status st = file_tool_path(c, "", &path, &err);

    if (!st)
        st = root_dir_parent(root->fd, path, &dir, &name, &n_made, &err);
    if (!st) {
        st = replace(root, dir, name, jv_get_string(text, ""), jv_string_len(text), &err);
        if (!st)
            st = sync_directory(root->seams, dir, &err);
        close(dir);
    }
    if (st) {
        root_dir_remove(root->fd, path, n_made);
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

    enum status st = file_tool_new(o, &declaration, &ops, out, err);

    if (!st)
        part_files_sweep(((const struct file_root *)(*out)->ctx)->fd);
    return st;
}
