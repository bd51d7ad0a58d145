/* rollout_set.c - rollouts in flat arrays that grow: members, chains, tokens.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "models/train/rollout_source.h"
#include "runtime/base/memory.h"

void rollout_set_clear(struct rollout_set *s)
{
    s->n_members = s->n_chains = 0;
    s->n_tokens = s->n_sampled = s->n_fed = 0;
    s->policy_version = -1;
    s->rollout_s = s->env_s = 0;
}

void rollout_set_deinit(struct rollout_set *s)
{
    free(s->member);
    free(s->chain);
    free(s->ids);
    free(s->train);
    free(s->logp);
    memset(s, 0, sizeof(*s));
}

/* Room for one more of n things of `size`, doubling. */
static bool grow(void **array, int64_t n, int64_t more, int64_t *cap, size_t size)
{
    int64_t want = n + more;

    if (want <= *cap)
        return true;
    if (want < 2 * *cap)
        want = 2 * *cap;
    if (!mem_grow(array, (size_t)want, size))
        return false;
    *cap = want;
    return true;
}

enum status rollout_set_add_member(struct rollout_set *s, const struct rollout_member *m,
                                   struct error *err)
{
    if (!grow((void **)&s->member, s->n_members, 1, &s->cap_members, sizeof(*s->member)))
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d rollouts", s->n_members + 1);
    s->member[s->n_members] = *m;
    s->member[s->n_members].first_chain = s->n_chains;
    s->member[s->n_members++].n_chains = 0;
    return STATUS_OK;
}

enum status rollout_set_open_chain(struct rollout_set *s, int32_t step, struct error *err)
{
    struct rollout_chain *c;

    if (!grow((void **)&s->chain, s->n_chains, 1, &s->cap_chains, sizeof(*s->chain)))
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d chains", s->n_chains + 1);
    c = &s->chain[s->n_chains++];
    *c = (struct rollout_chain){.member = s->n_members - 1, .step = step, .first = s->n_tokens};
    s->member[s->n_members - 1].n_chains++;
    return STATUS_OK;
}

enum status rollout_set_put(struct rollout_set *s, const int32_t *ids, const float *logp, int32_t n,
                            struct error *err)
{
    struct rollout_chain *c = &s->chain[s->n_chains - 1];
    int64_t at = s->n_tokens, cap = s->cap_tokens;

    if (at + n > cap) {
        int64_t caps[3] = {cap, cap, cap};
        if (!grow((void **)&s->ids, at, n, &caps[0], sizeof(*s->ids)) ||
            !grow((void **)&s->train, at, n, &caps[1], 1) ||
            !grow((void **)&s->logp, at, n, &caps[2], sizeof(*s->logp)))
            return error_set(err, STATUS_NO_MEMORY, "no memory for %lld tokens of rollouts",
                             (long long)(at + n));
        s->cap_tokens = caps[0];
    }
    memcpy(s->ids + at, ids, (size_t)n * sizeof(*ids));
    memset(s->train + at, logp != NULL, (size_t)n);
    if (logp)
        memcpy(s->logp + at, logp, (size_t)n * sizeof(*logp));
    else
        memset(s->logp + at, 0, (size_t)n * sizeof(*s->logp));
    s->n_tokens += n;
    c->n += n;
    c->n_sampled += logp ? n : 0;
    s->n_sampled += logp ? n : 0;
    return STATUS_OK;
}

enum status rollout_set_append(struct rollout_set *s, const struct rollout_set *more,
                               int32_t first_group, struct error *err)
{
    enum status st = STATUS_OK;

    if (s->n_members > 0 && s->policy_version != more->policy_version && more->policy_version >= 0)
        return error_set(
            err, STATUS_INVALID,
            "rollouts of weights version %lld cannot be added to those of version %lld",
            (long long)more->policy_version, (long long)s->policy_version);
    s->policy_version = more->policy_version;
    s->rollout_s += more->rollout_s;
    s->env_s += more->env_s;
    s->n_fed += more->n_fed;
    for (int32_t i = 0; i < more->n_members && !st; i++) {
        const struct rollout_member *m = &more->member[i];
        struct rollout_member copy = *m;

        copy.group += first_group;
        st = rollout_set_add_member(s, &copy, err);
        for (int32_t k = m->first_chain; k < m->first_chain + m->n_chains && !st; k++) {
            const struct rollout_chain *c = &more->chain[k];
            struct rollout_chain *own;

            st = rollout_set_open_chain(s, c->step, err);
            for (int32_t t = 0, end; t < c->n && !st; t = end) {
                const uint8_t *train = more->train + c->first;

                for (end = t; end < c->n && train[end] == train[t]; end++)
                    continue;
                st = rollout_set_put(s, more->ids + c->first + t,
                                     train[t] ? more->logp + c->first + t : NULL, end - t, err);
            }
            if (st)
                break;
            own = &s->chain[s->n_chains - 1];
            own->calls = c->calls;
            own->step_reward = c->step_reward;
            own->cut = c->cut;
            memcpy(own->anchor, c->anchor, sizeof(own->anchor));
        }
    }
    return st;
}
