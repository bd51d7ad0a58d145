/* hub.h - many MCP servers behind one: one namespace, and nothing of one server harms another.
 *
 * The hub is an mcp_handler (for mcp/server, or for calls of this process) over sources
 * (hub_source.h): servers that an mcp_client reaches, and tools of this process. It lists what all
 * of them have, routes each request to its server under the server's own names, and passes on
 * progress, log lines, requests for input and cancellation.
 *
 * What a client sees depends on its view (mcp_caller.view). Everything is on the loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_H
#define TROUPE_MCP_HUB_HUB_H

#include "mcp/hub/hub_peer.h"
#include "mcp/hub/hub_view.h"

struct hub;

struct hub_options {
    const struct seams *seams;
    struct log *log;
    const char *name, *version, *instructions; /* of serverInfo; copied; instructions may be NULL */
    const struct hub_views *views;             /* lent; NULL: every client sees everything */
    /* Zeros are the defaults in brackets. */
    int64_t list_ms;  /* [5000] a list waits so long for a server, then it goes without */
    int32_t page;     /* [1000] entries of a page */
    int64_t state_ms; /* [86400000] a requestState is good for */
};
struct hub *hub_new(struct loop *l, const struct hub_options *o);
/* Ends all exchanges, as errors, and closes all sources. NULL is fine. */
void hub_free(struct hub *h);
const struct mcp_handler *hub_handler(struct hub *h);

/* A source; spec->on_state and spec->ctx are the hub's. STATUS_INVALID: the name is in use. Calls
 * of opener.free also on failure. */
MUST_CHECK enum status hub_add(struct hub *h, const struct hub_source_spec *spec,
                               struct hub_source **out, struct error *err);
/* Requests that are under way with it end as errors; clients learn that the lists have changed. */
void hub_remove(struct hub *h, const char *name);
struct hub_source *hub_find(const struct hub *h, const char *name); /* NULL: none */
size_t hub_size(const struct hub *h);

#endif
