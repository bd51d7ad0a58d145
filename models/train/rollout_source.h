/* rollout_source.h - the source of rollouts for the trainer; agents/ implements it.
 *
 * The trainer chooses tasks and seeds. The source plays groups of episodes with the published
 * weights of the engine, in the same agent loop that users run, records them, and returns every
 * chain: the sequence of ids that the model had as context, which of them it sampled, and their
 * recorded log-probs. A chain ends when the context is restarted; a rollout is one or more chains.
 * Order is (group, member, step), never completion. SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_ROLLOUT_SOURCE_H
#define TROUPE_MODELS_TRAIN_ROLLOUT_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/json.h"
#include "runtime/base/status.h"

enum rollout_status {
    ROLLOUT_COMPLETED,
    ROLLOUT_TRUNCATED, /* a budget or the length limit ended it: trained or masked, by option */
    ROLLOUT_OUTSIDE,   /* time-out, server or environment error: masked, never scored 0 */
};

/* What the verifier counted for one rate: the trainer reports the sum of `of` over that of `per`
 * and does not know what they are. */
struct rollout_counts {
    int32_t of, per;
};
#define ROLLOUT_MAX_RATES 8

struct rollout_member {
    int32_t group, member;
    enum rollout_status status;
    int32_t first_chain, n_chains;
    double reward; /* of the outcome: 1 or 0; NaN: the verifier has no verdict */
    int32_t calls, steps;
    struct rollout_counts counts[ROLLOUT_MAX_RATES]; /* (rollout_source.n_rates), rate by rate */
};

struct rollout_chain {
    int32_t member;     /* index into members */
    int32_t step;       /* of the environment */
    int64_t first;      /* token offset in ids, train, logp */
    int32_t n;          /* ids */
    int32_t n_sampled;  /* of these, sampled by the model */
    int32_t calls;      /* tool calls of this step */
    double step_reward; /* the verifier's verdict on this step alone: 1 or 0, or NaN */
    uint8_t anchor[16]; /* equal states have equal anchors (GiGPO) */
    bool cut;           /* the reply reached the length limit */
};

/* Zeroed, it is empty. */
struct rollout_set {
    int32_t n_members, n_chains;
    struct rollout_member *member;
    struct rollout_chain *chain;
    int64_t n_tokens;
    int64_t cap_members, cap_chains, cap_tokens;
    int32_t *ids;
    uint8_t *train; /* 1: sampled by the model */
    float *logp;    /* recorded at the sampling temperature; 0 where not sampled */
    int64_t policy_version;
    double rollout_s, env_s;  /* wall time, and the part spent in environments */
    int64_t n_sampled, n_fed; /* ids that the model sampled; ids of its input */
};
void rollout_set_clear(struct rollout_set *s); /* keeps the memory */
void rollout_set_deinit(struct rollout_set *s);

/* ---- to fill a set, in the order (group, member, step) */
/* Copies all but first_chain and n_chains. */
MUST_CHECK enum status rollout_set_add_member(struct rollout_set *s, const struct rollout_member *m,
                                              struct error *err);
/* Of the last member; its other fields are filled in by the caller, in chain[n_chains - 1]. */
MUST_CHECK enum status rollout_set_open_chain(struct rollout_set *s, int32_t step,
                                              struct error *err);
/* Ids at the end of the last chain; logp NULL: the model did not sample them. */
MUST_CHECK enum status rollout_set_put(struct rollout_set *s, const int32_t *ids, const float *logp,
                                       int32_t n, struct error *err);
/* Appends copies of the rollouts of another set; their groups count from first_group on.
 * STATUS_INVALID when they have other weights. */
MUST_CHECK enum status rollout_set_append(struct rollout_set *s, const struct rollout_set *more,
                                          int32_t first_group, struct error *err);

struct rollout_request {
    int64_t update;
    int32_t n_groups, group_size;
    const uint64_t *task_seed;  /* (n_groups) below 2^20 */
    const uint64_t *fault_seed; /* (n_groups) */
    uint64_t sample_seed;
    float temperature;
    int32_t first_group; /* groups of this update played before: refills continue the count */
    const char *path;    /* "update[7]": path prefix of the records */
};

/* How a rate is reported. */
struct rollout_rate {
    const char *key;   /* in the metrics */
    const char *label; /* on the live line; NULL: not there */
    int decimals;
    bool brief; /* on the live line also for each task of a mixed run */
};

struct fixed_options;

struct rollout_source {
    void *ctx;
    const struct rollout_rate *rate; /* (n_rates) at most ROLLOUT_MAX_RATES */
    int32_t n_rates;
    /* Of a mixed run: group g of an update plays task g % n_tasks, and each is reported under its
     * name. 0: there is only one. */
    const char *const *task_name;
    int32_t n_tasks;
    /* The options of the source that decide the bits, which a resumed run must repeat. NULL: none.
     */
    void (*fix)(void *ctx, struct fixed_options *f);
    /* How it plays an update, for the metrics: of a task of a mixed run, or of all (-1). NULL:
     * nothing. */
    void (*describe)(void *ctx, int64_t update, int32_t task, struct json *line);
    enum status (*play)(void *ctx, const struct rollout_request *r, struct rollout_set *out,
                        struct error *err);
};

#endif
