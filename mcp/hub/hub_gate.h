/* hub_gate.h - the one place that every request to a server passes: of clients, of call_tool, of
 * agents and blueprints.
 *
 * hub_gate_enter decides whether a request may go to the server. hub_gate_leave comes with its
 * answer: it counts, and leaves a row (hub_audit.h). What may have changed something (effect
 * `idempotent` and `once`) leaves a row that is on the disk before the reply goes out; of the rest,
 * one in HUB_GATE_SAMPLE leaves a row for which nobody waits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_GATE_H
#define TROUPE_MCP_HUB_HUB_GATE_H

#include "mcp/hub/hub_audit.h"
#include "mcp/hub/hub_peer.h"

#define HUB_GATE_SAMPLE 100

struct hub;
struct hub_server;

enum hub_outcome {
    HUB_OUTCOME_OK,
    HUB_OUTCOME_TOOL_ERROR, /* isError */
    HUB_OUTCOME_INPUT,      /* it asks for input */
    HUB_OUTCOME_TASK,
    HUB_OUTCOME_ERROR, /* of JSON-RPC */
    HUB_OUTCOME_CANCELLED,
    HUB_OUTCOME_TIMEOUT,
    HUB_OUTCOME_REFUSED, /* it never came to the server: no room, not running */
    N_HUB_OUTCOMES
};
const char *hub_outcome_name(enum hub_outcome o);

/* What passes. */
struct hub_passage {
    struct hub_server *server;
    enum hub_list_kind kind;
    bool is_task; /* about a task, whose id names its server */
    enum effect effect;
    int64_t began_us, number; /* the number names the request in the log */
    bool is_in;
    size_t bytes_in;
};
/* own: the server's name of the tool or prompt, or the URI; "" for a task. STATUS_NOT_FOUND: the
 * caller's view does not show it, or it is not offered. */
MUST_CHECK enum status hub_gate_enter(struct hub *h, const struct mcp_exchange *x,
                                      struct hub_server *s, enum hub_list_kind kind, bool is_task,
                                      const char *own, struct hub_passage *p, struct error *err);
/* What the answer is for the books. */
struct hub_gate_end {
    const struct mcp_exchange *x;
    struct json_view params; /* what was asked for */
    const char *own;
    enum hub_outcome outcome;
    size_t bytes_out;
};
/* true: the reply waits for `recorded`, which comes later, once. */
bool hub_gate_leave(struct hub *h, struct hub_passage *p, const struct hub_gate_end *e,
                    void (*recorded)(void *arg, const struct error *err), void *arg);

/* Digest of a method and its params, but `_meta` and what a retry brings; members in any order and
 * with any blanks give the same. */
struct sha256 hub_request_digest(enum mcp_method method, struct json_view params);

#endif
