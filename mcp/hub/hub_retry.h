/* hub_retry.h - requests that are sent again with input (`requestState`): sent twice, they get one
 * answer.
 *
 * A retry is known by the nonce of its state and by what it brings. The first one goes to the
 * server; others with the same key wait with it, or get the answer that was kept. An answer that
 * could not be kept is an error for them: the server is never asked twice.
 *
 * On the loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_RETRY_H
#define TROUPE_MCP_HUB_HUB_RETRY_H

#include "mcp/hub/hub_reply.h"
#include "mcp/hub/hub_seal.h"
#include "runtime/loop/loop.h"

struct hub_call;
struct hub_retries;
struct hub_retry {
    /* For hub_call.c to read. */
    bool is_over;            /* its answer is there, or was */
    struct hub_reply *reply; /* of one that is over; NULL: not kept */
    struct hub_call *first;  /* calls that wait for it, linked by themselves */
    /* Of hub_retry.c. */
    struct hub_retries *all;
    struct loop_timer *timer;
    char key[2 * (HUB_NONCE_BYTES + 32) + 1];
};

struct hub_retries *hub_retries_new(struct loop *l, int64_t kept_ms, size_t kept_bytes);
void hub_retries_free(struct hub_retries *all); /* no call waits any more; NULL is fine */

/* The retry with this key; is_new: there was none, and the caller goes to the server. */
struct hub_retry *hub_retry_of(struct hub_retries *all, const unsigned char nonce[HUB_NONCE_BYTES],
                               const struct sha256 *input, bool *is_new);
/* Its answer, which is kept for a while if there is room; older ones make room. */
void hub_retry_keep(struct hub_retry *r, struct hub_reply *reply);
void hub_retry_forget(struct hub_retry *r); /* it never came to the server: it may be tried again */

#endif
