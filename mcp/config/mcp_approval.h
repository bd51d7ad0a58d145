/* mcp_approval.h - which servers of a project's files may be started.
 *
 * The files of a project may have come with it from anywhere, and a server's command is a program
 * to run. So a server of such a file is started only after a person has approved what it is started
 * with (spec->target_hash), in this folder. A user's own server needs that too where the
 * troupe.yaml of the folder changes its settings, such as the effects of its tools: then all of it
 * is approved (spec->hash). What the program does is not looked at: approving means trusting it,
 * and files that it reads.
 *
 * {"version": 1, "folders": {FOLDER: {NAME: HASH}}} in a private file (private_file.h) of the state
 * folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CONFIG_MCP_APPROVAL_H
#define TROUPE_MCP_CONFIG_MCP_APPROVAL_H

#include "mcp/config/mcp_server_spec.h"
#include "runtime/base/seams.h"

/* The path that is used by default. */
MUST_CHECK enum status mcp_approval_path(struct str *out, struct error *err);
/* Servers of the user's own files need no approval. STATUS_CONFIG: the file cannot be used, so that
 * nothing is approved. */
MUST_CHECK enum status mcp_approval_has(const char *path, const struct mcp_server_spec *s,
                                        bool *out, struct error *err);
/* From now on this server, as it is defined now; a former approval of the name is replaced. */
MUST_CHECK enum status mcp_approval_add(const char *path, const struct seams *seams,
                                        const struct mcp_server_spec *s, struct error *err);

/* "FILE:LINE: server NAME of this project is not approved", or what else is not; with_place: with
 * the file and line. */
void mcp_approval_put_missing(const struct mcp_server_spec *s, bool with_place, struct str *out);

#endif
