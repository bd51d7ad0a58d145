/* rollouts_internal.h - shared by the files of rollouts: played episodes, and their run in the
 * store.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_ROLLOUTS_INTERNAL_H
#define TROUPE_AGENTS_ROLLOUTS_INTERNAL_H

#include "agents/episodes.h"
#include "agents/rollouts.h"
#include "runtime/store/query.h"

/* A step of the environment, at its start. */
struct step_mark {
    uint8_t anchor[16];
    int32_t calls; /* made before it */
    bool right;    /* known when it has ended */
};

/* One episode of the request; the next request reuses its arrays. */
struct played {
    struct rollouts *owner;
    const struct env_ops *env;
    int32_t group, member, task; /* task: index of the environment */
    enum rollout_status status;
    bool has_verdict;
    struct env_verdict verdict;
    int32_t calls, steps_done;
    struct step_mark *step; /* (n_steps) */
    int32_t n_steps, cap_steps;
    int32_t *step_after; /* (n_calls + 1): the current step after so many calls */
    int32_t n_calls, cap_calls;
    bool no_memory; /* the marks are incomplete */
    struct str record;
};

/* ---- rollouts_chains.c: appends the member and its chains */
MUST_CHECK enum status rollouts_add_chains(const struct played *p, struct rollout_set *out,
                                           struct error *err);

/* ---- rollouts_store.c: one run an update, the oldest removed */
struct rollouts_store {
    struct store *store; /* NULL: nothing is kept */
    const char *name;    /* of the environment */
    struct run *run;     /* of the current update; NULL: none */
    bool ok;             /* its last episodes were played; its final status */
    int64_t update;
    int32_t keep;
    char (*uuid)[37]; /* (n_uuids) of the stored runs, oldest first */
    int32_t n_uuids;
};
MUST_CHECK enum status rollouts_store_begin(struct rollouts_store *s,
                                            const struct rollout_request *r,
                                            const struct rollouts_options *o, struct error *err);
void rollouts_store_put(struct rollouts_store *s, const struct episode *e, enum step_state state,
                        const struct env_verdict *v, int64_t now_ms);
/* `ok`: played to the end. Waits until it is durable. */
MUST_CHECK enum status rollouts_store_end(struct rollouts_store *s, bool ok, struct error *err);
void rollouts_store_close(struct rollouts_store *s);

#endif
