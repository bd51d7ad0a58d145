/* builtin.h - how a built-in tool is made: a declaration, and a maker named in builtin.def.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_BUILTIN_H
#define TROUPE_TOOLS_BUILTIN_H

#include "tools/registry.h"

#define BUILTIN(name, needs_root)                                                                  \
    MUST_CHECK enum status builtin_##name(const struct tool_registry_options *o,                   \
                                          struct tool **out, struct error *err);
#include "tools/builtin.def"
#undef BUILTIN

/* The context of a file tool: the descriptor of its root directory. */
struct file_root {
    int fd;
    const struct seams *seams;
};
/* ops->free is file_tool_free. */
MUST_CHECK enum status file_tool_new(const struct tool_registry_options *o,
                                     const struct tool_declaration *d, const struct tool_ops *ops,
                                     struct tool **out, struct error *err);
void file_tool_free(struct tool *t);
/* The argument "path", lent. */
MUST_CHECK enum status file_tool_path(const struct tool_call *c, const char *otherwise,
                                      const char **out, struct error *err);
/* Finishes the call with the message of err. */
void file_tool_fail(struct tool_call *c, const struct error *err);

#endif
