/* turn_reason.c - the second third of a turn: one model call, from the journal or from the model.
 *
 * The chain (a->chain) holds the ids of the whole context. Its record stores only the delta from
 * prefix_len on; the model is fed from session_len on, which is less after a resume, when the
 * session is empty. Both give the same bits, so that a resumed run continues without a difference.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agents/turn.h"
#include "runtime/base/memory.h"
#include "runtime/store/path.h"

static struct model *model_of(const struct agent *a)
{
    return a->task.role->model;
}

static int32_t n_fed(const struct agent *a)
{
    return model_of(a)->info.takes_ids ? (int32_t)a->chain.n - a->prefix_len : 0;
}

/* The cost of the call: the new ids, or the usage that a text model reports. */
static int64_t tokens_in(const struct agent *a)
{
    return model_of(a)->info.takes_ids ? n_fed(a) : a->call.usage.prompt;
}

static int64_t tokens_out(const struct agent *a)
{
    return model_of(a)->info.takes_ids ? a->call.n_ids : a->call.usage.completion;
}

/* As many tokens as the budget allows, at least 1; turn_perceive checks the other limits. */
static enum status reserve(struct agent *a, struct error *err)
{
    struct budget *b = a->task.scope.budget;
    bool ids = model_of(a)->info.takes_ids;
    struct model_usage guess =
        b && !ids ? model_usage_estimate(a->call.messages, a->call.tools, NULL, NULL)
                  : (struct model_usage){0};
    int64_t fed = ids ? n_fed(a) : guess.prompt, left = budget_tokens_left(b);
    int64_t wanted = a->reply_cap;

    if (fed + 1 > left) {
        enum status st = budget_fits(b, agent_now_ms(a), fed + 1, 1, 0, err);

        if (st)
            return st;
    }
    if (wanted > left - fed)
        wanted = left - fed;
    assert(wanted > 0);
    a->call.max_tokens = (int32_t)wanted;
    a->reserved = fed + wanted;
    budget_spend(b, a->reserved, 1, 0);
    return STATUS_OK;
}

static void charge(struct agent *a)
{
    assert(a->reserved >= 0 && tokens_in(a) >= 0 && tokens_out(a) >= 0);
    budget_spend(a->task.scope.budget, tokens_in(a) + tokens_out(a) - a->reserved, 0, 0);
    a->reserved = 0;
    a->result.tok_in += tokens_in(a);
    a->result.tok_out += tokens_out(a);
}

static void fill_record(const struct agent *a, struct token_record *t)
{
    const struct model_call *c = &a->call;
    bool ids = model_of(a)->info.takes_ids;

    *t = (struct token_record){
        .path = a->wants_paths ? str_cstr(&a->path) : NULL,
        .parent = a->new_chain || !a->wants_paths ? NULL : str_cstr(&a->parent),
        .prefix_len = a->new_chain ? 0 : a->prefix_len,
        .delta = ids ? a->chain.id + a->prefix_len : NULL,
        .n_delta = n_fed(a),
        .ids = c->ids,
        .n_ids = ids ? c->n_ids : 0,
        .logp = c->logp,
        .logp_sampled = c->processed ? c->logp_sampled : NULL,
        .policy_version = c->policy_version,
        .seed = c->seed,
        .call_id = c->call_id,
        .temperature = c->sampling.temperature,
        .top_p = c->sampling.top_p,
        .min_p = c->sampling.min_p,
        .repetition_penalty = c->sampling.repetition_penalty,
        .top_k = c->sampling.top_k,
        .finish = (int32_t)c->finish,
        .backend = NULL,
    };
}

/* Also for a failed call. */
static void journal_reply(struct agent *a)
{
    const struct model_call *c = &a->call;
    struct step_result r = {.path = str_cstr(&a->path),
                            .state = step_state_of(c->status),
                            .tok_in = tokens_in(a),
                            .tok_out = tokens_out(a)};
    struct json *out = NULL, *message = NULL;
    struct token_record t;

    if (c->status) {
        r.err = c->err.message;
    } else {
        out = a->codec->step_output(a);
        message = a->codec->message ? a->codec->message(a) : NULL;
        if (model_of(a)->info.takes_ids) {
            fill_record(a, &t);
            journal_tokens(a->task.scope.run, &t);
        }
    }
    r.out = out;
    journal_finish(a->task.scope.run, &r);
    if (message)
        journal_message(a->task.scope.run, a->task.scope.path, "assistant", message);
    jv_unref(message);
    jv_unref(out);
}

/* If the process ends, the call stays open. */
static void journal_given_up(struct agent *a)
{
    struct step_result r = {.path = str_cstr(&a->path),
                            .state = STEP_CANCELLED,
                            .tok_in = tokens_in(a),
                            .tok_out = tokens_out(a)};

    if (agent_gave_up(a, &r.err))
        journal_finish(a->task.scope.run, &r);
}

static void record_reply(struct agent *a)
{
    struct token_record t;

    fill_record(a, &t);
    rollout_model(a->task.record, &t, a->new_chain, a->call.text);
}

/* The reply is in a->call, either sampled now or from the journal. Its journal entry is in the same
 * transaction as the steps that follow from it. */
static bool take_reply(struct agent *a, bool replayed)
{
    struct error *err = &a->result.err;
    bool ids = model_of(a)->info.takes_ids;
    enum status st;

    charge(a);
    if (a->task.record)
        record_reply(a);
    pending_clear(a);
    st = a->codec->read_reply(a, err);
    if (a->task.scope.run && !replayed)
        journal_reply(a);
    if (!st && ids)
        st = token_ids_append(&a->chain, a->call.ids, (size_t)a->call.n_ids, err);
    if (st)
        return agent_end(a, st, NULL);
    if (!replayed)
        a->session_len = ids ? (int32_t)a->chain.n - a->n_unsaid : 0;
    a->new_chain = false;
    if (a->wants_paths) {
        struct str swap = a->parent;

        a->parent = a->path;
        a->path = swap;
    }
    agent_set_state(a, AGENT_ACT);
    return true;
}

static enum status check_record(const struct agent *a, const struct token_record *t,
                                struct error *err)
{
    size_t bytes = (size_t)t->n_delta * sizeof(*t->delta);

    if (t->prefix_len != a->prefix_len || t->n_delta != n_fed(a) ||
        (bytes > 0 && memcmp(t->delta, a->chain.id + a->prefix_len, bytes) != 0))
        return error_set(
            err, STATUS_CONFIG,
            "the prompt recorded at %s differs from the prompt built now: the release, "
            "the template, the tokenizer or the environment has changed",
            str_cstr(&a->path));
    if (t->finish < FINISH_NONE || t->finish > FINISH_ERROR)
        return error_set(err, STATUS_CORRUPT, "the record at %s has an unknown finish reason",
                         str_cstr(&a->path));
    return STATUS_OK;
}

static enum status grow_reply(struct agent *a, int32_t n, struct error *err)
{
    struct model_call *c = &a->call;
    size_t cap = (size_t)n;

    if (n <= a->reply_cap)
        return STATUS_OK;
    if (!mem_grow((void **)&c->ids, cap, sizeof(*c->ids)) ||
        !mem_grow((void **)&c->logp, cap, sizeof(*c->logp)) ||
        !mem_grow((void **)&c->logp_sampled, cap, sizeof(*c->logp_sampled)))
        return error_set(err, STATUS_NO_MEMORY, "no memory for a reply of %d tokens", n);
    return STATUS_OK;
}

static enum status replay_tokens(struct agent *a, struct error *err)
{
    struct model_call *c = &a->call;
    struct arena *arena = arena_new(4096);
    struct token_record t;
    bool found = false;
    enum status st =
        journal_find_tokens(a->task.scope.run, str_cstr(&a->path), 0, arena, &found, &t, err);

    if (!st && !found)
        st = error_set(err, STATUS_CORRUPT, "the tokens of %s are missing from the store",
                       str_cstr(&a->path));
    if (!st)
        st = check_record(a, &t, err);
    if (!st)
        st = grow_reply(a, t.n_ids, err);
    if (!st) {
        size_t n = (size_t)t.n_ids;

        memcpy(c->ids, t.ids, n * sizeof(*t.ids));
        memcpy(c->logp, t.logp, n * sizeof(*t.logp));
        c->n_ids = t.n_ids;
        c->finish = (enum model_finish)t.finish;
        c->policy_version = t.policy_version;
        c->processed = false;
    }
    arena_free(arena);
    return st;
}

/* A finished step in the journal: uses its reply like a new one. */
static bool replay(struct agent *a, const struct step_record *s)
{
    struct error *err = &a->result.err;
    enum status st = step_state_status(s->state);

    budget_spend(a->task.scope.budget, 0, 1, 0);
    if (st) {
        error_set(err, st, "%s", s->err ? s->err : step_state_name(s->state));
        error_note(err, "model %s", model_of(a)->info.name);
        return agent_end(a, st, NULL);
    }
    a->call.n_ids = 0;
    a->call.usage =
        (struct model_usage){.prompt = (int32_t)s->tok_in, .completion = (int32_t)s->tok_out};
    st = model_of(a)->info.takes_ids ? replay_tokens(a, err)
                                     : a->codec->replay_output(a, s->out, err);
    if (st)
        return agent_end(a, st, NULL);
    a->reserved = 0;
    return take_reply(a, true);
}

static enum status open_session(struct agent *a, struct error *err)
{
    struct model *m = model_of(a);

    return a->session ? STATUS_OK : m->ops->session_open(m, NULL, &a->session, err);
}

static void start_call(struct agent *a)
{
    struct model *m = model_of(a);
    struct model_call *c = &a->call;

    assert(!a->in_flight && a->session);
    assert(a->session_len >= 0 && (size_t)a->session_len <= a->chain.n);
    assert(a->prefix_len >= 0 && (size_t)a->prefix_len <= a->chain.n);
    model_call_clear_text(c);
    c->session = a->session;
    c->path = a->wants_paths ? str_cstr(&a->path) : NULL;
    c->cancelled = false;
    c->n_ids = 0;
    if (m->info.takes_ids) {
        c->keep = a->session_len;
        c->delta = a->chain.id + a->session_len;
        c->n_delta = (int32_t)a->chain.n - a->session_len;
    }
    c->call_id = vote_call_id(a, a->task.scope.run ? journal_call_id(str_cstr(&a->path), 0)
                                                   : rollout_call_id(a->call_base, a->turn));
    agent_set_state(a, AGENT_REASONING);
    a->in_flight = true;
    if (a->host->box)
        loop_box_hold(a->host->box, 1);
    m->ops->start(m, c);
}

static enum status find_step(struct agent *a, struct step_record *s, bool *found, struct error *err)
{
    turn_path(a);
    path_model(&a->path, str_cstr(&a->base), 0);
    return a->task.scope.run ? journal_find(a->task.scope.run, str_cstr(&a->path), found, s, err)
                             : STATUS_OK;
}

bool turn_reason(struct agent *a)
{
    struct error *err = &a->result.err;
    struct step_record s = {.state = STEP_STARTED};
    struct step_intent intent = {.kind = "model", .name = model_of(a)->info.name};
    bool found = false, again;
    enum status st = a->wants_paths ? find_step(a, &s, &found, err) : STATUS_OK;

    if (st)
        return agent_end(a, st, NULL);
    a->codec->save_prompt(a, found);
    if (found && s.state != STEP_STARTED && s.state != STEP_CANCELLED) {
        again = replay(a, &s);
        step_record_deinit(&s);
        return again;
    }
    step_record_deinit(&s);
    vote_clear(&a->vote);
    a->n_unsaid = 0;
    st = reserve(a, err);
    if (!st)
        st = open_session(a, err);
    if (st)
        return agent_end(a, st, NULL);
    if (a->task.scope.run) {
        intent.path = str_cstr(&a->path);
        journal_intend(a->task.scope.run, &intent);
    }
    start_call(a);
    return false;
}

/* A failed call. If we stopped it ourselves, the error is the reason for the stop. */
static bool failed(struct agent *a)
{
    struct model_call *c = &a->call;

    charge(a);
    if (c->status == STATUS_CANCELLED) {
        journal_given_up(a);
        agent_set_state(a, AGENT_PERCEIVE); /* reports the reason */
        if (!a->stop)
            return agent_end(a, STATUS_CANCELLED, &c->err);
        return true;
    }
    if (a->task.scope.run)
        journal_reply(a);
    error_note(&c->err, "model %s", model_of(a)->info.name);
    a->result.not_retryable = c->not_retryable;
    a->result.retry_after_ms = c->retry_after_ms;
    return agent_end(a, c->status, &c->err);
}

/* The session has the prompt and the last sample; the prompt's last id is read again. */
static bool ask_again(struct agent *a)
{
    a->session_len = (int32_t)a->chain.n - 1;
    start_call(a);
    return false;
}

bool turn_reasoning(struct agent *a)
{
    bool more = false;

    if (a->in_flight)
        return false;
    agent_stream_flush(a);
    if (a->call.status)
        return failed(a);
    if (a->task.role->votes > 1 && model_of(a)->info.takes_ids) {
        enum status st = vote_count(a, &more, &a->result.err);

        if (st)
            return agent_end(a, st, NULL);
        if (more)
            return ask_again(a);
        a->n_unsaid = vote_decide(a);
    }
    return take_reply(a, false);
}
