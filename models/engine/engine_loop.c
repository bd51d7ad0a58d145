/* engine_loop.c - the engine thread: messages, then a step, until the stop message.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fenv.h>

#include "models/engine/engine_internal.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"

/* A step draws several tokens a sequence while it stays this short, so that answers, streams and
 * new calls wait no longer. */
#define STEP_AIM_US 2000
/* A sleep and a wake cost about this much. */
#define SPIN_US 20

static int64_t now_us(void)
{
    return seams_mono_us(seams_real());
}

/* This thread learns of a session from its first message. */
static void get_to_know(struct engine *e, struct model_session *x)
{
    if (x->known)
        return;
    x->known = true;
    x->tree_node = PREFIX_ROOT;
    scheduler_add_idle(&e->sched, x);
}

static void on_fork(struct engine *e, struct model_session *x)
{
    get_to_know(e, x);
    x->no_memory = !session_share(x, x->fork_from, e->kv);
    x->fork_from = NULL;
}

static void on_close(struct engine *e, struct model_session *x)
{
    get_to_know(e, x);
    scheduler_remove_idle(&e->sched, x);
    session_release(x, e->kv);
    engine_free_session(e, x);
}

void engine_set_weights(struct engine *e, struct weights *w)
{
    struct weights *old = e->weights;

    pthread_mutex_lock(&e->lock);
    e->weights = w;
    pthread_mutex_unlock(&e->lock);
    weights_unref(old);
    scheduler_new_weights(&e->sched, ++e->serial);
}

/* The waiting thread frees the message after this. */
static void set_done(struct engine *e, bool *done)
{
    pthread_mutex_lock(&e->lock);
    *done = true;
    pthread_cond_broadcast(&e->done_set);
    pthread_mutex_unlock(&e->lock);
}

static void handle(struct engine *e, struct mail *mail)
{
    struct engine_msg *m = CONTAINER_OF(mail, struct engine_msg, mail);

    switch (m->kind) {
    case MSG_CALL: {
        struct model_session *x = CONTAINER_OF(m, struct model_session, call_msg);

        get_to_know(e, x);
        engine_begin_call(e, x);
        break;
    }
    case MSG_FORK:
        on_fork(e, CONTAINER_OF(m, struct model_session, fork_msg));
        break;
    case MSG_CLOSE:
        on_close(e, CONTAINER_OF(m, struct model_session, close_msg));
        break;
    case MSG_PUBLISH: {
        struct publish_msg *p = CONTAINER_OF(m, struct publish_msg, msg);

        engine_set_weights(e, p->weights);
        set_done(e, &p->done);
        break;
    }
    case MSG_EXCLUSIVE: {
        struct exclusive_msg *x = CONTAINER_OF(m, struct exclusive_msg, msg);

        x->fn(x->ctx, (struct lane){.pool = e->pool});
        set_done(e, &x->done);
        break;
    }
    case MSG_STOP:
        e->stopping = true;
        break;
    }
}

static void handle_all(struct engine *e, struct mail *list)
{
    while (list) {
        struct mail *next = list->next; /* before the owner of the session gets it back */

        handle(e, list);
        list = next;
    }
}

static struct mail *wait_for_mail(struct engine *e)
{
    int64_t until = now_us() + SPIN_US;
    struct mail *m;

    while (!(m = mailbox_take(e->box)) && now_us() < until)
        ;
    return m ? m : mailbox_wait(e->box, -1);
}

static void answer_one(void *engine, struct model_session *x)
{
    engine_answer(engine, x);
}

static void end_cancelled(struct engine *e, bool all)
{
    struct scheduler *s = &e->sched;

    for (int32_t i = 0; i < s->n_running; i++)
        if (all || atomic_load(&s->running[i]->cancel)) {
            s->running[i]->call->finish = FINISH_CANCELLED;
            s->running[i]->ended = true;
        }
    scheduler_sweep(s, answer_one, e);
    for (struct model_session *x = s->waiting.first, *next; x; x = next) {
        next = x->next;
        if (!all && !atomic_load(&x->cancel))
            continue;
        x->call->finish = FINISH_CANCELLED;
        scheduler_remove_waiting(s, x);
        engine_answer(e, x);
    }
}

static void admit(struct engine *e)
{
    while (!scheduler_admit(&e->sched)) {
        struct model_session *x = e->sched.waiting.first;

        scheduler_remove_waiting(&e->sched, x);
        engine_answer(e, x);
    }
}

static void stream(struct model_session *x)
{
    struct model_call *c = x->call;

    for (; x->n_streamed < c->n_ids; x->n_streamed++)
        c->on_token(c, c->ids[x->n_streamed], c->logp[x->n_streamed]);
}

/* Records times, streams tokens, and publishes complete prompts, which others may share while this
 * one decodes. */
static void look_at_running(struct engine *e, int64_t begin, int64_t end)
{
    struct scheduler *s = &e->sched;

    for (int32_t i = 0; i < s->n_running; i++) {
        struct model_session *x = s->running[i];

        if (x->streams)
            stream(x);
        if (x->timed)
            continue;
        if (x->call->queued_us == 0)
            x->call->queued_us = begin - x->started_us;
        if (x->call->n_ids == 0)
            continue;
        x->call->first_us = end - x->started_us;
        x->timed = true;
        if (s->tree && x->kv_serial == s->serial)
            session_publish(x, e->kv, e->tree);
    }
}

/* Weights that were read as zeros give no token: calls end before what they computed leaves. */
static void fail_cut(struct engine *e)
{
    struct scheduler *s = &e->sched;

    for (int32_t i = 0; i < s->n_running && mapped_files_cut() > 0; i++) {
        struct model_session *x = s->running[i];
        struct model_call *c = x->call;

        if (!weights_are_cut(x->weights))
            continue;
        c->status = error_set(&c->err, STATUS_IO,
                              "the file of the model's weights was cut while it was in use");
        error_hint(&c->err, "restore the file and start again");
        c->n_ids = x->n_streamed;
        c->not_retryable = true;
        c->finish = FINISH_ERROR;
        x->ended = true;
    }
}

static void count(struct engine *e, const struct step_times *t, int64_t us)
{
    struct engine_counters *c = &e->counters;

    /* One writer; atomic only because other threads read it. */
#define ADD(field, n)                                                                              \
    atomic_store_explicit(&c->field, atomic_load_explicit(&c->field, memory_order_relaxed) + (n),  \
                          memory_order_relaxed)
    ADD(steps, t->passes);
    ADD(rows, t->rows);
    ADD(decode_tokens, t->tokens);
    ADD(forward_us, t->forward_us);
    ADD(sample_us, t->sample_us);
    ADD(busy_us, us);
#undef ADD
}

/* How things are now: also when calls and sessions end without a step. */
static void show_state(struct engine *e)
{
    struct engine_counters *c = &e->counters;
    struct scheduler *s = &e->sched;

#define SET(field, n) atomic_store_explicit(&c->field, (n), memory_order_relaxed)
    SET(prefix_hit_tokens, s->n_prefix_hit_tokens);
    SET(preemptions, s->n_preemptions);
    SET(pages_free, kv_cache_n_free(e->kv));
    SET(pages_cached, e->tree ? prefix_tree_n(e->tree) : 0);
    SET(running, s->n_running);
    SET(queued, s->waiting.n);
#undef SET
}

static void step(struct engine *e)
{
    struct scheduler *s = &e->sched;
    struct step_times times = {0};
    int64_t begin = now_us();
    int64_t end;
    uint32_t cancels = atomic_load(&e->cancels);

    if (cancels != e->cancels_seen)
        end_cancelled(e, false);
    e->cancels_seen = cancels;
    admit(e);
    s->lookahead = e->passes - 1;
    if (scheduler_plan(s) > 0)
        stepper_run(&e->stepper, s->running, s->n_running, e->passes, &times);
    end = now_us();
    fail_cut(e);
    look_at_running(e, begin, end);
    scheduler_sweep(s, answer_one, e);
    count(e, &times, end - begin);
    if (times.passes > 0) {
        int64_t fit = STEP_AIM_US * times.passes / (end - begin + 1);

        e->passes = fit < 1 ? 1 : fit > STEP_MAX_PASSES ? STEP_MAX_PASSES : (int32_t)fit;
    }
}

void *engine_main(void *engine)
{
    struct engine *e = engine;

    /* Every thread that computes has the same rounding, whatever the host program set. */
    fesetenv(FE_DFL_ENV);
    e->passes = 1;
    show_state(e); /* before the first call */
    while (!e->stopping) {
        bool busy = e->sched.n_running + e->sched.waiting.n > 0;

        handle_all(e, busy ? mailbox_take(e->box) : wait_for_mail(e));
        if (e->sched.n_running + e->sched.waiting.n > 0 && !e->stopping)
            step(e);
        show_state(e);
    }
    end_cancelled(e, true);
    handle_all(e, mailbox_take(e->box));
    show_state(e);
    return NULL;
}
