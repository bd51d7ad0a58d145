/* hub_call.h - struct hub_call, for hub_call.c (its way) and hub_translate.c (its two forms).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_CALL_H
#define TROUPE_MCP_HUB_HUB_CALL_H

#include "mcp/hub/hub_internal.h"
#include "mcp/hub/hub_retry.h"

struct hub_record;

struct hub_call {
    struct hub *hub;
    struct mcp_exchange *down; /* the client's */
    struct mcp_exchange *up;   /* the server's; NULL: not made yet */
    struct json_view params;   /* what is asked for: those of `down`, or those inside a call_tool */
    char *text;                /* what they are lent from; NULL: from `down` */
    struct hub_job job;
    bool submitted;
    struct hub_server *server;
    enum hub_list_kind kind;
    char *shown, *own; /* the name or URI that the client gave; the server's */
    size_t next;       /* the next candidate */
    struct hub_want want;
    bool looking; /* `want` waits */
    struct hub_passage passage;
    /* The same retry is sent once: `follows`: it waits for the answer to the first. */
    struct hub_retry *retry;
    struct hub_call *twin; /* the next that follows */
    bool follows;
    struct hub_record *record; /* the answer waits until its row is on the disk; NULL: none */
    struct hub_reply *reply;   /* then: the answer */
    struct hub_call *after, **link;
};

static inline bool hub_is_of_task(enum mcp_method m)
{
    return m == MCP_TASKS_GET || m == MCP_TASKS_UPDATE || m == MCP_TASKS_CANCEL;
}

/* ---- hub_translate.c */
/* Appends the params as the server gets them. nonce: of the state; has_state: there is one. */
MUST_CHECK enum status hub_call_put_params(const struct hub_call *c, struct str *out,
                                           unsigned char nonce[HUB_NONCE_BYTES], bool *has_state,
                                           struct error *err);
/* Of what a retry brings. */
struct sha256 hub_call_input_digest(const struct hub_call *c);
/* The answer as the client gets it; NULL without memory. */
struct hub_reply *hub_call_translate(const struct hub_call *c, const struct mcp_answer *a);

#endif
