/* client_site.h - an MCP server over HTTP in memory, for the tests of the client.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_CLIENT_SITE_H
#define TROUPE_TESTS_CLIENT_SITE_H

#include "client_world.h"
#include "mcp/rpc/rpc.h"
#include "tests/support/http_memory.h"

#define CALL "{\"name\":\"echo\",\"arguments\":{}}"

/* A server: one function from a request to its answer; texts are copied. */
struct site {
    struct world w;
    bool is_modern;
    int refusal; /* code for server/discover of a legacy server */
    const char *refusal_body;
    int n_sessions, n_lost; /* the session is lost n_lost times */
    const char *call;       /* result of tools/call and others */
    const char *tools;      /* result of tools/list */
    struct str text;
    char session[32];
    struct http_field fields[1];
};

const char *site_field(const struct http_memory_request *q, const char *name);
void site_serve(void *ctx, const struct http_memory_request *q, struct http_memory_reply *out);
void site_init(struct site *s, bool is_modern);
void site_ready(struct site *s);
void site_deinit(struct site *s);
/* The last request whose body has the text. */
const struct http_memory_request *site_last(struct site *s, const char *text);
/* How many requests have it. */
int site_count(struct site *s, const char *text);
void site_ask(struct site *s, struct asked *a, enum mcp_method method, const char *params);

#endif
