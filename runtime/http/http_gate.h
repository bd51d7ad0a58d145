/* http_gate.h - who may call: the fields Host, Origin and Authorization.
 *
 * An exact list of Host values keeps out names that an attacker points at this address (DNS
 * rebinding); a list of Origin values keeps out web pages of others.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_GATE_H
#define TROUPE_RUNTIME_HTTP_HTTP_GATE_H

#include "runtime/http/http_server.h"

struct http_gate {
    struct http_access access;
    const char *address;
    int32_t port;
    bool is_tls, is_any, is_loopback; /* is_any: listens on every address */
};
void http_gate_init(struct http_gate *g, const struct http_server_options *o, int32_t port);
/* Host and Origin, before anything is routed: 0, or 400 or 403 with the reason in *why. */
int http_gate_names(const struct http_gate *g, const struct http_request *q, const char **why);
/* The token: 0 and q->subject, or 401 with the reason and the value of WWW-Authenticate. */
int http_gate_token(const struct http_gate *g, struct http_request *q, const char **why,
                    const char **challenge);

#endif
