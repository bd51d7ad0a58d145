/* chat_call.c - one chat completion, from its start to its result.
 *
 * What is wrong with a call before the model is asked takes the same way as a reply: it is posted
 * to the host's own box. So there is one end, chat_call_take_reply.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/chat_call.h"

#include <assert.h>
#include <stdlib.h>

#include "agents/chat_call_state.h"
#include "runtime/base/memory.h"

static void stop(struct chat_call *c, enum chat_call_stop why)
{
    struct model *m = c->spec.model;

    if (c->stop || !c->in_flight)
        return;
    c->stop = why;
    if (c->call.session)
        m->ops->cancel(m, &c->call);
}

void chat_call_cancel(struct chat_call *c)
{
    stop(c, CHAT_CALL_CANCELLED);
}

static void on_deadline(void *ctx)
{
    struct chat_call *c = ctx;

    loop_timer_free(c->timer);
    c->timer = NULL;
    stop(c, CHAT_CALL_LATE);
}

void chat_calls_sweep(struct agent_host *h, int64_t now_ms)
{
    for (struct chat_call *c = h->calls; c; c = c->next)
        if (c->spec.deadline_ms > 0 && now_ms >= c->spec.deadline_ms)
            stop(c, CHAT_CALL_LATE);
}

static void set_deadline(struct chat_call *c)
{
    int64_t left = c->spec.deadline_ms - seams_wall_ms(c->host->o.seams);

    if (c->spec.deadline_ms > 0 && c->host->o.loop)
        c->timer = loop_timer_new(c->host->o.loop, left > 0 ? left : 0, on_deadline, c);
}

/* Buffers for as many tokens as are asked for and fit. */
static enum status make_buffers(struct chat_call *c, struct error *err)
{
    struct model_call *m = &c->call;
    int32_t most = c->spec.model->info.context - (int32_t)c->prompt.n;

    m->max_tokens = c->spec.max_tokens;
    if (!chat_call_takes_ids(c))
        return reply_feed_init(&c->feed, c->host->stream, 0, chat_call_stream_show)
                   ? STATUS_OK
                   : error_set(err, STATUS_NO_MEMORY, "no memory for a reply");
    if (m->max_tokens == 0 || m->max_tokens > most)
        m->max_tokens = most;
    m->ids = mem_alloc((size_t)m->max_tokens, sizeof(*m->ids));
    m->logp = mem_alloc((size_t)m->max_tokens, sizeof(*m->logp));
    m->logp_sampled = mem_alloc((size_t)m->max_tokens, sizeof(*m->logp_sampled));
    if (!m->ids || !m->logp || !m->logp_sampled ||
        !reply_feed_init(&c->feed, c->host->stream, c->spec.on_piece ? m->max_tokens : 0,
                         chat_call_stream_show))
        return error_set(err, STATUS_NO_MEMORY, "no memory for a reply of %d tokens",
                         (int)m->max_tokens);
    return STATUS_OK;
}

static void fill_call(struct chat_call *c)
{
    const struct chat_call_spec *s = &c->spec;
    struct model_call *m = &c->call;

    m->path = s->path;
    m->seed = s->seed;
    m->call_id = s->call_id;
    m->sampling = s->sampling;
    m->stop_text = s->stop;
    m->n_stop_text = s->n_stop;
    m->priority = s->priority;
    m->deadline_ms = s->deadline_ms;
    m->trace = s->trace;
    if (chat_call_takes_ids(c)) {
        m->delta = c->prompt.id;
        m->n_delta = (int32_t)c->prompt.n;
        if (s->on_piece)
            m->on_token = chat_call_on_token;
        return;
    }
    m->messages = s->messages;
    m->tools = s->tools;
    m->tool_choice = s->tool_choice;
    m->response_schema = s->schema;
    if (s->on_piece)
        m->on_text = chat_call_on_text;
}

static enum status begin(struct chat_call *c, struct error *err)
{
    struct model *m = c->spec.model;
    enum status st = chat_call_prompt(c, err);

    if (!st)
        st = make_buffers(c, err);
    if (st)
        return st;
    fill_call(c);
    chat_call_stream_begin(c);
    return m->ops->session_open(m, NULL, &c->session, err);
}

static void link_call(struct chat_call *c)
{
    struct agent_host *h = c->host;

    c->next = h->calls;
    if (h->calls)
        h->calls->prev = c;
    h->calls = c;
}

enum status chat_call_start(struct agent_host *h, const struct chat_call_spec *spec,
                            struct chat_call **out, struct error *err)
{
    struct chat_call *c = mem_alloc(1, sizeof(*c));
    struct model_call *m;

    if (!c)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a call");
    m = &c->call;
    c->host = h;
    c->spec = *spec;
    c->utf8 = TOKEN_STREAM_INIT;
    c->stops = STOP_STREAM_INIT;
    c->content = STR_INIT;
    token_ids_init(&c->prompt, TOKEN_IDS_MAX_DEFAULT);
    link_call(c);
    m->reply = h->reply;
    m->caller = &h->chat_call_takes;
    m->status = begin(c, &m->err);
    c->in_flight = true;
    if (h->box)
        loop_box_hold(h->box, 1);
    if (m->status) {
        m->finish = FINISH_ERROR;
        m->not_retryable = m->status == STATUS_INVALID || m->status == STATUS_UNSUPPORTED ||
                           (m->status == STATUS_LIMIT && c->result.n_prompt > 0);
        mailbox_post(h->reply, &m->mail);
    } else {
        set_deadline(c);
        m->session = c->session;
        spec->model->ops->start(spec->model, m);
    }
    *out = c;
    return STATUS_OK;
}

static void close_session(struct chat_call *c)
{
    if (c->session)
        c->spec.model->ops->session_close(c->spec.model, c->session);
    c->session = c->call.session = NULL;
}

static enum status end_of(struct chat_call *c, struct error *err)
{
    enum status st = c->call.status;

    if (st)
        *err = c->call.err;
    else if (!c->stop)
        st = chat_call_stream_end(c, err); /* on_piece may cancel the call */
    if (c->stop == CHAT_CALL_LATE)
        st = error_set(err, STATUS_TIMEOUT, "the time limit of the call was reached");
    else if (c->stop)
        st = error_set(err, STATUS_CANCELLED, "the call was cancelled");
    if (st)
        c->result.finish = c->stop ? FINISH_CANCELLED : FINISH_ERROR;
    return st;
}

void chat_call_take_reply(struct agent_host *h, struct model_call *m)
{
    struct chat_call *c = CONTAINER_OF(m, struct chat_call, call);
    struct chat_result *r = &c->result;

    assert(c->in_flight);
    reply_feeds_show(h, mailbox_take(h->stream));
    close_session(c);
    loop_timer_free(c->timer);
    c->timer = NULL;
    r->status = end_of(c, &r->err);
    c->in_flight = false;
    r->fault = m->status && !c->stop ? m->fault : MODEL_FAULT_NONE;
    r->not_retryable = m->not_retryable || r->unfit;
    r->retry_after_ms = m->retry_after_ms;
    r->queued_us = m->queued_us;
    r->first_us = m->first_us;
    r->done_us = m->done_us;
    c->spec.on_done(c->spec.ctx, c);
}

void chat_call_free(struct chat_call *c)
{
    if (!c)
        return;
    assert(!c->in_flight);
    if (c->prev)
        c->prev->next = c->next;
    else
        c->host->calls = c->next;
    if (c->next)
        c->next->prev = c->prev;
    jv_unref(c->tools);
    jv_unref(c->schema);
    jv_unref(c->calls);
    token_ids_deinit(&c->prompt);
    free(c->call.ids);
    free(c->call.logp);
    free(c->call.logp_sampled);
    model_call_clear_text(&c->call);
    reply_feed_deinit(&c->feed);
    stop_stream_deinit(&c->stops);
    reply_stream_free(c->split);
    parsed_reply_deinit(&c->reply);
    str_deinit(&c->content);
    free(c);
}

const struct chat_result *chat_call_result(const struct chat_call *c)
{
    return &c->result;
}

const char *chat_call_token(const struct chat_call *c, int32_t i, size_t *n)
{
    const struct tokenizer *t = c->spec.model->info.tokenizer;
    const char *bytes;

    *n = 0;
    assert(i >= 0 && i < c->result.n_ids);
    if (tokenizer_is_special(t, c->result.ids[i]))
        return "";
    bytes = tokenizer_bytes(t, c->result.ids[i], n);
    return bytes ? bytes : "";
}
