/* reply_feed.h - what a call in flight has said, from the model's thread to the host's.
 *
 * The model's thread pushes tokens (or text) and posts the feed to the host's stream box, once for
 * all that the host has not shown yet. The host's thread then calls `show`. A model pushes before
 * it posts its reply, so that emptying that box first shows everything before the reply is handled.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_REPLY_FEED_H
#define TROUPE_AGENTS_REPLY_FEED_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/base/mailbox.h"
#include "runtime/base/str.h"

struct reply_feed {
    struct mail mail;
    struct mailbox *box;
    _Atomic bool posted;
    void (*show)(struct reply_feed *f); /* on the host's thread: there is something new */
    int32_t cap;                        /* tokens that fit; more are not shown */
    _Atomic int32_t n;                  /* valid entries of `id` and `logp` */
    int32_t *id;                        /* (cap) */
    float *logp;                        /* (cap) */
    pthread_mutex_t lock;               /* of `text` */
    struct str text;                    /* of models that give text: what was not taken yet */
};

/* Space for cap tokens; 0: only text. False: no memory. */
MUST_CHECK bool reply_feed_init(struct reply_feed *f, struct mailbox *box, int32_t cap,
                                void (*show)(struct reply_feed *f));
void reply_feed_deinit(struct reply_feed *f); /* also of a zeroed one */
/* ---- the model's thread */
void reply_feed_token(struct reply_feed *f, int32_t id, float logp);
void reply_feed_text(struct reply_feed *f, const char *text, size_t n);
/* ---- the host's thread */
int32_t reply_feed_n(const struct reply_feed *f);
/* Moves the text that came since the last call to the end of out. */
void reply_feed_take_text(struct reply_feed *f, struct str *out);
void reply_feed_restart(struct reply_feed *f); /* before the next call */
/* Shows all feeds of the mail: the handler of the host's stream box. */
void reply_feeds_show(void *ctx, struct mail *m);

#endif
