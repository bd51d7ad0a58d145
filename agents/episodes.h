/* episodes.h - the driver of many episodes at once, from one thread and without an event loop.
 *
 * The thread that calls episodes_play polls the agents' host. When an episode ends, `over` is
 * called and the next episode takes its slot. The caller decides which episodes are played, with
 * which seeds, and where they are recorded; evaluation and rollouts differ only in that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_EPISODES_H
#define TROUPE_AGENTS_EPISODES_H

#include "agents/agent.h"
#include "agents/rollout.h"

#define EPISODE_PATH 96

struct episodes;

/* One episode in flight; the next one reuses its slot and its memory. */
struct episode {
    struct episodes *driver;
    struct agent *agent; /* NULL: the slot is free */
    /* ---- filled in by `next` */
    int64_t id; /* the caller's */
    char path[EPISODE_PATH];
    const struct env_ops *env; /* the driver's, unless `next` sets another */
    struct env_params params;
    uint64_t sample_seed;
    /* ---- during the episode */
    struct rollout_writer record;
    struct env_watch watch; /* zeroed, with ctx the episode; `next` may set `on_event` */
    int64_t t0_ms;
};

struct episodes_options {
    const struct env_ops *env; /* the default of an episode */
    struct model *model;
    int32_t in_flight;     /* at once, at most */
    int32_t votes;         /* samples of each model call (agent_role.votes) */
    int32_t prompt_format; /* of the run that they are recorded in (agents/scope.h) */
    const struct seams *seams;
    void *ctx;
    /* Fills in the next episode; false: there is none. */
    bool (*next)(void *ctx, struct episode *e);
    /* The episode ended by itself; `env` is its final state (NULL: it could not start). Not called
     * for an episode that `tick` stopped. */
    void (*over)(void *ctx, struct episode *e, const struct agent_result *r, const struct env *env);
    /* Called after each poll; true stops all episodes in flight. */
    bool (*tick)(void *ctx);
};

/* Journals an ended episode; `verdict` is v as JSON (lent; JSON null for none). */
void episode_record(struct run *run, const struct episode *e, enum step_state state,
                    const struct env_verdict *v, struct json *verdict, int64_t now_ms);

/* The total progress of the episodes in flight; may be called from `tick`. */
struct episodes_progress {
    double episodes; /* the sum of their shares of steps done */
    int64_t tok_out;
};
void episodes_progress(const struct episodes *d, struct episodes_progress *out);

MUST_CHECK enum status episodes_new(const struct episodes_options *o, struct episodes **out,
                                    struct error *err);
void episodes_free(struct episodes *d);
/* Returns when `next` has no more episodes and all have ended. An episode that cannot start (its
 * environment or its session fails) ends with that error. STATUS_CANCELLED: `tick` stopped it. */
MUST_CHECK enum status episodes_play(struct episodes *d, const struct sampling *sampling,
                                     int64_t timeout_ms, struct error *err);

#endif
