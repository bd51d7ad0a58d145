/* header_text.h - values of MCP's header fields: Mcp-Name and Mcp-Param-*.
 *
 * A value that is not visible ASCII with inner blanks, or that looks like the wrapper, is written
 * as "=?base64?...?=". Source: MCP 2026-07-28, "Transports", headers (SEP-2243).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_RPC_HEADER_TEXT_H
#define TROUPE_MCP_RPC_HEADER_TEXT_H

#include "runtime/base/str.h"

void header_text_put(struct str *out, const char *utf8, size_t n);
/* Appends what a field holds. false, and nothing: a character that is not allowed, or bad base64.
 */
bool header_text_read(const char *field, struct str *out);

#endif
