/* auth_fetch.h - one small request for authorization: a document, a registration, a token.
 *
 * Limits that all of them share: METADATA_BYTES_MAX, env.fetch_ms for the whole. A redirect is
 * followed for GET alone, within the origin, AUTH_REDIRECTS_MAX times: what another origin says of
 * a server is not that server's word, and nothing secret is ever sent twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_AUTH_FETCH_H
#define TROUPE_MCP_AUTH_AUTH_FETCH_H

#include "runtime/base/seams.h"
#include "runtime/base/str.h"
#include "runtime/http/http_client.h"

#define AUTH_FETCH_MS      30000
#define AUTH_REDIRECTS_MAX 3

/* What every step needs; lent, not changed. */
struct auth_env {
    struct loop *loop;
    struct http_client *http;
    const struct seams *seams;
    const struct address_policy *policy;
    int64_t fetch_ms; /* 0: AUTH_FETCH_MS */
};

struct auth_fetch_spec {
    const char *url;
    const char *type; /* of the body; NULL: GET without one */
    const char *body; /* (body_bytes) copied */
    size_t body_bytes;
    const char *authorization; /* NULL or "": none */
    const char *dpop;          /* a proof (auth_dpop.h); NULL or "": none */
    struct str *nonce;         /* gets the DPoP-Nonce of the answer, if there is one; or NULL */
    const char *what;          /* for messages, lent: "the token endpoint" */
    void *ctx;
    /* Once, last; the fetch is gone. STATUS_OK: an answer of any code, body lent. */
    void (*done)(void *ctx, enum status st, int code, const struct str *body,
                 const struct error *err);
};
struct auth_fetch;
/* Texts are copied, except `what`. An error means that no callback follows. */
MUST_CHECK enum status auth_fetch_start(const struct auth_env *env, const struct auth_fetch_spec *s,
                                        struct auth_fetch **out, struct error *err);
void auth_fetch_cancel(struct auth_fetch *f); /* no callback follows; NULL is allowed */

#endif
