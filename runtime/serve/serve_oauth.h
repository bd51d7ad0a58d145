/* serve_oauth.h - tokens of an authorization server for /mcp, beside the server's own tokens.
 *
 *   serve:
 *     oauth:
 *       issuers: [https://login.example.com]
 *       jwks_url: https://login.example.com/keys      # or jwks_file: keys.json
 *       resource: https://agents.example.com/mcp      # default: the URL of this server, with /mcp
 *       audience: https://agents.example.com/mcp      # default: the resource
 *       scopes: [mcp]                                 # that every token must have; default: none
 *
 * Such a token is good for /mcp alone. Its principal is "oauth:" and the subject, so that it never
 * is one of the server's own tokens. On the loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_SERVE_OAUTH_H
#define TROUPE_RUNTIME_SERVE_SERVE_OAUTH_H

#include "runtime/base/yaml.h"
#include "runtime/http/http_server.h"

struct serve;

struct serve_oauth_config {
    char **issuer; /* (n_issuers); none: there is no authorization server */
    int32_t n_issuers;
    char *jwks_url, *jwks_file, *resource, *audience; /* NULL: not given */
    char *required;                                   /* scopes, with blanks between */
    char *where;                                      /* FILE:LINE:COLUMN */
};
/* Reads the mapping `oauth`; relative files start at folder. */
MUST_CHECK enum status serve_oauth_read(struct serve_oauth_config *c, const struct yaml *y,
                                        const struct yaml_node *node, const char *folder,
                                        struct error *err);
void serve_oauth_config_deinit(struct serve_oauth_config *c);

/* Before the HTTP server; the URL of the resource may need its port, so `port` must be known. */
MUST_CHECK enum status serve_oauth_open(struct serve *s, struct error *err);
void serve_oauth_close(struct serve *s);
/* Reads the keys again (SIGHUP). */
void serve_oauth_reload(struct serve *s);

/* ---- for struct http_access; ctx: the server */
bool serve_access_token(void *serve, const char *token, size_t n, const char **subject);
const char *serve_access_challenge(void *serve, const struct http_request *q, bool with_token);
/* The scopes of a subject (enum token_scope bits); 0: it has none any more. */
unsigned serve_access_scopes(const struct serve *s, const char *subject);

#endif
