/* route_mcp.c - /mcp: the hub as an MCP server over Streamable HTTP. /mcp/{view}: with a view of
 * the configuration.
 *
 * The principal is the token's name, so that sessions, parked calls and states of one token are not
 * another's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/server.h"
#include "runtime/api/troupe_mcp.h"
#include "runtime/serve/mcp_offers.h"
#include "runtime/serve/serve_internal.h"

#define LOCAL "local" /* the principal where no token is needed */

enum status serve_mcp_open(struct serve *s, struct error *err)
{
    struct hub *hub = troupe_hub(s->troupe);
    const struct mcp_offers_options o = {.troupe = s->troupe,
                                         .seams = s->o.seams,
                                         .log = s->o.log,
                                         .config = s->o.config,
                                         .run = s->o.run,
                                         .watch = &s->watch};
    enum status st = hub ? mcp_offers_open(&o, err) : STATUS_OK;

    if (hub && !st)
        s->mcp = mcp_server_new(&(struct mcp_server_options){
            .loop = s->loop, .seams = s->o.seams, .log = s->o.log, .handler = hub_handler(hub)});
    return st;
}

static void serve_mcp(struct serve *s, struct http_call *c, const char *view)
{
    const char *subject = http_call_request(c)->subject;

    if (!s->mcp) {
        http_call_fail(c, 404, "this server has no MCP hub");
        return;
    }
    if (*view && !hub_views_find(troupe_mcp_views(s->troupe), view)) {
        http_call_fail(c, 404, "there is no view of this name");
        return;
    }
    mcp_server_http(s->mcp, c, *subject ? subject : LOCAL, view);
}

void route_mcp(struct serve *s, struct http_call *c, const char *const *part)
{
    (void)part;
    serve_mcp(s, c, "");
}

void route_mcp_view(struct serve *s, struct http_call *c, const char *const *part)
{
    serve_mcp(s, c, part[0]);
}
