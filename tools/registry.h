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
/* Takes the tool over, also on failure; a name that stands already is STATUS_INVALID. */
MUST_CHECK enum status tool_registry_adopt(struct tool_registry *r, struct tool *t,
                                           struct error *err);
struct tool *tool_registry_find(const struct tool_registry *r, const char *name); /* or NULL */
size_t tool_registry_size(const struct tool_registry *r);
struct tool *tool_registry_at(const struct tool_registry *r, size_t i);
/* The nearest name, for "did you mean"; or NULL. */
const char *tool_registry_nearest(const struct tool_registry *r, const char *name);
/* [{"type":"function","function":{name, description, parameters}}] for chat templates. */
struct json *tool_json(const struct tool *t);

#endif
