/* rollouts.c - plays a request of the trainer: starts the episodes, collects and orders them.
 *
 * Episodes end in any order. Each keeps its packed record until all have ended; then the chains are
 * made in the order (group, member, step), so that the result does not depend on timing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/rollouts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/rollouts_internal.h"
#include "runtime/base/memory.h"

#define ROLLOUTS_NAME  1024 /* bytes of the environments' names together, at most */
#define ROLLOUTS_BRIEF 2    /* rates that the live line shows for each environment */

static const struct rollout_rate rates[] = {
#define RATE(key, label, decimals, of, per)                                                        \
    {#key, label, decimals, ROLLOUTS_RATE_##key < ROLLOUTS_BRIEF},
#include "agents/rollout_rates.def"
#undef RATE
};
_Static_assert(ROLLOUTS_RATES <= ROLLOUT_MAX_RATES, "a member has room for the counts");

struct rollouts {
    struct rollout_source source;
    struct rollouts_options o;
    struct str name; /* of all environments */
    const char *task_name[CURRICULUM_MAX_TASKS];
    struct episodes *driver;
    struct rollouts_store store;
    /* ---- of the current request */
    const struct rollout_request *request;
    const struct curriculum_phase *phase;
    struct played *played; /* (n_played) group by group */
    int32_t n_played, cap_played, next;
    int64_t env_us;
    int32_t n_failed;
    struct error first_failure;
};

/* ---- observing an episode */

static void open_step(struct played *p, const struct env *e)
{
    const struct env_ops *ops = p->env;
    struct step_mark *m;

    if (p->n_steps == p->cap_steps) {
        int32_t cap = p->cap_steps ? 2 * p->cap_steps : 16;
        if (!mem_grow((void **)&p->step, (size_t)cap, sizeof(*p->step))) {
            p->no_memory = true;
            return;
        }
        p->cap_steps = cap;
    }
    m = &p->step[p->n_steps++];
    *m = (struct step_mark){.calls = ops->calls_made(e)};
    if (ops->anchor && !ops->anchor(e, m->anchor))
        memset(m->anchor, 0, sizeof(m->anchor));
}

static void on_event(void *ctx, const struct env *e, const struct env_effect *fx)
{
    struct played *p = ctx;

    if (!fx)
        p->n_steps = p->n_calls = 0;
    else
        p->n_calls++;
    if (!fx || (fx->step_boundary && !fx->done))
        open_step(p, e);
    if (p->n_calls + 1 > p->cap_calls) {
        int32_t cap = p->cap_calls ? 2 * p->cap_calls : 64;
        if (!mem_grow((void **)&p->step_after, (size_t)cap, sizeof(*p->step_after))) {
            p->no_memory = true;
            p->n_calls = 0;
            return;
        }
        p->cap_calls = cap;
    }
    p->step_after[p->n_calls] = p->n_steps - 1;
}

/* ---- callbacks of the driver */

static bool next(void *ctx, struct episode *e)
{
    struct rollouts *r = ctx;
    const struct rollout_request *q = r->request;
    struct played *p;

    if (r->next == r->n_played)
        return false;
    p = &r->played[r->next];
    e->id = r->next++;
    (void)snprintf(e->path, sizeof(e->path), "%s/group[%d]/member[%d]", q->path, p->group,
                   p->member);
    e->env = p->env;
    e->params = (struct env_params){
        .horizon = r->phase->horizon,
        .noise = r->phase->noise[p->task],
        .profile = r->o.profile,
        .ablation = r->o.unbounded ? ENV_ABLATE_BUDGET : ENV_ABLATE_NONE,
        .faults = r->o.faults ? r->o.faults[p->task] : 0,
        .task_seed = q->task_seed[p->group],
        .fault_seed =
            q->fault_seed[p->group] + (r->o.shared_faults ? 0 : (uint64_t)(uint32_t)p->member),
    };
    e->sample_seed = q->sample_seed;
    e->watch = (struct env_watch){.ctx = p, .on_event = on_event};
    return true;
}

/* Did a budget or the context end it, or a failure outside the policy? */
static enum rollout_status status_of(const struct agent_result *r)
{
    if (r->state == STEP_OK)
        return ROLLOUT_COMPLETED;
    if (r->state == STEP_BUDGET || r->err.status == STATUS_LIMIT)
        return ROLLOUT_TRUNCATED;
    return ROLLOUT_OUTSIDE;
}

static void over(void *ctx, struct episode *e, const struct agent_result *res,
                 const struct env *env)
{
    struct rollouts *r = ctx;
    struct played *p = &r->played[e->id];
    const struct env_ops *ops = p->env;

    p->status = env && !p->no_memory && str_ok(&e->record.out) ? status_of(res) : ROLLOUT_OUTSIDE;
    p->has_verdict = res->has_verdict;
    memset(&p->verdict, 0, sizeof(p->verdict));
    if (res->has_verdict)
        p->verdict = res->verdict;
    p->calls = env ? ops->calls_made(env) : 0;
    p->steps_done = env ? ops->steps_done(env) : 0;
    for (int32_t i = 0; i < p->n_steps && i < p->steps_done; i++)
        p->step[i].right = ops->step_right(env, i);
    str_clear(&p->record);
    str_append(&p->record, str_cstr(&e->record.out), e->record.out.len);
    r->env_us += e->watch.env_us;
    if (p->status == ROLLOUT_OUTSIDE && r->n_failed++ == 0)
        r->first_failure = res->err;
    rollouts_store_put(&r->store, e, res->state, res->has_verdict ? &res->verdict : NULL,
                       seams_wall_ms(r->o.seams));
}

static bool tick(void *ctx)
{
    const struct rollouts *r = ctx;

    return r->o.interrupted && *r->o.interrupted;
}

/* ---- a request */

static enum status check_request(const struct rollout_request *q, struct error *err)
{
    if (q->n_groups < 1 || q->group_size < 1 || q->n_groups > INT32_MAX / q->group_size)
        return error_set(err, STATUS_INVALID, "cannot play %d groups of %d rollouts", q->n_groups,
                         q->group_size);
    for (int32_t g = 0; g < q->n_groups; g++)
        if (q->task_seed[g] >= ENV_SEED_VALIDATION)
            return error_set(err, STATUS_INVALID,
                             "task seed %llu is not for training: training seeds are below 2^20",
                             (unsigned long long)q->task_seed[g]);
    return STATUS_OK;
}

static enum status make_room(struct rollouts *r, const struct rollout_request *q, struct error *err)
{
    int32_t n = q->n_groups * q->group_size;

    if (n > r->cap_played) {
        if (!mem_grow((void **)&r->played, (size_t)n, sizeof(*r->played)))
            return error_set(err, STATUS_NO_MEMORY, "no memory for %d rollouts", n);
        for (int32_t i = r->cap_played; i < n; i++) {
            r->played[i] = (struct played){.owner = r};
            str_init(&r->played[i].record, ROLLOUT_MAX_BYTES);
        }
        r->cap_played = n;
    }
    for (int32_t i = 0; i < n; i++) {
        struct played *p = &r->played[i];

        p->group = i / q->group_size;
        p->member = i % q->group_size;
        p->task = (q->first_group + p->group) % r->o.n_env;
        p->env = r->o.env[p->task];
        p->n_steps = p->n_calls = 0;
        p->no_memory = false;
    }
    r->n_played = n;
    r->next = r->n_failed = 0;
    r->env_us = 0;
    r->request = q;
    r->phase = curriculum_at(r->o.curriculum, q->update);
    return STATUS_OK;
}

static enum status collect(struct rollouts *r, struct rollout_set *out, struct error *err)
{
    enum status st = STATUS_OK;

    if (r->n_failed == r->n_played) {
        *err = r->first_failure;
        error_note(err, "%d of %d rollouts failed for reasons outside the policy", r->n_failed,
                   r->n_played);
        return err->status ? err->status : error_set(err, STATUS_FAILED, "no rollout finished");
    }
    if (r->n_failed > 0 && r->o.log)
        log_write(r->o.log, LOG_WARN,
                  "%s: %d of %d rollouts failed for reasons outside the policy (%s)",
                  r->request->path, r->n_failed, r->n_played, r->first_failure.message);
    for (int32_t i = 0; i < r->n_played && !st; i++) {
        st = rollouts_add_chains(&r->played[i], out, err);
        if (st)
            error_note(err, "group %d, member %d", r->played[i].group, r->played[i].member);
    }
    return st;
}

static enum status play(void *ctx, const struct rollout_request *q, struct rollout_set *out,
                        struct error *err)
{
    struct rollouts *r = ctx;
    struct sampling sampling = SAMPLING_DEFAULT;
    int64_t began = seams_mono_us(r->o.seams);
    struct error stored = ERROR_INIT;
    enum status st = check_request(q, err), kept;

    if (!st)
        st = make_room(r, q, err);
    if (!st)
        st = rollouts_store_begin(&r->store, q, &r->o, err);
    if (st)
        return st;
    rollout_set_clear(out);
    sampling.temperature = q->temperature;
    st = episodes_play(r->driver, &sampling, r->o.timeout_ms, err);
    kept = rollouts_store_end(&r->store, !st, &stored);
    if (!st)
        st = collect(r, out, err);
    if (!st && kept) {
        *err = stored;
        st = kept;
    }
    out->rollout_s = (double)(seams_mono_us(r->o.seams) - began) * 1e-6;
    out->env_s = (double)r->env_us * 1e-6;
    return st;
}

static void fix(void *ctx, struct fixed_options *f)
{
    const struct rollouts *r = ctx;

    fixed_put(f, "shared_faults", "shared faults (--shared-faults)", jv_bool(r->o.shared_faults));
    curriculum_fix(r->o.curriculum, r->o.n_env, f);
}

/* Noise that is the environment's own is left out. */
static void describe(void *ctx, int64_t update, int32_t task, struct json *line)
{
    const struct rollouts *r = ctx;
    const struct curriculum_phase *phase = curriculum_at(r->o.curriculum, update);
    bool one = r->o.n_env == 1 || task >= 0;

    if (one && phase->noise[task < 0 ? 0 : task] >= 0)
        jv_set_real(line, "noise", phase->noise[task < 0 ? 0 : task]);
    if (task < 0)
        jv_set_int(line, "horizon", phase->horizon);
}

static enum status check_env(const struct env_ops *env, struct error *err)
{
    for (int32_t i = 0; i < env->n_tools; i++)
        if (env->tools[i].effect >= EFFECT_IDEMPOTENT)
            return error_set(err, STATUS_UNSUPPORTED,
                             "tool %s has effects outside the environment, so training cannot use "
                             "it",
                             env->tools[i].name);
    return STATUS_OK;
}

enum status rollouts_new(const struct rollouts_options *o, struct rollout_source **out,
                         struct error *err)
{
    struct rollouts *r;
    struct episodes_options d = {
        .env = o->env[0],
        .model = o->model,
        .in_flight = o->in_flight > 0 ? o->in_flight : ROLLOUTS_IN_FLIGHT,
        .seams = o->seams,
        .next = next,
        .over = over,
        .tick = tick,
    };
    enum status st;

    if (!o->model->info.takes_ids)
        return error_set(err, STATUS_UNSUPPORTED,
                         "model %s gives no token ids, so there is nothing to train on",
                         o->model->info.name);
    for (int32_t k = 0; k < o->n_env; k++) {
        st = check_env(o->env[k], err);
        if (st)
            return st;
    }
    st = curriculum_check(o->curriculum, err);
    if (st)
        return st;
    if (o->n_env > CURRICULUM_MAX_TASKS)
        return error_set(err, STATUS_USAGE, "a mixed run has at most %d tasks",
                         CURRICULUM_MAX_TASKS);
    r = xcalloc(1, sizeof(*r));
    r->o = *o;
    str_init(&r->name, ROLLOUTS_NAME);
    for (int32_t k = 0; k < o->n_env; k++) {
        r->task_name[k] = o->env[k]->name;
        str_printf(&r->name, "%s%s", k ? "," : "", o->env[k]->name);
    }
    r->store = (struct rollouts_store){
        .store = o->store, .name = str_cstr(&r->name), .keep = o->keep_updates, .update = -1};
    r->source = (struct rollout_source){.ctx = r,
                                        .rate = rates,
                                        .n_rates = ROLLOUTS_RATES,
                                        .task_name = r->task_name,
                                        .n_tasks = o->n_env > 1 ? o->n_env : 0,
                                        .fix = fix,
                                        .describe = describe,
                                        .play = play};
    d.ctx = r;
    st = episodes_new(&d, &r->driver, err);
    if (st) {
        rollouts_free(&r->source);
        return st;
    }
    *out = &r->source;
    return STATUS_OK;
}

void rollouts_free(struct rollout_source *s)
{
    struct rollouts *r = s ? s->ctx : NULL;

    if (!r)
        return;
    episodes_free(r->driver);
    rollouts_store_close(&r->store);
    free(r->store.uuid);
    str_deinit(&r->name);
    for (int32_t i = 0; i < r->cap_played; i++) {
        free(r->played[i].step);
        free(r->played[i].step_after);
        str_deinit(&r->played[i].record);
    }
    free(r->played);
    free(r);
}
