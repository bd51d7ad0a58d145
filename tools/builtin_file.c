/* builtin_file.c - shared by the file tools: their root directory and the path argument.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "tools/builtin.h"
#include "tools/root_dir.h"

void file_tool_free(struct tool *t)
{
    struct file_root *root = t->ctx;

    close(root->fd);
    free(root);
    tool_release(t);
}

enum status file_tool_new(const struct tool_registry_options *o, const struct tool_declaration *d,
                          const struct tool_ops *ops, struct tool **out, struct error *err)
{
    struct file_root *root = xcalloc(1, sizeof(*root));
    enum status st = root_dir_open(o->root, &root->fd, err);

    root->seams = o->seams ? o->seams : seams_real();
    if (st) {
        free(root);
        return st;
    }
    return tool_new(d, ops, root, out, err);
}

void file_tool_fail(struct tool_call *c, const struct error *err)
{
    tool_call_finish_error(c, "%s", err->message);
}

/* JSON strings may contain NUL, which would truncate the path for the kernel. */
enum status file_tool_path(const struct tool_call *c, const char *otherwise, const char **out,
                           struct error *err)
{
    const struct json *path = jv_get(c->arguments, "path");
    const char *text = jv_get_string(path, otherwise);

    if (path && strlen(text) != jv_string_len(path))
        return error_set(err, STATUS_INVALID, "a path must not contain NUL");
    *out = text;
    return STATUS_OK;
}
