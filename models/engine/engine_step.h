/* engine_step.h - one step: rows through the forward pass, logits, tokens.
 *
 * Small models shard by rows: the sequences are cut into groups whose rows and scratch fit a
 * core's cache, and each worker takes whole groups through all layers, the head and the sampler
 * alone; there is one barrier a step. Large models run as one group whose ops split columns over
 * the pool. Within a step a group may draw several tokens (`passes`), as long as there are pages,
 * so that the barrier and the mailbox cost little even for a model that takes 6 us a token.
 *
 * stepper_run is called by the engine thread; while it runs, each sequence belongs to the worker
 * that has its group. Nothing here allocates after stepper_init. Internal to models/engine.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ENGINE_ENGINE_STEP_H
#define TROUPE_MODELS_ENGINE_ENGINE_STEP_H

#include "models/arch/arch.h"
#include "models/engine/sampler.h"
#include "models/engine/session.h"

#define STEP_MAX_PASSES 8

/* How a model runs on a number of threads. */
struct step_shape {
    bool columns;       /* one group, ops split over the pool */
    int32_t n_workers;  /* with scratch of their own; 1 when columns */
    int32_t n_samplers; /* threads that sample */
    int32_t group_rows; /* target */
    int32_t slice_rows; /* at most in one forward pass */
    int32_t
        max_running;    /* sequences at a time: more would evict each other's keys from the cache */
    int32_t logit_rows; /* at most in one block of logits */
};
struct step_shape step_shape_of(const struct model_config *c, int32_t n_threads, int32_t group_rows,
                                int32_t max_batch_rows);
/* rounded_inputs: as weights_rounded_inputs. */
int64_t step_plan_bytes(const struct step_shape *s, const struct backend *b, const struct arch *a,
                        const struct model_config *c, int32_t rounded_inputs);

struct stepper {
    const struct backend *backend;
    const struct arch *arch;
    struct model_config config;
    struct step_shape shape;
    int32_t rounded_inputs; /* weights_rounded_inputs of every version that is served */
    struct pool *pool;
    struct kv_layer *kv;
    const struct rope_tables *rope;
    struct step_worker *worker;       /* (n_workers) */
    struct sampler **sampler;         /* (n_samplers) */
    struct model_session *const *seq; /* of this step: in groups */
    int32_t *group_first;             /* (n_groups + 1) indices into seq */
    int32_t n_groups, max_groups;
    int32_t passes;   /* of this step, at most */
    _Atomic bool cut; /* a group has lost many sequences: no further pass */
};

/* The fields down to rope_sin are set. */
MUST_CHECK enum status stepper_init(struct stepper *st, int32_t max_running, struct error *err);
void stepper_deinit(struct stepper *st);

struct step_times {
    int64_t forward_us, sample_us; /* summed over workers */
    int64_t rows, tokens;          /* rows through the model; tokens drawn */
    int32_t passes;                /* the largest number of a group */
};
/* Runs plan_rows rows of each of n sequences, and up to passes - 1 further tokens of those that
 * then decode. */
void stepper_run(struct stepper *st, struct model_session *const *seq, int32_t n, int32_t passes,
                 struct step_times *times);

#endif
