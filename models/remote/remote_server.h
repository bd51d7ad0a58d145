/* remote_server.h - what all models of one server (one origin) share.
 *
 * At most max_concurrent requests at a time; more wait, by priority, then in the order in which
 * they came. One circuit (circuit.h). Everything is on the thread of the client's loop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_REMOTE_SERVER_H
#define TROUPE_MODELS_REMOTE_REMOTE_SERVER_H

#include "models/remote/circuit.h"
#include "models/remote/remote_model.h"
#include "runtime/loop/loop.h"

#define REMOTE_MAX_CONCURRENT 16 /* unless a model of the server sets another */

struct remote_server;
struct remote_note;

struct remote_servers {
    struct loop *loop;
    struct http_client *client;
    const struct seams *seams;
    struct log *log; /* may be NULL */
    struct remote_server *first;
    struct loop_box *box; /* start, cancel and close of sessions, from any thread */
};
/* Handles what was posted to the box so far. */
void remote_servers_drain(struct remote_servers *s);
/* Of remote_model.c: the mail in the box. */
void remote_notes_handle(void *ctx, struct mail *m);

/* Finds or makes the server of this origin. max_concurrent 0: no wish; of several the least
 * counts. */
struct remote_server *remote_server_ref(struct remote_servers *s, const char *origin,
                                        int32_t max_concurrent);
void remote_server_unref(struct remote_server *s);

/* A request that waits for its turn, inside its owner. */
struct remote_turn {
    struct remote_turn *next;
    bool waits;
    int32_t priority;
    /* It may be sent now, and has a place until remote_server_leave. May leave at once. */
    void (*go)(struct remote_turn *t);
};
/* go may be called inside. */
void remote_server_enter(struct remote_server *s, struct remote_turn *t);
void remote_server_forget(struct remote_server *s, struct remote_turn *t); /* one that waits */
void remote_server_leave(struct remote_server *s); /* one that went; the next may go inside */

struct remote_servers *remote_server_all(const struct remote_server *s);
const char *remote_server_origin(const struct remote_server *s);
struct circuit *remote_server_circuit(struct remote_server *s);
bool *remote_server_no_ids(struct remote_server *s);         /* it has refused log-probs before */
int64_t remote_server_now_ms(const struct remote_server *s); /* never goes back */

struct remote_counts {
    int32_t active, waiting;
    int64_t sent, failed; /* requests since the start */
};
struct remote_counts *remote_server_counts(struct remote_server *s);

#endif
