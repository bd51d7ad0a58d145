/* app_mcp_key.h - the key that seals what clients of the hub hold longer than a process lives.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_MCP_KEY_H
#define TROUPE_RUNTIME_APP_APP_MCP_KEY_H

#include "mcp/hub/hub_seal.h"

/* Reads the file `mcp-key` beside the user's config.yaml, or makes it: only its owner can read it.
 * A file that others can read, or that is not a key, is an error. */
MUST_CHECK enum status app_mcp_key(const struct seams *seams, const char *user_yaml,
                                   unsigned char key[HUB_KEY_BYTES], struct error *err);

#endif
