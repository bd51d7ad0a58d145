/* rollouts.h - the trainer's rollout source, played by agents: groups of episodes, many at once.
 *
 * Episodes are played by the same agent loop that users run. The chains are made from its packed
 * records, so that training sees exactly the ids that were fed and sampled. A call whose prompt
 * continues the previous one extends its chain; a restarted or rewritten context opens a new one.
 *
 * A batch may mix environments: group g of a run, counted over the refills of an update, plays
 * environment g modulo their number.
 *
 * Seeds: the episode path is REQUEST/group[g]/member[i] and keys the sampling. The fault seed is
 * the group's, plus the member's index if faults are private. Task seeds must be below 2^20.
 *
 * With a store, each update is a run and each episode one of its transactions; only the newest
 * updates are kept. All calls come from one thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_ROLLOUTS_H
#define TROUPE_AGENTS_ROLLOUTS_H

#include "agents/agent.h"
#include "agents/curriculum.h"
#include "models/train/rollout_source.h"
#include "runtime/base/log.h"
#include "runtime/store/store.h"

struct rollouts_options {
    const struct env_ops *const *env;    /* (n_env) lent, as is the next */
    const uint32_t *faults;              /* (n_env) kinds that strike (env_params); NULL: all */
    int32_t n_env;                       /* at most CURRICULUM_MAX_TASKS */
    const struct curriculum *curriculum; /* lent; with the noise of each environment */
    bool shared_faults;                  /* in a group; else each member's differ */
    enum env_profile profile;
    bool unbounded;       /* no budget of calls over an episode (ENV_ABLATE_BUDGET) */
    struct model *model;  /* takes ids */
    int32_t in_flight;    /* 0: ROLLOUTS_IN_FLIGHT */
    int64_t timeout_ms;   /* of an episode, which is masked after it; 0: none */
    struct store *store;  /* NULL: nothing is recorded */
    int32_t keep_updates; /* how many updates' episodes stay in the store; 0: all */
    const struct seams *seams;
    struct log *log;                 /* may be NULL */
    const volatile int *interrupted; /* may be NULL */
};
#define ROLLOUTS_IN_FLIGHT 512

/* The rates of rollout_rates.def, in the members' counts. */
enum rollouts_rate {
#define RATE(key, label, decimals, of, per) ROLLOUTS_RATE_##key,
#include "agents/rollout_rates.def"
#undef RATE
    ROLLOUTS_RATES
};

MUST_CHECK enum status rollouts_new(const struct rollouts_options *o, struct rollout_source **out,
                                    struct error *err);
void rollouts_free(struct rollout_source *s);

#endif
