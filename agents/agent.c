/* agent.c - an agent as an object: made, asked to stop, freed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/agent.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agents/agent_state.h"
#include "agents/turn.h"
#include "runtime/base/memory.h"
#include "runtime/store/path.h"

static void on_deadline(void *ctx)
{
    struct agent *a = ctx;

    loop_timer_free(a->timer);
    a->timer = NULL;
    agent_stop(a, AGENT_STOP_TIMEOUT);
}

/* The step around an agent has a timer for the same moment, and its status says who ran out of
 * time: that timer goes first. */
#define AFTER_STEP_MS 50

static void set_deadline(struct agent *a)
{
    int64_t budget = budget_deadline_ms(a->task.scope.budget);
    int64_t left;

    a->deadline_ms = a->task.scope.deadline_ms;
    if (budget > 0 && (a->deadline_ms == 0 || budget < a->deadline_ms))
        a->deadline_ms = budget;
    if (a->deadline_ms == 0 || !a->host->o.loop)
        return;
    left = a->deadline_ms - agent_now_ms(a);
    left =
        (left > 0 ? left : 0) + (a->deadline_ms == a->task.scope.deadline_ms ? AFTER_STEP_MS : 0);
    a->timer = loop_timer_new(a->host->o.loop, left, on_deadline, a);
}

static enum status choose_codec(struct agent *a, struct error *err)
{
    const struct model_info *m = &a->task.role->model->info;

    if (model_chats(m)) {
        a->codec = &codec_json;
        return STATUS_OK;
    }
    if (strcmp(m->codec, "compact") != 0)
        return error_set(err, STATUS_UNSUPPORTED, "model %s uses the unknown codec \"%s\"", m->name,
                         m->codec);
    if (!a->task.env_ops)
        return error_set(err, STATUS_UNSUPPORTED,
                         "model %s works only in an environment, and this step has none", m->name);
    if (!m->takes_ids || !m->tokenizer)
        return error_set(err, STATUS_UNSUPPORTED,
                         "model %s has no tokenizer, which the codec compact needs", m->name);
    a->codec = &codec_compact;
    return STATUS_OK;
}

static int32_t reply_tokens(const struct agent *a)
{
    if (a->task.role->max_reply_tokens > 0)
        return a->task.role->max_reply_tokens;
    if (a->codec->compact && a->task.env_ops->max_reply_tokens > 0)
        return a->task.env_ops->max_reply_tokens;
    return AGENT_REPLY_TOKENS;
}

static enum status make_buffers(struct agent *a, struct error *err)
{
    struct model_call *c = &a->call;
    const struct model_info *m = &a->task.role->model->info;
    size_t cap = (size_t)reply_tokens(a);

    a->reply_cap = (int32_t)cap;
    if (a->task.on_text && !reply_feed_init(&a->stream.feed, a->host->stream,
                                            m->takes_ids ? a->reply_cap : 0, agent_stream_show))
        return error_set(err, STATUS_NO_MEMORY, "no memory to stream replies of %zu tokens", cap);
    if (!m->takes_ids && !m->gives_ids)
        return STATUS_OK;
    c->ids = mem_alloc(cap, sizeof(*c->ids));
    c->logp = mem_alloc(cap, sizeof(*c->logp));
    c->logp_sampled = mem_alloc(cap, sizeof(*c->logp_sampled));
    if (!c->ids || !c->logp || !c->logp_sampled)
        return error_set(err, STATUS_NO_MEMORY, "no memory for replies of %zu tokens", cap);
    return STATUS_OK;
}

/* The call's fields that stay the same for the whole conversation. */
static void prepare_call(struct agent *a)
{
    struct model_call *c = &a->call;

    c->reply = a->host->reply;
    c->caller = &a->host->agent_takes;
    c->seed = a->task.scope.sample_seed;
    c->sampling = a->task.role->sampling;
    c->priority = a->task.scope.run ? 1 : 0;
    if (a->task.on_text && a->task.role->model->info.takes_ids)
        c->on_token = agent_on_token;
    else if (a->task.on_text)
        c->on_text = agent_on_text;
}

static enum status set_up(struct agent *a, struct error *err)
{
    const struct agent_task *t = &a->task;
    enum status st = choose_codec(a, err);

    if (!st)
        st = make_buffers(a, err);
    if (st)
        return st;
    if (t->talks && (!t->scope.run || t->env_ops || t->schema || t->record))
        return error_set(err, STATUS_UNSUPPORTED,
                         "a talk needs a run, and has neither an environment nor a schema");
    a->wants_paths = t->scope.run || !t->role->model->info.takes_ids || a->task.on_text != NULL;
    if (!t->scope.run)
        a->call_base = rollout_call_base(t->scope.path, t->scope.attempt);
    prepare_call(a);
    if (t->env_ops)
        st = t->env_ops->create(&t->env_params, &a->env, err);
    if (!st && a->env && t->watch && t->watch->on_event)
        t->watch->on_event(t->watch->ctx, a->env, NULL);
    return st ? st : a->codec->begin(a, err);
}

static void link_agent(struct agent *a)
{
    struct agent_host *h = a->host;

    a->next = h->all;
    if (h->all)
        h->all->prev = a;
    h->all = a;
}

enum status agent_start(struct agent_host *h, const struct agent_task *t, agent_done done,
                        void *ctx, struct agent **out, struct error *err)
{
    struct agent *a = mem_alloc(1, sizeof(*a));
    enum status st;

    if (!a)
        return error_set(err, STATUS_NO_MEMORY, "no memory for an agent");
    a->host = h;
    a->task = *t;
    a->done = done;
    a->ctx = ctx;
    a->new_chain = true;
    a->stream.text = TOKEN_STREAM_INIT;
    token_ids_init(&a->chain, TOKEN_IDS_MAX_DEFAULT);
    a->path = a->parent = a->base = a->reply_text = a->feed = a->stream.said = STR_INIT;
    link_agent(a);
    st = set_up(a, err);
    if (st) {
        error_note(err, "agent %s", t->role->name ? t->role->name : "");
        agent_free(a);
        return st;
    }
    set_deadline(a);
    agent_make_ready(a);
    *out = a;
    return STATUS_OK;
}

static void free_reply(struct agent *a)
{
    pending_clear(a);
    vote_clear(&a->vote);
    free(a->vote.sample);
    free(a->pending);
    free(a->call.ids);
    free(a->call.logp);
    free(a->call.logp_sampled);
    model_call_clear_text(&a->call);
    reply_feed_deinit(&a->stream.feed);
}

void agent_free(struct agent *a)
{
    struct model *m;

    if (!a)
        return;
    assert(!a->in_flight);
    turn_drop_step(a);
    m = a->task.role->model;
    agent_not_ready(a);
    if (a->prev)
        a->prev->next = a->next;
    else
        a->host->all = a->next;
    if (a->next)
        a->next->prev = a->prev;
    loop_timer_free(a->timer);
    if (a->session)
        m->ops->session_close(m, a->session);
    if (a->codec)
        a->codec->end(a);
    if (a->env)
        a->task.env_ops->free(a->env);
    free_reply(a);
    token_ids_deinit(&a->chain);
    str_deinit(&a->path);
    str_deinit(&a->parent);
    str_deinit(&a->base);
    str_deinit(&a->reply_text);
    str_deinit(&a->feed);
    str_deinit(&a->stream.said);
    turn_drop_question(a);
    free(a->talk.failed);
    jv_unref(a->answer);
    jv_unref(a->result.output);
    free(a);
}

/* Asks the call in flight to stop; its answer moves the machine on. An answer that comes at once
 * only sets its flag: done is never called from in here. */
static void stop_work(struct agent *a)
{
    struct model *m = a->task.role->model;
    bool advancing = a->advancing;

    a->advancing = true;
    if (a->state == AGENT_REASONING && a->in_flight)
        m->ops->cancel(m, &a->call);
    if (a->state == AGENT_ACTING)
        tool_step_stop(a->step, a->stop == AGENT_STOP_TIMEOUT ? STEP_TIMEOUT : STEP_CANCELLED);
    a->advancing = advancing;
}

void agent_stop(struct agent *a, enum agent_stop why)
{
    bool first = a->stop == AGENT_STOP_NONE;

    assert(why != AGENT_STOP_NONE);
    if (a->stop >= why || a->state >= AGENT_END)
        return;
    a->stop = why;
    if (first)
        stop_work(a);
    agent_make_ready(a);
}

void agent_cancel(struct agent *a)
{
    agent_stop(a, AGENT_STOP_CANCEL);
}

void agent_interrupt(struct agent *a)
{
    agent_stop(a, AGENT_STOP_INTERRUPT);
}

void agent_cut_short(struct agent *a)
{
    struct model *m = a->task.role->model;
    bool advancing = a->advancing;

    if (!a->task.talks || a->stop || (a->state != AGENT_REASONING && a->state != AGENT_ACTING))
        return;
    a->talk.cut = true;
    a->advancing = true;
    if (a->in_flight)
        m->ops->cancel(m, &a->call);
    if (a->state == AGENT_ACTING)
        tool_step_stop(a->step, STEP_CANCELLED);
    a->advancing = advancing;
    agent_make_ready(a);
}

void agent_poll(struct agent *a)
{
    if (a->state == AGENT_ACTING || a->state == AGENT_LISTENING)
        agent_make_ready(a); /* turn_acting and turn_listening check it */
}
