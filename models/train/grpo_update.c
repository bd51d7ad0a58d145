/* grpo_update.c - one update of the policy from one set of rollouts: chains, minibatches, AdamW.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/grpo_update.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/sequences.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

#define STREAM_CHAINS 0x6368ull /* which draws of the update's seed order the chains */

struct update {
    const struct grpo_update_options *o;
    const struct rollout_set *r;
    const double *advantage;
    int32_t *order; /* (n) chains taken, in the order of training */
    int32_t n;
    struct sequences seqs;
    /* (tokens of a minibatch) */
    float *coef, *logp, *old, *adv;
    float *ref;    /* NULL: no KL term */
    double *share; /* of a token's loss in the minibatch's */
    /* (longest chain): sampled tokens alone */
    double *slope;
    float *one[4]; /* logp, old, ref, adv */
};

static bool has_reference(const struct grpo_update_options *o)
{
    return o->reference && o->policy.kl != POLICY_KL_NONE && o->policy.kl_beta != 0;
}

/* Chains with advantage, shuffled; the tail beyond the cap is dropped. */
static void choose_chains(struct update *u, struct grpo_update_stats *stats)
{
    uint64_t seed = rng_derive(u->o->seed, STREAM_CHAINS ^ (uint64_t)u->o->update);

    for (int32_t c = 0; c < u->r->n_chains; c++) {
        if (u->advantage[c] != 0 && u->r->chain[c].n_sampled > 0 && u->r->chain[c].n >= 2)
            u->order[u->n++] = c;
        else
            stats->n_without_advantage++;
    }
    for (int32_t i = u->n - 1; i > 0; i--) {
        struct rng_block b = rng_philox(seed, (uint32_t)i, 0, 0, 0);
        int32_t j = (int32_t)rng_below(b.word[0], (uint32_t)i + 1), t = u->order[i];
        u->order[i] = u->order[j];
        u->order[j] = t;
    }
    if (u->o->max_chains > 0 && u->n > u->o->max_chains) {
        stats->n_over_cap = u->n - u->o->max_chains;
        u->n = u->o->max_chains;
    }
    stats->n_chains = u->n;
}

static enum status make_room(struct update *u, struct error *err)
{
    int64_t longest = 1, tokens = 1;
    int32_t per = u->o->minibatch_chains;
    bool has_all;

    u->order = mem_alloc((size_t)u->r->n_chains + 1, sizeof(*u->order));
    for (int32_t c = 0; c < u->r->n_chains; c++)
        if (u->r->chain[c].n > longest)
            longest = u->r->chain[c].n;
    tokens = longest * (per < u->r->n_chains ? per : u->r->n_chains + 1);
    u->coef = mem_alloc((size_t)tokens, sizeof(*u->coef));
    u->logp = mem_alloc((size_t)tokens, sizeof(*u->logp));
    u->old = mem_alloc((size_t)tokens, sizeof(*u->old));
    u->adv = mem_alloc((size_t)tokens, sizeof(*u->adv));
    u->ref = has_reference(u->o) ? mem_alloc((size_t)tokens, sizeof(*u->ref)) : NULL;
    u->share = mem_alloc((size_t)tokens, sizeof(*u->share));
    u->slope = mem_alloc((size_t)longest, sizeof(*u->slope));
    has_all = u->order && u->coef && u->logp && u->old && u->adv && u->share && u->slope &&
              (u->ref || !has_reference(u->o));
    for (int i = 0; i < 4; i++) {
        u->one[i] = mem_alloc((size_t)longest, sizeof(*u->one[i]));
        has_all = has_all && u->one[i];
    }
    if (!has_all)
        return error_set(err, STATUS_NO_MEMORY, "no memory for an update over %d chains",
                         u->r->n_chains);
    return STATUS_OK;
}

static void update_deinit(struct update *u)
{
    sequences_deinit(&u->seqs);
    free(u->order);
    free(u->coef);
    free(u->logp);
    free(u->old);
    free(u->adv);
    free(u->ref);
    free(u->share);
    free(u->slope);
    for (int i = 0; i < 4; i++)
        free(u->one[i]);
}

static enum status gather(struct update *u, int32_t from, int32_t n, struct error *err)
{
    sequences_clear(&u->seqs);
    for (int32_t i = 0; i < n; i++) {
        const struct rollout_chain *c = &u->r->chain[u->order[from + i]];
        enum status st =
            sequences_add(&u->seqs, u->r->ids + c->first, u->r->train + c->first, c->n, err);
        if (st)
            return st;
    }
    return STATUS_OK;
}

/* Values per token of a minibatch: the recorded log-prob, the advantage, and its weight in the
 * mean. */
static void spread_tokens(struct update *u, int32_t from, int32_t n)
{
    int64_t total = 0;

    for (int32_t i = 0; i < n; i++)
        total += u->r->chain[u->order[from + i]].n_sampled;
    for (int32_t i = 0; i < n; i++) {
        int32_t chain = u->order[from + i];
        const struct rollout_chain *c = &u->r->chain[chain];
        double w = policy_weight(&u->o->policy, c->n_sampled, total, n);

        for (int32_t t = 0; t < c->n; t++) {
            u->old[u->seqs.start[i] + t] = u->r->logp[c->first + t];
            u->adv[u->seqs.start[i] + t] = (float)u->advantage[chain];
            u->share[u->seqs.start[i] + t] = w;
        }
    }
}

/* Called between forward and backward, token by token; not possible for GSPO. */
static void weigh_tokens(void *ctx, const int64_t *position, const float *logp, int32_t n,
                         float *coef)
{
    const struct update *u = ctx;

    for (int32_t i = 0; i < n; i++) {
        int64_t at = position[i];
        struct policy_stats ignored = {0};
        struct policy_sequence s = {.n = 1,
                                    .lp = &logp[i],
                                    .old = &u->old[at],
                                    .ref = u->ref ? &u->ref[at] : NULL,
                                    .advantage = &u->adv[at]};
        double slope = 0;

        policy_sequence_loss(&u->o->policy, &s, &slope, &ignored);
        coef[i] = (float)(-slope * u->share[at]);
    }
}

/* Over whole chains, from the minibatch's log-probs: the statistics, and (coef) for GSPO. */
static void weigh_chains(struct update *u, int32_t from, int32_t n, bool coef,
                         struct policy_stats *stats)
{
    for (int32_t i = 0; i < n; i++) {
        const struct rollout_chain *c = &u->r->chain[u->order[from + i]];
        const uint8_t *train = u->r->train + c->first;
        int64_t at = u->seqs.start[i];
        struct policy_sequence s = {.lp = u->one[0],
                                    .old = u->one[1],
                                    .ref = u->ref ? u->one[2] : NULL,
                                    .advantage = u->one[3]};

        for (int32_t t = 0; t < c->n; t++) {
            if (!train[t])
                continue;
            u->one[0][s.n] = u->logp[at + t];
            u->one[1][s.n] = u->old[at + t];
            u->one[2][s.n] = u->ref ? u->ref[at + t] : 0;
            u->one[3][s.n++] = u->adv[at + t];
        }
        policy_sequence_loss(&u->o->policy, &s, u->slope, stats);
        for (int32_t t = 0, k = 0; t < c->n && coef; t++)
            u->coef[at + t] = train[t] ? (float)(-u->slope[k++] * u->share[at + t]) : 0;
    }
}

/* Largest |trained - recorded| over the minibatch's sampled tokens. */
static double largest_gap(const struct update *u, int32_t from, int32_t n)
{
    double gap = 0;

    for (int32_t i = 0; i < n; i++) {
        const struct rollout_chain *c = &u->r->chain[u->order[from + i]];
        for (int32_t t = 0; t < c->n; t++)
            if (u->r->train[c->first + t]) {
                double d =
                    fabs((double)u->logp[u->seqs.start[i] + t] - (double)u->r->logp[c->first + t]);
                gap = d > gap || isnan(d) ? d : gap;
            }
    }
    return gap;
}

static enum status not_finite(const struct update *u, int32_t from, int32_t n, double norm,
                              struct error *err)
{
    const struct rollout_chain *a = &u->r->chain[u->order[from]],
                               *b = &u->r->chain[u->order[from + n - 1]];

    error_set(
        err, STATUS_FAILED,
        "update %lld: the gradient is not finite (norm %g) over %d chains, from group %d member %d "
        "step %d to group %d member %d step %d; the weights are unchanged",
        (long long)u->o->update, norm, n, u->r->member[a->member].group,
        u->r->member[a->member].member, a->step, u->r->member[b->member].group,
        u->r->member[b->member].member, b->step);
    error_hint(err, "the last checkpoint is still good; a lower --lr or --clip usually helps");
    return STATUS_FAILED;
}

struct step_context {
    struct sharded_pass *pass;
    struct weights *w;
    struct optimizer *opt;
    const struct lane *lane;
    struct pool *pool;
    float *grad;
};

/* Forward, coefficients, backward: one pass if the coefficient of a token does not depend on other
 * tokens. */
static enum status gradient(struct update *u, const struct step_context *x, int32_t from, int32_t n,
                            struct policy_stats *stats, struct error *err)
{
    const struct token_weigher by = {.weigh = weigh_tokens, .ctx = u};
    struct sharded_pass_output out = {.logp = u->logp}, ref = {.logp = u->ref};
    float temperature = u->o->temperature;
    enum status st = STATUS_OK;

    x->opt->backend->zero(x->lane, x->grad, (size_t)x->opt->n_params * sizeof(*x->grad));
    if (u->ref)
        st = sharded_pass_forward(x->pass, u->o->reference, &u->seqs, temperature, &ref, err);
    if (st)
        return st;
    if (u->o->policy.objective != POLICY_GSPO) {
        st = sharded_pass_train_by(x->pass, x->w, &u->seqs, temperature, &by, &out, x->grad, err);
        if (!st)
            weigh_chains(u, from, n, false, stats);
        return st;
    }
    st = sharded_pass_forward(x->pass, x->w, &u->seqs, temperature, &out, err);
    if (!st) {
        weigh_chains(u, from, n, true, stats);
        st = sharded_pass_train(x->pass, x->w, &u->seqs, temperature, u->coef, &out, x->grad, err);
    }
    return st;
}

static enum status train_minibatch(struct update *u, const struct step_context *x, int32_t from,
                                   int32_t n, bool first, struct grpo_update_stats *stats,
                                   struct error *err)
{
    enum status st = gather(u, from, n, err);
    double norm;

    if (st)
        return st;
    spread_tokens(u, from, n);
    st = gradient(u, x, from, n, &stats->policy, err);
    if (st)
        return st;
    if (first)
        stats->first_gap = largest_gap(u, from, n);
    st = optimizer_step(x->opt, x->pool, &u->o->step, x->grad, &norm, err);
    if (st)
        return st;
    if (!isfinite(norm) || !isfinite(stats->policy.loss))
        return not_finite(u, from, n, norm, err);
    if (norm > stats->grad_norm)
        stats->grad_norm = norm;
    st = weights_set_flat(x->w, x->lane, x->opt->master, weights_version(x->w) + 1, err);
    if (st)
        return st;
    stats->n_steps++;
    stats->n_rows += u->seqs.n_rows;
    return STATUS_OK;
}

enum status grpo_update(struct sharded_pass *pass, struct weights *w, struct optimizer *opt,
                        const struct lane *lane, struct pool *pool,
                        const struct rollout_set *rollouts, const double *advantage,
                        const struct grpo_update_options *o, float *grad,
                        struct grpo_update_stats *stats, struct error *err)
{
    struct update u = {.o = o, .r = rollouts, .advantage = advantage};
    struct step_context x = {pass, w, opt, lane, pool, grad};
    enum status st = make_room(&u, err);

    memset(stats, 0, sizeof(*stats));
    if (!st)
        choose_chains(&u, stats);
    for (int32_t epoch = 0; !st && epoch < o->epochs; epoch++)
        for (int32_t from = 0; !st && from < u.n; from += o->minibatch_chains) {
            int32_t n = u.n - from < o->minibatch_chains ? u.n - from : o->minibatch_chains;
            st = train_minibatch(&u, &x, from, n, epoch == 0 && from == 0, stats, err);
        }
    stats->n_tokens = stats->policy.n_tokens;
    update_deinit(&u);
    return st;
}
