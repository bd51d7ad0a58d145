/* ledger_expert.c - the scripted policies, which know only the tools' answers:
 *
 *   plain           never looks at what it wrote
 *   check           always does, and repairs
 *   blind           ignores the class: looks at a fixed share of the orders, as the budget allows
 *   cue             looks at the risky class alone, as the budget allows
 *   blind_rolling   the same two without a count of the calls: what a model can do whose context
 *   cue_rolling     begins again at every order
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "tools/environments/ledger.h"

const char *const ledger_experts[LEDGER_N_EXPERTS] = {"plain", "check",         "blind",
                                                      "cue",   "blind_rolling", "cue_rolling"};

static const struct ledger_policy policies[LEDGER_N_EXPERTS] = {
    {.share = 0},
    {.share = 1},
    {.share = LEDGER_BLIND_SHARE, .counts = true},
    {.by_class = true, .counts = true},
    {.share = LEDGER_BLIND_LOOKS, .at_random = true},
    {.by_class = true},
};

#define DRAW_LOOK 0x6c6f6f6bU /* "look": no other draw under the task seed has this */
/* A look is useful only if an error can still be repaired: get, undo, set. */
#define COST_OF_LOOK 3

void ledger_make_call(enum ledger_tool tool, int32_t key, int32_t value, struct env_call *out)
{
    *out = (struct env_call){.tool = (int32_t)tool};
    if (tool == LEDGER_NEXT || tool == LEDGER_UNDO)
        return;
    out->arg[0].is_text = true;
    out->arg[0].text[0] = (char)('a' + key);
    if (tool != LEDGER_GET)
        out->arg[1].number = value;
}

static bool wants_to_look(const struct ledger *l, const struct ledger_policy *p)
{
    int32_t step = l->base.step;
    struct rng_block b;

    if (p->by_class)
        return l->order.risky;
    if (!p->at_random)
        return floor((step + 1) * p->share) > floor(step * p->share);
    b = rng_philox(l->base.params.task_seed, (uint32_t)step, 0, 0, DRAW_LOOK);
    return rng_unit_double(b.word[0], b.word[1]) < p->share;
}

static bool can_pay_for_look(const struct ledger *l)
{
    int32_t orders_after = l->base.params.horizon - l->base.step - 1;
    int32_t needed = 1 + LEDGER_MIN_CALLS * orders_after; /* this order's next, then the rest */

    return l->base.budget == 0 || l->base.budget - l->base.tally.calls - needed >= COST_OF_LOOK;
}

static enum ledger_tool choose(const struct ledger *l, const struct ledger_policy *p)
{
    const struct ledger_step *now = &l->now;

    /* The last call under an order's cap must be next; so must the call after a refused repair
     * (ablation `mask`). */
    if (l->base.step_calls >= LEDGER_MAX_CALLS - 1 || now->refused)
        return LEDGER_NEXT;
    if (now->seen < 0)
        return LEDGER_GET;
    if (l->base.pending == ENV_MISMATCHED)
        return LEDGER_UNDO;
    if (now->asked_key < 0)
        return LEDGER_SET;
    if (now->looked)
        return LEDGER_NEXT;
    if (wants_to_look(l, p) && (!p->counts || can_pay_for_look(l)))
        return LEDGER_GET;
    return now->written ? LEDGER_NEXT : LEDGER_SET;
}

void ledger_policy_call(const struct ledger *l, const struct ledger_policy *p, struct env_call *out)
{
    ledger_make_call(choose(l, p), l->order.key, ledger_wrap(l->now.seen + l->order.delta), out);
}

void ledger_expert(const struct env *e, const char *how, struct env_call *out)
{
    const struct ledger *l = ledger_of_const(e);
    const struct ledger_policy *p = &policies[0];

    for (int32_t i = 0; i < LEDGER_N_EXPERTS; i++) {
        if (strcmp(ledger_experts[i], how) == 0)
            p = &policies[i];
    }
    ledger_policy_call(l, p, out);
}
