/* hub_view.h - what one agent or client sees of the upstream tools: `views:` in section `mcp:`.
 *
 *   views:
 *     reader:
 *       servers: [git, files]                  # names or patterns; without it, all
 *       allow: [git__*, files__read_*]         # without it, all of these servers
 *       deny: ["*__push"]                      # counts more than all else
 *       hide: [git__gc]                        # can be called, but is in no list
 *       rename: {git__log: history}
 *       describe: {git__log: The commits of this repository.}
 *       always: [git__log]                     # listed even when the tools are over the budget
 *       tool_budget: 4000                      # its own, in place of that of section `mcp:`
 *     files_only: {servers: [files], names: bare}   # one server under its own names
 *
 * A list of tools that takes more than `tool_budget` tokens is replaced by search_tools and
 * call_tool (hub_catalog.h); 0: never.
 *
 * Patterns (glob.h) are compared with SERVER__TOOL (hub_names.h); in a bare view, with the bare
 * name too. Prompts are like tools. A tool is visible if its server, `allow` and `deny` let it
 * through; so more `deny` never shows more. A renamed tool has no other name in the view. Read-only
 * once it is read.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_VIEW_H
#define TROUPE_MCP_HUB_HUB_VIEW_H

#include "mcp/hub/hub_names.h"
#include "runtime/base/yaml.h"

struct hub_view;
struct hub_views;
struct hub_views *hub_views_new(void);
void hub_views_free(struct hub_views *v);
/* Adds the views of a mapping; a name that is there already stays as it is, so that the file that
 * counts more comes first. On failure (STATUS_CONFIG with the place) nothing is added. */
MUST_CHECK enum status hub_views_add(struct hub_views *v, const struct yaml *y,
                                     const struct yaml_node *views, struct error *err);
/* `tool_budget` of section `mcp:`, of the views that have none; the first one counts. */
MUST_CHECK enum status hub_views_set_budget(struct hub_views *v, const struct yaml *y,
                                            const struct yaml_node *tokens, struct error *err);
/* NULL: no such view. Lent. */
const struct hub_view *hub_views_find(const struct hub_views *v, const char *name);
const char *hub_views_nearest(const struct hub_views *v, const char *name); /* or NULL */
size_t hub_views_size(const struct hub_views *v);
const struct hub_view *hub_views_at(const struct hub_views *v, size_t i);
/* The view without rules: all servers, all names with their prefix. */
const struct hub_view *hub_views_all(const struct hub_views *v);

const char *hub_view_name(const struct hub_view *v);
bool hub_view_is_bare(const struct hub_view *v); /* then URIs have no prefix either */
int64_t hub_view_budget(const struct hub_view *v, const struct hub_views *all); /* 0: none */
/* Is it listed whatever the budget is? */
bool hub_view_is_always(const struct hub_view *v, const struct hub_names *names, const char *server,
                        const char *upstream);
bool hub_view_has_server(const struct hub_view *v, const char *server);

/* How a tool or a prompt appears. */
struct hub_seen {
    const char *name;        /* lent by the view or by the names */
    const char *description; /* NULL: its own */
    bool listed;             /* false: hidden */
};
/* false: not visible, so that it can be neither listed nor called. `upstream` is in the server's
 * list of `names`. */
bool hub_view_see(const struct hub_view *v, const struct hub_names *names, enum hub_kind kind,
                  const char *server, const char *upstream, struct hub_seen *out);
/* Is a resource or a template visible? The rules are the same, and `allow` and `deny` are compared
 * with its URI as clients see it (hub_uri_put), in a bare view with its own too. So a view that
 * allows tools alone shows no resource. Spellings do not matter (uri_form.h): `deny` matches in any
 * form, `allow` has to in each. */
bool hub_view_sees_uri(const struct hub_view *v, const char *server, const char *uri);
/* The full name of the tool that the view gives this name; NULL: it renames none so. */
const char *hub_view_renamed(const struct hub_view *v, const char *name);
/* The tool that a client calls by this name. false: none that is visible. A bare view looks in the
 * servers given, the first that has it. */
bool hub_view_find(const struct hub_view *v, const struct hub_names *names, enum hub_kind kind,
                   const char *const *servers, size_t n_servers, const char *name,
                   const char **server, const char **upstream);

#endif
