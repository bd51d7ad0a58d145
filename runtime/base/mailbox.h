/* mailbox.h - the one way threads talk: an intrusive queue with a wake pointer.
 *
 * Any thread posts; one thread takes. The request owns its node, so posting never
 * fails, blocks or allocates. Messages of one poster keep their order. The
 * wake function is called on the poster's thread when the queue was empty before.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_MAILBOX_H
#define TROUPE_RUNTIME_BASE_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

struct mail {
    struct mail *next; /* the mailbox's while posted */
};

struct mailbox;
/* wake may be NULL: then the taker uses mailbox_wait. */
struct mailbox *mailbox_new(void (*wake)(void *ctx), void *ctx);
/* Must be empty. Waits for posters whose mail was taken already; so never from a wake function. */
void mailbox_free(struct mailbox *box);
void mailbox_post(struct mailbox *box, struct mail *m);
/* All that is there, oldest first, linked by next; NULL when empty. */
struct mail *mailbox_take(struct mailbox *box);
/* Blocks until something is there or timeout_ms passed (-1: for ever). */
struct mail *mailbox_wait(struct mailbox *box, int64_t timeout_ms);

#endif
