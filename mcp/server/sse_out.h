/* sse_out.h - one event stream to a client, with a queue for what the connection does not take yet.
 *
 * The queue is bounded. A stream whose client does not read is cut: a client of a modern request
 * sees that it ended without an answer, one of a legacy session can fetch what it missed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_SSE_OUT_H
#define TROUPE_MCP_SERVER_SSE_OUT_H

#include "mcp/server/server_internal.h"

struct sse_out;

/* Begins the reply. on_gone: once, if the stream ends before sse_out_end: the client left, or it
 * did not read; on a later turn of the loop. NULL: the client has too many streams, the reply is
 * given.
 */
struct sse_out *sse_out_open(struct mcp_server *s, struct http_call *http,
                             void (*on_gone)(void *ctx), void *ctx);
/* Copies. may_drop: left out when the client is far behind. */
void sse_out_write(struct sse_out *o, const char *bytes, size_t n, bool may_drop);
/* Appends an event with a message, in one line of data: some clients read no more. id: NULL for
 * none. */
void sse_out_put_event(struct str *out, const char *id, struct json_view message);
/* What is queued is still sent; the owner has no stream any more. No on_gone. NULL is allowed. */
void sse_out_end(struct sse_out *o);
/* Cuts it. No on_gone. NULL is allowed. */
void sse_out_abort(struct sse_out *o);

#endif
