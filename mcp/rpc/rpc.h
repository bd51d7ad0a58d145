/* rpc.h - JSON-RPC 2.0 messages of MCP: read in place, written as text.
 *
 * One message is one JSON object; MCP has no batches. Keys are compared with case, and none may be
 * there twice (json_view.h). A message that is read lends its parts from the bytes.
 *
 * Source: JSON-RPC 2.0; MCP, "Base protocol" (both eras).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_RPC_RPC_H
#define TROUPE_MCP_RPC_RPC_H

#include "runtime/base/json_view.h"

enum rpc_code {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_METHOD_NOT_FOUND = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_INTERNAL_ERROR = -32603,
    /* of MCP: 2026-07-28 */
    RPC_HEADER_MISMATCH = -32020,
    RPC_MISSING_CAPABILITY = -32021,
    RPC_UNSUPPORTED_VERSION = -32022,
    /* of MCP up to 2025-11-25; never sent to a modern peer */
    RPC_RESOURCE_NOT_FOUND = -32002,
    RPC_URL_ELICITATION_REQUIRED = -32042,
};

enum rpc_kind { RPC_REQUEST, RPC_NOTIFICATION, RPC_RESULT, RPC_ERROR };

struct rpc_message {
    enum rpc_kind kind;
    struct json_view id;     /* a string or an integer; none: a notification, or an error about a
                              * message whose id could not be read */
    struct json_view method; /* a string; of requests and notifications */
    struct json_view params; /* an object, or none */
    struct json_view result; /* an object */
    int64_t code;            /* of an error */
    struct json_view message, data;
};

#define RPC_ID_MAX 256 /* bytes of an id's text */

/* On failure *code is the JSON-RPC code of the fault (parse error or invalid request), and out->id
 * is set if the id could be read, for the answer. STATUS_INVALID, STATUS_LIMIT, STATUS_NO_MEMORY */
MUST_CHECK enum status rpc_read(const char *bytes, size_t n, size_t max_bytes,
                                struct rpc_message *out, enum rpc_code *code, struct error *err);

/* The number after "id": at the beginning of an answer that cannot be read as a whole, because it
 * is too long or not valid; 0: the beginning does not show it, or is one of a request. */
int64_t rpc_peek_id(const char *bytes, size_t n);

/* Each appends one message, without a line break. `id`: its text; no value: null (errors only).
 * `params`, `data`: no value leaves the member out. A result of no value is {}. */
void rpc_write_request(struct str *out, struct json_view id, const char *method,
                       struct json_view params);
void rpc_write_notification(struct str *out, const char *method, struct json_view params);
void rpc_write_result(struct str *out, struct json_view id, struct json_view result);
void rpc_write_error(struct str *out, struct json_view id, int64_t code, const char *message,
                     struct json_view data);

/* The code that fits an error of ours: invalid arguments, not found, limits, all else internal. */
enum rpc_code rpc_code_of(enum status st);

#endif
