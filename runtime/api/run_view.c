/* run_view.c - see run_view.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/run_view.h"

#include <math.h>
#include <string.h>

#include "agents/rollout.h"
#include "models/model.h"
#include "runtime/api/document.h"
#include "runtime/api/episode_json.h"
#include "runtime/api/run_messages.h"
#include "runtime/api/run_summary.h"
#include "runtime/api/troupe_wait.h"

static struct json *ints(const int32_t *v, int32_t n)
{
    struct json *a = jv_array();

    for (int32_t i = 0; i < n; i++)
        jv_append_adopt(a, jv_int(v[i]));
    return a;
}

static struct json *floats(const float *v, int32_t n)
{
    struct json *a = jv_array();

    for (int32_t i = 0; i < n; i++)
        jv_append_adopt(a, jv_real((double)v[i]));
    return a;
}

/* {prompt_len, prompt_delta, ids, logp, logp_sampled?, mask, policy_version}: mask is 0 for the
 * delta, 1 for sampled ids. */
static struct json *tokens_json(const struct token_record *t)
{
    struct json *o = jv_object(), *mask = jv_array();

    jv_set_int(o, "prompt_len", t->prefix_len + t->n_delta);
    if (t->parent)
        jv_set_string(o, "parent", t->parent);
    jv_set_int(o, "prefix_len", t->prefix_len);
    jv_set_adopt(o, "prompt_delta", ints(t->delta, t->n_delta));
    jv_set_adopt(o, "ids", ints(t->ids, t->n_ids));
    jv_set_adopt(o, "logp", floats(t->logp, t->n_ids));
    if (t->logp_sampled)
        jv_set_adopt(o, "logp_sampled", floats(t->logp_sampled, t->n_ids));
    for (int32_t i = 0; i < t->n_delta + t->n_ids; i++)
        jv_append_adopt(mask, jv_int(i >= t->n_delta));
    jv_set_adopt(o, "mask", mask);
    jv_set_int(o, "policy_version", t->policy_version);
    jv_set_real(o, "temperature", (double)t->temperature);
    return o;
}

static struct json *call_json(const char *name, const struct json *arguments,
                              const struct json *result)
{
    struct json *o = jv_object();

    jv_set_string(o, "name", name ? name : "");
    jv_set_adopt(o, "arguments", arguments ? jv_deep_copy(arguments) : jv_object());
    jv_set_adopt(o, "result", result ? jv_deep_copy(result) : jv_null());
    return o;
}

/* A reply has its cost and the number of its requests beside it. */
static struct json *output_json(struct json *step, const struct step_row *s)
{
    struct json *v = jv_deep_copy(s->out);

    if (strcmp(s->kind, "model") != 0)
        return v;
    if (s->tok_in + s->tok_out > 0) {
        jv_set_int(step, "tokens_in", s->tok_in);
        jv_set_int(step, "tokens_out", s->tok_out);
    }
    run_set_cost(step, jv_get_int(jv_get(v, MODEL_COST_KEY), 0));
    if (jv_get(v, MODEL_REQUESTS_KEY))
        jv_set_int(step, "requests", jv_get_int(jv_get(v, MODEL_REQUESTS_KEY), 0));
    jv_remove(v, MODEL_COST_KEY);
    jv_remove(v, MODEL_REQUESTS_KEY);
    return v;
}

struct json *run_step_json(const struct step_row *s)
{
    struct json *o = jv_object();
    bool is_final = s->state == STEP_ERROR && jv_get_bool(jv_get(s->out, "not_retryable"), false);
    const struct json *result = is_final ? NULL : s->out;

    jv_set_string(o, "path", s->path);
    jv_set_int(o, "attempt", s->attempt);
    jv_set_string(o, "kind", s->kind);
    if (s->name)
        jv_set_string(o, "name", s->name);
    jv_set_string(o, "status", step_state_name(s->state));
    if (s->tries > 1)
        jv_set_int(o, "tries", s->tries);
    if (s->err && strncmp(s->err, AGENT_CUT, strlen(AGENT_CUT)) == 0)
        jv_set_bool(o, "length", true);
    else if (s->err && s->state == STEP_OK) /* an exhausted loop is the only ok step with a text */
        jv_set_bool(o, "exhausted", true);
    if (s->err && s->state == STEP_OK) {
        jv_set_string(o, "note", s->err);
    } else if (s->err) {
        jv_set_string(o, "error", s->err);
    }
    jv_set_int(o, "seq", s->seq);
    jv_set_int(o, "began_ms", s->t0_ms);
    if (s->t1_ms)
        jv_set_int(o, "ended_ms", s->t1_ms);
    if (strcmp(s->kind, "tool") == 0)
        jv_set_adopt(o, "call", call_json(s->name, s->args, result));
    else if (result)
        jv_set_adopt(o, "output", output_json(o, s));
    if (is_final)
        jv_set_bool(o, "not_retryable", true);
    if (s->tokens)
        jv_set_adopt(o, "tokens", tokens_json(s->tokens));
    return o;
}

/* Adds a call to the sums of its model. */
static void count_model(struct run_view *v, const struct step_row *s)
{
    struct json *sum = NULL;
    int64_t nano = jv_get_int(jv_get(s->out, MODEL_COST_KEY), 0);

    if (strcmp(s->kind, "model") != 0 || !s->name)
        return;
    for (size_t i = 0; i < jv_size(v->models) && !sum; i++)
        if (strcmp(jv_get_string(jv_get(jv_at(v->models, i), "model"), ""), s->name) == 0)
            sum = jv_at(v->models, i);
    if (!sum) {
        sum = jv_object();
        jv_set_string(sum, "model", s->name);
        jv_append_adopt(v->models, sum);
    }
    jv_set_int(sum, "calls", jv_get_int(jv_get(sum, "calls"), 0) + 1);
    jv_set_int(sum, "tokens_in", jv_get_int(jv_get(sum, "tokens_in"), 0) + s->tok_in);
    jv_set_int(sum, "tokens_out", jv_get_int(jv_get(sum, "tokens_out"), 0) + s->tok_out);
    run_set_cost(sum, llround(1e9 * jv_get_number(jv_get(sum, "cost"), 0)) + nano);
}

static bool add_step(void *ctx, const struct step_row *s)
{
    struct run_view *v = ctx;
    const struct json *verdict = run_step_verdict(s);

    if (verdict) {
        jv_unref(v->verdict);
        v->verdict = jv_deep_copy(verdict);
    }
    jv_append_adopt(v->steps, run_step_json(s));
    count_model(v, s);
    v->last_seq = s->seq;
    return true;
}

static bool add_head(void *ctx, const struct run_row *r)
{
    struct run_view *v = ctx;
    struct run_counts c = run_count(r, NULL);
    struct json *h = v->head;

    jv_set_string(h, "run", r->uuid);
    jv_set_string(h, "status", run_status_word(r->status));
    jv_set_string(h, "kind", r->kind);
    jv_set_string(h, "name", r->name);
    jv_set_bool(h, "owned", r->owned);
    jv_set_adopt(h, "seed", jv_int((int64_t)r->seed));
    if (r->error)
        jv_set_string(h, "error", r->error);
    if (r->backend)
        jv_set_string(h, "backend", r->backend);
    if (r->source)
        jv_set_string(h, "source", r->source);
    if (r->root)
        jv_set_string(h, "root", r->root);
    if (run_model_name(r->config))
        jv_set_string(h, "model", run_model_name(r->config));
    jv_set_adopt(h, "tokens", run_count_json(c.tokens));
    jv_set_adopt(h, "tokens_in", run_count_json(c.tok_in));
    jv_set_adopt(h, "tokens_out", run_count_json(c.tok_out));
    jv_set_adopt(h, "n_steps", run_count_json(c.steps));
    run_set_cost(h, r->cost_nano);
    jv_set_int(h, "created_ms", r->created_ms);
    if (r->ended_ms)
        jv_set_int(h, "ended_ms", r->ended_ms);
    if (r->config)
        jv_set_adopt(h, "config", jv_deep_copy(r->config));
    if (r->output)
        jv_set_adopt(h, "output", jv_deep_copy(r->output));
    v->ended = r->status != RUN_RUNNING;
    return true;
}

static bool add_wait(void *ctx, const struct wait_row *w)
{
    struct run_view *v = ctx;

    if (wait_is_question(w))
        jv_append_adopt(v->waits, wait_document(w));
    return true;
}

/* JSON text of a record; text that is not JSON (the compact codec) stays text. */
static struct json *parsed(const char *text)
{
    struct json *j = NULL;
    struct error ignored = ERROR_INIT;

    if (!text)
        return jv_null();
    if (jv_parse(text, strlen(text), "record", &j, &ignored))
        return jv_string(text);
    return j;
}

static bool add_rollout_step(void *ctx, const struct rollout_step *s)
{
    struct run_view *v = ctx;
    struct json *o = jv_object();

    jv_set_string(o, "path", s->path);
    jv_set_int(o, "attempt", 0);
    jv_set_string(o, "kind", s->is_tool ? "tool" : "model");
    jv_set_string(o, "status", "ok");
    if (s->is_tool) {
        struct json *call = jv_object();
        jv_set_string(call, "name", s->name);
        jv_set_adopt(call, "arguments", parsed(s->arguments));
        if (v->episode)
            jv_append_adopt(jv_get(v->episode, "calls"), jv_deep_copy(call));
        jv_set_adopt(call, "result", parsed(s->result));
        jv_set_adopt(o, "call", call);
    } else if (v->tokens && s->tokens.n_delta + s->tokens.n_ids > 0) {
        jv_set_adopt(o, "tokens", tokens_json(&s->tokens));
    }
    jv_append_adopt(v->steps, o);
    return true;
}

struct episode_load {
    struct run_view *v;
    const char *path; /* unpack this one; NULL: list all */
    enum status st;
    struct error *err;
};

/* The document has what `env verify` needs. */
static enum status begin_episode(struct run_view *v, const struct episode_row *e, struct error *err)
{
    struct rollout_head head;
    enum status st = e->rec ? rollout_unpack_head(e->rec, e->rec_bytes, &head, err) : STATUS_OK;

    if (st || !e->rec || !head.env)
        return st;
    jv_unref(v->episode);
    v->episode = episode_json(head.env, &head.params);
    jv_set_adopt(v->episode, "verdict", jv_deep_copy(v->verdict));
    return STATUS_OK;
}

static bool add_episode(void *ctx, const struct episode_row *e)
{
    struct episode_load *l = ctx;
    struct json *o = jv_object();

    jv_set_string(o, "path", e->path);
    jv_set_adopt(o, "seed", jv_int((int64_t)e->seed));
    jv_set_string(o, "status", step_state_name((enum step_state)e->status));
    jv_set_bool(o, "success", e->success != 0);
    jv_set_int(o, "steps", e->steps);
    if (l->path && strcmp(l->path, e->path) == 0) {
        jv_unref(l->v->verdict);
        l->v->verdict = parsed(e->verdict);
        l->st = begin_episode(l->v, e, l->err);
        if (!l->st && e->rec)
            l->st = rollout_unpack(e->rec, e->rec_bytes, add_rollout_step, l->v, l->err);
    } else {
        jv_set_adopt(o, "verdict", parsed(e->verdict));
    }
    jv_append_adopt(l->v->episodes, o);
    return !l->st;
}

/* By number. Their steps are those of an evaluation whose rows do not have the number. */
static void order_episodes(struct run_view *v, const char *path)
{
    struct json *sorted = run_sort_episodes(v->episodes);
    int64_t steps = 0;

    for (size_t i = 0; i < jv_size(sorted); i++)
        steps += jv_get_int(jv_get(jv_at(sorted, i), "steps"), 0);
    if (!path && jv_size(sorted) > 0 && jv_kind(jv_get(v->head, "n_steps")) == JV_NULL)
        jv_set_int(v->head, "n_steps", steps);
    jv_unref(v->episodes);
    v->episodes = sorted;
}

enum status run_view_load(struct run_view *v, struct store_reader *q, const char *uuid,
                          const char *path, int64_t after, struct error *err)
{
    struct episode_load l = {.v = v, .path = path, .err = err};
    enum status st;

    v->head = jv_object();
    v->steps = jv_array();
    v->models = jv_array();
    v->episodes = jv_array();
    v->waits = jv_array();
    v->verdict = v->episode = v->threads = NULL;
    v->last_seq = after;
    st = query_run(q, uuid, add_head, v, err);
    if (!st)
        st = query_steps(q, uuid, path, after, v->tokens, add_step, v, err);
    if (!st && v->messages)
        st = run_messages_load(q, uuid, path, &v->threads, err);
    if (!st)
        st = query_waits(q, uuid, add_wait, v, err);
    if (!st)
        st = query_episodes(q, uuid, path, path != NULL, add_episode, &l, err);
    if (!st)
        st = l.st;
    if (!st && path && after < 0 && jv_size(v->steps) == 0 && jv_size(v->episodes) == 0)
        st = error_set(err, STATUS_NOT_FOUND, "the run has no step %s", path);
    if (!st)
        order_episodes(v, path);
    return st;
}

void run_view_deinit(struct run_view *v)
{
    jv_unref(v->head);
    jv_unref(v->steps);
    jv_unref(v->models);
    jv_unref(v->episodes);
    jv_unref(v->waits);
    jv_unref(v->threads);
    jv_unref(v->verdict);
    jv_unref(v->episode);
    v->head = v->steps = v->models = v->episodes = v->episode = v->waits = v->threads = v->verdict =
        NULL;
}

struct json *run_view_document(const struct run_view *v)
{
    struct json *doc = document_new("show");
    const char *key;
    struct json *value;

    for (void *it = NULL; (it = jv_next(v->head, it, &key, &value));)
        jv_set_adopt(doc, key, jv_ref(value));
    if (jv_size(v->models) > 0)
        jv_set_adopt(doc, "models", jv_ref(v->models));
    jv_set_adopt(doc, "steps", jv_ref(v->steps));
    if (v->messages)
        jv_set_adopt(doc, "threads", jv_ref(v->threads));
    if (jv_size(v->episodes) > 0)
        jv_set_adopt(doc, "episodes", jv_ref(v->episodes));
    if (v->episode)
        jv_set_adopt(doc, "episode", jv_ref(v->episode));
    if (jv_size(v->waits) > 0)
        jv_set_adopt(doc, "waits", jv_ref(v->waits));
    jv_set_adopt(doc, "verdict", v->verdict ? jv_ref(v->verdict) : jv_null());
    return doc;
}
