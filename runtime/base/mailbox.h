/* mailbox.h - messages between threads: an intrusive queue with a wake function.
 *
 * Any thread posts; one thread takes. The request contains its node, so posting never
 * fails, blocks or allocates. Messages of one sender keep their order. The
 * wake function is called on the sender's thread when the queue was empty.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_MAILBOX_H
#define TROUPE_RUNTIME_BASE_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

struct mail {
    struct mail *next; /* used by the mailbox while posted */
};

struct mailbox;
/* wake may be NULL: then the receiver uses mailbox_wait. */
struct mailbox *mailbox_new(void (*wake)(void *ctx), void *ctx);
/* The box must be empty. Waits for senders that are still inside mailbox_post, so it must not be
 * called from a wake function. */
void mailbox_free(struct mailbox *box);
void mailbox_post(struct mailbox *box, struct mail *m);
/* All messages, oldest first, linked by next; NULL when empty. */
struct mail *mailbox_take(struct mailbox *box);
/* The same; blocks until there is a message or timeout_ms has passed (-1: for ever). */
struct mail *mailbox_wait(struct mailbox *box, int64_t timeout_ms);

#endif
