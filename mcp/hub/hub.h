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

#include "mcp/hub/hub_audit.h"
#include "mcp/hub/hub_gate.h"
#include "mcp/hub/hub_peer.h"
#include "mcp/hub/hub_seal.h"
#include "mcp/hub/hub_view.h"

struct hub;

struct hub_options {
    const struct seams *seams;
    struct log *log;
    const char *name, *version, *instructions; /* of serverInfo; copied; instructions may be NULL */
    const struct hub_views *views;             /* lent; NULL: every client sees everything */
    /* Zeros are the defaults in brackets. */
    int64_t list_ms;        /* [5000] a list waits so long for a server, then it goes without */
    int32_t page;           /* [1000] entries of a page */
    int64_t state_ms;       /* [86400000] a requestState is good for */
    int64_t kept_ms;        /* [60000] the answer to a retry is kept, for one that is sent twice */
    size_t kept_bytes;      /* [32 MiB] of such answers */
    int32_t calls;          /* [1024] requests of one principal under way */
    struct hub_audit audit; /* copied; append NULL: no rows */
    /* (HUB_KEY_BYTES) for what clients hold longer than this process lives: ids of tasks. Copied;
     * NULL: a new one. */
    const unsigned char *key;
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
/* Other limits, and perhaps other tools that are offered: without a restart. Unknown names:
 * nothing. */
void hub_settings_changed(struct hub *h, const char *name, const struct hub_source_limits *limits);
/* Other views from now on, lent; clients that listen learn that their lists may have changed. */
void hub_set_views(struct hub *h, const struct hub_views *views);
struct hub_source *hub_find(const struct hub *h, const char *name); /* NULL: none */
/* Since the server was added. */
struct hub_traffic {
    int64_t outcomes[N_HUB_OUTCOMES]; /* requests by how they ended */
    int64_t bytes_in, bytes_out;      /* of params and results */
    int64_t n_sampled;                /* requests of effect none and read */
};
struct hub_traffic hub_traffic_at(const struct hub *h, size_t i);
size_t hub_size(const struct hub *h);
struct hub_source *hub_at(const struct hub *h, size_t i);

#endif
