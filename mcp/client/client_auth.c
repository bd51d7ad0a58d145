/* client_auth.c - see client_auth.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/client/client_auth.h"

#include <stdlib.h>

#include "mcp/auth/mcp_auth.h"
#include "runtime/base/memory.h"
#include "runtime/http/http.h"

struct client_auth {
    struct mcp_auth *auth;
    const char *name;
};

/* One request that waits for an outcome. */
struct wait {
    struct client_auth *owner;
    struct mcp_auth_wait *wait;
    void (*done)(void *arg, bool again, const struct error *err);
    void *arg;
};

struct client_auth *client_auth_new(struct mcp_auth *auth, const char *name)
{
    struct client_auth *c = xcalloc(1, sizeof(*c));

    c->auth = auth;
    c->name = name;
    return c;
}

void client_auth_free(struct client_auth *c)
{
    free(c);
}

static const char *header(void *ctx)
{
    const struct client_auth *c = ctx;

    return mcp_auth_header(c->auth);
}

static const char *proof(void *ctx, enum http_method method)
{
    const struct client_auth *c = ctx;

    return mcp_auth_proof(c->auth, http_method_name(method));
}

static void outcome(void *ctx, enum mcp_auth_outcome o, const char *url, const struct error *err)
{
    struct wait w = *(struct wait *)ctx;
    struct error login = ERROR_INIT;

    (void)url; /* the person has it, or a command shows it */
    free(ctx);
    if (o == MCP_AUTH_LOGIN) {
        /* In the message: it is all that is kept of why a server is down. */
        error_set(&login, STATUS_REJECTED, "it asks for a login: `troupe mcp login %s`",
                  w.owner->name);
        err = &login;
    }
    w.done(w.arg, o == MCP_AUTH_RETRY, err);
}

static void *answer(void *ctx, const struct mcp_client_challenge *c,
                    void (*done)(void *arg, bool again, const struct error *err), void *arg)
{
    struct client_auth *own = ctx;
    struct wait *w = xcalloc(1, sizeof(*w));
    const struct mcp_auth_challenge challenge = {.code = c->code,
                                                 .fields = c->fields,
                                                 .n_fields = c->n_fields,
                                                 .used = c->used,
                                                 .n_tries = c->n_tries};

    *w = (struct wait){.owner = own, .done = done, .arg = arg};
    w->wait = mcp_auth_answer(own->auth, &challenge, outcome, w);
    return w;
}

static void cancel(void *ctx, void *wait)
{
    struct wait *w = wait;

    (void)ctx;
    mcp_auth_cancel(w->wait);
    free(w);
}

struct mcp_client_auth client_auth_ops(struct client_auth *c)
{
    return (struct mcp_client_auth){
        .ctx = c, .header = header, .proof = proof, .answer = answer, .cancel = cancel};
}
