/* node_agent.c - agent: runs one agent on its task, in an environment if the step names one.
 *
 * The agent records its own turns, model calls and tool calls under the step's path, and takes them
 * from the journal when the step is resumed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/frame_vars.h"
#include "blueprints/step.h"
#include "runtime/base/rng.h"
#include "runtime/base/text.h"

#define DEFAULT_HORIZON 10

struct agent_work {
    struct frame *f;
    struct agent *agent;
    struct agent_task task;
    struct budget budget; /* of the role */
    struct str path;      /* with the attempt; prefix of the agent's steps */
};

/* ---- what it reads */

/* The default seed is that of the run plus the index of the item around the step, which gives the
 * tasks of `eval` from that seed on. In nested maps it comes from the path, so that all differ. */
static uint64_t seed_of(const struct frame *f)
{
    uint64_t seed = f->host->seed;
    struct str text = STR_INIT;
    struct sha256 h;

    if (f->n_items_around <= 1)
        return seed + (uint64_t)(f->n_items_around ? f->item_around : 0);
    str_printf(&text, "task %llu %s", (unsigned long long)seed, f->path);
    h = sha256_of(str_cstr(&text), text.len);
    str_deinit(&text);
    return sha256_first64(&h) >> 1; /* fits into a JSON integer */
}

/* A key of `env`, or null: its default. */
static enum status eval_key(const struct frame *f, const struct plan_value *v, const char *key,
                            struct json **out, struct error *err)
{
    struct json *value = NULL;
    struct error fault = ERROR_INIT;
    enum status st = v ? vars_eval(f->vars, v, &value, err) : STATUS_OK;

    if (!st && plan_env_check(key, value, &fault))
        st = error_at(err, STATUS_INVALID, f->plan->file, f->step->line, f->step->column, "%s",
                      fault.message);
    if (st) {
        jv_unref(value);
        return st;
    }
    *out = value;
    return STATUS_OK;
}

static enum status eval_env(const struct frame *f, struct json **out, struct error *err)
{
    const struct plan_step *s = f->step;
    struct json *horizon = NULL, *noise = NULL, *seed = NULL, *profile = NULL;
    enum status st = eval_key(f, s->env_horizon, "horizon", &horizon, err);

    if (!st)
        st = eval_key(f, s->env_noise, "noise", &noise, err);
    if (!st)
        st = eval_key(f, s->env_seed, "seed", &seed, err);
    if (!st)
        st = eval_key(f, s->env_profile, "profile", &profile, err);
    if (!st) {
        *out = jv_object();
        jv_set_string(*out, "name", s->env->name);
        jv_set_int(*out, "horizon", jv_get_int(horizon, DEFAULT_HORIZON));
        jv_set_real(*out, "noise", jv_get_number(noise, s->env->default_noise));
        jv_set_string(*out, "profile", jv_get_string(profile, "std"));
        jv_set_int(*out, "seed", jv_get_int(seed, (int64_t)seed_of(f)));
    }
    jv_unref(horizon);
    jv_unref(noise);
    jv_unref(seed);
    jv_unref(profile);
    return st;
}

static bool is_message(const struct json *m)
{
    const char *role = jv_get_string(jv_get(m, "role"), "");

    return (strcmp(role, "user") == 0 || strcmp(role, "assistant") == 0) &&
           jv_kind(jv_get(m, "content")) == JV_STRING && jv_size(m) == 2;
}

/* New, or NULL if the step has none or its value is null. */
static enum status eval_history(const struct frame *f, struct json **out, struct error *err)
{
    struct json *list = NULL;
    enum status st =
        f->step->history ? vars_eval(f->vars, f->step->history, &list, err) : STATUS_OK;
    size_t i = 0;

    if (!st && jv_kind(list) == JV_ARRAY)
        while (i < jv_size(list) && is_message(jv_at(list, i)))
            i++;
    if (!st && jv_kind(list) == JV_ARRAY && i < jv_size(list))
        st = error_at(
            err, STATUS_INVALID, f->plan->file, f->step->line, f->step->column,
            "`history`: item %zu is not a message {role: user or assistant, content: TEXT}", i);
    else if (!st && jv_kind(list) != JV_ARRAY && jv_kind(list) != JV_NULL)
        st = error_at(err, STATUS_INVALID, f->plan->file, f->step->line, f->step->column,
                      "`history` must be a list of messages, not a value of type %s",
                      jv_kind_name(jv_kind(list)));
    if (st || jv_kind(list) == JV_NULL) {
        jv_unref(list);
        return st;
    }
    *out = list;
    return STATUS_OK;
}

static enum status prepare(struct frame *f, struct json **in, struct error *err)
{
    struct json *input = NULL, *history = NULL, *env = NULL;
    enum status st = vars_eval(f->vars, f->step->in, &input, err);

    if (!st)
        st = eval_history(f, &history, err);
    if (!st && f->step->env)
        st = eval_env(f, &env, err);
    if (st) {
        jv_unref(input);
        jv_unref(history);
        return st;
    }
    *in = jv_object();
    jv_set_adopt(*in, "in", input);
    if (history)
        jv_set_adopt(*in, "history", history);
    if (env)
        jv_set_adopt(*in, "env", env);
    return STATUS_OK;
}

/* ---- at work */

static void on_done(void *ctx, struct agent *a, const struct agent_result *r)
{
    struct agent_work *w = ctx;
    struct frame *f = w->f;

    (void)a;
    f->used.tok_in = r->tok_in;
    f->used.tok_out = r->tok_out;
    f->used.cost_nano = r->cost_nano;
    f->used.steps = r->turns;
    f->used.calls = r->calls;
    f->not_retryable = r->not_retryable;
    f->retry_after_ms = r->retry_after_ms;
    if (r->err.status == STATUS_CONFIG)
        frame_misfit(f, &r->err);
    if (r->state == STEP_STARTED) /* interrupted, maybe before the loop could say so */
        frame_interrupt_all(f);
    if (r->state == STEP_STARTED)
        frame_end(f, STEP_CANCELLED, NULL, NULL);
    else if (r->state == STEP_OK && r->cut_at > 0)
        frame_end(f, STEP_OK, jv_ref(r->output),
                  AGENT_CUT "the reply was cut after %lld token%s, which `on_length` allows",
                  (long long)r->cut_at, plural_s(r->cut_at));
    else if (r->state == STEP_OK)
        frame_end(f, STEP_OK, r->output ? jv_ref(r->output) : jv_null(), NULL);
    else if (r->err.message[0])
        frame_end(f, r->state, NULL, "%s%s%s", r->err.where, r->err.where[0] ? ": " : "",
                  r->err.message);
    else
        frame_end(f, r->state, NULL, NULL);
}

/* One of its calls waits for a person. */
static void on_asking(void *ctx, bool asking, int64_t due_ms)
{
    struct frame *f = ((struct agent_work *)ctx)->f;

    if (frame_is_stopping(f))
        return;
    if (asking)
        step_record_waiting(f, due_ms);
    else
        step_record_going_on(f);
}

static struct env_params params_of(const struct json *env)
{
    uint64_t seed = (uint64_t)jv_get_int(jv_get(env, "seed"), 0);
    bool hard = strcmp(jv_get_string(jv_get(env, "profile"), ""), "hard") == 0;

    return (struct env_params){.horizon = (int32_t)jv_get_int(jv_get(env, "horizon"), 1),
                               .noise = jv_get_number(jv_get(env, "noise"), -1),
                               .profile = hard ? ENV_HARD : ENV_STD,
                               .task_seed = seed,
                               .fault_seed = env_fault_seed(seed)};
}

static void on_text(void *ctx, const char *path, const char *text, size_t n)
{
    struct frame_host *h = ((struct agent_work *)ctx)->f->host;

    h->ops->on_text(h, path, text, n);
}

static bool is_limited(const struct plan_budget *b)
{
    return b->tokens || b->steps || b->calls || b->wall_ms || b->cost_nano;
}

static void fill_task(struct agent_work *w, const struct plan_agent *a)
{
    struct frame *f = w->f;
    const struct json *env = jv_get(f->in, "env");
    const struct json *input = jv_get(f->in, "in");
    uint64_t task_seed = env ? (uint64_t)jv_get_int(jv_get(env, "seed"), 0) : seed_of(f);

    frame_base(f, &w->path);
    w->budget = (struct budget){.parent = f->spends,
                                .tokens_limit = a->budget.tokens,
                                .steps_limit = a->budget.steps,
                                .calls_limit = a->budget.calls,
                                .cost_nano_limit = a->budget.cost_nano,
                                .started_ms = frame_now(f),
                                .wall_ms_limit = f->host->replay ? 0 : a->budget.wall_ms};
    w->task.role = f->host->ops->role(f->host, f->plan, a);
    w->task.scope = (struct scope){.run = f->host->run,
                                   .path = str_cstr(&w->path),
                                   .task_seed = task_seed,
                                   .fault_seed = env_fault_seed(task_seed),
                                   .sample_seed = f->host->seed,
                                   .budget = &w->budget,
                                   .deadline_ms = f->deadline_ms,
                                   .repaired_ms = f->host->repaired_ms,
                                   .prompt_format = run_prompt_format(f->host->run)};
    w->task.input = jv_kind(input) == JV_NULL ? NULL : input;
    w->task.history = jv_get(f->in, "history");
    w->task.schema = f->step->schema;
    w->task.env_ops = f->step->env;
    w->task.may_be_cut = f->step->may_be_cut;
    w->task.talks = f->step->talks;
    if (!f->step->env && !is_limited(&a->budget) && !is_limited(&f->step->budget) &&
        w->task.scope.prompt_format != 1) /* release 0.1 had no such limit */
        w->task.max_model_calls = AGENT_MAX_MODEL_CALLS;
    w->task.on_asking = on_asking;
    if (f->host->ops->wants_text(f->host))
        w->task.on_text = on_text;
    if (f->step->env)
        w->task.env_params = params_of(env);
}

static void begin(struct frame *f)
{
    const struct plan_agent *a = plan_agent_find(f->plan, f->step->agent);
    struct agent_work *w = xcalloc(1, sizeof(*w));
    struct error err = ERROR_INIT;
    enum status st;

    w->f = f;
    w->path = STR_INIT;
    f->node = w;
    fill_task(w, a);
    frame_set_state(f, FRAME_WORKING);
    st = agent_start(f->host->agents, &w->task, on_done, w, &w->agent, &err);
    if (st)
        frame_end_error(f, st, &err);
}

static void cancel(struct frame *f)
{
    struct agent_work *w = f->node;

    if (w && w->agent && f->stop == STOP_INTERRUPT)
        agent_interrupt(w->agent); /* on_done follows */
    else if (w && w->agent)
        agent_cancel(w->agent);
    else
        frame_end(f, STEP_CANCELLED, NULL, NULL);
}

static void poll(struct frame *f)
{
    agent_poll(((struct agent_work *)f->node)->agent);
}

static void cut_short(struct frame *f)
{
    agent_cut_short(((struct agent_work *)f->node)->agent);
}

static void release(struct frame *f)
{
    struct agent_work *w = f->node;

    if (!w)
        return;
    agent_free(w->agent);
    str_deinit(&w->path);
    free(w);
    f->node = NULL;
}

const struct node_ops node_agent_ops = {.prepare = prepare,
                                        .begin = begin,
                                        .cancel = cancel,
                                        .poll = poll,
                                        .cut_short = cut_short,
                                        .release = release};
