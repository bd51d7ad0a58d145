/* credit.c - credit assignment: step, outcome, GiGPO.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/credit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/policy_loss.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

static const char *const names[CREDIT_N] = {"step", "outcome", "gigpo"};

const char *credit_name(enum credit_kind k)
{
    return names[k];
}

bool credit_of_name(const char *name, enum credit_kind *out)
{
    for (int i = 0; i < CREDIT_N; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum credit_kind)i;
            return true;
        }
    return false;
}

/* One value to be compared with others of its group. */
struct entry {
    int32_t group;         /* of rollouts */
    uint64_t anchor[2];    /* step index, or the state's hash */
    int32_t chain;         /* or member, for outcomes */
    double verdict, calls; /* before costs */
    double reward,
        advantage; /* minus the cost of its length; the price of calls is applied later */
};

struct entries {
    struct entry *e;
    int32_t n;
};

static bool is_left_out(const struct credit_options *o, const struct rollout_member *m)
{
    return m->status == ROLLOUT_OUTSIDE || (m->status == ROLLOUT_TRUNCATED && o->mask_truncated);
}

static int by_group(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;

    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    for (int i = 0; i < 2; i++)
        if (a->anchor[i] != b->anchor[i])
            return a->anchor[i] < b->anchor[i] ? -1 : 1;
    return a->chain < b->chain ? -1 : a->chain > b->chain;
}

static bool same_group(const struct entry *a, const struct entry *b)
{
    return a->group == b->group && a->anchor[0] == b->anchor[0] && a->anchor[1] == b->anchor[1];
}

/* Least squares within groups: sum (v - mean)(n - mean) over sum (n - mean)^2. Groups whose calls
 * are all equal do not count, not even by rounding errors of their deviations. */
static double slope_on_calls(const struct entries *list)
{
    double both = 0, squares = 0;

    for (int32_t i = 0, end; i < list->n; i = end) {
        double v = 0, n = 0, least = INFINITY, most = -INFINITY;

        for (end = i; end < list->n && same_group(&list->e[i], &list->e[end]); end++) {
            v += list->e[end].verdict;
            n += list->e[end].calls;
            least = fmin(least, list->e[end].calls);
            most = fmax(most, list->e[end].calls);
        }
        if (most - least <= ADVANTAGE_SAME * fabs(most))
            continue;
        v /= end - i;
        n /= end - i;
        for (int32_t k = i; k < end && !isnan(v); k++) {
            double off = list->e[k].calls - n;
            both += off * (list->e[k].verdict - v);
            squares += off * off;
        }
    }
    return squares > 0 ? both / squares : 0;
}

static double price_of_call(const struct credit_options *o, const struct rollout_set *s,
                            const struct entries *list)
{
    double calls = 0, steps = 0;

    if (o->call_target <= 0)
        return o->call_cost;
    for (int32_t i = 0; i < s->n_members; i++)
        if (!is_left_out(o, &s->member[i])) {
            calls += s->member[i].calls;
            steps += s->member[i].steps;
        }
    calls = steps > 0 ? calls / steps : o->call_target;
    return fmax(0, slope_on_calls(list) + o->call_price_rate * (calls - o->call_target));
}

/* Sorts, then computes the advantages of each run of equal keys; singletons get 0. */
static enum status compare_within(const struct credit_options *o, const struct rollout_set *s,
                                  struct entries *list, struct credit_stats *stats,
                                  struct error *err)
{
    double *reward = mem_alloc((size_t)list->n + 1, sizeof(*reward)),
           *out = mem_alloc((size_t)list->n + 1, sizeof(*out)),
           *verdict = mem_alloc((size_t)list->n + 1, sizeof(*verdict));
    enum advantage_kind kind = o->norm == CREDIT_NORM_BATCH ? ADVANTAGE_DR_GRPO : o->advantage;

    if (!reward || !out || !verdict) {
        free(reward);
        free(out);
        free(verdict);
        return error_set(err, STATUS_NO_MEMORY, "no memory for the credit of %d steps", list->n);
    }
    qsort(list->e, (size_t)list->n, sizeof(*list->e), by_group);
    stats->call_cost = price_of_call(o, s, list);
    for (int32_t i = 0, end; i < list->n; i = end) {
        bool spread;

        for (end = i; end < list->n && same_group(&list->e[i], &list->e[end]); end++) {
            reward[end - i] = list->e[end].reward - stats->call_cost * list->e[end].calls;
            verdict[end - i] = list->e[end].verdict;
        }
        spread = advantage_has_spread(o->drop_agreed ? verdict : reward, end - i);
        stats->n_groups++;
        stats->n_groups_without_spread += !spread;
        advantage_group(kind, reward, end - i, out);
        for (int32_t k = i; k < end; k++)
            list->e[k].advantage = spread ? out[k - i] : 0;
    }
    free(reward);
    free(out);
    free(verdict);
    return STATUS_OK;
}

static enum status new_entries(struct entries *list, int32_t n, struct error *err)
{
    list->n = 0;
    list->e = mem_alloc((size_t)n + 1, sizeof(*list->e));
    return list->e ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "no memory for %d rewards", n);
}

/* The cost of a chain's length, at most 1. */
static double length_cost(const struct credit_options *o, const struct rollout_chain *c)
{
    return o->overlong_max > 0
               ? -policy_overlong_trl(c->n_sampled, o->overlong_max, o->overlong_soft)
               : 0;
}

/* Rewards of rollouts; each chain of a rollout then carries its rollout's advantage. */
static enum status outcome_credit(const struct credit_options *o, const struct rollout_set *s,
                                  double *advantage, struct credit_stats *stats, struct error *err)
{
    struct entries list;
    enum status st = new_entries(&list, s->n_members, err);

    if (st)
        return st;
    for (int32_t i = 0; i < s->n_members; i++) {
        const struct rollout_member *m = &s->member[i];
        double reward = m->reward;
        for (int32_t c = 0; c < m->n_chains; c++)
            reward -= length_cost(o, &s->chain[m->first_chain + c]);
        if (!is_left_out(o, m))
            list.e[list.n++] = (struct entry){.group = m->group,
                                              .chain = i,
                                              .verdict = m->reward,
                                              .calls = m->calls,
                                              .reward = reward};
    }
    st = compare_within(o, s, &list, stats, err);
    for (int32_t k = 0; !st && k < list.n; k++) {
        const struct rollout_member *m = &s->member[list.e[k].chain];
        for (int32_t c = 0; c < m->n_chains; c++)
            advantage[m->first_chain + c] = list.e[k].advantage;
    }
    free(list.e);
    return st;
}

/* Of each chain. */
struct step_values {
    double *verdict, *calls, *reward; /* reward: before the calls are priced */
};

/* Verdicts of steps, compared at the same step index, or (anchor) at the same state. */
static enum status step_credit(const struct credit_options *o, const struct rollout_set *s,
                               bool anchor, const struct step_values *value, double weight,
                               double *advantage, struct credit_stats *stats, struct error *err)
{
    struct entries list;
    enum status st = new_entries(&list, s->n_chains, err);

    if (st)
        return st;
    for (int32_t c = 0; c < s->n_chains; c++) {
        const struct rollout_chain *chain = &s->chain[c];
        const struct rollout_member *m = &s->member[chain->member];
        struct entry e = {.group = m->group,
                          .chain = c,
                          .verdict = value->verdict[c],
                          .calls = value->calls[c],
                          .reward = value->reward[c]};
        if (is_left_out(o, m))
            continue;
        e.anchor[0] = (uint64_t)chain->step;
        if (anchor)
            memcpy(e.anchor, chain->anchor, sizeof(e.anchor));
        list.e[list.n++] = e;
    }
    st = compare_within(o, s, &list, stats, err);
    for (int32_t k = 0; !st && k < list.n; k++)
        advantage[list.e[k].chain] += weight * list.e[k].advantage;
    free(list.e);
    return st;
}

/* For GiGPO all are discounted returns R_t = r_t + gamma R_t+1. */
static void fill_values(const struct credit_options *o, const struct rollout_set *s, bool returns,
                        struct step_values *v)
{
    for (int32_t c = 0; c < s->n_chains; c++) {
        v->verdict[c] = s->chain[c].step_reward;
        v->calls[c] = s->chain[c].calls;
        v->reward[c] = v->verdict[c] - length_cost(o, &s->chain[c]);
    }
    if (!returns)
        return;
    for (int32_t i = 0; i < s->n_members; i++) {
        const struct rollout_member *m = &s->member[i];
        for (int32_t c = m->first_chain + m->n_chains - 2; c >= m->first_chain; c--) {
            v->verdict[c] += o->gamma * v->verdict[c + 1];
            v->calls[c] += o->gamma * v->calls[c + 1];
            v->reward[c] += o->gamma * v->reward[c + 1];
        }
    }
}

/* Shuffles the advantages among the chains (Fisher-Yates by Philox). */
static void shuffle(uint64_t seed, double *advantage, int32_t n)
{
    for (int32_t i = n - 1; i > 0; i--) {
        struct rng_block r = rng_philox(seed, (uint32_t)i, 0, 0, 0);
        int32_t j = (int32_t)rng_below(r.word[0], (uint32_t)i + 1);
        double t = advantage[i];
        advantage[i] = advantage[j];
        advantage[j] = t;
    }
}

static void count(const struct credit_options *o, const struct rollout_set *s,
                  struct credit_stats *stats)
{
    double sum = 0, squares = 0;
    int32_t n = 0;

    for (int32_t i = 0; i < s->n_members; i++) {
        const struct rollout_member *m = &s->member[i];
        stats->n_outside += m->status == ROLLOUT_OUTSIDE;
        stats->n_truncated += m->status == ROLLOUT_TRUNCATED;
        if (is_left_out(o, m) || isnan(m->reward))
            continue;
        sum += m->reward;
        squares += m->reward * m->reward;
        n++;
    }
    for (int32_t c = 0; c < s->n_chains; c++)
        stats->n_cut += s->chain[c].cut;
    stats->reward_mean = n ? sum / n : 0;
    stats->reward_std = n > 1 ? sqrt(fmax(0, (squares - sum * sum / n) / (n - 1))) : 0;
}

/* room: (3 * n_chains). */
static enum status by_kind(const struct credit_options *o, const struct rollout_set *s,
                           double *room, double *advantage, struct credit_stats *stats,
                           struct error *err)
{
    struct step_values v = {room, room + s->n_chains, room + 2 * (size_t)s->n_chains};
    bool anchor = o->kind == CREDIT_GIGPO;
    enum status st = STATUS_OK;

    if (o->kind != CREDIT_STEP)
        st = outcome_credit(o, s, advantage, stats, err);
    if (st || o->kind == CREDIT_OUTCOME)
        return st;
    fill_values(o, s, anchor, &v);
    return step_credit(o, s, anchor, &v, anchor ? o->gigpo_weight : 1, advantage, stats, err);
}

enum status credit_assign(const struct credit_options *o, const struct rollout_set *s,
                          int32_t n_groups, int32_t group_size, double *advantage,
                          struct credit_stats *stats, struct error *err)
{
    double *room = NULL;
    uint8_t *valid = NULL;
    enum status st = STATUS_OK;

    memset(stats, 0, sizeof(*stats));
    if (n_groups < 1 || group_size < 2)
        return error_set(err, STATUS_INVALID,
                         "a group of %d has no baseline: at least 2 rollouts per task are needed",
                         group_size);
    room = mem_alloc(3 * (size_t)s->n_chains + 1, sizeof(*room));
    valid = mem_alloc((size_t)s->n_chains + 1, 1);
    if (!room || !valid)
        st = error_set(err, STATUS_NO_MEMORY, "no memory for the credit of %d chains", s->n_chains);
    for (int32_t c = 0; c < s->n_chains; c++)
        advantage[c] = 0;
    if (!st)
        st = by_kind(o, s, room, advantage, stats, err);
    if (!st && o->norm == CREDIT_NORM_BATCH) {
        for (int32_t c = 0; c < s->n_chains; c++)
            valid[c] = !is_left_out(o, &s->member[s->chain[c].member]);
        advantage_scale_batch(advantage, valid, s->n_chains, 1e-6);
    }
    if (!st && o->shuffle)
        shuffle(o->shuffle_seed, advantage, s->n_chains);
    if (!st)
        count(o, s, stats);
    free(room);
    free(valid);
    return st;
}
