/* rollouts.h - the trainer's rollout source, played by agents: groups of episodes, many at once.
 *
 * The same agent loop that users run plays every episode; its packed record is what the chains are
 * made of, so that training sees exactly what was fed and sampled. A call whose prompt continues
 * the one before extends its chain; a context that begins again (or was rewritten) opens another.
 *
 * Several environments are played in one batch: group g of a run, counted over the refills of an
 * update, plays environment g modulo their number.
 *
 * Seeds: the episode path is REQUEST/group[g]/member[i] and keys the sampling; faults are those of
 * the group's seed, plus the member's index when they are private. Task seeds must be below 2^20.
 *
 * With a store, each episode is one transaction in a run of its update; only the newest updates
 * stay. All calls come from one thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_ROLLOUTS_H
#define TROUPE_AGENTS_ROLLOUTS_H

#include "agents/agent.h"
#include "models/train/rollout_source.h"
#include "runtime/base/log.h"
#include "runtime/store/store.h"

struct rollouts_options {
    const struct env_ops *const *env; /* (n_env) lent, as is the next */
    const uint32_t *faults;           /* (n_env) kinds that strike (env_params); NULL: all */
    int32_t n_env;
    enum env_profile profile;
    bool unbounded;       /* no budget of calls over an episode (ENV_ABLATE_BUDGET) */
    struct model *model;  /* takes ids */
    int32_t in_flight;    /* 0: ROLLOUTS_IN_FLIGHT */
    int64_t timeout_ms;   /* of an episode, which is then masked; 0: none */
    struct store *store;  /* NULL: nothing is recorded */
    int32_t keep_updates; /* whose episodes stay in the store; 0: all */
    const struct seams *seams;
    struct log *log;                 /* may be NULL */
    const volatile int *interrupted; /* may be NULL */
};
#define ROLLOUTS_IN_FLIGHT 512

MUST_CHECK enum status rollouts_new(const struct rollouts_options *o, struct rollout_source **out,
                                    struct error *err);
void rollouts_free(struct rollout_source *s);

#endif
