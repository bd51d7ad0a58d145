/* http_session.h - the sessions of legacy clients over HTTP.
 *
 * An id is 128 random bits and belongs to the principal that began the session: with another
 * token, or for another view, there is no such session. A principal has a limited number; a new one
 * ends the one that was idle longest. Idle sessions expire.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_HTTP_SESSION_H
#define TROUPE_MCP_SERVER_HTTP_SESSION_H

#include "mcp/server/mcp_session.h"
#include "mcp/server/session_stream.h"

struct legacy_post;

struct http_session {
    struct http_session_table *table;
    struct session_owner *owner; /* the principal */
    struct http_session *older, *newer;
    int64_t used_us;
    struct mcp_session *core;
    struct session_stream get; /* stream 0 */
    struct event_log events;
    struct legacy_post *posts; /* open ones */
    int64_t last_stream;
    char id[33];
};

struct http_session_table *http_session_table_new(struct mcp_server *s);
void http_session_table_free(struct http_session_table *t);
/* Ends the GET streams. */
void http_session_table_drain(struct http_session_table *t);
void http_session_table_counts(const struct http_session_table *t, struct mcp_server_counts *out);

/* From the params of `initialize`. STATUS_INVALID: they are not those; STATUS_LIMIT: all sessions
 * of the principal are busy. */
MUST_CHECK enum status http_session_begin(struct http_session_table *t, const char *principal,
                                          const char *view, struct json_view params,
                                          struct http_session **out, struct error *err);
/* It was used just now. NULL: there is none, or it is not theirs. */
struct http_session *http_session_find(struct http_session_table *t, const char *id,
                                       const char *principal, const char *view);
void http_session_touch(struct http_session *s); /* it was used just now */
/* Its open requests are cut. */
void http_session_end(struct http_session *s);

/* ---- of http_legacy.c */
/* Cuts and frees what is open of a session, or of the modern posts of a server. */
void legacy_post_cut_all(struct http_session *s);
void http_post_abandon_all(struct mcp_server *s);
/* Requests whose headers are still being checked end with this error. */
void http_post_fail_waiting(struct mcp_server *s, const char *message);

#endif
