/* agent_host.c - receives the models' replies: in a box on the loop, or in a driver's mailbox.
 *
 * Mail of model calls is the call itself (its first member), and the call is a member of its agent
 * or chat_call. Streamed tokens have a box of their own (reply_feed.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>

#include "agents/agent_state.h"
#include "agents/chat_cache.h"
#include "runtime/base/memory.h"

#define SWEEP_MS 50 /* how late a driver may notice a deadline */

static void agent_take_reply(struct agent_host *h, struct model_call *c)
{
    struct agent *a = CONTAINER_OF(c, struct agent, call);

    (void)h;
    assert(a->in_flight && a->state == AGENT_REASONING);
    a->in_flight = false;
    agent_advance(a);
}

static void handle_replies(void *ctx, struct mail *m)
{
    struct agent_host *h = ctx;

    while (m) {
        struct mail *next = m->next;
        struct model_call *c = CONTAINER_OF(m, struct model_call, mail);
        const struct reply_taker *taker = c->caller;

        if (h->box)
            loop_box_hold(h->box, -1);
        taker->take(h, c);
        m = next;
    }
}

/* Advances the agents that are ready now; those that become ready meanwhile wait for the next turn.
 * Each is removed from the list before it moves, because it may free itself. */
static void pump(struct agent_host *h)
{
    for (int32_t n = h->n_ready; n > 0 && h->ready; n--) {
        struct agent *a = h->ready;

        agent_not_ready(a);
        agent_advance(a);
    }
}

static void pump_deferred(void *ctx)
{
    struct agent_host *h = ctx;

    h->pumping_due = false;
    pump(h);
}

enum status agent_host_new(const struct agent_host_options *o, struct agent_host **out,
                           struct error *err)
{
    struct agent_host *h = xcalloc(1, sizeof(*h));

    (void)err;
    h->o = *o;
    h->pump = pump_deferred;
    h->agent_takes.take = agent_take_reply;
    h->chat_call_takes.take = chat_call_take_reply;
    h->scratch = tokenizer_scratch_new();
    if (o->loop) {
        h->box = loop_box_new(o->loop, handle_replies, h);
        h->stream_box = loop_box_new(o->loop, reply_feeds_show, h);
        h->reply = loop_box_mailbox(h->box);
        h->stream = loop_box_mailbox(h->stream_box);
    } else {
        h->reply = mailbox_new(NULL, NULL);
        h->stream = mailbox_new(NULL, NULL);
    }
    *out = h;
    return STATUS_OK;
}

void agent_host_free(struct agent_host *h)
{
    if (!h)
        return;
    assert(!h->all && !h->calls);
    if (h->box) {
        loop_box_free(h->box);
        loop_box_free(h->stream_box);
    } else {
        mailbox_free(h->reply);
        mailbox_free(h->stream);
    }
    chat_cache_free_all(h);
    tokenizer_scratch_free(h->scratch);
    free(h);
}

/* Timers of a host without a loop; tool calls have their own. */
static void sweep_deadlines(struct agent_host *h)
{
    int64_t now = seams_wall_ms(h->o.seams);

    if (now < h->next_sweep_ms)
        return;
    h->next_sweep_ms = now + SWEEP_MS;
    chat_calls_sweep(h, now);
    for (struct agent *a = h->all; a; a = a->next) {
        bool over = a->deadline_ms > 0 && now >= a->deadline_ms;

        if (over)
            agent_stop(a, AGENT_STOP_TIMEOUT);
        else if (a->step || a->state == AGENT_LISTENING)
            agent_make_ready(a);
    }
}

void agent_host_poll(struct agent_host *h, int64_t timeout_ms)
{
    struct mail *m;

    assert(!h->box);
    pump(h);
    if (timeout_ms < 0 || timeout_ms > SWEEP_MS)
        timeout_ms = SWEEP_MS;
    m = mailbox_wait(h->reply, h->ready ? 0 : timeout_ms);
    reply_feeds_show(h, mailbox_take(h->stream));
    handle_replies(h, m);
    pump(h);
    sweep_deadlines(h);
}
