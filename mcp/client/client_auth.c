/* client_auth.c - see client_auth.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/client/client_auth.h"

#include <stdlib.h>

#include "runtime/base/memory.h"

struct auth_wait {
    struct mcp_auth_wait *wait;
    void (*done)(void *arg, bool again, const struct error *err);
    void *arg;
};

static const char *header(void *ctx)
{
    return mcp_auth_header(ctx);
}

static const char *proof(void *ctx, const char *method)
{
    return mcp_auth_proof(ctx, method);
}

static void on_outcome(void *ctx, enum mcp_auth_outcome outcome, const char *url,
                       const struct error *err)
{
    struct auth_wait w = *(struct auth_wait *)ctx;
    struct error login = ERROR_INIT;

    free(ctx);
    if (outcome == MCP_AUTH_LOGIN)
        (void)error_set(&login, STATUS_REJECTED, "a person must log in%s%s", url ? ": open " : "",
                        url ? url : "");
    w.done(w.arg, outcome == MCP_AUTH_RETRY, outcome == MCP_AUTH_LOGIN ? &login : err);
}

static void *answer(void *ctx, const struct mcp_client_challenge *c,
                    void (*done)(void *arg, bool again, const struct error *err), void *arg)
{
    const struct mcp_auth_challenge challenge = {.code = c->code,
                                                 .fields = c->fields,
                                                 .n_fields = c->n_fields,
                                                 .used = c->used,
                                                 .n_tries = c->n_tries};
    struct auth_wait *w = xcalloc(1, sizeof(*w));

    w->done = done;
    w->arg = arg;
    w->wait = mcp_auth_answer(ctx, &challenge, on_outcome, w);
    return w;
}

static void cancel(void *ctx, void *wait)
{
    struct auth_wait *w = wait;

    (void)ctx;
    mcp_auth_cancel(w->wait);
    free(w);
}

struct mcp_client_auth mcp_client_auth_of(struct mcp_auth *a)
{
    return (struct mcp_client_auth){
        .ctx = a, .header = header, .proof = proof, .answer = answer, .cancel = cancel};
}
