/* hub_upstream.h - a server of the configuration (mcp/config) as a source of the hub, by way of an
 * mcp_client.
 *
 * References of the configuration are resolved when an instance is opened, and wiped after it.
 * Everything is on the loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_UPSTREAM_H
#define TROUPE_MCP_HUB_HUB_UPSTREAM_H

#include "mcp/config/mcp_input.h"
#include "mcp/config/mcp_server_spec.h"
#include "mcp/hub/hub_source.h"

struct http_client;
struct supervisor;

/* What all upstream servers share; lent for their lives. */
struct hub_upstream_env {
    struct loop *loop;
    const struct seams *seams;
    struct log *log;
    struct http_client *http;      /* for URLs; NULL: those are refused */
    struct supervisor *supervisor; /* of processes */
    const struct mcp_inputs *inputs;
    const char *client_name, *client_version;
    /* A person must open this URL to log in (mcp/auth). NULL: nobody is there. */
    bool (*open_url)(void *ctx, const char *server, const char *url);
    /* A line of the server's standard error, without its end; lent. NULL: it goes to the log. */
    void (*stderr_line)(void *ctx, const char *server, const char *text, size_t n);
    void *ctx;
};

/* The source of this server, for hub_add: a reference to `server` is taken. */
void hub_upstream_spec(const struct hub_upstream_env *env, struct mcp_server_spec *server,
                       struct hub_source_spec *out);
/* The settings of a server have changed, but not what it is started with: they hold from now on,
 * without a restart. Its limits are in `out`; hub_settings_changed gives them to the hub. */
void hub_upstream_change(struct hub_source *s, struct mcp_server_spec *now,
                         struct hub_source_limits *out);

#endif
