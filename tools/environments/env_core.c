/* env_core.c - counts steps, calls, looks and actions, the same way in every environment.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/env_core.h"

#include <stdlib.h>

#include "runtime/base/memory.h"

static enum status check_params(const char *name, int32_t n_faults, const struct env_params *p,
                                struct error *err)
{
    if (p->horizon < 1 || p->horizon > ENV_MAX_HORIZON)
        return error_set(err, STATUS_INVALID, "%s: horizon %d is not in 1..%d", name, p->horizon,
                         ENV_MAX_HORIZON);
    /* Written so that a NaN fails too. */
    if (!(p->noise <= ENV_MAX_NOISE))
        return error_set(err, STATUS_INVALID, "%s: noise %g is above %g", name, p->noise,
                         ENV_MAX_NOISE);
    if (p->profile != ENV_STD && p->profile != ENV_HARD)
        return error_set(err, STATUS_INVALID, "%s: unknown profile %d", name, (int)p->profile);
    if ((int)p->ablation < ENV_ABLATE_NONE || p->ablation >= ENV_ABLATIONS)
        return error_set(err, STATUS_INVALID, "%s: unknown ablation %d", name, (int)p->ablation);
    if (p->faults & ~env_all_faults(n_faults))
        return error_set(err, STATUS_INVALID, "%s: unknown kinds of faults 0x%x", name, p->faults);
    return STATUS_OK;
}

enum status env_init(struct env *e, const char *name, int32_t n_faults, const struct env_params *p,
                     double default_noise, struct error *err)
{
    enum status st = check_params(name, n_faults, p, err);

    if (st)
        return st;
    e->params = *p;
    if (p->noise < 0)
        e->params.noise = default_noise;
    e->flags = mem_alloc((size_t)p->horizon, 1);
    if (!e->flags)
        return error_set(err, STATUS_NO_MEMORY, "%s: no memory for %d steps", name, p->horizon);
    return STATUS_OK;
}

void env_deinit(struct env *e)
{
    free(e->flags);
    e->flags = NULL;
}

void env_begin_step(struct env *e, bool carried)
{
    e->step_calls = 0;
    e->fault = e->slip = false;
    e->carried = carried;
    e->pending = ENV_NOTHING;
}

void env_end_step(struct env *e, bool right)
{
    bool at_risk = e->fault || e->slip || e->carried || !right;

    e->flags[e->step] = (uint8_t)((right ? ENV_STEP_RIGHT : 0) | (e->fault ? ENV_STEP_FAULTY : 0) |
                                  (e->slip ? ENV_STEP_SLIPPED : 0));
    e->tally.steps_right += right;
    e->tally.own_slips += !right && !e->fault && !e->carried;
    e->tally.at_risk += at_risk;
    e->tally.recovered += at_risk && right;
    e->step++;
}

bool env_count_call(struct env *e, int32_t cap, struct env_effect *fx, const char **words)
{
    *fx = (struct env_effect){.done = e->done};
    *words = e->tally.over_budget ? "budget" : "the episode is over";
    if (e->done)
        return false;
    e->tally.calls++;
    e->step_calls++;
    if (e->budget > 0 && e->tally.calls > e->budget) {
        e->tally.over_budget = true;
        *words = "budget";
    } else if (e->step_calls > cap) {
        e->tally.capped = true;
        *words = "too many calls for one step: the episode has failed";
    } else {
        return true;
    }
    env_deed(e, false);
    env_end_step(e, false);
    e->done = fx->done = true;
    return false;
}

void env_looked(struct env *e, bool match)
{
    e->pending = match ? ENV_MATCHED : ENV_MISMATCHED;
}

void env_deed(struct env *e, bool is_a_repair)
{
    if (e->pending == ENV_MATCHED) {
        e->tally.match_shown++;
        e->tally.false_alarms += is_a_repair;
    } else if (e->pending == ENV_MISMATCHED) {
        e->tally.mismatch_shown++;
        e->tally.repaired += is_a_repair;
    }
    e->pending = ENV_NOTHING;
}

void env_struck(struct env *e)
{
    e->fault = true;
    e->tally.faults++;
}

void env_verdict_of(const struct env *e, bool state_is_right, struct env_verdict *out)
{
    *out = e->tally;
    out->steps = e->step;
    out->success = e->done && !e->tally.capped && !e->tally.over_budget && state_is_right;
}

bool env_step_right(const struct env *e, int32_t step)
{
    return step >= 0 && step < e->step && (e->flags[step] & ENV_STEP_RIGHT) != 0;
}

int32_t env_steps_done(const struct env *e)
{
    return e->step;
}

int32_t env_calls_made(const struct env *e)
{
    return e->tally.calls;
}
