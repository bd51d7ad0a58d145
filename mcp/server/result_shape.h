/* result_shape.h - the same result as each era writes it.
 *
 * Modern results say what they are (resultType), for how long they may be kept (ttlMs, cacheScope)
 * and who wrote them (serverInfo in `_meta`). Legacy ones have none of that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_RESULT_SHAPE_H
#define TROUPE_MCP_SERVER_RESULT_SHAPE_H

#include "mcp/exchange/exchange.h"

struct result_facts {
    enum mcp_method method;
    struct json_view server_info;  /* or none */
    struct json_view subscription; /* of LISTEN: the id of the request; or none */
    struct json_view revisions;    /* of DISCOVER: what replaces supportedVersions; or none */
};
/* Appends the result of an answer that is not an error. */
void result_put_modern(struct str *out, const struct mcp_answer *a, const struct result_facts *f);
void result_put_legacy(struct str *out, const struct mcp_answer *a, enum mcp_method method);
/* The result of `initialize`, from that of server/discover. */
void result_put_initialize(struct str *out, struct json_view discovered, enum mcp_revision r);
/* Appends params with the id of the subscription in their `_meta`. */
void result_put_subscribed(struct str *out, struct json_view params, struct json_view id);

#endif
