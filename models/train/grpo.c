/* grpo.c - the loop: play, update, publish, measure, save; and one update played again.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/grpo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/grpo_trainer.h"

struct training {
    struct grpo_trainer *t;
    enum status status;
    struct error *err;
};

static void train(void *arg, struct lane lane)
{
    struct training *x = arg;
    struct grpo_trainer *t = x->t;
    const struct grpo_options *o = t->o;
    struct grpo_update_options u = {
        .policy = o->policy,
        .step = o->learning.step,
        .minibatch_chains = o->minibatch_chains,
        .max_chains = o->max_chains,
        .epochs = o->epochs,
        .temperature = o->temperature,
        .seed = o->seed,
        .update = t->state.update,
        .reference = o->policy.kl == POLICY_KL_NONE ? NULL : t->start,
    };

    u.step.lr = t->lr;
    u.step.scale = 1;
    x->status = grpo_update(t->pass, t->work, &t->optimizer, &lane, lane.pool, &t->set,
                            t->advantage, &u, t->grad, &t->update, x->err);
}

/* Rollouts, gradient steps, new weights served. STATUS_CANCELLED: as if it had not begun. */
static enum status one_update(struct grpo_trainer *t, struct error *err)
{
    struct training x = {.t = t, .err = err};
    bool any_advantage = false;
    int64_t from;
    enum status st;

    memset(&t->last, 0, sizeof(t->last));
    memset(&t->update, 0, sizeof(t->update));
    t->lr = learning_rate(&t->o->learning, t->state.update, t->schedule, t->schedule - 1);
    st = grpo_play(t, &any_advantage, err);
    if (st)
        return st;
    from = seams_mono_us(t->o->seams);
    if (any_advantage)
        grpo_exclusive(t, train, &x);
    if (x.status)
        return x.status;
    t->state.update++;
    t->state.n_skipped += !any_advantage;
    t->state.loss = t->credit.reward_mean;
    t->state.tokens += t->set.n_sampled;
    t->state.trained_tokens += t->update.n_tokens;
    t->progress.rollouts += t->set.n_members;
    if (any_advantage)
        st = grpo_publish(t, err);
    t->last.train_s = (double)(seams_mono_us(t->o->seams) - from) * 1e-6;
    return st ? st : grpo_report(t, any_advantage, err);
}

static bool interrupted(const struct grpo_trainer *t)
{
    return t->o->interrupted && *t->o->interrupted;
}

static bool due(int64_t update, int32_t every)
{
    return every > 0 && update % every == 0;
}

static bool wants_measure(const struct grpo_trainer *t, bool last)
{
    const struct grpo_options *o = t->o;

    return o->evaluate && o->eval_every > 0 && t->progress.evaluated != t->state.update &&
           (last || due(t->state.update, o->eval_every));
}

/* After an update: checks the skill, evaluates, and decides whether to stop. */
static enum status after_update(struct grpo_trainer *t, bool *over, struct error *err)
{
    const struct grpo_options *o = t->o;
    bool dropped = false, better = false;
    enum status st =
        o->make_room ? o->make_room(o->ctx, 0, t->progress.best_update, err) : STATUS_OK;

    if (!st)
        st = grpo_check_skill(t, &dropped, err);

    *over = dropped || t->state.update >= o->updates;
    if (dropped)
        t->ended = "probe";
    if (!st && !dropped && wants_measure(t, *over))
        st = grpo_measure(t, &better, err);
    if (!st && !*over && o->patience > 0 && t->progress.since_best >= o->patience) {
        t->ended = "patience";
        *over = true;
    }
    if (!st && (*over || better || due(t->state.update, o->checkpoint_every)))
        st = grpo_save(t, err);
    return st;
}

/* The error is the interruption, or the failure to save. */
static enum status stop_here(struct grpo_trainer *t, struct error *err)
{
    struct error other = ERROR_INIT;
    enum status st = grpo_save(t, &other);

    if (st) {
        *err = other;
        return st;
    }
    t->ended = "interrupted";
    return error_set(err, STATUS_CANCELLED, "interrupted after update %lld of %lld",
                     (long long)t->state.update, (long long)t->o->updates);
}

static enum status run(struct grpo_trainer *t, struct error *err)
{
    bool over = t->state.update >= t->o->updates, better = false;
    enum status st = STATUS_OK;

    /* The checkpoint says what a resumed run has done and what an interruption left out.
     */
    if (t->state.update == 0 && !t->progress.has_probe)
        st = grpo_check_skill(t, &over, err);
    if (!st && wants_measure(t, over))
        st = grpo_measure(t, &better, err);
    if (!st && better)
        st = grpo_save(t, err);
    while (!st && !over) {
        if (interrupted(t))
            return stop_here(t, err);
        st = one_update(t, err);
        if (st == STATUS_CANCELLED)
            return stop_here(t, err);
        if (!st)
            grpo_show(t);
        if (!st)
            st = after_update(t, &over, err);
    }
    return st == STATUS_CANCELLED ? stop_here(t, err) : st;
}

static void fill_result(const struct grpo_trainer *t, struct grpo_result *out)
{
    *out = (struct grpo_result){
        .updates = t->state.update,
        .rollouts = t->progress.rollouts,
        .sampled_tokens = t->state.tokens,
        .trained_tokens = t->state.trained_tokens,
        .skipped = t->state.n_skipped,
        .first_success = t->progress.first_success,
        .best_success = t->progress.best_success,
        .best_update = t->progress.best_update,
        .last_reward = t->state.loss,
        .wall_s = (double)(seams_mono_us(t->o->seams) - t->begin_us) * 1e-6,
        .rollout_s = t->times.rollout_s,
        .env_s = t->times.env_s,
        .train_s = t->times.train_s,
        .eval_s = t->times.eval_s,
        .largest_first_gap = t->largest_gap,
        .ended = t->ended,
    };
}

enum status grpo_run(struct pool *pool, struct weights *start, const struct grpo_options *o,
                     struct grpo_result *out, struct error *err)
{
    struct grpo_trainer t;
    struct weights *best = NULL;
    enum status st = grpo_open(&t, pool, start, o, true, -1, err);

    if (!st) {
        st = run(&t, err);
        if (o->log)
            log_progress_end(o->log);
    }
    if (!st) {
        fill_result(&t, out);
        st = grpo_best_weights(&t, &best, err);
        out->weights = best;
    }
    grpo_close(&t);
    return st;
}

/* The hash that the metrics have for an update, or "". */
static enum status recorded_hash(const char *dir, int64_t update, char out[65], struct error *err)
{
    struct str path = STR_INIT;
    char *text = NULL;
    size_t n = 0;
    enum status st;

    out[0] = 0;
    str_printf(&path, "%s/metrics.jsonl", dir);
    st = file_read(str_cstr(&path), (size_t)1 << 30, &text, &n, err);
    for (char *at = text, *end; !st && at && *at; at = end + (*end == '\n')) {
        struct json *line = NULL;
        struct error bad = ERROR_INIT;

        end = at + strcspn(at, "\n");
        if (jv_parse(at, (size_t)(end - at), str_cstr(&path), &line, &bad))
            continue; /* an incomplete last line */
        if (jv_get_int(jv_get(line, "update"), -1) == update && jv_get(line, "weights"))
            (void)snprintf(out, 65, "%s", jv_get_string(jv_get(line, "weights"), ""));
        jv_unref(line);
    }
    free(text);
    str_deinit(&path);
    return st;
}

enum status grpo_replay(struct pool *pool, struct weights *start, const struct grpo_options *o,
                        int64_t update, struct grpo_replayed *out, struct error *err)
{
    struct grpo_trainer t;
    enum status st;

    if (update < 1 || update > o->updates)
        return error_set(err, STATUS_USAGE,
                         "update %lld does not exist; the run has updates 1 to %lld",
                         (long long)update, (long long)o->updates);
    memset(out, 0, sizeof(*out));
    st = recorded_hash(o->out, update, out->recorded, err);
    if (st)
        return st;
    st = grpo_open(&t, pool, start, o, false, update - 1, err);
    out->from = t.state.update;
    while (!st && t.state.update < update) {
        st =
            interrupted(&t) ? error_set(err, STATUS_CANCELLED, "interrupted") : one_update(&t, err);
        if (!st)
            grpo_show(&t);
    }
    if (o->log)
        log_progress_end(o->log);
    if (!st)
        (void)snprintf(out->now, sizeof(out->now), "%s", t.hash);
    grpo_close(&t);
    return st;
}
