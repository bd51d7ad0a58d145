/* auth_client.h - who this client is to an authorization server: identity, registration, proof.
 *
 * Dynamic registration: RFC 7591 with application_type of OpenID Connect. Proof to the token
 * endpoint: RFC 6749, 2.3.1, and RFC 7523, 2.2.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_AUTH_CLIENT_H
#define TROUPE_MCP_AUTH_AUTH_CLIENT_H

#include <stdint.h>

#include "mcp/auth/auth_metadata.h"
#include "runtime/base/json.h"
#include "runtime/base/seams.h"
#include "runtime/base/signature.h"

struct auth_client {
    char *id;                  /* NULL: not known yet */
    char *secret;              /* NULL: none */
    char *redirect_uri;        /* that it was registered with; NULL: any of ours */
    enum client_auth auth;     /* 0: what the server supports */
    int64_t secret_expires_ms; /* 0: never */
};
void auth_client_deinit(struct auth_client *c); /* a zeroed one is fine; secrets are erased */
void auth_client_copy(const struct auth_client *c, struct auth_client *out);

/* How c proves who it is to this server. STATUS_CONFIG: in no way that the server lists. */
MUST_CHECK enum status auth_client_choose(const struct auth_client *c,
                                          const struct signature_key *key,
                                          const struct server_metadata *server,
                                          enum client_auth *out, struct error *err);

/* Appends the document of a registration: a native program with this redirect URI. */
void auth_client_registration(const char *name, const char *redirect_uri, const char *scopes,
                              const struct server_metadata *server, struct str *out);
/* The answer. STATUS_INVALID: it is not one. */
MUST_CHECK enum status auth_client_registered(const char *json, size_t n, const char *redirect_uri,
                                              struct auth_client *out, struct error *err);

/* Adds the proof to the form of a token request. For basic it is the value of Authorization, in
 * `header`; else `header` stays empty. key: for private_key_jwt, else NULL. */
MUST_CHECK enum status auth_client_prove(const struct auth_client *c, enum client_auth how,
                                         const struct signature_key *key, const char *issuer,
                                         const struct seams *seams, struct str *form,
                                         struct str *header, struct error *err);

#endif
