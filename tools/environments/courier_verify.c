/* courier_verify.c - the verdict: every parcel in its cell; and the ceiling. Nothing here ever
 * reaches a prompt.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "tools/environments/courier.h"

bool courier_in_place(const struct courier *c, int32_t step)
{
    return c->down[step] &&
           courier_same(c->lies[step], courier_leg_at(c->base.params.task_seed, step).to);
}

/* Right: this leg's parcel lies in its cell, and no earlier one was moved out of its own. */
void courier_end_step(struct courier *c)
{
    bool placed = c->now.dropped && courier_in_place(c, c->base.step);

    if (!c->now.dropped)
        c->base.slip = true;
    env_end_step(&c->base, placed && c->misplaced <= c->misplaced_at_start);
    c->misplaced += !placed;
}

void courier_verify(const struct env *e, struct env_verdict *out)
{
    env_verdict_of(e, courier_of_const(e)->misplaced == 0, out);
}

/* Whoever never looks needs every move sound. A wall can undo an error before the parcel is
 * dropped, and two errors can cancel; so a few in a thousand more get through. In profile `hard`
 * an error answer must be taken for done or for not done, and one of the two is wrong. */
double courier_ceiling(const struct courier_rules *rules, const struct env_params *p)
{
    double noise = p->noise < 0 ? rules->noise : p->noise;
    double other = p->profile == ENV_HARD ? 1 - ENV_HARD_RATE : 1;
    int32_t gusty = 0, calm = 0;

    for (int32_t i = 0; i < p->horizon; i++) {
        int32_t moves = courier_leg_moves(p->task_seed, i);

        if (courier_leg_at(p->task_seed, i).gusty)
            gusty += moves;
        else
            calm += moves;
    }
    return pow((1 - courier_rate(rules, noise, true)) * other, gusty) *
           pow((1 - courier_rate(rules, noise, false)) * other, calm);
}
