/* link_fetch.h - one HTTP request to an MCP server: the configured header fields, authorization,
 * and again after a challenge.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CLIENT_LINK_FETCH_H
#define TROUPE_MCP_CLIENT_LINK_FETCH_H

#include "mcp/client/client.h"
#include "runtime/http/http_client.h"
#include "runtime/http/http_fields.h"

struct link_fetch;
struct link_fetch_spec {
    const struct mcp_client_spec *client;
    enum http_method method;
    const char *url;  /* copied */
    const char *body; /* (body_bytes) copied */
    size_t body_bytes;
    struct http_fields *fields; /* taken over: left empty */
    int64_t deadline_ms;        /* 0: none; the caller keeps its own */
    void *ctx;
    /* As in http_client.h: lent; bytes as they come. on_body false: nothing more is wanted, on_done
     * follows. Inside of them link_fetch_cancel is not allowed. */
    void (*on_head)(void *ctx, int code, const struct http_field *fields, int32_t n);
    bool (*on_body)(void *ctx, const char *bytes, size_t n);
    /* Once, last, never inside link_fetch_start; the fetch is gone. */
    void (*on_done)(void *ctx, enum status st, const struct error *err);
};
/* An error means that no callback follows. */
MUST_CHECK enum status link_fetch_start(const struct link_fetch_spec *spec, struct link_fetch **out,
                                        struct error *err);
void link_fetch_cancel(struct link_fetch *f); /* no callback follows; NULL is fine */

/* Is the media type of the answer this one? */
bool link_fetch_is_type(const struct http_field *fields, int32_t n, const char *type);

#endif
