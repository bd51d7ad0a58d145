/* protected_resource.h - this server as a protected resource: its metadata, its challenges, and the
 * check of bearer tokens that an authorization server has issued for it.
 *
 *     access.token = protected_resource_token;     of struct http_access; ctx: the resource
 *
 * Tokens are JSON Web Tokens (RFC 9068) signed with RS256, ES256 or EdDSA by a key of a configured
 * key set. Issuer and audience are compared as texts (RFC 8707: a token for another resource is
 * refused); `exp` must be there. A token is checked, and goes no further: nothing here hands it
 * out, and what calls upstream servers has only the name of its subject.
 *
 * All functions are called on the loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_PROTECTED_RESOURCE_H
#define TROUPE_MCP_AUTH_PROTECTED_RESOURCE_H

#include <stdbool.h>

#include "mcp/auth/auth_fetch.h"

#define PROTECTED_LEEWAY_S     60      /* between the clocks of servers */
#define PROTECTED_KEYS_MS      3600000 /* after which the keys are fetched again */
#define PROTECTED_KEYS_GAP_MS  60000   /* between two fetches, whatever happens */
#define PROTECTED_SUBJECTS_MAX 10000

struct protected_resource;

/* Texts and arrays are copied. */
struct protected_options {
    const char *resource;       /* the URL of the MCP endpoint, as clients name it */
    const char *name;           /* for people; NULL: none */
    const char *const *issuers; /* (n_issuers) authorization servers; at least one */
    int32_t n_issuers;
    const char *scopes;               /* all that there are, with blanks between; "": none */
    const char *required;             /* that every token must have; "": none */
    const char *audience;             /* NULL: the resource */
    const char *jwks_file, *jwks_url; /* exactly one of them */
    /* The loop must run for jwks_url: the keys come a moment later, until then no token is valid.
     * For a file env.http may be NULL. */
    struct auth_env env;
};
/* STATUS_CONFIG: an option is not valid, or the file has no usable keys. */
MUST_CHECK enum status protected_resource_new(const struct protected_options *o,
                                              struct protected_resource **out, struct error *err);
void protected_resource_free(struct protected_resource *p); /* before the HTTP client; NULL is ok */
/* Reads the file again, or fetches from the URL now; on failure the old keys stay. */
MUST_CHECK enum status protected_resource_reload(struct protected_resource *p, struct error *err);

/* Is this the path of the metadata document? The well-known one, alone or with the path of the
 * resource (RFC 9728, 3.1). It is served without a token. */
bool protected_resource_is_document(const struct protected_resource *p, const char *path);
const char *protected_resource_document(const struct protected_resource *p); /* JSON, lent */

/* The value of WWW-Authenticate, appended: for 401 (with_token: a token was sent, and is not
 * valid), and for 403 to a caller whose token lacks `scope`. */
void protected_resource_challenge(const struct protected_resource *p, bool with_token,
                                  struct str *out);
void protected_resource_step_up(const struct protected_resource *p, const char *scope,
                                struct str *out);

/* Is the token valid now? *subject is "ISSUER SUB" for tokens of several issuers, else `sub`; lent
 * for the life of p. Fits struct http_access. No secret takes part: keys are public, and a text
 * that is not signed by one of them says nothing about those that are. */
bool protected_resource_token(void *protected_resource, const char *token, size_t n,
                              const char **subject);
/* The same with the reason, for the log of the server, never for the client, and with the scopes
 * of the token, appended to *scopes (may be NULL). STATUS_REJECTED. */
MUST_CHECK enum status protected_resource_check(struct protected_resource *p, const char *token,
                                                size_t n, const char **subject, struct str *scopes,
                                                struct error *err);

#endif
