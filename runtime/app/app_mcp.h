/* app_mcp.h - the MCP servers of an invocation: their files, approval, and logs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_MCP_H
#define TROUPE_RUNTIME_APP_APP_MCP_H

#include "runtime/api/troupe_mcp.h"
#include "runtime/app/app.h"

/* The servers are opened (app_mcp_open) when a name first needs them. */
void app_mcp_offer(struct app *a);

enum app_mcp_use {
    APP_MCP_NAMED, /* servers are started when they are named; a person may be asked to approve */
    APP_MCP_ALL,   /* all are served, until the end: files are read again when they change, and
                    * servers that are not approved are left out with a warning */
};
/* Opens the hub over the servers of the working folder and of the user; starts nothing. */
MUST_CHECK enum status app_mcp_open(struct app *a, enum app_mcp_use use, struct error *err);

/* ---- files */
/* The file of a scope, "project" or "user", that `mcp add` writes. */
MUST_CHECK enum status app_mcp_file(const char *scope, char out[APP_PATH_MAX], struct error *err);
/* Has a person approved it, or need nobody? A fault of the file of approvals is a warning. */
bool app_mcp_is_approved(struct app *a, const struct mcp_server_spec *s);
MUST_CHECK enum status app_mcp_approve(struct app *a, const struct mcp_server_spec *s,
                                       struct error *err);
/* What a server is started with, on one line: its command, or its URL. */
void app_mcp_put_target(const struct mcp_server_spec *s, struct str *out);
/* An error that names the nearest one. Lent. */
MUST_CHECK enum status app_mcp_find(struct app *a, const char *name, struct mcp_server_spec **out,
                                    struct error *err);

/* ---- app_mcp_log.c: what servers wrote to standard error, below the state folder */
#define APP_MCP_LOG_BYTES 262144 /* of a file; when it is full, it becomes the older one of two */
/* Appends the path of a server's log; `older`: of the one before. */
MUST_CHECK enum status app_mcp_log_path(const char *server, bool older, struct str *out,
                                        struct error *err);
/* Of troupe_mcp_options: appends a line with its time. A fault is ignored. ctx: the app. */
void app_mcp_log_line(void *ctx, const char *server, const char *text, size_t n);

#endif
