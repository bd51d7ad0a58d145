/* client_call.h - one call of the server on behalf of exchanges: from waiting for the connection,
 * over rounds of input, to its answer.
 *
 *   WAITING   the connection, the log level or the tools' headers are not there yet
 *   OPEN      sent; at least one exchange waits for it
 *   PARKED    sent; the server waits for input, and no exchange is there (legacy)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CLIENT_CLIENT_CALL_H
#define TROUPE_MCP_CLIENT_CLIENT_CALL_H

#include "mcp/client/client_internal.h"

struct park_input; /* a request of the server that waits for its answer */
struct park_note;  /* a note that came while parked */
struct park_round;

struct client_call {
    struct mcp_client *client;
    struct client_call *prev, *next;
    int64_t number; /* in park states */
    enum mcp_method method;
    struct mcp_caller *caller;     /* a reference */
    struct mcp_exchange **waiting; /* (n_waiting) without references: they are open */
    int32_t n_waiting;
    struct client_request *request; /* NULL: not sent yet */
    struct loop_timer *deadline;    /* of the exchange */
    bool was_repeated;
    /* client_park.c */
    struct park_round *round;  /* that it continues, or waits for */
    struct park_input *inputs; /* oldest first */
    struct park_note *notes, *last_note;
    size_t note_bytes;
    struct loop_timer *timer; /* parked: its deadline; open: asks for input soon */
    int32_t n_inputs;         /* since the beginning: makes keys */
    struct map *urls;         /* elicitationId of URLs that were asked for; NULL: none */
    bool is_parked;
};

/* The handler. */
void client_call_start(struct mcp_client *c, struct mcp_exchange *x);
void client_call_cancel(struct mcp_client *c, struct mcp_exchange *x);
void client_calls_of_gone(struct mcp_client *c, struct mcp_caller *caller);
/* Sends what waits and can be sent now. */
void client_calls_go(struct mcp_client *c);
/* Ends all that wait or are open. */
void client_calls_fail(struct mcp_client *c, const struct error *err);

/* Which call does something that came on stream `from` belong to? Over HTTP that of the stream.
 * Else, of the calls that can ask for input, the only open one, or the last of the only principal
 * that has one open. NULL: none, or it cannot be known. *is_ambiguous: several principals. */
struct client_call *client_call_of(struct mcp_client *c, int64_t from, bool *is_ambiguous);
/* Can its answer be `input_required`? */
bool client_call_can_ask(const struct client_call *call);

/* All exchanges that wait get this answer; the call goes on. */
void client_call_answer(struct client_call *call, const struct mcp_answer *a);
void client_call_add(struct client_call *call, struct mcp_exchange *x);
/* Ends without an answer to anyone; cancel: the server is asked to stop. */
void client_call_free(struct client_call *call, bool cancel);
void client_call_note(struct client_call *call, enum mcp_method note, struct json_view params);

/* ---- client_park.c */

/* A request of a legacy server. Answers it at once, or makes it an input request of `call`. */
void client_park_ask(struct client_call *call, struct json_view id, enum mcp_method method,
                     struct json_view params);
/* The server says that what it wanted at a URL was done there: a note for the call that asked. */
void client_park_completed(struct mcp_client *c, struct json_view params);
/* The server takes a request back. */
void client_park_withdraw(struct mcp_client *c, struct json_view id);
/* Does the exchange name a parked call? Then it is taken care of. */
bool client_park_resume(struct mcp_client *c, struct mcp_exchange *x);
void client_park_keep_note(struct client_call *call, enum mcp_method note, struct json_view params);
/* The call ends with this answer: kept if a round names it. */
void client_park_keep(struct client_call *call, const struct mcp_answer *a);
/* The call goes away. */
void client_park_forget(struct client_call *call);
void client_rounds_free(struct mcp_client *c);

#endif
