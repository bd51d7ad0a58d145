/* hub_peer_internal.h - struct hub_peer, for hub_peer.c and hub_peer_watch.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_PEER_INTERNAL_H
#define TROUPE_MCP_HUB_HUB_PEER_INTERNAL_H

#include "mcp/hub/hub_peer.h"

struct peer_list {
    struct hub_peer *peer;
    enum hub_list_kind kind;
    struct hub_list *list; /* the last one; NULL: none yet */
    bool out_of_date;      /* the server said that it has changed */
    int64_t fetched_us, ttl_us;
    struct hub_want *wants;
    /* A fetch under way. */
    bool fetching;
    struct hub_job job;
    struct str text; /* "[object,..." */
    size_t n_entries;
    int32_t pages;
    char *cursor;
};

struct hub_peer {
    struct loop *loop;
    const struct seams *seams;
    struct log *log;
    struct mcp_caller *caller;
    void (*changed)(void *ctx, struct hub_instance *i, enum mcp_method note,
                    struct json_view params);
    void *ctx;
    struct hub_instance *instance;
    struct hub_source *source; /* of the instance; for its name */
    char *discovered;          /* the result of server/discover of the present link; NULL: none */
    struct peer_list list[HUB_LIST_N];
    struct mcp_exchange *watch;     /* listens to changes of lists; NULL: it cannot */
    struct mcp_exchange *resources; /* listens to updates of resources */
    char **uri;                     /* (n_uris) of them */
    size_t n_uris;
};

void peer_set_discovered(struct hub_peer *p, struct json_view result); /* and begins to watch */
void peer_watch_end(struct hub_peer *p);

#endif
