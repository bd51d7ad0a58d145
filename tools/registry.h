/* registry.h - all tools by name: built-in (tools/builtin.def), environment and MCP alike.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_REGISTRY_H
#define TROUPE_TOOLS_REGISTRY_H

#include "tools/tool.h"

struct tool_registry;

struct tool_registry_options {
    const char *root; /* file tools see nothing outside it; NULL: no file tools */
    const struct seams *seams;
};
MUST_CHECK enum status tool_registry_new(const struct tool_registry_options *o,
                                         struct tool_registry **out, struct error *err);
void tool_registry_free(struct tool_registry *r);
/* Takes the caller's reference over, also on failure; a name that is taken is STATUS_INVALID. */
MUST_CHECK enum status tool_registry_adopt(struct tool_registry *r, struct tool *t,
                                           struct error *err);
/* The same for a list that is heard again: a tool of this name and source whose declaration is
 * unchanged (equal hash) stays, and the new one is given back; a changed one is retired. *out
 * (lent) is the tool that has the name now. */
MUST_CHECK enum status tool_registry_update(struct tool_registry *r, struct tool *t,
                                            struct tool **out, struct error *err);
/* Takes the name away: no call of the tool begins any more, calls in flight go on, and it is freed
 * when the last of them and the last list have given it back. */
void tool_registry_retire(struct tool_registry *r, struct tool *t);
/* Rises with every change, for lists that others hold. */
uint64_t tool_registry_generation(const struct tool_registry *r);
struct tool *tool_registry_find(const struct tool_registry *r, const char *name); /* or NULL */
size_t tool_registry_size(const struct tool_registry *r);
struct tool *tool_registry_at(const struct tool_registry *r, size_t i);
/* The nearest name, for "did you mean"; or NULL. */
const char *tool_registry_nearest(const struct tool_registry *r, const char *name);
/* [{"type":"function","function":{name, description, parameters}}] for chat templates. */
struct json *tool_json(const struct tool *t);

#endif
