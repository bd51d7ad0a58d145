/* app_mcp_request.h - one request of the person at the terminal to the hub.
 *
 * Progress and log lines of the server go to standard error; what it asks for in the course of the
 * request is asked on the terminal, if there is one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_MCP_REQUEST_H
#define TROUPE_RUNTIME_APP_APP_MCP_REQUEST_H

#include "runtime/app/app_mcp.h"

/* Runs the loop until the answer is there. *result: an object, the caller's. STATUS_IO: an error of
 * the server; STATUS_INVALID: it refuses the parameters; STATUS_CANCELLED: a signal, or a question
 * that nobody answered. */
MUST_CHECK enum status app_mcp_request(struct app *a, enum mcp_method method, struct json *params,
                                       struct json **result, struct error *err);
/* All pages of a list: the array `member` of the results. */
MUST_CHECK enum status app_mcp_list(struct app *a, enum mcp_method method, const char *member,
                                    struct json **list, struct error *err);
/* Admits and warms the server of this name, or all (NULL): one that cannot be used is then reported
 * and left out. */
MUST_CHECK enum status app_mcp_warm(struct app *a, const char *server, struct error *err);

#endif
