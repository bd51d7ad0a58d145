/* builtin_list_files.c - the names in one directory inside the root.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "tools/builtin.h"
#include "tools/root_dir.h"

#define MAX_NAMES 2000

static const struct tool_declaration declaration = {
    .name = "list_files",
    .description = "Lists the names in a directory, sorted, with their types and sizes.",
    .source = "built-in",
    .input_schema = "{\"type\":\"object\",\"properties\":{"
                    "\"path\":{\"type\":\"string\",\"minLength\":1,"
                    "\"description\":\"relative to the root; default \\\".\\\"\"}},"
                    "\"additionalProperties\":false}",
    .output_schema =
        "{\"type\":\"object\",\"properties\":{\"files\":{\"type\":\"array\",\"items\":{"
        "\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},"
        "\"type\":{\"enum\":[\"file\",\"directory\",\"link\",\"other\"]},"
        "\"size\":{\"type\":\"integer\"}},\"required\":[\"name\",\"type\"]}},"
        "\"more\":{\"type\":\"boolean\"}},\"required\":[\"files\",\"more\"]}",
    .effect = EFFECT_READ,
    .access = TOOL_READS_PRIVATE,
};

struct names {
    char *name[MAX_NAMES];
    size_t n;
    bool more;
};

static int by_bytes(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;

    return strcmp(*x, *y);
}

static void collect(DIR *d, struct names *names)
{
    struct dirent *entry;

    while ((entry = readdir(d))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (names->n == MAX_NAMES) {
            names->more = true;
            break;
        }
        names->name[names->n++] = xstrdup(entry->d_name);
    }
    qsort(names->name, names->n, sizeof(names->name[0]), by_bytes);
}

static struct json *entry_json(int dir, const char *name)
{
    struct json *v = jv_object();
    struct stat s;

    jv_set_string(v, "name", name);
    if (fstatat(dir, name, &s, AT_SYMLINK_NOFOLLOW)) {
        jv_set_string(v, "type", "other"); /* deleted meanwhile */
        return v;
    }
    if (S_ISREG(s.st_mode)) {
        jv_set_string(v, "type", "file");
        jv_set_int(v, "size", (int64_t)s.st_size);
    } else {
        jv_set_string(v, "type",
                      S_ISDIR(s.st_mode)   ? "directory"
                      : S_ISLNK(s.st_mode) ? "link"
                                           : "other");
    }
    return v;
}

/* Takes over fd. */
static enum status list(int fd, struct json **out, struct error *err)
{
    struct names *names;
    struct json *files;
    DIR *d = fdopendir(fd);

    if (!d) {
        close(fd);
        return error_errno(err, errno, "reading the directory");
    }
    names = xcalloc(1, sizeof(*names));
    collect(d, names);
    files = jv_array();
    for (size_t i = 0; i < names->n; i++) {
        jv_append_adopt(files, entry_json(fd, names->name[i]));
        free(names->name[i]);
    }
    *out = jv_object();
    jv_set_adopt(*out, "files", files);
    jv_set_bool(*out, "more", names->more);
    free(names);
    closedir(d);
    return STATUS_OK;
}

static void start(struct tool *t, struct tool_call *c)
{
    const struct file_root *root = t->ctx;
    struct error err = ERROR_INIT;
    struct json *result = NULL;
    const char *path;
    int fd;
    enum status st = file_tool_path(c, ".", &path, &err);

    if (!st)
        st = root_dir_open_at(root->fd, path, O_RDONLY | O_DIRECTORY, &fd, &err);
    if (!st)
        st = list(fd, &result, &err);
    if (st)
        file_tool_fail(c, &err);
    else
        tool_call_finish(c, TOOL_OK, result);
}

enum status builtin_list_files(const struct tool_registry_options *o, struct tool **out,
                               struct error *err)
{
    static const struct tool_ops ops = {.start = start, .free = file_tool_free};

    return file_tool_new(o, &declaration, &ops, out, err);
}
