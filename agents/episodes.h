/* episodes.h - the driver of many episodes at once, from one thread and without an event loop.
 *
 * Whoever calls episodes_play polls the agents' host; an episode that ends is told of and replaced
 * by the next in its place. Which episodes there are, what their seeds are and where they are
 * recorded is the caller's: evaluation and rollouts differ in nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_EPISODES_H
#define TROUPE_AGENTS_EPISODES_H

#include "agents/agent.h"
#include "agents/rollout.h"

#define EPISODE_PATH 96

struct episodes;

/* One in flight; its place and its memory are used again by the next. */
struct episode {
    struct episodes *driver;
    struct agent *agent; /* NULL: the place is free */
    /* ---- filled in by `next` */
    int64_t id; /* the caller's */
    char path[EPISODE_PATH];
    const struct env_ops *env; /* the driver's, unless `next` chooses another */
    struct env_params params;
    uint64_t sample_seed;
    /* ---- while it is played */
    struct rollout_writer record;
    struct env_watch watch; /* zeroed, with ctx the episode; `next` may set `saw` */
    int64_t t0_ms;
};

struct episodes_options {
    const struct env_ops *env; /* of an episode that is given no other */
    struct model *model;
    int32_t in_flight;     /* at once, at most */
    int32_t votes;         /* samples of each model call (agent_role.votes) */
    int32_t prompt_format; /* of the run that they are recorded in (agents/scope.h) */
    const struct seams *seams;
    void *ctx;
    /* The next one to be played; false: there is none. */
    bool (*next)(void *ctx, struct episode *e);
    /* It ended by itself; `env` as it ended (NULL when it could not begin). Not called for what
     * was stopped. */
    void (*over)(void *ctx, struct episode *e, const struct agent_result *r, const struct env *env);
    /* After each poll: true stops all that is in flight. */
    bool (*tick)(void *ctx);
};

/* Posts one that is over to the journal; `verdict` (lent, JSON null for none) is what is told of v.
 */
void episode_record(struct run *run, const struct episode *e, enum step_state state,
                    const struct env_verdict *v, struct json *verdict, int64_t now_ms);

/* How far those in flight are, together; also from inside `tick`. */
struct episodes_progress {
    double episodes; /* each the share of its steps that are done */
    int64_t tok_out;
};
void episodes_progress(const struct episodes *d, struct episodes_progress *out);

MUST_CHECK enum status episodes_new(const struct episodes_options *o, struct episodes **out,
                                    struct error *err);
void episodes_free(struct episodes *d);
/* Until `next` has none and all are over. An episode that cannot even begin (its environment or
 * its session fails) is over, with that failure. STATUS_CANCELLED: tick stopped it. */
MUST_CHECK enum status episodes_play(struct episodes *d, const struct sampling *sampling,
                                     int64_t timeout_ms, struct error *err);

#endif
