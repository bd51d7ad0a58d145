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

/* Has the call ids: of a model that takes them, or of an answer of a text model that gave them? */
static bool has_ids(const struct agent *a)
{
    return model_of(a)->info.takes_ids || a->call.n_prompt_ids > 0;
}

static int32_t n_fed(const struct agent *a)
{
    return has_ids(a) ? (int32_t)a->chain.n - a->prefix_len : 0;
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

/* The most that the call may cost, with no more tokens than the budget can pay, but at least 1. */
static enum status reserve_cost(struct agent *a, int64_t fed, int64_t *wanted, struct error *err)
{
    struct budget *b = a->task.scope.budget;
    const struct model_info *m = &model_of(a)->info;
    struct model_usage u = {.prompt = fed < INT32_MAX ? (int32_t)fed : INT32_MAX, .completion = 1};
    int64_t least = model_cost_nano(m, &u), left = budget_cost_left(b);
    enum status st;

    if (least < 0)
        a->result.not_retryable = true;
    if (least < 0)
        return error_set(err, STATUS_INVALID,
                         "the budget has a `cost`, but the price of model %s is not known; set "
                         "`price` in its entry of `models:`",
                         m->name);
    st = budget_cost_fits(b, least, err);
    if (st)
        return st;
    if (m->price_output > 0 && (double)(left - least) < 1000 * m->price_output * (double)*wanted)
        *wanted = 1 + (int64_t)((double)(left - least) / (1000 * m->price_output));
    u.completion = (int32_t)*wanted;
    a->reserved_nano = model_cost_nano(m, &u);
    if (a->reserved_nano > left)
        a->reserved_nano = left; /* rounding */
    budget_spend_cost(b, a->reserved_nano);
    return STATUS_OK;
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
    if (budget_cost_left(b) < INT64_MAX) {
        enum status st = reserve_cost(a, fed, &wanted, err);

        if (st)
            return st;
    }
    assert(wanted > 0);
    a->call.max_tokens = (int32_t)wanted;
    a->reserved = fed + wanted;
    budget_spend(b, a->reserved, 1, 0);
    return STATUS_OK;
}

static void charge_cost(struct agent *a)
{
    int64_t nano = a->call.usage.cost_nano;

    budget_spend_cost(a->task.scope.budget, (nano > 0 ? nano : 0) - a->reserved_nano);
    a->reserved_nano = 0;
    if (nano < 0)
        a->result.cost_nano = -1;
    else if (a->result.cost_nano >= 0)
        a->result.cost_nano += nano;
}

static void charge(struct agent *a)
{
    assert(a->reserved >= 0 && tokens_in(a) >= 0 && tokens_out(a) >= 0);
    budget_spend(a->task.scope.budget, tokens_in(a) + tokens_out(a) - a->reserved, 0, 0);
    a->reserved = 0;
    a->result.tok_in += tokens_in(a);
    a->result.tok_out += tokens_out(a);
    charge_cost(a);
}

static void fill_record(const struct agent *a, struct token_record *t)
{
    const struct model_call *c = &a->call;
    bool ids = has_ids(a);

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
    const struct step_call call = {.model = model_of(a)->info.name,
                                   .kind = model_of(a)->info.kind,
                                   .finish = model_finish_name(c->finish),
                                   .cached = c->usage.cached,
                                   .cost_nano = c->usage.cost_nano,
                                   .first_us = c->first_us,
                                   .done_us = c->done_us};
    struct step_result r = {.path = str_cstr(&a->path),
                            .state = step_state_of(c->status),
                            .tok_in = tokens_in(a),
                            .tok_out = tokens_out(a),
                            .call = &call};
    struct json *out = NULL, *message = NULL;
    struct token_record t;

    if (c->status) {
        r.err = c->err.message;
    } else {
        out = a->codec->step_output(a);
        message = a->codec->message ? a->codec->message(a) : NULL;
        if (has_ids(a)) {
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

/* A text model gave no ids: the next prompt continues nothing. */
static void forget_chain(struct agent *a)
{
    token_ids_clear(&a->chain);
    a->prefix_len = 0;
}

/* The ids of the whole prompt, from a text model: the chain is what they share with the last call,
 * and the rest is new. */
static enum status take_prompt_ids(struct agent *a, struct error *err)
{
    const struct model_call *c = &a->call;
    size_t n = (size_t)c->n_prompt_ids, same = 0;

    while (same < n && same < a->chain.n && a->chain.id[same] == c->prompt_ids[same])
        same++;
    a->chain.n = same;
    a->prefix_len = (int32_t)same;
    a->new_chain = same == 0;
    return token_ids_append(&a->chain, c->prompt_ids + same, n - same, err);
}

/* The reply is in a->call, either sampled now or from the journal. Its journal entry is in the same
 * transaction as the steps that follow from it. */
static bool take_reply(struct agent *a, bool replayed)
{
    struct error *err = &a->result.err;
    bool takes = model_of(a)->info.takes_ids, ids = has_ids(a);
    enum status st = STATUS_OK;

    charge(a);
    if (ids && !takes)
        st = take_prompt_ids(a, err);
    else if (!ids && !replayed)
        forget_chain(a);
    if (st)
        return agent_end(a, st, NULL);
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
    if (a->call.finish == FINISH_CANCELLED)
        a->talk.cut = true; /* on replay too; how much of it the session has is not known */
    else if (!replayed)
        a->session_len = takes ? (int32_t)a->chain.n - a->n_unsaid : 0;
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

/* The chain after a call of a text model: what the next call's prompt may begin with. */
static enum status replay_chain(struct agent *a, struct error *err)
{
    struct arena *arena = arena_new(4096);
    struct token_record t;
    bool found = false;
    enum status st =
        journal_find_tokens(a->task.scope.run, str_cstr(&a->path), 0, arena, &found, &t, err);

    if (!st && found && t.prefix_len >= 0 && (size_t)t.prefix_len <= a->chain.n) {
        a->chain.n = (size_t)t.prefix_len;
        a->prefix_len = t.prefix_len;
        st = token_ids_append(&a->chain, t.delta, (size_t)t.n_delta, err);
        if (!st)
            st = token_ids_append(&a->chain, t.ids, (size_t)t.n_ids, err);
    } else if (!st) {
        forget_chain(a);
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
    if (st && a->task.talks) {
        error_set(err, st, "%s", s->err ? s->err : step_state_name(s->state));
        return turn_talk_failed(a, err);
    }
    if (st) {
        error_set(err, st, "%s", s->err ? s->err : step_state_name(s->state));
        error_note(err, "model %s", model_of(a)->info.name);
        return agent_end(a, st, NULL);
    }
    a->call.n_ids = 0;
    a->call.usage =
        (struct model_usage){.prompt = (int32_t)s->tok_in, .completion = (int32_t)s->tok_out};
    a->call.usage.cost_nano = model_cost_nano(&model_of(a)->info, &a->call.usage);
    st = model_of(a)->info.takes_ids ? replay_tokens(a, err)
                                     : a->codec->replay_output(a, s->out, err);
    if (!st && model_of(a)->info.gives_ids)
        st = replay_chain(a, err);
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
    str_clear(&a->stream.said);
    c->session = a->session;
    c->path = a->wants_paths ? str_cstr(&a->path) : NULL;
    c->run = a->task.scope.run ? run_uuid(a->task.scope.run) : NULL;
    c->cancelled = false;
    c->n_ids = 0;
    c->n_prompt_ids = 0;
    if (m->info.takes_ids) {
        c->keep = a->session_len;
        c->delta = a->chain.id + a->session_len;
        c->n_delta = (int32_t)a->chain.n - a->session_len;
    }
    c->call_id = vote_call_id(a, a->task.scope.run ? journal_call_id(str_cstr(&a->path), 0)
                                                   : rollout_call_id(a->call_base, a->turn));
    c->trace = a->task.scope.run ? run_trace_of_step(a->task.scope.run, str_cstr(&a->path), 0)
                                 : (struct trace_context){.sampled = false};
    agent_set_state(a, AGENT_REASONING);
    c->deadline_ms = a->deadline_ms;
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
    if (a->task.talks && !a->stop)
        return turn_talk_failed(a, &c->err);
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
    if (a->talk.cut && !a->stop && a->call.status == STATUS_CANCELLED)
        turn_keep_cut(a);
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
