/* agent_host.c - where replies of models come back: a box on the loop, or a driver's own mailbox.
 *
 * Mail of model calls is the call itself (its first member), and the call is a member of its agent.
 * Streamed tokens have a box of their own: a model posts an agent's stream mail before the reply,
 * so emptying that box first shows every token before the reply is handled.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>

#include "agents/agent_state.h"
#include "runtime/base/memory.h"

#define SWEEP_MS 50 /* how late a driver may notice a deadline */

int64_t agent_now_ms(const struct agent *a)
{
    return seams_wall_ms(a->host->o.seams);
}

static void show_stream(struct agent *a)
{
    struct agent_stream *s = &a->stream;
    int32_t n = atomic_load_explicit(&s->n, memory_order_acquire);
    struct str text = STR_INIT;

    while (s->n_shown < n)
        token_stream_push(&s->text, a->task.role->model->info.tokenizer, s->id[s->n_shown++], true,
                          &text);
    if (text.len > 0)
        a->task.on_text(a->ctx, str_cstr(&a->path), str_cstr(&text), text.len);
    str_deinit(&text);
}

static void show_streams(void *ctx, struct mail *m)
{
    (void)ctx;
    while (m) {
        struct mail *next = m->next;
        struct agent_stream *s = CONTAINER_OF(m, struct agent_stream, mail);

        atomic_store(&s->posted, false);
        show_stream(CONTAINER_OF(s, struct agent, stream));
        m = next;
    }
}

void agent_on_token(struct model_call *c, int32_t id, float logp)
{
    struct agent *a = CONTAINER_OF(c, struct agent, call);
    struct agent_stream *s = &a->stream;
    int32_t n = atomic_load_explicit(&s->n, memory_order_relaxed);

    (void)logp;
    if (n >= a->reply_cap)
        return;
    s->id[n] = id;
    atomic_store_explicit(&s->n, n + 1, memory_order_release);
    if (!atomic_exchange(&s->posted, true))
        mailbox_post(a->host->stream, &s->mail);
}

void agent_stream_flush(struct agent *a)
{
    struct str text = STR_INIT;

    if (!a->call.on_token)
        return;
    show_streams(a->host, mailbox_take(a->host->stream));
    show_stream(a);
    token_stream_finish(&a->stream.text, &text);
    if (text.len > 0)
        a->task.on_text(a->ctx, str_cstr(&a->path), str_cstr(&text), text.len);
    str_deinit(&text);
    a->stream.text = TOKEN_STREAM_INIT;
    a->stream.n_shown = 0;
    atomic_store(&a->stream.n, 0);
}

static void handle_replies(void *ctx, struct mail *m)
{
    struct agent_host *h = ctx;

    while (m) {
        struct mail *next = m->next;
        struct agent *a = CONTAINER_OF(m, struct agent, call.mail);

        assert(a->in_flight && a->state == AGENT_REASONING);
        a->in_flight = false;
        if (h->box)
            loop_box_hold(h->box, -1);
        agent_advance(a);
        m = next;
    }
}

/* Advances as many as were ready when it began; what becomes ready meanwhile waits for the next
 * turn. Each is taken out of the list before it moves: it may free itself. */
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

void agent_make_ready(struct agent *a)
{
    struct agent_host *h = a->host;

    if (a->is_ready)
        return;
    assert(a->state < AGENT_OVER);
    a->is_ready = true;
    h->n_ready++;
    a->ready_prev = h->ready_last;
    a->ready_next = NULL;
    if (h->ready_last)
        h->ready_last->ready_next = a;
    else
        h->ready = a;
    h->ready_last = a;
    if (h->o.loop && !h->pumping_due) {
        h->pumping_due = true;
        loop_defer(h->o.loop, pump_deferred, h);
    }
}

void agent_not_ready(struct agent *a)
{
    struct agent_host *h = a->host;

    if (!a->is_ready)
        return;
    a->is_ready = false;
    h->n_ready--;
    assert(h->n_ready >= 0);
    if (a->ready_prev)
        a->ready_prev->ready_next = a->ready_next;
    else
        h->ready = a->ready_next;
    if (a->ready_next)
        a->ready_next->ready_prev = a->ready_prev;
    else
        h->ready_last = a->ready_prev;
}

enum status agent_host_new(const struct agent_host_options *o, struct agent_host **out,
                           struct error *err)
{
    struct agent_host *h = xcalloc(1, sizeof(*h));

    (void)err;
    h->o = *o;
    h->scratch = tokenizer_scratch_new();
    if (o->loop) {
        h->box = loop_box_new(o->loop, handle_replies, h);
        h->stream_box = loop_box_new(o->loop, show_streams, h);
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
    assert(!h->all);
    if (h->box) {
        loop_box_free(h->box);
        loop_box_free(h->stream_box);
    } else {
        mailbox_free(h->reply);
        mailbox_free(h->stream);
    }
    codec_json_forget(h);
    tokenizer_scratch_free(h->scratch);
    free(h);
}

/* Timers of a host without a loop; calls of tools have their own. */
static void sweep_deadlines(struct agent_host *h)
{
    int64_t now = seams_wall_ms(h->o.seams);

    if (now < h->next_sweep_ms)
        return;
    h->next_sweep_ms = now + SWEEP_MS;
    for (struct agent *a = h->all; a; a = a->next) {
        bool over = a->deadline_ms > 0 && now >= a->deadline_ms;

        if (over)
            agent_stop(a, AGENT_STOP_TIMEOUT);
        else if (a->step)
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
    show_streams(h, mailbox_take(h->stream));
    handle_replies(h, m);
    pump(h);
    sweep_deadlines(h);
}
