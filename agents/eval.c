/* eval.c - plays the episodes of an evaluation, many at once, from one thread.
 *
 * Episodes of a model are played through episodes.h, and saved when they end. Scripts (controls)
 * are played one after the other, because they never wait.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/episodes.h"
#include "agents/eval_internal.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"

#define IN_FLIGHT   128 /* enough to fill the batch of a small model */
#define PROGRESS_US 100000

struct evaluation {
    const struct eval_options *o;
    struct run *run;
    struct episodes *driver; /* NULL: a script plays */
    struct episode script;   /* its slot */
    int32_t r;               /* the row that is played */
    struct eval_row_spec spec;
    uint8_t *is_done;        /* (spec.episodes) */
    int32_t next;            /* the next episode */
    int32_t n_over, n_found; /* n_found: over before this process began */
    struct eval_tally tally;
    enum status status; /* of the first episode that could not start */
    struct error err;
    int64_t began_us, logged_us;
};

static bool interrupted(const struct evaluation *e)
{
    return e->o->interrupted && *e->o->interrupted;
}

/* Episodes of a model run in parallel and end together, so those in flight count by their steps. */
static void progress(struct evaluation *e)
{
    int64_t now = seams_mono_us(e->o->seams);
    double s = (double)(now - e->began_us) / 1e6, n = e->spec.episodes, done, rest;
    struct episodes_progress p = {.episodes = 0};

    if (!e->o->log || now - e->logged_us < PROGRESS_US)
        return;
    e->logged_us = now;
    if (e->driver)
        episodes_progress(e->driver, &p);
    done = e->n_over - e->n_found + p.episodes; /* in this process */
    rest = n - e->n_over - p.episodes;
    if (done <= 0)
        return; /* nothing to say */
    log_progress(e->o->log,
                 "%s, %d steps: %.0f %% of %d episode%s (%d ended, %lld succeeded), %.0f tokens/s, "
                 "%.0f s left",
                 e->o->env->name, e->spec.horizon, 100 * (n - rest) / n, e->spec.episodes,
                 plural_s(e->spec.episodes), e->n_over, (long long)e->tally.n_success,
                 (double)(e->tally.tok_out + p.tok_out) / (s > 0 ? s : 1),
                 s / done * (rest > 0 ? rest : 0));
}

/* The next episode that the store does not have, or -1. */
static int32_t next_missing(struct evaluation *e)
{
    while (e->next < e->spec.episodes && e->is_done[e->next])
        e->next++;
    return e->next < e->spec.episodes ? e->next++ : -1;
}

static void record_episode(struct evaluation *e, const struct episode *s, enum step_state state,
                           const struct env_verdict *v, const struct eval_after *after)
{
    struct json *verdict = v ? eval_verdict_json(v, after) : jv_null();

    episode_record(e->run, s, state, v, verdict, seams_wall_ms(e->o->seams));
    jv_unref(verdict);
}

static void fill_episode(const struct evaluation *e, int32_t episode, struct episode *s)
{
    s->id = episode;
    (void)snprintf(s->path, sizeof(s->path), "row[%d]/episode[%d]", e->r, episode);
    eval_params(e->o, &e->spec, episode, &s->params);
    s->sample_seed = e->o->seed;
}

static void count_end(struct evaluation *e, enum step_state state, const struct env_verdict *v,
                      const struct eval_after *after)
{
    if (state == STEP_OK)
        eval_tally_add(&e->tally, v, after);
    else
        e->tally.n_failed_outside++;
    e->n_over++;
}

/* ---- a script */

static enum status play_script(struct evaluation *e, struct episode *s, struct error *err)
{
    const struct env_ops *ops = e->o->env;
    struct rollout_head head = {.path = s->path, .env = ops, .params = s->params};
    struct env *env = NULL;
    struct env_effect fx = {.done = false};
    struct env_verdict verdict;
    struct eval_after after;
    struct str text = STR_INIT;
    enum status st = ops->create(&s->params, &env, err);

    if (st)
        return st;
    s->t0_ms = seams_wall_ms(e->o->seams);
    rollout_begin(&s->record, &head);
    while (!fx.done) {
        struct env_call call;

        ops->expert(env, e->o->expert, &call);
        str_clear(&text);
        ops->call_compact(env, &call, &fx, &text);
        rollout_env_call(&s->record, &call, "", 0, str_cstr(&text), text.len);
    }
    str_deinit(&text);
    ops->verify(env, &verdict);
    eval_after_of(ops, env, &after);
    ops->free(env);
    record_episode(e, s, STEP_OK, &verdict, &after);
    count_end(e, STEP_OK, &verdict, &after);
    return STATUS_OK;
}

static enum status play_scripts(struct evaluation *e, struct error *err)
{
    enum status st = STATUS_OK;
    int32_t episode;

    while (!st && !interrupted(e) && (episode = next_missing(e)) >= 0) {
        fill_episode(e, episode, &e->script);
        st = play_script(e, &e->script, err);
        progress(e);
    }
    return st;
}

/* ---- a model */

static bool next_episode(void *ctx, struct episode *s)
{
    struct evaluation *e = ctx;
    int32_t episode = e->status ? -1 : next_missing(e);

    if (episode < 0)
        return false;
    fill_episode(e, episode, s);
    return true;
}

static void episode_over(void *ctx, struct episode *s, const struct agent_result *r,
                         const struct env *env)
{
    struct evaluation *e = ctx;
    struct eval_after after;

    if (!env) {
        e->status = r->err.status ? r->err.status : STATUS_FAILED;
        e->err = r->err;
        return;
    }
    e->tally.tok_in += r->tok_in;
    e->tally.tok_out += r->tok_out;
    if (r->state != STEP_OK && e->o->log)
        log_write(e->o->log, LOG_WARN, "%s failed for a reason outside the policy: %s", s->path,
                  r->err.message);
    eval_after_of(e->o->env, env, &after);
    record_episode(e, s, r->state, r->has_verdict ? &r->verdict : NULL, &after);
    count_end(e, r->state, &r->verdict, &after);
}

/* A stopped episode is not recorded: a resume plays it again from its seeds. */
static bool stops(void *ctx)
{
    struct evaluation *e = ctx;

    progress(e);
    return interrupted(e) || e->status;
}

static enum status play_model(struct evaluation *e, struct error *err)
{
    struct sampling sampling = SAMPLING_DEFAULT;
    struct error stopped = ERROR_INIT;
    enum status st;

    sampling.temperature = e->spec.temperature;
    st = episodes_play(e->driver, &sampling, 0, &stopped);
    if (e->status && err)
        *err = e->err;
    if (st && st != STATUS_CANCELLED && !e->status && err)
        *err = stopped;
    return e->status ? e->status : st == STATUS_CANCELLED ? STATUS_OK : st;
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
    e->next = e->n_over = e->n_found = 0;
    free(e->is_done);
    e->is_done = mem_alloc((size_t)e->spec.episodes, 1);
    if (!e->is_done)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d episodes", e->spec.episodes);
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
        e->n_found = e->n_over;
        st = e->o->expert ? play_scripts(e, err) : play_model(e, err);
    }
    /* Also after a failure: the played episodes are on disk before this returns. */
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

static int32_t in_flight(const struct eval_options *o)
{
    int32_t n = o->in_flight > 0 ? o->in_flight : IN_FLIGHT, most = 0;

    for (int32_t r = 0; r < o->n_rows; r++)
        most = o->row[r].episodes > most ? o->row[r].episodes : most;
    return n < most ? n : most;
}

static enum status open_evaluation(struct evaluation *e, struct error *err)
{
    struct episodes_options d = {.env = e->o->env,
                                 .model = e->o->model,
                                 .in_flight = in_flight(e->o),
                                 .votes = e->o->votes,
                                 .prompt_format = e->run ? run_prompt_format(e->run) : 0,
                                 .seams = e->o->seams,
                                 .ctx = e,
                                 .next = next_episode,
                                 .over = episode_over,
                                 .tick = stops};

    rollout_writer_init(&e->script.record);
    return e->o->expert ? STATUS_OK : episodes_new(&d, &e->driver, err);
}

static void close_evaluation(struct evaluation *e)
{
    rollout_writer_deinit(&e->script.record);
    episodes_free(e->driver);
    free(e->is_done);
    run_close(e->run);
}

/* The table is stored with the run. */
static enum status conclude(struct evaluation *e, const struct eval_row *rows, struct error *err)
{
    struct json *output = jv_object(), *list = jv_array();

    for (int32_t r = 0; r < e->o->n_rows; r++)
        jv_append_adopt(list, eval_row_json(e->o, &rows[r]));
    jv_set_adopt(output, "rows", list);
    jv_set_adopt(output, "horizons", eval_horizons_json(rows, e->o->n_rows));
    run_set_status(e->run, RUN_OK, output, NULL);
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
    log_progress_begin(o->log);
    for (int32_t r = 0; r < o->n_rows && !st; r++)
        st = play_row(&e, r, &rows[r], err);
    if (!st)
        st = conclude(&e, rows, err);
    if (o->log)
        log_progress_end(o->log);
    close_evaluation(&e);
    return st;
}
