/* auth_url.h - URLs of OAuth: checks, well-known places, forms and queries.
 *
 * Identifiers (issuer, resource) are compared as texts: nothing here changes the case, a port, an
 * escape or a "/" of one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_AUTH_URL_H
#define TROUPE_MCP_AUTH_AUTH_URL_H

#include <stdbool.h>

#include "runtime/base/str.h"
#include "runtime/http/address_policy.h"

/* May this URL be used, requested by us or opened by the user? `what` names it in the message:
 * "the token endpoint". Absolute, http or https as the policy says, no fragment, no user and
 * password, not an address that the policy refuses. STATUS_INVALID, STATUS_REJECTED. */
MUST_CHECK enum status auth_url_check(const char *url, const struct address_policy *policy,
                                      const char *what, struct error *err);
/* An issuer: the same, and no query (RFC 8414, 2). */
MUST_CHECK enum status auth_issuer_check(const char *issuer, const struct address_policy *policy,
                                         struct error *err);

/* Appends the n-th place (from 0) of the metadata of a resource: RFC 9728, 3.1, then the root.
 * false: there are no more. `url` is valid. */
bool auth_url_resource_metadata(const char *url, int n, struct str *out);
/* Of an authorization server, in the order of MCP: RFC 8414, OpenID Connect with the path inserted,
 * and with the path before it. */
bool auth_url_server_metadata(const char *issuer, int n, struct str *out);

/* Is `resource` the server at `url`, or a part of its origin that contains it? The path of the
 * resource must be a whole beginning of the server's (RFC 8707, 2). */
bool auth_resource_is_of(const char *resource, const char *url);

/* Appends `name=value` as application/x-www-form-urlencoded, after "&" if `out` is not empty and
 * does not end with "?". */
void auth_form_put(struct str *out, const char *name, const char *value);
void auth_form_escape(struct str *out, const char *value);

/* The decoded value of a parameter of a query or form. STATUS_NOT_FOUND: it is not there;
 * STATUS_INVALID: it is there twice, is too long or not a text. On failure `out` is empty. */
MUST_CHECK enum status auth_query_value(const char *query, const char *name, struct str *out,
                                        struct error *err);

#endif
