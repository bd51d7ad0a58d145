/* mcp_config_edit.h - changes the `mcpServers` of a JSON file, as little of its text as possible.
 *
 * All other members keep their order, and what is not changed its bytes, comments included. The
 * new text is read again and compared before it is written. Written at once or not at all; a file
 * keeps its mode, a new one has 0600, since values may be secrets.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CONFIG_MCP_CONFIG_EDIT_H
#define TROUPE_MCP_CONFIG_MCP_CONFIG_EDIT_H

#include "mcp/config/mcp_source.h"
#include "runtime/base/seams.h"

/* Adds a server; the file is created if there is none. STATUS_INVALID: the name is there already
 * and `replace` is false. `entry` is lent. */
MUST_CHECK enum status mcp_edit_add(const struct seams *seams, const char *path, const char *name,
                                    const struct json *entry, bool replace, struct error *err);
/* STATUS_NOT_FOUND: the file has no such server; the message has the nearest name. */
MUST_CHECK enum status mcp_edit_remove(const struct seams *seams, const char *path,
                                       const char *name, struct error *err);
/* Adds the servers of another host's file, as they are written, and the inputs they name. Those
 * whose name is there already are left out. *added and *kept (new arrays of names, may be NULL) say
 * which. Nothing is written if nothing is new. */
MUST_CHECK enum status mcp_edit_import(const struct seams *seams, const char *path,
                                       const char *from, struct json **added, struct json **kept,
                                       struct error *err);

/* The edit of a text; for tests, and for mcp_edit_add. `key` is a member of the top or, with
 * `list`, of the top's member of that name, which is created. value NULL: removes it. The text ends
 * with a NUL that n does not count. Appends the new text to `out`. */
MUST_CHECK enum status mcp_edit_text(const char *bytes, size_t n, const char *list, const char *key,
                                     const struct json *value, struct str *out, struct error *err);

#endif
