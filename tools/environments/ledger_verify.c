/* ledger_verify.c - the verdict: exact final state, the delta of each order, and the rates
 * that "OffCourse" reports. Nothing here ever reaches a prompt.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "tools/environments/ledger.h"

/* Right: the order's account moved by its amount since the order began, all others not at all. */
static bool delta_is_right(const struct ledger *l)
{
    for (int32_t k = 0; k < LEDGER_KEYS; k++) {
        int32_t delta = k == l->order.key ? l->order.delta : 0;

        if (l->account[k] != ledger_wrap(l->start[k] + delta))
            return false;
    }
    return true;
}

void ledger_end_step(struct ledger *l)
{
    bool right = delta_is_right(l) && !l->capped;
    bool at_risk = l->now.fault || l->now.slip || !right;

    l->flags[l->step] = (uint8_t)((right ? LEDGER_RIGHT : 0) | (l->now.fault ? LEDGER_FAULTY : 0) |
                                  (l->now.slip ? LEDGER_SLIPPED : 0));
    l->want[l->order.key] = (uint8_t)ledger_wrap(l->want[l->order.key] + l->order.delta);
    l->tally.steps_right += right;
    l->tally.own_slips += !right && !l->now.fault;
    l->tally.at_risk += at_risk;
    l->tally.recovered += at_risk && right;
    l->step++;
}

/* A look is judged by what was shown: the last value asked for against the value read. The model
 * cannot know more than that. Two looks in a row count once, as the later one. */
void ledger_saw(struct ledger *l, bool match)
{
    l->now.pending = match ? LEDGER_MATCHED : LEDGER_MISMATCHED;
}

void ledger_acted(struct ledger *l, bool is_a_repair)
{
    if (l->now.pending == LEDGER_MATCHED) {
        l->tally.match_shown++;
        l->tally.false_alarms += is_a_repair;
    } else if (l->now.pending == LEDGER_MISMATCHED) {
        l->tally.mismatch_shown++;
        l->tally.repaired += is_a_repair;
    }
    l->now.pending = LEDGER_NOTHING;
}

void ledger_verify(const struct env *e, struct env_verdict *out)
{
    const struct ledger *l = ledger_of_const(e);

    *out = l->tally;
    out->steps = l->step;
    out->capped = l->capped;
    out->success = l->done && !l->capped && memcmp(l->account, l->want, sizeof(l->want)) == 0;
}

bool ledger_step_right(const struct env *e, int32_t step)
{
    const struct ledger *l = ledger_of_const(e);

    return step >= 0 && step < l->step && (l->flags[step] & LEDGER_RIGHT) != 0;
}

int32_t ledger_steps_done(const struct env *e)
{
    return ledger_of_const(e)->step;
}

/* Whoever never looks after writing needs one sound write an order and, in profile `hard`, one
 * sound first read. */
double ledger_ceiling(const struct env_params *p)
{
    double noise = p->noise < 0 ? LEDGER_NOISE : p->noise;
    double sound = (1 - noise) * (p->profile == ENV_HARD ? 1 - LEDGER_HARD_RATE : 1);

    return pow(sound, p->horizon);
}
