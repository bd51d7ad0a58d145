/* builtin_read_file.c - a text file inside the root, whole or in parts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"
#include "tools/builtin.h"
#include "tools/root_dir.h"

#define DEFAULT_BYTES ((int64_t)64 << 10)

static const struct tool_declaration declaration = {
    .name = "read_file",
    .description = "Reads a text file (UTF-8). Long files come in parts: where \"more\" is true, "
                   "call again with \"offset\" raised by \"bytes\".",
    .source = "built-in",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"path\":{\"type\":\"string\",\"minLength\":1,\"description\":\"relative to the root\"},"
        "\"offset\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"in bytes, default 0\"},"
        "\"max_bytes\":{\"type\":\"integer\",\"minimum\":16,\"maximum\":1048576,"
        "\"description\":\"default 65536\"}},"
        "\"required\":[\"path\"],\"additionalProperties\":false}",
    .output_schema =
        "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"},"
        "\"bytes\":{\"type\":\"integer\"},\"size\":{\"type\":\"integer\"},"
        "\"more\":{\"type\":\"boolean\"}},\"required\":[\"text\",\"bytes\",\"size\",\"more\"]}",
    .effect = EFFECT_READ,
    .access = TOOL_READS_PRIVATE,
};

/* The descriptor of a regular file; everything later uses only this descriptor. */
static enum status open_regular(int root, const char *path, int *fd, int64_t *size,
                                struct error *err)
{
    struct stat s;
    enum status st = root_dir_open_at(root, path, O_RDONLY, fd, err);

    if (st)
        return st;
    st = file_check_regular(*fd, path, &s, err);
    if (st)
        close(*fd);
    else
        *size = (int64_t)s.st_size;
    return st;
}

static enum status read_part(int fd, int64_t offset, char *bytes, size_t n, size_t *got,
                             struct error *err)
{
    *got = 0;
    while (*got < n) {
        ssize_t r = pread(fd, bytes + *got, n - *got, (off_t)(offset + (int64_t)*got));

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return error_errno(err, errno, "reading");
        if (r == 0)
            break;
        *got += (size_t)r;
    }
    return STATUS_OK;
}

/* Characters are not split: a part ends before a character that does not fit. NUL is valid UTF-8,
 * but a sign of a binary file. */
static enum status trim_to_text(const char *bytes, size_t *n, bool is_end, int64_t size,
                                struct error *err)
{
    size_t valid = utf8_valid_prefix(bytes, *n);

    if (memchr(bytes, '\0', *n))
        return error_set(err, STATUS_INVALID,
                         "a binary file of %lld bytes (it contains NUL bytes), not text",
                         (long long)size);
    if (valid < *n && (is_end || *n - valid > 3))
        return error_set(err, STATUS_INVALID, "not UTF-8 text (byte %zu of this part)", valid);
    *n = valid;
    return STATUS_OK;
}

static enum status read_text(int fd, int64_t size, const struct tool_call *c, struct json **out,
                             struct error *err)
{
    int64_t offset = jv_get_int(jv_get(c->arguments, "offset"), 0);
    size_t max = (size_t)jv_get_int(jv_get(c->arguments, "max_bytes"), DEFAULT_BYTES);
    char *bytes;
    size_t n;
    enum status st;

    if (offset > size)
        return error_set(err, STATUS_INVALID, "offset %lld is past the end at %lld",
                         (long long)offset, (long long)size);
    bytes = mem_alloc(max, 1);
    if (!bytes)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %zu bytes", max);
    st = read_part(fd, offset, bytes, max, &n, err);
    if (!st)
        st = trim_to_text(bytes, &n, offset + (int64_t)n >= size, size, err);
    if (!st) {
        *out = jv_object();
        jv_set_adopt(*out, "text", jv_string_n(bytes, n));
        jv_set_int(*out, "bytes", (int64_t)n);
        jv_set_int(*out, "size", size);
        jv_set_bool(*out, "more", offset + (int64_t)n < size);
    }
    free(bytes);
    return st;
}

static void start(struct tool *t, struct tool_call *c)
{
    const struct file_root *root = t->ctx;
    struct error err = ERROR_INIT;
    struct json *result = NULL;
    const char *path;
    int64_t size = 0;
    int fd;
    enum status st = file_tool_path(c, "", &path, &err);

    if (!st)
        st = open_regular(root->fd, path, &fd, &size, &err);
    if (!st) {
        st = read_text(fd, size, c, &result, &err);
        close(fd);
    }
    if (st)
        file_tool_fail(c, &err);
    else
        tool_call_finish(c, TOOL_OK, result);
}

enum status builtin_read_file(const struct tool_registry_options *o, struct tool **out,
                              struct error *err)
{
    static const struct tool_ops ops = {.start = start, .free = file_tool_free};

    return file_tool_new(o, &declaration, &ops, out, err);
}
