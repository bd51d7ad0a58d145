/* mcp_spec_read.h - one entry of `mcpServers` or `servers`, read into a spec.
 *
 * The fields are those of mcp_spec_fields.def: what other hosts write, and Troupe's own settings,
 * which are for troupe.yaml. An unknown key is a warning in JSON, where another host may know it,
 * and a fault of the server in troupe.yaml. A fault makes this one server unusable
 * (spec->problem), never the file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CONFIG_MCP_SPEC_READ_H
#define TROUPE_MCP_CONFIG_MCP_SPEC_READ_H

#include "mcp/config/mcp_input.h"
#include "mcp/config/mcp_server_spec.h"

/* A new reference; its hashes are not set yet. `key` is the server's name. */
struct mcp_server_spec *mcp_spec_read(const struct mcp_node *entry, const struct mcp_inputs *inputs,
                                      struct mcp_notes *notes);
/* Does the entry of troupe.yaml say how to reach the server? Without that, its settings are for the
 * server of that name, wherever it is defined. */
bool mcp_spec_has_target(const struct mcp_node *entry);
/* Puts such settings over those of a spec. */
void mcp_spec_read_settings(const struct mcp_node *entry, struct mcp_server_spec *s,
                            struct mcp_notes *notes);

#endif
