/* grpo_watch.c - what a run reports: metrics, the live line, warnings, measurements.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/train/grpo_trainer.h"

#define SHOW_EVERY_US 200000
#define MUCH_CUT      .5  /* share of chains whose reply was cut */
#define MUCH_CLIPPED  .3  /* share of tokens outside of the trust region */
#define LARGE_RATIO   20. /* of one token */

/* Sums over the rollouts of the update. */
struct sums {
    int64_t members, success, calls, steps;
    struct {
        int64_t of, per;
    } rate[ROLLOUT_MAX_RATES];
};

/* task: of a mixed run; -1: of all. */
static struct sums sum_members(const struct grpo_trainer *t, int32_t task)
{
    const struct rollout_set *s = &t->set;
    struct sums c = {0};

    for (int32_t i = 0; i < s->n_members; i++) {
        const struct rollout_member *m = &s->member[i];

        if (m->status == ROLLOUT_OUTSIDE ||
            (task >= 0 && m->group % t->o->rollouts->n_tasks != task))
            continue;
        c.members++;
        c.success += m->reward > .5;
        c.calls += m->calls;
        c.steps += m->steps;
        for (int32_t k = 0; k < t->o->rollouts->n_rates; k++) {
            c.rate[k].of += m->counts[k].of;
            c.rate[k].per += m->counts[k].per;
        }
    }
    return c;
}

static double share(int64_t of, int64_t n)
{
    return n > 0 ? (double)of / (double)n : NAN;
}

static void set_share(struct json *line, const char *key, int64_t of, int64_t n)
{
    jv_set_adopt(line, key, n > 0 ? jv_real(share(of, n)) : jv_null());
}

static void put_sums(const struct grpo_trainer *t, struct json *line, const struct sums *c)
{
    const struct rollout_source *source = t->o->rollouts;

    set_share(line, "success", c->success, c->members);
    for (int32_t k = 0; k < source->n_rates; k++)
        set_share(line, source->rate[k].key, c->rate[k].of, c->rate[k].per);
    set_share(line, "calls_per_step", c->calls, c->steps);
}

static void describe(const struct grpo_trainer *t, int32_t task, struct json *line)
{
    const struct rollout_source *source = t->o->rollouts;

    if (source->describe)
        source->describe(source->ctx, t->state.update - 1, task, line);
}

/* In a mixed run: the same values per task, under its name. */
static void put_tasks(const struct grpo_trainer *t, struct json *line)
{
    struct json *tasks = jv_object();

    for (int32_t k = 0; k < t->o->rollouts->n_tasks; k++) {
        struct json *one = jv_object();
        struct sums c = sum_members(t, k);

        jv_set_int(one, "rollouts", c.members);
        put_sums(t, one, &c);
        describe(t, k, one);
        jv_set_adopt(tasks, t->o->rollouts->task_name[k], one);
    }
    jv_set_adopt(line, "tasks", tasks);
}

static void put_play(const struct grpo_trainer *t, struct json *line)
{
    struct sums c = sum_members(t, -1);

    jv_set_real(line, "reward", t->credit.reward_mean);
    jv_set_real(line, "reward_std", t->credit.reward_std);
    jv_set_real(line, "call_cost", t->credit.call_cost);
    put_sums(t, line, &c);
    if (t->o->rollouts->n_tasks > 1)
        put_tasks(t, line);
    describe(t, -1, line);
    jv_set_int(line, "groups", t->n_groups);
    jv_set_int(line, "groups_flat", t->n_flat);
    jv_set_int(line, "refills", t->n_refills);
    jv_set_int(line, "rollouts", t->set.n_members);
    jv_set_int(line, "outside", t->credit.n_outside);
    jv_set_int(line, "truncated", t->credit.n_truncated);
    jv_set_int(line, "chains", t->set.n_chains);
    jv_set_int(line, "cut", t->credit.n_cut);
    jv_set_int(line, "too_long", t->n_long);
    jv_set_int(line, "sampled", t->set.n_sampled);
}

static void put_update(const struct grpo_trainer *t, struct json *line)
{
    const struct grpo_update_stats *u = &t->update;
    int64_t n = u->policy.n_tokens;

    jv_set_real(line, "lr", t->lr);
    jv_set_real(line, "loss", n > 0 ? u->policy.loss / (double)n : 0);
    jv_set_real(line, "grad_norm", u->grad_norm);
    jv_set_int(line, "steps", u->n_steps);
    jv_set_int(line, "trained_chains", u->n_chains);
    jv_set_int(line, "over_cap", u->n_over_cap);
    jv_set_int(line, "trained", u->n_tokens);
    set_share(line, "clipped_low", u->policy.n_clipped_low, n);
    set_share(line, "clipped_high", u->policy.n_clipped_high, n);
    jv_set_real(line, "ratio_max", u->policy.ratio_max);
    if (t->o->policy.kl != POLICY_KL_NONE)
        jv_set_real(line, "kl", n > 0 ? u->policy.kl / (double)n : 0);
    jv_set_real(line, "first_gap", u->first_gap);
}

static void put_times(const struct grpo_trainer *t, struct json *line)
{
    double play = t->last.rollout_s;

    jv_set_real(line, "rollout_s", play);
    jv_set_real(line, "env_s", t->last.env_s);
    jv_set_real(line, "train_s", t->last.train_s);
    jv_set_int(line, "rollout_tokens_per_s",
               play > 0 ? (int64_t)((double)t->set.n_sampled / play) : 0);
}

/* Each kind once a run. */
static void warn(struct grpo_trainer *t)
{
    const struct policy_stats *p = &t->update.policy;
    struct log *log = t->o->log;

    if (t->update.first_gap > t->largest_gap || isnan(t->update.first_gap))
        t->largest_gap = t->update.first_gap;
    if (!log)
        return;
    if (!t->warned_gap && t->update.first_gap != 0) {
        t->warned_gap = true;
        log_write(log, LOG_WARN,
                  "update %lld: log-probs of rollout and training differ by up to %g; on this "
                  "backend they should be equal",
                  (long long)t->state.update, t->update.first_gap);
    }
    if (!t->warned_cut && t->credit.n_cut > MUCH_CUT * t->set.n_chains) {
        t->warned_cut = true;
        log_write(log, LOG_WARN,
                  "update %lld: %d of %d replies reached the length limit; the environment's limit "
                  "is too short for this model, or the model never stops",
                  (long long)t->state.update, t->credit.n_cut, t->set.n_chains);
    }
    if (!t->warned_long && t->n_long > 0) {
        t->warned_long = true;
        log_write(
            log, LOG_WARN,
            "update %lld: %d of %d chains have more than %d ids and are not trained; a larger "
            "--max-len includes them",
            (long long)t->state.update, t->n_long, t->set.n_chains, t->o->max_len);
    }
    if (!t->warned_clip && p->n_tokens > 0 &&
        ((double)(p->n_clipped_low + p->n_clipped_high) > MUCH_CLIPPED * (double)p->n_tokens ||
         p->ratio_max > LARGE_RATIO)) {
        t->warned_clip = true;
        log_write(log, LOG_WARN,
                  "update %lld: %.0f %% of the tokens were clipped, largest ratio %.3g: a lower "
                  "--lr or larger --minibatch keeps the policy closer to the one that sampled",
                  (long long)t->state.update,
                  100. * (double)(p->n_clipped_low + p->n_clipped_high) / (double)p->n_tokens,
                  p->ratio_max);
    }
}

enum status grpo_report(struct grpo_trainer *t, bool any_advantage, struct error *err)
{
    struct json *line;

    t->times.rollout_s += t->last.rollout_s;
    t->times.env_s += t->last.env_s;
    t->times.train_s += t->last.train_s;
    t->flops +=
        t->row_flops * ((double)(t->set.n_sampled + t->set.n_fed) + 3. * (double)t->update.n_rows);
    t->sampled += t->set.n_sampled;
    if (any_advantage)
        warn(t);
    else if (t->o->log)
        log_write(
            t->o->log, LOG_WARN,
            "update %lld: in each of %d groups all rewards are equal; nothing to learn, skipped",
            (long long)t->state.update, t->n_groups);
    if (!t->writes)
        return STATUS_OK;
    line = jv_object();
    put_play(t, line);
    if (any_advantage)
        put_update(t, line);
    jv_set_bool(line, "skipped", !any_advantage);
    put_times(t, line);
    jv_set_string(line, "weights", t->hash);
    return metrics_write(&t->metrics, t->state.update, "grpo", line, err);
}

static void format_left(double seconds, char *out, size_t n)
{
    long long s = (long long)(seconds + 0.5);

    if (s >= 60)
        snprintf(out, n, "%lldm%02llds", s / 60, s % 60);
    else
        snprintf(out, n, "%llds", s);
}

/* "  right steps 0.980, checked 0.31": those that the live line shows, or of these the brief ones,
 * after `first`. A rate of nothing is "-". */
static void put_rates(const struct grpo_trainer *t, const struct sums *c, bool brief,
                      const char *first, const char *between, struct str *out)
{
    const char *before = first;

    for (int32_t k = 0; k < t->o->rollouts->n_rates; k++) {
        const struct rollout_rate *r = &t->o->rollouts->rate[k];

        if (!r->label || (brief && !r->brief))
            continue;
        str_printf(out, "%s%s ", before, r->label);
        if (c->rate[k].per > 0)
            str_printf(out, "%.*f", r->decimals, share(c->rate[k].of, c->rate[k].per));
        else
            str_puts(out, "-");
        before = between;
    }
}

/* The rates of all, then "  ledger: right steps 0.980, checked 0.31  courier: ..." */
static void format_rates(const struct grpo_trainer *t, const struct sums *all, struct str *out)
{
    put_rates(t, all, false, "  ", "  ", out);
    for (int32_t k = 0; t->o->rollouts->n_tasks > 1 && k < t->o->rollouts->n_tasks; k++) {
        struct sums c = sum_members(t, k);

        str_printf(out, "  %s:", t->o->rollouts->task_name[k]);
        put_rates(t, &c, true, " ", ", ", out);
    }
}

void grpo_show(struct grpo_trainer *t)
{
    const struct grpo_options *o = t->o;
    struct sums c = sum_members(t, -1);
    int64_t now = seams_mono_us(o->seams), done = t->state.update - t->began_update;
    double wall = (double)(now - t->begin_us) * 1e-6, play = t->times.rollout_s;
    double idle = wall - play - t->times.train_s - t->times.eval_s;
    char left[32], peak[32] = "";
    struct str rates = STR_INIT;

    if (!o->log || now - t->shown_us < SHOW_EVERY_US || wall <= 0 || done < 1)
        return;
    t->shown_us = now;
    format_left(wall / (double)done * (double)(o->updates - t->state.update), left, sizeof(left));
    if (t->peak_flops > 0 && play + t->times.train_s > 0)
        snprintf(peak, sizeof(peak), ", %.0f %% of peak",
                 100. * t->flops / (play + t->times.train_s) / t->peak_flops);
    format_rates(t, &c, &rates);
    /* A terminal cuts off the end of a long line, so the most important values come first. */
    log_progress(o->log,
                 "update %lld/%lld, %s left  reward %.3f  success %.3f%s  %.0f tokens/s%s  "
                 "time: rollouts %.0f %% (environment %.0f), training %.0f, validation %.0f, "
                 "other %.0f",
                 (long long)t->state.update, (long long)o->updates, left, t->credit.reward_mean,
                 c.members > 0 ? share(c.success, c.members) : 0., str_cstr(&rates),
                 play > 0 ? (double)t->sampled / play : 0., peak, 100. * play / wall,
                 100. * t->times.env_s / wall, 100. * t->times.train_s / wall,
                 100. * t->times.eval_s / wall, 100. * idle / wall);
    str_deinit(&rates);
}

/* ---- validation */

enum status grpo_measure(struct grpo_trainer *t, bool *better, struct error *err)
{
    struct grpo_progress *p = &t->progress;
    int64_t from = seams_mono_us(t->o->seams);
    struct json *line = NULL;
    double success = NAN;
    bool tie;
    enum status st = t->o->evaluate(t->o->ctx, t->state.update, &success, &line, err);

    if (st)
        return st;
    if (!line)
        line = jv_object();
    jv_set_real(line, "success", success);
    st = metrics_write(&t->metrics, t->state.update, "eval", line, err);
    t->times.eval_s += (double)(seams_mono_us(t->o->seams) - from) * 1e-6;
    p->evaluated = t->state.update;
    if (isnan(p->first_success))
        p->first_success = success;
    p->since_best = success > p->best_success || isnan(p->best_success) ? 0 : p->since_best + 1;
    /* Of equal values the later one wins: it has trained longer. */
    tie = success == p->best_success;
    *better = isnan(p->best_success) || success >= p->best_success;
    if (*better) {
        p->best_success = success;
        p->best_update = t->state.update;
    }
    if (t->o->log)
        log_write(t->o->log, LOG_INFO, "update %lld: success %.3f on validation seeds%s",
                  (long long)t->state.update, success,
                  tie       ? ", equal to the best so far"
                  : *better ? ", the best so far"
                            : "");
    return st;
}

/* ---- skill */

struct asking {
    struct grpo_trainer *t;
    bool all;
    enum status status;
    struct error *err;
};

static void ask(void *arg, struct lane lane)
{
    struct asking *a = arg;

    (void)lane; /* the pass has the same pool */
    a->status = skill_probe_ask(&a->t->probe, a->all, a->t->pass, a->t->work, a->err);
}

static bool is_below(const struct grpo_trainer *t, int32_t *which)
{
    const struct skill_probe *p = &t->probe;

    for (int32_t i = 0; i < p->n_categories; i++) {
        const struct probe_category *c = &p->table[i];

        if (c->n > 0 &&
            (double)c->n_right < t->o->probe_floor * t->progress.first_probe[i] * (double)c->n) {
            *which = i;
            return true;
        }
    }
    return false;
}

static enum status ask_all(struct grpo_trainer *t, bool all, struct error *err)
{
    struct asking a = {.t = t, .all = all, .err = err};

    grpo_exclusive(t, ask, &a);
    return a.status;
}

/* Asks the sample each time, and all questions for the first value and before a stop. */
enum status grpo_check_skill(struct grpo_trainer *t, bool *dropped, struct error *err)
{
    struct skill_probe *p = &t->probe;
    int64_t from = seams_mono_us(t->o->seams);
    bool first = !t->progress.has_probe;
    enum status st;
    int32_t which = 0;

    *dropped = false;
    if (!p->all.n)
        return STATUS_OK;
    st = ask_all(t, first, err);
    if (!st && first) {
        for (int32_t i = 0; i < p->n_categories; i++)
            t->progress.first_probe[i] = share(p->table[i].n_right, p->table[i].n);
        t->progress.has_probe = true;
    } else if (!st && t->o->probe_floor > 0 && is_below(t, &which)) {
        st = ask_all(t, true, err);
        *dropped = !st && is_below(t, &which);
    }
    if (st)
        return st;
    t->times.eval_s += (double)(seams_mono_us(t->o->seams) - from) * 1e-6;
    if (*dropped && t->o->log)
        log_write(t->o->log, LOG_WARN,
                  "update %lld: the skill \"%s\" fell to %lld of %lld, less than %.3f of its first "
                  "value: stopped; use a lower --lr",
                  (long long)t->state.update, p->table[which].name,
                  (long long)p->table[which].n_right, (long long)p->table[which].n,
                  t->o->probe_floor);
    return metrics_write(&t->metrics, t->state.update, "probe", skill_probe_json(p), err);
}
