/* reply_feed.c - tokens in an array that only grows, text under a lock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/reply_feed.h"

#include <stdlib.h>

#include "runtime/base/memory.h"

bool reply_feed_init(struct reply_feed *f, struct mailbox *box, int32_t cap,
                     void (*show)(struct reply_feed *f))
{
    f->box = box;
    f->show = show;
    f->cap = cap;
    f->text = STR_INIT;
    pthread_mutex_init(&f->lock, NULL);
    if (cap == 0)
        return true;
    f->id = mem_alloc((size_t)cap, sizeof(*f->id));
    f->logp = mem_alloc((size_t)cap, sizeof(*f->logp));
    return f->id && f->logp;
}

void reply_feed_deinit(struct reply_feed *f)
{
    if (!f->show)
        return;
    free(f->id);
    free(f->logp);
    str_deinit(&f->text);
    pthread_mutex_destroy(&f->lock);
}

static void post(struct reply_feed *f)
{
    if (!atomic_exchange(&f->posted, true))
        mailbox_post(f->box, &f->mail);
}

void reply_feed_token(struct reply_feed *f, int32_t id, float logp)
{
    int32_t n = atomic_load_explicit(&f->n, memory_order_relaxed);

    if (n >= f->cap)
        return;
    f->id[n] = id;
    f->logp[n] = logp;
    atomic_store_explicit(&f->n, n + 1, memory_order_release);
    post(f);
}

void reply_feed_text(struct reply_feed *f, const char *text, size_t n)
{
    pthread_mutex_lock(&f->lock);
    str_append(&f->text, text, n);
    pthread_mutex_unlock(&f->lock);
    post(f);
}

int32_t reply_feed_n(const struct reply_feed *f)
{
    return atomic_load_explicit(&f->n, memory_order_acquire);
}

void reply_feed_take_text(struct reply_feed *f, struct str *out)
{
    pthread_mutex_lock(&f->lock);
    str_append(out, str_cstr(&f->text), f->text.len);
    out->failed = out->failed || f->text.failed;
    str_clear(&f->text);
    pthread_mutex_unlock(&f->lock);
}

void reply_feed_restart(struct reply_feed *f)
{
    atomic_store(&f->n, 0);
}

void reply_feeds_show(void *ctx, struct mail *m)
{
    (void)ctx;
    while (m) {
        struct mail *next = m->next;
        struct reply_feed *f = CONTAINER_OF(m, struct reply_feed, mail);

        atomic_store(&f->posted, false);
        f->show(f);
        m = next;
    }
}
