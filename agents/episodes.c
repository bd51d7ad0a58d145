/* episodes.c - see episodes.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/episodes.h"

#include <stdlib.h>
#include <string.h>

#include "agents/agent_state.h"
#include "runtime/base/memory.h"

#define POLL_MS 100

struct episodes {
    struct episodes_options o;
    struct agent_host *host;
    struct agent_role role;
    int64_t timeout_ms;
    struct episode *place; /* (o.in_flight) slots */
    int32_t n_playing;
    bool stopping;
};

static void fill_place(struct episodes *d, struct episode *e);

static void episode_over(void *ctx, struct agent *a, const struct agent_result *r)
{
    struct episode *e = ctx;
    struct episodes *d = e->driver;

    d->n_playing--;
    if (r->state != STEP_CANCELLED || !d->stopping)
        d->o.over(d->o.ctx, e, r, a->env);
    agent_free(a);
    e->agent = NULL;
    if (!d->stopping)
        fill_place(d, e);
}

static void open_record(struct episodes *d, struct episode *e)
{
    struct rollout_head head = {.path = e->path,
                                .env = e->env,
                                .params = e->params,
                                .sample_seed = e->sample_seed,
                                .call_base = rollout_call_base(e->path, 0),
                                .sampling = d->role.sampling,
                                .backend = d->o.model->info.backend};

    rollout_begin(&e->record, &head);
}

/* An episode that cannot start ends at once; another one takes its slot. */
static void fill_place(struct episodes *d, struct episode *e)
{
    struct agent_result failed = {.state = STEP_ERROR};
    struct agent_task task = {.role = &d->role, .record = &e->record};

    for (;;) {
        enum status st;

        e->watch = (struct env_watch){.ctx = e};
        e->env = d->o.env;
        if (!d->o.next(d->o.ctx, e))
            return;
        e->t0_ms = seams_wall_ms(d->o.seams);
        open_record(d, e);
        task.env_ops = e->env;
        task.env_params = e->params;
        task.watch = &e->watch;
        task.scope =
            (struct scope){.path = e->path,
                           .task_seed = e->params.task_seed,
                           .fault_seed = e->params.fault_seed,
                           .sample_seed = e->sample_seed,
                           .prompt_format = d->o.prompt_format,
                           .deadline_ms = d->timeout_ms > 0 ? e->t0_ms + d->timeout_ms : 0};
        st = agent_start(d->host, &task, episode_over, e, &e->agent, &failed.err);
        if (!st)
            break;
        d->o.over(d->o.ctx, e, &failed, NULL);
    }
    d->n_playing++;
}

void episode_record(struct run *run, const struct episode *e, enum step_state state,
                    const struct env_verdict *v, struct json *verdict, int64_t now_ms)
{
    struct str text = STR_INIT;
    bool has_record = str_ok(&e->record.out); /* at most ROLLOUT_MAX_BYTES */
    struct episode_row row = {.path = e->path,
                              .seed = e->params.task_seed,
                              .status = (int32_t)state,
                              .success = v && v->success,
                              .steps = v ? v->steps : 0,
                              .rec = has_record ? str_cstr(&e->record.out) : NULL,
                              .rec_bytes = has_record ? e->record.out.len : 0,
                              .t0_ms = e->t0_ms,
                              .t1_ms = now_ms};

    jv_write(verdict, 0, &text);
    row.verdict = str_cstr(&text);
    journal_episode(run, &row);
    str_deinit(&text);
}

enum status episodes_new(const struct episodes_options *o, struct episodes **out, struct error *err)
{
    struct agent_host_options host = {.seams = o->seams};
    struct episodes *d = xcalloc(1, sizeof(*d));
    enum status st;

    d->o = *o;
    d->role = (struct agent_role){
        .name = o->env->name, .model = o->model, .sampling = SAMPLING_DEFAULT, .votes = o->votes};
    d->place = mem_alloc((size_t)o->in_flight, sizeof(*d->place));
    if (!d->place)
        st = error_set(err, STATUS_NO_MEMORY, "no memory for %d episodes at once", o->in_flight);
    else
        st = agent_host_new(&host, &d->host, err);
    if (st) {
        episodes_free(d);
        return st;
    }
    for (int32_t i = 0; i < o->in_flight; i++) {
        rollout_writer_init(&d->place[i].record);
        d->place[i].driver = d;
    }
    *out = d;
    return STATUS_OK;
}

void episodes_free(struct episodes *d)
{
    if (!d)
        return;
    for (int32_t i = 0; d->place && i < d->o.in_flight; i++)
        rollout_writer_deinit(&d->place[i].record);
    free(d->place);
    agent_host_free(d->host);
    free(d);
}

void episodes_progress(const struct episodes *d, struct episodes_progress *out)
{
    *out = (struct episodes_progress){.episodes = 0};
    for (int32_t i = 0; i < d->o.in_flight; i++) {
        const struct episode *e = &d->place[i];

        if (!e->agent || !e->agent->env)
            continue;
        out->episodes += (double)e->env->steps_done(e->agent->env) / e->params.horizon;
        out->tok_out += e->agent->result.tok_out;
    }
}

static void stop_all(struct episodes *d)
{
    d->stopping = true;
    for (int32_t i = 0; i < d->o.in_flight; i++)
        if (d->place[i].agent)
            agent_cancel(d->place[i].agent);
}

enum status episodes_play(struct episodes *d, const struct sampling *sampling, int64_t timeout_ms,
                          struct error *err)
{
    d->role.sampling = *sampling;
    d->timeout_ms = timeout_ms;
    d->stopping = d->o.tick && d->o.tick(d->o.ctx);
    for (int32_t i = 0; i < d->o.in_flight && !d->stopping; i++)
        fill_place(d, &d->place[i]);
    while (d->n_playing > 0) {
        agent_host_poll(d->host, POLL_MS);
        if (d->o.tick && d->o.tick(d->o.ctx) && !d->stopping)
            stop_all(d);
    }
    return d->stopping ? error_set(err, STATUS_CANCELLED, "interrupted") : STATUS_OK;
}
