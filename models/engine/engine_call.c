/* engine_call.c - a call from its message to its answer, on the engine thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <string.h>

#include "models/engine/engine_internal.h"
#include "runtime/base/seams.h"

static enum status check_prompt(const struct engine *e, const struct model_session *x,
                                const struct model_call *c, struct error *err)
{
    int32_t vocab = e->source.config.vocab_size;
    int64_t n = (int64_t)c->keep + c->n_delta;

    if (c->keep < 0 || c->keep > x->n_ids)
        return error_set(err, STATUS_INVALID, "keep is %d, but the session has %d positions",
                         (int)c->keep, (int)x->n_ids);
    if (c->n_delta < 0 || (c->n_delta > 0 && !c->delta))
        return error_set(err, STATUS_INVALID, "n_delta is %d", (int)c->n_delta);
    if (n == 0)
        return error_set(err, STATUS_INVALID, "the prompt is empty");
    if (n >= e->context)
        return error_set(err, STATUS_LIMIT,
                         "the prompt has %lld tokens, but prompt and reply share a context of %d",
                         (long long)n, (int)e->context);
    for (int32_t i = 0; i < c->n_delta; i++)
        if (c->delta[i] < 0 || c->delta[i] >= vocab)
            return error_set(err, STATUS_INVALID,
                             "token %d of the prompt is %d, but the vocabulary has %d tokens",
                             (int)i, (int)c->delta[i], (int)vocab);
    return STATUS_OK;
}

static enum status check_call(const struct engine *e, const struct model_session *x,
                              const struct model_call *c, struct error *err)
{
    enum status st;

    if (c->response_schema)
        return error_set(err, STATUS_UNSUPPORTED,
                         "the engine cannot constrain a reply to a schema (response_schema)");
    if (c->tool_choice)
        return error_set(err, STATUS_UNSUPPORTED,
                         "the engine cannot force a tool call (tool_choice \"%.80s\")",
                         c->tool_choice);
    if (x->no_memory)
        return error_set(err, STATUS_NO_MEMORY, "no memory to fork the session");
    if (c->max_tokens < 1)
        return error_set(err, STATUS_INVALID, "max_tokens is %d, but must be at least 1",
                         (int)c->max_tokens);
    if (!c->ids || !c->logp || !c->logp_sampled)
        return error_set(err, STATUS_INVALID, "the call has no buffers for its reply");
    st = check_prompt(e, x, c, err);
    return st ? st : sampling_check(&c->sampling, e->source.config.vocab_size, err);
}

/* Puts the prompt into the session. It must not fail halfway: errors are checked before. */
static void take_prompt(struct engine *e, struct model_session *x, const struct model_call *c)
{
    int32_t n = c->keep + c->n_delta;

    if (x->kv_serial != x->serial) {
        session_drop_kv(x, e->kv); /* computed by other weights */
        x->kv_serial = x->serial;
    }
    /* The last id is computed again even if its key is cached: its logits are needed. */
    session_truncate(x, e->kv, e->tree, c->keep < n ? c->keep : n - 1);
    if (c->n_delta > 0)
        memcpy(x->ids + c->keep, c->delta, (size_t)c->n_delta * sizeof(*x->ids));
    x->n_ids = n;
}

static enum status set_up(struct engine *e, struct model_session *x, struct model_call *c,
                          struct error *err)
{
    const struct model_config *config = &e->source.config;
    int64_t max_ids = (int64_t)c->keep + c->n_delta + c->max_tokens;
    struct stop_spec stop = {.eos_id = config->eos_id,
                             .n_eos = config->n_eos,
                             .stop_id = c->stop_id,
                             .n_stop_id = c->n_stop_id,
                             .text = c->stop_text,
                             .n_text = c->n_stop_text,
                             .tokenizer = e->source.tokenizer};
    enum status st = check_call(e, x, c, err);

    if (!st)
        st = stop_rules_new(&stop, &x->stop, err);
    if (st)
        return st;
    x->max_ids = max_ids > e->context ? e->context : (int32_t)max_ids;
    if (!session_reserve_ids(x, x->max_ids))
        return error_set(err, STATUS_NO_MEMORY, "no memory for a sequence of %d tokens",
                         (int)x->max_ids);
    return STATUS_OK;
}

void engine_begin_call(struct engine *e, struct model_session *x)
{
    struct model_call *c = x->call;

    assert(x->state == SESSION_IDLE);
    x->ended = x->matched = x->timed = false;
    x->plan_rows = x->n_streamed = 0;
    x->streams = c->on_token != NULL;
    x->inv_t = sampling_inv_temperature(&c->sampling);
    x->arrival = e->arrivals++;
    /* Only this thread swaps e->weights, so that it reads them without the lock. */
    x->weights = weights_ref(e->weights);
    x->serial = e->serial;
    scheduler_remove_idle(&e->sched, x);
    c->status = set_up(e, x, c, &c->err);
    if (c->status) {
        c->finish = FINISH_ERROR;
        c->not_retryable = c->status == STATUS_INVALID || c->status == STATUS_LIMIT ||
                           c->status == STATUS_UNSUPPORTED;
        engine_answer(e, x);
    } else if (e->stopping || atomic_load(&x->cancel)) {
        c->finish = FINISH_CANCELLED;
        engine_answer(e, x);
    } else {
        take_prompt(e, x, c);
        c->usage.prompt = x->n_ids;
        scheduler_enqueue(&e->sched, x);
    }
}

void engine_answer(struct engine *e, struct model_session *x)
{
    struct model_call *c = x->call;

    if (c->finish == FINISH_CANCELLED)
        c->status = error_set(&c->err, STATUS_CANCELLED, "the call was cancelled");
    c->policy_version = weights_version(x->weights);
    c->usage.completion = c->n_ids;
    c->done_us = seams_mono_us(seams_real()) - x->started_us;
    weights_unref(x->weights);
    stop_rules_free(x->stop);
    x->weights = NULL;
    x->stop = NULL;
    x->call = NULL;
    if (x->kv_serial != e->serial)
        session_drop_kv(x, e->kv); /* new weights were published meanwhile */
    session_trim(x);
    scheduler_add_idle(&e->sched, x);
    atomic_fetch_add_explicit(&e->counters.calls, 1, memory_order_relaxed);
    atomic_store(&x->in_flight, false);
    mailbox_post(c->reply, &c->mail); /* from here on the caller owns c and x */
}
