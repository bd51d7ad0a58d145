/* hub_reply.h - an answer that is kept: for a client that waits for it, and for a retry sent twice.
 *
 * Immutable and reference counted.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_REPLY_H
#define TROUPE_MCP_HUB_HUB_REPLY_H

#include "mcp/exchange/exchange.h"

struct hub_reply {
    int32_t refs;
    struct mcp_answer answer; /* lent from what follows in memory */
    size_t bytes;
};
struct hub_reply *hub_reply_new(const struct mcp_answer *a); /* copies; NULL without memory */
struct hub_reply *hub_reply_ref(struct hub_reply *r);
void hub_reply_unref(struct hub_reply *r); /* NULL is fine */

#endif
