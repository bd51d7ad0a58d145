/* mcp_config.h - the upstream servers of all configuration files, by name.
 *
 * The files, the one that counts most first; a key of the section is one of mcp_section_keys.def:
 *   1. PROJECT/.mcp.json           `mcpServers`, as other hosts write it
 *   2. PROJECT/troupe.yaml         section `mcp:`, with `servers:`
 *   3. USER/config.yaml            section `mcp:`
 *   4. USER/mcp.json               `mcpServers` of the user
 * USER is $XDG_CONFIG_HOME/troupe. Of a name that is in several, the first counts, with a note.
 * An entry of troupe.yaml without `command` and `url` only has settings for the server of that
 * name, wherever it is defined.
 *
 * A file that cannot be read and a server that cannot be used are errors in the notes; the others
 * are there. Owner: the thread of the hub.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CONFIG_MCP_CONFIG_H
#define TROUPE_MCP_CONFIG_MCP_CONFIG_H

#include "mcp/config/mcp_input.h"
#include "mcp/config/mcp_server_spec.h"

#define MCP_SERVERS_MAX 256

struct mcp_config;

/* Texts are copied; a NULL path: no such file. */
struct mcp_config_options {
    const char *project_json, *project_yaml, *user_yaml, *user_json;
    const char *workspace;     /* ${workspaceFolder} of the user's files; NULL: their own folder */
    struct mcp_inputs *inputs; /* lent; outlives the configuration, so that answers do too */
};
/* Whatever is in the files, see the notes; never NULL. */
struct mcp_config *mcp_config_load(const struct mcp_config_options *o);
/* The files above of a folder. user_yaml: the user's config.yaml, beside which is mcp.json; NULL:
 * the user has none. */
struct mcp_config *mcp_config_load_folder(const char *project, const char *user_yaml,
                                          struct mcp_inputs *inputs);
/* The servers of one JSON file of any host, for `troupe mcp import`. */
MUST_CHECK enum status mcp_config_load_file(const char *path, struct mcp_inputs *inputs,
                                            struct mcp_config **out, struct error *err);
void mcp_config_free(struct mcp_config *c);

/* Sorted by name; those that are disabled or cannot be used too. */
size_t mcp_config_size(const struct mcp_config *c);
struct mcp_server_spec *mcp_config_at(const struct mcp_config *c, size_t i);           /* lent */
struct mcp_server_spec *mcp_config_find(const struct mcp_config *c, const char *name); /* or NULL */
const struct mcp_notes *mcp_config_notes(const struct mcp_config *c);

/* The i-th section `mcp:`, the one that counts more first, for those who read its other keys
 * (`views`, ...). false: no more. Lent. */
bool mcp_config_section(const struct mcp_config *c, size_t i, const struct yaml **yaml,
                        const struct yaml_node **section);

/* ---- changes */

/* Has one of the files changed, appeared or gone since it was read? By stat; a timer of a second
 * or two asks. */
bool mcp_config_is_stale(const struct mcp_config *c);
/* Reads the files again. STATUS_CONFIG: a file is not valid now (perhaps half written); *out is
 * not set, and the old configuration stays in use, no longer stale until the next change: the same
 * holds if the caller does not want what was read. */
MUST_CHECK enum status mcp_config_reload(struct mcp_config *old, struct mcp_config **out,
                                         struct error *err);
enum mcp_change {
    MCP_SAME,
    MCP_SETTINGS, /* only how it is treated: no restart */
    MCP_RESTART,
    MCP_ADDED,
    MCP_REMOVED,
};
/* Of a name that is in one of both. */
enum mcp_change mcp_config_change(const struct mcp_config *old, const struct mcp_config *now,
                                  const char *name);

#endif
