/* mcp_launch.h - a server's specification with its references resolved: what a process or a
 * connection is started with.
 *
 * Made just before the start and freed just after; it holds secrets, goes into no record, log or
 * message, and is wiped. Loop thread; reads envFile and ${file:}, which are small local files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CONFIG_MCP_LAUNCH_H
#define TROUPE_MCP_CONFIG_MCP_LAUNCH_H

#include "mcp/config/mcp_input.h"
#include "mcp/config/mcp_server_spec.h"

struct mcp_launch {
    char **argv; /* stdio; ends with NULL. argv[0] has a `/`, or is looked for in PATH */
    char **env;  /* stdio; "NAME=VALUE", ends with NULL: the whole environment, which has little of
                    ours (mcp_launch.c), then envFile, then env */
    char *cwd;   /* stdio; absolute */
    char *url;   /* http, sse */
    struct mcp_pair *headers; /* (n_headers) */
    size_t n_headers;
    char **roots; /* ends with NULL; absolute */
};
/* STATUS_CONFIG: what cannot be resolved, with the server's place. STATUS_WAITING: an input has no
 * answer yet. */
MUST_CHECK enum status mcp_launch_resolve(const struct mcp_server_spec *s,
                                          const struct mcp_inputs *inputs, struct mcp_launch *out,
                                          struct error *err);
void mcp_launch_deinit(struct mcp_launch *l); /* a zeroed one is fine */

/* The next input that the server needs and that has no answer, or NULL: for a caller that asks
 * later. */
struct mcp_input *mcp_launch_open_input(const struct mcp_server_spec *s,
                                        const struct mcp_inputs *inputs);
/* Asks for each of them. `ask` appends the answer, or fails. An answer that is not one of the
 * options is an error. */
typedef enum status (*mcp_ask_fn)(void *ctx, const struct mcp_input *input, struct str *answer,
                                  struct error *err);
MUST_CHECK enum status mcp_launch_ask(const struct mcp_server_spec *s,
                                      const struct mcp_inputs *inputs, mcp_ask_fn ask, void *ctx,
                                      struct error *err);

#endif
