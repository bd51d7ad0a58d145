/* server_stdio.h - MCP over two descriptors: one message a line, both eras in one process.
 *
 * Each request says by itself which era it is: with the metadata of 2026-07-28 it is modern,
 * otherwise it belongs to the session that `initialize` began. A client that does not read is not
 * read from either. At the end of the input, calls in flight may end (drain_ms), the rest is
 * cancelled; then `ended` is called.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_SERVER_STDIO_H
#define TROUPE_MCP_SERVER_SERVER_STDIO_H

#include "mcp/server/server.h"

struct mcp_stdio;

struct mcp_stdio_options {
    int in, out;                  /* owned by the caller; non-blocking until mcp_stdio_free */
    const char *principal, *view; /* copied; NULL: "stdio", "" */
    /* Once, when all is done: the input has ended, or the output is closed. Free it there or later.
     */
    void (*ended)(void *ctx);
    void *ctx;
};
MUST_CHECK enum status mcp_stdio_new(struct mcp_server *s, const struct mcp_stdio_options *o,
                                     struct mcp_stdio **out, struct error *err);
void mcp_stdio_free(struct mcp_stdio *c); /* NULL is allowed */

#endif
