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
/* Could these ever be the value of Host ("box.example:8443") and Origin ("https://example.com")? */
bool http_gate_is_host(const char *text);
bool http_gate_is_origin(const char *text);
void http_gate_init(struct http_gate *g, const struct http_server_options *o, int32_t port);
/* Host and Origin, before anything is routed: 0, or 400 or 403 with the reason in *why. */
int http_gate_names(const struct http_gate *g, const struct http_request *q, const char **why);
/* The Origin of the request if it is a listed one, so that a browser may give the reply to that
 * page (CORS); NULL: not one. */
const char *http_gate_listed_origin(const struct http_gate *g, const struct http_request *q);
/* The token: 0 and q->subject, or 401 with the reason and the value of WWW-Authenticate. */
int http_gate_token(const struct http_gate *g, struct http_request *q, const char **why,
                    const char **challenge);

#endif
