/* mcp_auth.h - authorization of a client of one MCP server over HTTP (OAuth 2.1).
 *
 *     header = mcp_auth_header(a);               before each request; may be NULL
 *     proof = mcp_auth_proof(a, "POST");         the same
 *     mcp_auth_answer(a, &challenge, ...);       after 401 and 403; ends with an outcome
 *
 * The rules are those of MCP 2026-07-28, "Authorization", which are also kept with servers of older
 * revisions: RFC 9728, RFC 8414, OpenID Connect Discovery, PKCE with S256, RFC 8707, RFC 9207,
 * credentials by issuer (SEP-2352), offline_access (SEP-2207), unions of scopes (SEP-2350), and
 * DPoP (RFC 9449) where the server wants it. A token goes only to the server that it was asked for,
 * in the Authorization field alone. No secret is in a log, a message or a URL.
 *
 * All functions are called on the loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_MCP_AUTH_H
#define TROUPE_MCP_AUTH_MCP_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/seams.h"
#include "runtime/http/address_policy.h"
#include "runtime/http/http.h"

#define MCP_AUTH_TRIES_MAX 2 /* retries of one request after a challenge */

struct loop;
struct http_client;
struct mcp_auth;
struct mcp_auth_wait; /* one request that waits for an outcome */

enum mcp_auth_grant {
    MCP_AUTH_CODE,               /* a person logs in with a browser */
    MCP_AUTH_CLIENT_CREDENTIALS, /* the client itself is authorized, without a person */
    MCP_AUTH_ASSERTION,          /* someone whom the server trusts says who this is (RFC 7523) */
};

/* Texts are copied, but not what `policy` points to. NULL and 0: the default in brackets. */
struct mcp_auth_options {
    const char *server_url; /* of the MCP endpoint */
    /* auth_store.h; one file for each person whose logins these are. [that of the state folder] */
    const char *store_path;
    struct http_client *http;
    const struct seams *seams;           /* [the real ones] */
    const struct address_policy *policy; /* lent; [https to public addresses] */
    enum mcp_auth_grant grant;
    /* A client that was registered beforehand. Secret and key may be references (secret.h);
     * relative files start at `folder`. Without an issuer they are bound to the first one that the
     * server names, and never sent to another. */
    const char *client_id, *client_secret, *client_key_pem, *issuer, *folder;
    /* Of MCP_AUTH_ASSERTION: the assertion, a JSON Web Token, as text or better as a reference,
     * which is read again for each token (a file that a platform renews). With an endpoint it is
     * the identity token of a person or program, which the identity provider exchanges for the
     * assertion (RFC 8693), asked by the client idp_client_id. */
    const char *assertion, *idp_token_endpoint, *idp_client_id;
    /* An https URL of a document that describes this client (CIMD), used where it is supported. */
    const char *client_metadata_url;
    const char *client_name;  /* ["Troupe"] for dynamic registration */
    const char *scopes;       /* wanted in any case; [those that the server names] */
    const char *redirect_uri; /* received elsewhere: mcp_auth_redirected. [a listener of ours] */
    int32_t redirect_port;    /* of the listener; [a free one] */
    int64_t login_ms;         /* [300000] for the login in the browser */
    int64_t fetch_ms;         /* [30000] for each request to a server */
    void *ctx;
    /* The person must open this URL (lent). true: the requests wait for the login. false: they end
     * with MCP_AUTH_LOGIN now; the login can go on meanwhile, and later requests profit. NULL:
     * nobody is there to log in; no login is begun. It must not call back into `a`. */
    bool (*open_url)(void *ctx, const char *url);
};
/* STATUS_CONFIG: an option, a secret or the file of authorizations is not valid; STATUS_INVALID,
 * STATUS_REJECTED: the URL. Reads the file, so that the first request has its token. */
MUST_CHECK enum status mcp_auth_new(struct loop *l, const struct mcp_auth_options *o,
                                    struct mcp_auth **out, struct error *err);
/* No callback follows. Before the HTTP client is freed; not inside a callback of an HTTP server. */
void mcp_auth_free(struct mcp_auth *a);

/* The value of Authorization for the next request, lent until the loop turns; NULL: none. */
const char *mcp_auth_header(const struct mcp_auth *a);
/* The value of the field DPoP that goes with it: a new one for each request, lent until the next
 * call; NULL: none. method: "POST". */
const char *mcp_auth_proof(struct mcp_auth *a, const char *method);

enum mcp_auth_outcome {
    MCP_AUTH_RETRY, /* send the request again, with the new mcp_auth_header */
    MCP_AUTH_LOGIN, /* a person must log in: at the URL, or by a command if there is none */
    MCP_AUTH_FAILED,
};
struct mcp_auth_challenge {
    int code;                        /* 401 or 403 */
    const struct http_field *fields; /* (n_fields) of the answer, names in lower case */
    int32_t n_fields;
    const char *used; /* the value of Authorization that was sent; NULL: none */
    int32_t n_tries;  /* how often this request was sent again already */
};
/* Once, never inside mcp_auth_answer; the wait is gone. url: of MCP_AUTH_LOGIN, lent, or NULL.
 *   STATUS_REJECTED  the server refuses what it was given; a rule of security is broken
 *   STATUS_CONFIG    a client must be registered beforehand, or the file cannot be used
 *   others           as in http_client.h */
typedef void (*mcp_auth_done)(void *ctx, enum mcp_auth_outcome outcome, const char *url,
                              const struct error *err);
/* Requests that are challenged at the same time share one answer. The challenge is copied. */
struct mcp_auth_wait *mcp_auth_answer(struct mcp_auth *a, const struct mcp_auth_challenge *c,
                                      mcp_auth_done done, void *ctx);
void mcp_auth_cancel(struct mcp_auth_wait *w); /* no callback follows for this request */

/* The query of the redirect that ends a login, where the redirect is received elsewhere.
 * STATUS_NOT_FOUND: no login waits; STATUS_REJECTED: it is not the answer to this login. */
MUST_CHECK enum status mcp_auth_redirected(struct mcp_auth *a, const char *query,
                                           struct error *err);

/* Forgets the token, in memory and in the file. */
MUST_CHECK enum status mcp_auth_log_out(struct mcp_auth *a, struct error *err);

#endif
