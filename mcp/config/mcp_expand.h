/* mcp_expand.h - references in the values of a server's configuration.
 *
 *   ${VAR}, ${env:VAR}   a variable of the environment; ${VAR:-text}: text if it is not set or
 * empty
 *   ${input:ID}          the answer to an input of the same file (mcp_input.h)
 *   ${workspaceFolder}, ${workspaceFolderBasename}, ${userHome}, ${pathSeparator}
 *   ${file:PATH}         the first line of a file; only in troupe.yaml (runtime/config/secret.h)
 *
 * In troupe.yaml, $$ is a dollar sign and an empty variable counts as not set, as in the rest of
 * that file. A `$` without `{` is itself. Values of references appear in no message.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CONFIG_MCP_EXPAND_H
#define TROUPE_MCP_CONFIG_MCP_EXPAND_H

#include "mcp/config/mcp_input.h"

struct mcp_scope {
    bool own; /* a text of troupe.yaml */
    const char *file, *folder, *workspace;
    const struct mcp_inputs *inputs;
};

/* Can the text be expanded, once its inputs are answered? No file is read. STATUS_CONFIG names the
 * reference that cannot. */
MUST_CHECK enum status mcp_expand_check(const char *text, const struct mcp_scope *scope,
                                        struct error *err);
/* Appends the text with its references replaced; on failure `out` is unchanged. STATUS_WAITING: an
 * input has no answer yet. */
MUST_CHECK enum status mcp_expand(const char *text, const struct mcp_scope *scope, struct str *out,
                                  struct error *err);
/* The next input of the text that has no answer, or NULL. */
struct mcp_input *mcp_expand_open_input(const char *text, const struct mcp_scope *scope);
/* Does it have a reference? Its value then is shown nowhere. */
bool mcp_expand_has_reference(const char *text);

#endif
