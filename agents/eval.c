/* eval.c - plays the episodes of an evaluation, many at once, from one thread.
 *
 * The driver is whoever calls eval_run: it polls the agents' host, and an episode that ends is
 * packed up, posted to the store, and replaced by the next in the same slot. No event loop runs.
 * Scripts (controls) are played one after the other, since they wait for nobody.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/eval_internal.h"
#include "agents/rollout.h"
#include "runtime/base/memory.h"

#define IN_FLIGHT    128 /* enough to fill the batch of a small model */
#define POLL_MS      100
#define PROGRESS_US  100000
#define EPISODE_PATH 64

struct evaluation;

struct slot {
    struct evaluation *eval;
    struct agent *agent; /* NULL: free */
    struct rollout_writer record;
    int32_t episode;
    char path[EPISODE_PATH];
    struct env_params params;
    int64_t t0_ms;
};

struct evaluation {
    const struct eval_options *o;
    struct run *run;
    struct agent_host *host;
    struct agent_role role;
    struct slot *slot; /* (n_slots) */
    int32_t n_slots;
    int32_t r; /* the row that is played */
    struct eval_row_spec spec;
    uint8_t *is_done; /* (spec.episodes) */
    int32_t next;     /* episode to look at */
    int32_t n_playing, n_over;
    struct eval_tally tally;
    bool stopping;
    enum status status; /* the first that could not even begin */
    struct error err;
    int64_t began_us, told_us;
};

static bool interrupted(const struct evaluation *e)
{
    return e->o->interrupted && *e->o->interrupted;
}

static void progress(struct evaluation *e)
{
    int64_t now = seams_mono_us(e->o->seams);
    double s = (double)(now - e->began_us) / 1e6;
    double share = (double)e->n_over / (double)e->spec.episodes;

    if (!e->o->log || now - e->told_us < PROGRESS_US)
        return;
    e->told_us = now;
    log_progress(e->o->log, "%s H=%d: %d/%d episodes, %lld right, %.0f tokens/s, %.0f s left",
                 e->o->env->name, e->spec.horizon, e->n_over, e->spec.episodes,
                 (long long)e->tally.n_success, (double)e->tally.tok_out / (s > 0 ? s : 1),
                 share > 0 ? s / share - s : 0.0);
}

/* The next episode that the store does not have, or -1. */
static int32_t next_missing(struct evaluation *e)
{
    while (e->next < e->spec.episodes && e->is_done[e->next])
        e->next++;
    return e->next < e->spec.episodes ? e->next++ : -1;
}

static void record_episode(struct evaluation *e, struct slot *s, enum step_state state,
                           const struct env_verdict *v)
{
    struct json *verdict = v ? env_verdict_json(v) : jv_null();
    struct str text = STR_INIT;
    struct episode_row row = {.path = s->path,
                              .seed = s->params.task_seed,
                              .status = (int32_t)state,
                              .success = v && v->success,
                              .steps = v ? v->steps : 0,
                              .rec = str_cstr(&s->record.out),
                              .rec_bytes = s->record.out.len,
                              .t0_ms = s->t0_ms,
                              .t1_ms = seams_wall_ms(e->o->seams)};

    jv_write(verdict, 0, &text);
    row.verdict = str_cstr(&text);
    if (!str_ok(&s->record.out)) { /* an episode of more than ROLLOUT_MAX_BYTES */
        row.rec = NULL;
        row.rec_bytes = 0;
    }
    journal_episode(e->run, &row);
    str_deinit(&text);
    jv_unref(verdict);
}

static void open_slot(struct evaluation *e, struct slot *s, int32_t episode)
{
    struct rollout_head head = {.path = s->path, .env = e->o->env};

    s->eval = e;
    s->episode = episode;
    s->t0_ms = seams_wall_ms(e->o->seams);
    (void)snprintf(s->path, sizeof(s->path), "row[%d]/episode[%d]", e->r, episode);
    eval_params(e->o, &e->spec, episode, &s->params);
    head.params = s->params;
    if (!e->o->expert) {
        head.sample_seed = e->o->seed;
        head.call_base = rollout_call_base(s->path, 0);
        head.sampling = e->role.sampling;
        head.backend = e->o->model->info.backend;
    }
    rollout_begin(&s->record, &head);
}

static void count_end(struct evaluation *e, enum step_state state, const struct env_verdict *v)
{
    if (state == STEP_OK)
        eval_tally_add(&e->tally, v);
    else
        e->tally.n_failed_outside++;
    e->n_over++;
}

/* ---- a script */

static enum status play_script(struct evaluation *e, struct slot *s, struct error *err)
{
    const struct env_ops *ops = e->o->env;
    struct env *env = NULL;
    struct env_effect fx = {.done = false};
    struct env_verdict verdict;
    struct str text = STR_INIT;
    enum status st = ops->create(&s->params, &env, err);

    if (st)
        return st;
    while (!fx.done) {
        struct env_call call;

        ops->expert(env, e->o->expert, &call);
        str_clear(&text);
        ops->call_compact(env, &call, &fx, &text);
        rollout_env_call(&s->record, &call, "", 0, str_cstr(&text), text.len);
    }
    str_deinit(&text);
    ops->verify(env, &verdict);
    ops->free(env);
    record_episode(e, s, STEP_OK, &verdict);
    count_end(e, STEP_OK, &verdict);
    return STATUS_OK;
}

static enum status play_scripts(struct evaluation *e, struct error *err)
{
    enum status st = STATUS_OK;
    int32_t episode;

    while (!st && !interrupted(e) && (episode = next_missing(e)) >= 0) {
        open_slot(e, &e->slot[0], episode);
        st = play_script(e, &e->slot[0], err);
        progress(e);
    }
    return st;
}

/* ---- a model */

static void fill_slot(struct evaluation *e, struct slot *s);

static void episode_over(void *ctx, struct agent *a, const struct agent_result *r)
{
    struct slot *s = ctx;
    struct evaluation *e = s->eval;

    e->n_playing--;
    e->tally.tok_in += r->tok_in;
    e->tally.tok_out += r->tok_out;
    /* One that we stopped is not recorded: a resume plays it again from its seeds. */
    if (r->state != STEP_CANCELLED || !e->stopping) {
        if (r->state != STEP_OK && e->o->log)
            log_write(e->o->log, LOG_WARN, "%s failed outside of the policy: %s", s->path,
                      r->err.message);
        record_episode(e, s, r->state, r->has_verdict ? &r->verdict : NULL);
        count_end(e, r->state, &r->verdict);
    }
    agent_free(a);
    s->agent = NULL;
    if (!e->stopping)
        fill_slot(e, s);
}

static void fill_slot(struct evaluation *e, struct slot *s)
{
    int32_t episode = e->status ? -1 : next_missing(e);
    struct agent_task task = {.role = &e->role, .env_ops = e->o->env, .record = &s->record};

    if (episode < 0)
        return;
    open_slot(e, s, episode);
    task.env_params = s->params;
    task.scope = (struct scope){.path = s->path,
                                .task_seed = s->params.task_seed,
                                .fault_seed = s->params.fault_seed,
                                .sample_seed = e->o->seed};
    e->status = agent_start(e->host, &task, episode_over, s, &s->agent, &e->err);
    if (!e->status)
        e->n_playing++;
}

static void stop_all(struct evaluation *e)
{
    e->stopping = true;
    for (int32_t i = 0; i < e->n_slots; i++) {
        if (e->slot[i].agent)
            agent_cancel(e->slot[i].agent);
    }
}

static enum status play_model(struct evaluation *e, struct error *err)
{
    for (int32_t i = 0; i < e->n_slots; i++)
        fill_slot(e, &e->slot[i]);
    while (e->n_playing > 0) {
        agent_host_poll(e->host, POLL_MS);
        if (!e->stopping && (interrupted(e) || e->status))
            stop_all(e);
        progress(e);
    }
    if (e->status && err)
        *err = e->err;
    return e->status;
}

/* ---- rows */

static enum status begin_row(struct evaluation *e, int32_t r, struct error *err)
{
    struct env_params params;

    e->r = r;
    e->spec = e->o->row[r];
    eval_params(e->o, &e->spec, 0, &params);
    e->spec.noise = params.noise;
    e->tally = (struct eval_tally){.n = 0};
    e->next = e->n_over = 0;
    free(e->is_done);
    e->is_done = mem_alloc((size_t)e->spec.episodes, 1);
    if (!e->is_done)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d episodes", e->spec.episodes);
    e->role.sampling.temperature = e->spec.temperature;
    e->began_us = seams_mono_us(e->o->seams);
    return e->o->resume ? eval_load_row(e->o, run_uuid(e->run), r, e->is_done, &e->tally, err)
                        : STATUS_OK;
}

static enum status play_row(struct evaluation *e, int32_t r, struct eval_row *row,
                            struct error *err)
{
    enum status st = begin_row(e, r, err);

    if (!st) {
        for (int32_t i = 0; i < e->spec.episodes; i++)
            e->n_over += e->is_done[i];
        st = e->o->expert ? play_scripts(e, err) : play_model(e, err);
    }
    /* Also when it failed: what was played is on disk before anybody is told anything. */
    if (!st)
        st = journal_sync(e->run, err);
    if (st)
        return st;
    if (interrupted(e))
        return error_set(err, STATUS_CANCELLED,
                         "interrupted; %d of %d episodes of row %d are recorded", e->n_over,
                         e->spec.episodes, r);
    row->spec = e->spec;
    eval_tally_row(&e->tally, row);
    row->ceiling = eval_ceiling(e->o, &e->spec);
    row->wall_s = (double)(seams_mono_us(e->o->seams) - e->began_us) / 1e6;
    row->tokens_per_s = row->wall_s > 0 ? (double)row->tok_out / row->wall_s : 0;
    return STATUS_OK;
}

static int32_t slots_wanted(const struct eval_options *o)
{
    int32_t n = o->in_flight > 0 ? o->in_flight : IN_FLIGHT, most = 0;

    if (o->expert)
        return 1;
    for (int32_t r = 0; r < o->n_rows; r++)
        most = o->row[r].episodes > most ? o->row[r].episodes : most;
    return n < most ? n : most;
}

static enum status open_evaluation(struct evaluation *e, struct error *err)
{
    struct agent_host_options host = {.seams = e->o->seams};

    e->role = (struct agent_role){
        .name = e->o->env->name, .model = e->o->model, .sampling = SAMPLING_DEFAULT};
    e->n_slots = slots_wanted(e->o);
    e->slot = mem_alloc((size_t)e->n_slots, sizeof(*e->slot));
    if (!e->slot)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d episodes at once", e->n_slots);
    for (int32_t i = 0; i < e->n_slots; i++)
        rollout_writer_init(&e->slot[i].record);
    return agent_host_new(&host, &e->host, err);
}

static void close_evaluation(struct evaluation *e)
{
    for (int32_t i = 0; e->slot && i < e->n_slots; i++)
        rollout_writer_deinit(&e->slot[i].record);
    free(e->slot);
    free(e->is_done);
    agent_host_free(e->host);
    run_close(e->run);
}

/* The table stays with the run. */
static enum status conclude(struct evaluation *e, const struct eval_row *rows, struct error *err)
{
    struct json *output = jv_object(), *list = jv_array();

    for (int32_t r = 0; r < e->o->n_rows; r++)
        jv_append_adopt(list, eval_row_json(e->o, &rows[r]));
    jv_set_adopt(output, "rows", list);
    run_set_status(e->run, "ok", output, NULL);
    jv_unref(output);
    return journal_sync(e->run, err);
}

enum status eval_run(const struct eval_options *o, struct eval_row *rows, char uuid[37],
                     struct error *err)
{
    struct evaluation e = {.o = o};
    enum status st = eval_check(o, err);

    if (!st)
        st = eval_open_run(o, &e.run, err);
    if (st)
        return st;
    (void)snprintf(uuid, 37, "%s", run_uuid(e.run));
    st = open_evaluation(&e, err);
    for (int32_t r = 0; r < o->n_rows && !st; r++)
        st = play_row(&e, r, &rows[r], err);
    if (!st)
        st = conclude(&e, rows, err);
    if (o->log)
        log_progress_end(o->log);
    close_evaluation(&e);
    return st;
}
