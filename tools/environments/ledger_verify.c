/* ledger_verify.c - the verdict: exact final state, the delta of each order, and the ceiling.
 * Nothing here ever reaches a prompt.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "tools/environments/ledger.h"

/* Right: only the order's account changed since the order began, by its amount. */
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
    env_end_step(&l->base, delta_is_right(l));
    l->want[l->order.key] = (uint8_t)ledger_wrap(l->want[l->order.key] + l->order.delta);
}

void ledger_verify(const struct env *e, struct env_verdict *out)
{
    const struct ledger *l = ledger_of_const(e);

    env_verdict_of(e, memcmp(l->account, l->want, sizeof(l->want)) == 0, out);
}

/* A policy that never looks after a write needs one write without a fault per order and, in profile
 * `hard`, one first read without a fault. */
double ledger_ceiling(const struct ledger_rules *rules, const struct env_params *p)
{
    double noise = p->noise < 0 ? rules->noise : p->noise;
    double read = p->profile == ENV_HARD ? 1 - ENV_HARD_RATE : 1;
    int32_t n_risky = 0;

    if (rules->cue) {
        for (int32_t i = 0; i < p->horizon; i++)
            n_risky += ledger_order_at(p->task_seed, i).risky;
    } else {
        n_risky = p->horizon;
    }
    return pow((1 - ledger_rate(rules, noise, true)) * read, n_risky) *
           pow((1 - ledger_rate(rules, noise, false)) * read, p->horizon - n_risky);
}
