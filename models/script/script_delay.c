/* script_delay.c - one queue, in the order in which the calls are due.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/script/script_delay.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "models/script/script_stream.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/thread.h"

struct script_delay {
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    /* Of calls: done_us holds when each is due, first_us its whole delay, and queued_us its next
     * piece of text. */
    struct mail *first;
    bool stop;
};

static struct model_call *call_of(struct mail *m)
{
    return CONTAINER_OF(m, struct model_call, mail);
}

static int64_t now_us(void)
{
    return seams_mono_us(seams_real());
}

/* When piece i of its text is due, after the beginning. */
static int64_t due_after(const struct model_call *c, int64_t i)
{
    return c->first_us * (i + 1) / SCRIPT_PIECES;
}

static bool streams(const struct model_call *c)
{
    return c->on_text && c->text && *c->text;
}

static struct model_call *take_first(struct script_delay *d)
{
    struct mail *m = d->first;

    d->first = m->next;
    return call_of(m);
}

/* In the order in which they are due. */
static void insert(struct script_delay *d, struct model_call *c)
{
    struct mail **link = &d->first;

    while (*link && call_of(*link)->done_us <= c->done_us)
        link = &(*link)->next;
    if (link == &d->first)
        pthread_cond_signal(&d->changed);
    c->mail.next = *link;
    *link = &c->mail;
}

static void post(struct model_call *c, int64_t began_us)
{
    c->done_us = now_us() - began_us;
    c->first_us = streams(c) ? c->first_us / SCRIPT_PIECES : c->first_us;
    c->queued_us = 0;
    mailbox_post(c->reply, &c->mail);
}

/* Its next piece of text; with the last one the answer. */
static void give(struct script_delay *d, struct model_call *c)
{
    int64_t piece = c->queued_us++, began_us = c->done_us - due_after(c, piece);

    script_stream_piece(c, (int32_t)piece);
    if (c->queued_us == SCRIPT_PIECES) {
        post(c, began_us);
        return;
    }
    c->done_us = began_us + due_after(c, c->queued_us);
    insert(d, c);
}

static void *delay_main(void *arg)
{
    struct script_delay *d = arg;

    pthread_mutex_lock(&d->lock);
    while (!d->stop) {
        int64_t due = d->first ? call_of(d->first)->done_us : 0;

        if (!d->first) {
            pthread_cond_wait(&d->changed, &d->lock);
        } else if (due > now_us()) {
            struct timespec until = {.tv_sec = due / 1000000, .tv_nsec = due % 1000000 * 1000};

            pthread_cond_timedwait(&d->changed, &d->lock, &until);
        } else {
            give(d, take_first(d));
        }
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

enum status script_delay_new(struct script_delay **out, struct error *err)
{
    struct script_delay *d = xcalloc(1, sizeof(*d));
    pthread_condattr_t attr;
    int failed;

    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->changed, &attr);
    pthread_condattr_destroy(&attr);
    failed = thread_start(&d->thread, delay_main, d);
    if (failed) {
        pthread_cond_destroy(&d->changed);
        pthread_mutex_destroy(&d->lock);
        free(d);
        return error_errno(err, failed, "starting the scripted model's timer");
    }
    *out = d;
    return STATUS_OK;
}

void script_delay_free(struct script_delay *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->stop = true;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    while (d->first) {
        struct model_call *c = take_first(d);

        model_call_clear_text(c);
        c->finish = FINISH_CANCELLED;
        c->status = error_set(&c->err, STATUS_CANCELLED, "the model was closed");
        post(c, c->done_us - due_after(c, c->queued_us));
    }
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

void script_delay_post(struct script_delay *d, struct model_call *c, int64_t delay_ms)
{
    c->first_us = delay_ms * 1000;
    c->queued_us = streams(c) ? 0 : SCRIPT_PIECES - 1;
    c->done_us = now_us() + due_after(c, c->queued_us);
    pthread_mutex_lock(&d->lock);
    insert(d, c);
    pthread_mutex_unlock(&d->lock);
}

bool script_delay_remove(struct script_delay *d, struct model_call *c)
{
    struct mail **link = &d->first;

    pthread_mutex_lock(&d->lock);
    while (*link && *link != &c->mail)
        link = &(*link)->next;
    if (*link) {
        *link = c->mail.next;
        pthread_mutex_unlock(&d->lock);
        return true;
    }
    pthread_mutex_unlock(&d->lock);
    return false;
}
