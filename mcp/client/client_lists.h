/* client_lists.h - all pages of a list of a server.
 *
 * The server is not trusted to end: pages, items and bytes have a maximum, and a cursor that comes
 * a second time is an error.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CLIENT_CLIENT_LISTS_H
#define TROUPE_MCP_CLIENT_CLIENT_LISTS_H

#include "mcp/exchange/exchange.h"

struct loop;
struct client_lists; /* one list that is being fetched */

struct client_lists_spec {
    struct loop *loop;
    const struct mcp_handler *handler; /* of the server */
    struct mcp_caller *caller;         /* a reference is taken */
    enum mcp_method
        method;        /* MCP_TOOLS_LIST, RESOURCES_LIST, RESOURCES_TEMPLATES_LIST, PROMPTS_LIST */
    int32_t max_pages; /* 0: 1000 */
    int32_t max_items; /* 0: 100000 */
    size_t max_bytes;  /* 0: 64 MiB, of all items */
    void *ctx;
    /* Once, last, on a turn of the loop of its own or inside a callback of the server's. items: an
     * array, lent. ttl_ms: the smallest of the pages; is_private: one of them is. */
    void (*done)(void *ctx, enum status st, struct json_view items, int64_t ttl_ms, bool is_private,
                 const struct error *err);
};
/* Never NULL. */
struct client_lists *client_lists_start(const struct client_lists_spec *spec);
void client_lists_cancel(struct client_lists *l); /* no callback follows; NULL is fine */

#endif
