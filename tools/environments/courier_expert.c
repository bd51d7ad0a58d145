/* courier_expert.c - the scripted policies. They act on the believed position (courier.h). If they
 * look, they do it at the believed target before the drop; after a difference they move and look
 * again.
 *
 *   plain           never looks
 *   check           looks on every leg
 *   blind           ignores the weather: looks on legs of many moves, which are the riskier ones,
 *                   as the budget allows
 *   cue             looks on gusty legs, as the budget allows
 *   blind_rolling   the same two without a count of the calls: what a model can do whose context
 *   cue_rolling     begins again at every leg
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "tools/environments/courier.h"

const char *const courier_experts[COURIER_N_EXPERTS] = {"plain", "check",         "blind",
                                                        "cue",   "blind_rolling", "cue_rolling"};

#define NEVER (COURIER_MAX_CALLS + 1) /* no leg has so many moves */

static const struct courier_policy policies[COURIER_N_EXPERTS] = {
    {.min_moves = NEVER},
    {.min_moves = 0},
    {.min_moves = COURIER_BLIND_MOVES, .share = COURIER_BLIND_SHARE, .counts = true},
    {.cue = true, .counts = true},
    {.min_moves = COURIER_BLIND_ROLLING_MOVES, .share = COURIER_BLIND_ROLLING_SHARE},
    {.cue = true},
};

#define DRAW_LOOK 0x6c6f6f6bU /* "look": no other draw under the task seed has this */
/* A look is useful only if an error can still be repaired: where, move. */
#define COST_OF_LOOK 2

void courier_make_call(enum courier_tool tool, struct env_call *out)
{
    *out = (struct env_call){.tool = (int32_t)tool};
}

void courier_next_move(struct courier_cell from, struct courier_cell to, struct env_call *out)
{
    int32_t n;
    enum courier_dir dir = courier_way(from, to, &n);

    courier_make_call(COURIER_MOVE, out);
    out->arg[0].is_text = true;
    out->arg[0].text[0] = courier_dir_letter(dir);
    out->arg[1].number = n;
}

void courier_make_parcel_call(enum courier_tool tool, int32_t parcel, struct env_call *out)
{
    courier_make_call(tool, out);
    out->arg[0].is_text = true;
    out->arg[0].text[0] = 'p';
    out->arg[0].text[1] = (char)('0' + parcel);
}

static bool wants_to_look(const struct courier *c, const struct courier_policy *p)
{
    int32_t moves = c->now.planned;
    struct rng_block b;

    if (p->cue)
        return c->leg.gusty;
    if (moves >= p->min_moves)
        return true;
    if (moves + 1 < p->min_moves)
        return false;
    b = rng_philox(c->base.params.task_seed, (uint32_t)c->base.step, 0, 0, DRAW_LOOK);
    return rng_unit_double(b.word[0], b.word[1]) < p->share;
}

static bool can_pay_for_look(const struct courier *c)
{
    int32_t needed = COURIER_FIXED_CALLS + c->reference_left;

    return c->base.budget == 0 || c->base.budget - c->base.tally.calls - needed >= COST_OF_LOOK;
}

void courier_policy_call(const struct courier *c, const struct courier_policy *p,
                         struct env_call *out)
{
    /* The last two calls under a leg's cap must end the leg; so must a refused repair (ablation
     * `mask`). */
    bool hurry = c->now.refused || c->base.step_calls >= COURIER_MAX_CALLS - COURIER_FIXED_CALLS;

    if (c->now.dropped || c->base.step_calls >= COURIER_MAX_CALLS - 1)
        courier_make_call(COURIER_NEXT, out);
    else if (!hurry && !courier_same(c->at, c->leg.to))
        courier_next_move(c->at, c->leg.to, out);
    else if (!hurry && !c->now.looked && wants_to_look(c, p) && (!p->counts || can_pay_for_look(c)))
        courier_make_call(COURIER_WHERE, out);
    else
        courier_make_parcel_call(COURIER_DROP, c->leg.parcel, out);
}

void courier_expert(const struct env *e, const char *how, struct env_call *out)
{
    const struct courier_policy *p = &policies[0];

    for (int32_t i = 0; i < COURIER_N_EXPERTS; i++) {
        if (strcmp(courier_experts[i], how) == 0)
            p = &policies[i];
    }
    courier_policy_call(courier_of_const(e), p, out);
}
