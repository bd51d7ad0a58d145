/* client_envelope.h - params and results as the two eras want them. Functions of texts: no state.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CLIENT_CLIENT_ENVELOPE_H
#define TROUPE_MCP_CLIENT_CLIENT_ENVELOPE_H

#include "mcp/exchange/exchange.h"
#include "mcp/rpc/mcp.h"
#include "runtime/base/str.h"

/* Of a request to a modern server. */
struct envelope {
    enum mcp_revision revision;
    struct json_view capabilities; /* of the caller, as sent; what cannot be carried is left out */
    struct json_view client_info;
    enum mcp_log_level log_level;
    int64_t progress_token; /* 0: none */
};
/* Appends params with the metadata of the envelope; other members of params and of its `_meta` stay
 * as they are. params may be no value. */
void envelope_modern(struct str *out, struct json_view params, const struct envelope *e);
/* The same for a legacy server: no members that it does not know. Appends nothing if there is
 * nothing to send. */
void envelope_legacy(struct str *out, struct json_view params, int64_t progress_token);

/* The capabilities object that legacy servers get. */
void envelope_abilities(struct str *out, unsigned abilities);

/* Params of a note without the members that are the connection's own: progressToken, subscription
 * id. */
void envelope_note(struct str *out, enum mcp_method note, struct json_view params);

/* The answer that a result is; `out` holds a changed text, if it had to be changed. On failure it
 * is not one: an unknown resultType, input for a method that has none or that the caller cannot
 * give. STATUS_INVALID */
MUST_CHECK enum status envelope_answer(enum mcp_method m, bool is_modern, unsigned can,
                                       struct json_view result, struct str *out,
                                       struct mcp_answer *a, struct error *err);

#endif
