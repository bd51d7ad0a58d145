/* auth_metadata.h - what a protected resource and an authorization server say about themselves.
 *
 * RFC 9728 (resource), RFC 8414 and OpenID Connect Discovery (server). Functions of documents: no
 * network. Whatever is read here was checked as the rules of MCP ask, and can be used as it is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_AUTH_METADATA_H
#define TROUPE_MCP_AUTH_AUTH_METADATA_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"
#include "runtime/http/address_policy.h"

#define METADATA_BYTES_MAX ((size_t)256 << 10)

/* Ways in which a client proves to the token endpoint who it is (RFC 7591, 2). A set. */
enum client_auth {
    CLIENT_AUTH_NONE = 1,
    CLIENT_AUTH_BASIC = 2,
    CLIENT_AUTH_POST = 4,
    CLIENT_AUTH_JWT = 8, /* private_key_jwt */
};
const char *client_auth_name(enum client_auth one);              /* "client_secret_basic" */
bool client_auth_parse(const char *name, enum client_auth *out); /* false: not one of them */

struct resource_metadata {
    char *resource;    /* exactly as in the document */
    char *issuer;      /* the authorization server to use */
    struct str scopes; /* scopes_supported; "" if it is not there */
    bool wants_dpop;   /* dpop_bound_access_tokens_required (RFC 9728, 2) */
};
/* The document of the MCP server at `url`. Of several authorization servers the one that is
 * `wanted`, else the first. wanted may be NULL. STATUS_INVALID: the document breaks a rule;
 * STATUS_REJECTED: its resource is not that server, or the policy refuses the issuer. */
MUST_CHECK enum status resource_metadata_read(const char *json, size_t n, const char *url,
                                              const char *wanted,
                                              const struct address_policy *policy,
                                              struct resource_metadata *out, struct error *err);
void resource_metadata_deinit(struct resource_metadata *m); /* a zeroed one is fine */

struct server_metadata {
    char *issuer;
    char *authorization_endpoint; /* NULL: none */
    char *token_endpoint;
    char *registration_endpoint; /* NULL: none */
    bool has_s256;               /* PKCE with S256 is listed */
    bool sends_iss;              /* authorization_response_iss_parameter_supported */
    bool takes_metadata_url;     /* client_id_metadata_document_supported */
    bool refreshes;              /* grant_types_supported is absent or has refresh_token */
    bool lists_scopes;           /* scopes_supported is there: in `scopes` */
    bool lists_auth;             /* token_endpoint_auth_methods_supported is there */
    unsigned auth;               /* set of client_auth; basic if none are listed (RFC 8414, 2) */
    struct str scopes;
};
/* STATUS_REJECTED: the document is that of another issuer (compared as texts), or the policy
 * refuses an endpoint; STATUS_INVALID: it is not such a document. */
MUST_CHECK enum status server_metadata_read(const char *json, size_t n, const char *issuer,
                                            const struct address_policy *policy,
                                            struct server_metadata *out, struct error *err);
void server_metadata_deinit(struct server_metadata *m); /* a zeroed one is fine */

#endif
