/* mcp_round.h - input that a handler needs, asked of a legacy client.
 *
 * An answer `input_required` becomes one request for each of its inputs, on the stream of the call
 * and with ids of ours. When all are answered, the call goes on with the answers. Ids are looked up
 * in the session alone, so that no client can answer for another.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_MCP_ROUND_H
#define TROUPE_MCP_SERVER_MCP_ROUND_H

#include "mcp/rpc/rpc.h"
#include "mcp/server/server_internal.h"

/* required: the result. The call goes on, or ends, later; it may be gone when this returns. */
void mcp_round_begin(struct mcp_call *c, struct json_view required);
void mcp_round_free(struct mcp_round *r); /* NULL is allowed */
/* An answer of the client; one that nobody waits for is dropped. */
void mcp_round_answer(struct mcp_session *s, const struct rpc_message *m);

/* A modern server goes on when what it wanted at a URL was done, and says no more: for a client of
 * 2025-11-25 that is notifications/elicitation/complete, before the result. */
void mcp_round_complete_urls(struct mcp_call *c);

#endif
