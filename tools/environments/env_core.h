/* env_core.h - the common base of every environment's instance, and its counters.
 *
 * A concrete instance is `struct NAME { struct env base; ... }`. The base holds the parameters, the
 * verdict so far and the limits on calls; the rest is the world. Only the environments' own files
 * use it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_ENVIRONMENTS_ENV_CORE_H
#define TROUPE_TOOLS_ENVIRONMENTS_ENV_CORE_H

#include "runtime/base/rng.h"
#include "tools/environments/environment.h"

#define ENV_MAX_HORIZON 100000
#define ENV_MAX_NOISE   0.9
/* Profile `hard`: rates of a wrong read, a visible error, an error though done. */
#define ENV_HARD_RATE 0.01

/* The result of the last look, until the next action follows it. */
enum env_pending { ENV_NOTHING, ENV_MATCHED, ENV_MISMATCHED };

/* Bits for an ended step. */
enum { ENV_STEP_RIGHT = 1, ENV_STEP_FAULTY = 2, ENV_STEP_SLIPPED = 4 };

struct env {
    struct env_params params; /* noise is filled in */
    int32_t step;             /* steps ended, the failed one included */
    int32_t budget;           /* calls of the whole episode; 0: no bound */
    bool done;
    /* Of the current step. */
    int32_t step_calls;
    bool fault, slip;
    bool carried;             /* it began with an error of an earlier step */
    uint8_t pending;          /* enum env_pending */
    struct env_verdict tally; /* grows with every call; steps and success are filled in late */
    uint8_t *flags;           /* (horizon) of ended steps */
};

/* Checks the parameters (n_faults: the kinds that this environment has), fills in the noise if
 * it is below 0, and allocates the flags. */
MUST_CHECK enum status env_init(struct env *e, const char *name, int32_t n_faults,
                                const struct env_params *p, double default_noise,
                                struct error *err);
void env_deinit(struct env *e);

void env_begin_step(struct env *e, bool carried);
void env_end_step(struct env *e, bool right);

/* Counts a call. False: it must not be executed, and *words is the error message. A call beyond the
 * cap or the budget ends the step and the episode as failed. */
bool env_count_call(struct env *e, int32_t cap, struct env_effect *fx, const char **words);

/* A look, and the action that follows it. Only what was shown counts, not the true state; of two
 * looks in a row only the later one counts. */
void env_looked(struct env *e, bool match);
void env_deed(struct env *e, bool is_a_repair);
void env_struck(struct env *e); /* a fault happened */

void env_verdict_of(const struct env *e, bool state_is_right, struct env_verdict *out);
bool env_step_right(const struct env *e, int32_t step);
int32_t env_steps_done(const struct env *e);
int32_t env_calls_made(const struct env *e);

/* ---- env_faults.c: kinds of faults */
static inline uint32_t env_all_faults(int32_t n)
{
    return n < 32 ? (UINT32_C(1) << n) - 1 : UINT32_MAX;
}

static inline bool env_has_fault(const struct env_params *p, int32_t kind)
{
    return p->faults == 0 || (p->faults >> kind & 1) != 0;
}

/* Is the undo tool masked? */
static inline bool env_no_undo(const struct env *e)
{
    return e->params.ablation == ENV_ABLATE_MASK || e->params.ablation == ENV_ABLATE_UNDO;
}

/* How many of the first n kinds are selected. */
int32_t env_n_faults(const struct env_params *p, int32_t n);
/* The kind (of the first n) for a draw u, if together they have this rate; -1: no fault. */
int32_t env_fault_kind(const struct env_params *p, int32_t n, double u, double rate);

/* The draw for a fault depends only on (step, try, channel) and the fault seed. */
static inline struct rng_block env_draw(const struct env *e, int32_t try_index, uint32_t channel)
{
    return rng_philox(e->params.fault_seed, (uint32_t)e->step, (uint32_t)try_index, channel, 0);
}

#endif
