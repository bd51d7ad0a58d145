/* engine_model.c - the vtable of models/model.h: what callers' threads do.
 *
 * Nothing here touches a session's positions: the caller's thread makes the struct, raises flags
 * and posts; the engine thread does the rest.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>

#include "models/engine/engine_internal.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"

static struct engine *engine_of(struct model *m)
{
    return CONTAINER_OF(m, struct engine, model);
}

static enum status session_new(struct engine *e, struct model_session **out, struct error *err)
{
    struct model_session *x = mem_alloc(1, sizeof(*x));

    if (!x)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a session");
    x->engine = e;
    x->call_msg.kind = MSG_CALL;
    x->fork_msg.kind = MSG_FORK;
    x->close_msg.kind = MSG_CLOSE;
    pthread_mutex_lock(&e->lock);
    if (e->n_sessions >= e->max_sessions) {
        pthread_mutex_unlock(&e->lock);
        free(x);
        return error_set(err, STATUS_LIMIT, "all %d sessions of the engine are open",
                         (int)e->max_sessions);
    }
    e->n_sessions++;
    x->all_next = e->sessions;
    if (x->all_next)
        x->all_next->all_prev = x;
    e->sessions = x;
    pthread_mutex_unlock(&e->lock);
    *out = x;
    return STATUS_OK;
}

void engine_free_session(struct engine *e, struct model_session *x)
{
    pthread_mutex_lock(&e->lock);
    if (x->all_prev)
        x->all_prev->all_next = x->all_next;
    else
        e->sessions = x->all_next;
    if (x->all_next)
        x->all_next->all_prev = x->all_prev;
    e->n_sessions--;
    pthread_mutex_unlock(&e->lock);
    free(x);
}

static enum status open_session(struct model *m, const struct model_session_options *o,
                                struct model_session **out, struct error *err)
{
    if (o && o->adapter)
        return error_set(err, STATUS_UNSUPPORTED,
                         "the engine does not support adapters (\"%.80s\")", o->adapter);
    return session_new(engine_of(m), out, err);
}

static enum status fork_session(struct model *m, struct model_session *from,
                                struct model_session **out, struct error *err)
{
    struct engine *e = engine_of(m);
    struct model_session *x;
    enum status st;

    if (atomic_load(&from->in_flight))
        return error_set(err, STATUS_BUSY, "the session to fork has a call in flight");
    st = session_new(e, &x, err);
    if (st)
        return st;
    /* Posted before any later call on either, hence taken before them. */
    x->fork_from = from;
    mailbox_post(e->box, &x->fork_msg.mail);
    *out = x;
    return STATUS_OK;
}

static void close_session(struct model *m, struct model_session *x)
{
    if (!x)
        return;
    assert(!atomic_load(&x->in_flight));
    mailbox_post(engine_of(m)->box, &x->close_msg.mail);
}

static void start(struct model *m, struct model_call *c)
{
    struct model_session *x = c->session;

    model_call_reset(c);
    if (atomic_exchange(&x->in_flight, true)) {
        c->status = error_set(&c->err, STATUS_BUSY, "the session has a call in flight");
        c->finish = FINISH_ERROR;
        mailbox_post(c->reply, &c->mail);
        return;
    }
    atomic_store(&x->cancel, false);
    x->call = c;
    x->started_us = seams_mono_us(seams_real());
    mailbox_post(engine_of(m)->box, &x->call_msg.mail);
}

static void cancel(struct model *m, struct model_call *c)
{
    c->cancelled = true;
    atomic_store(&c->session->cancel, true);
    atomic_fetch_add(&engine_of(m)->cancels, 1);
}

static void close_model(struct model *m)
{
    engine_close(engine_of(m));
}

const struct model_ops engine_model_ops = {
    .session_open = open_session,
    .session_fork = fork_session,
    .session_close = close_session,
    .start = start,
    .cancel = cancel,
    .close = close_model,
};
