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
/* Takes over the caller's reference, also on failure. STATUS_INVALID: the name is in use. */
MUST_CHECK enum status tool_registry_adopt(struct tool_registry *r, struct tool *t,
                                           struct error *err);
/* The same for a tool list that was fetched again. If a tool of this name and source has the same
 * declaration (equal hash), it stays and the new one is released; otherwise the old one is
 * retired. *out (lent) is the tool that has the name now. */
MUST_CHECK enum status tool_registry_update(struct tool_registry *r, struct tool *t,
                                            struct tool **out, struct error *err);
/* Removes the name: no new call of the tool can start. Calls in flight continue, and the tool is
 * freed with its last reference. */
void tool_registry_retire(struct tool_registry *r, struct tool *t);
/* Increases with every change, so that callers can see that their lists are out of date. */
uint64_t tool_registry_generation(const struct tool_registry *r);
struct tool *tool_registry_find(const struct tool_registry *r, const char *name); /* or NULL */
size_t tool_registry_size(const struct tool_registry *r);
struct tool *tool_registry_at(const struct tool_registry *r, size_t i);
/* The nearest name, for "did you mean"; or NULL. */
const char *tool_registry_nearest(const struct tool_registry *r, const char *name);
/* [{"type":"function","function":{name, description, parameters}}] for chat templates. */
struct json *tool_json(const struct tool *t);

#endif
