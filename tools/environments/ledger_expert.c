/* ledger_expert.c - the scripted policies: "plain" never looks at what it wrote, "check" always
 * does and repairs. Both know only what the tools answered.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "tools/environments/ledger.h"

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

static enum ledger_tool choose(const struct ledger *l, bool looks)
{
    const struct ledger_step *now = &l->now;

    /* The last call of an order's cap must be the one that leaves it; a refused repair (ablation
     * `mask`) leaves nothing to do. */
    if (now->calls >= LEDGER_MAX_CALLS - 1 || now->refused)
        return LEDGER_NEXT;
    if (now->seen < 0)
        return LEDGER_GET;
    if (!looks)
        return now->written ? LEDGER_NEXT : LEDGER_SET;
    if (now->asked_key < 0)
        return LEDGER_SET;
    if (!now->looked)
        return LEDGER_GET;
    return now->pending == LEDGER_MISMATCHED ? LEDGER_UNDO : LEDGER_NEXT;
}

void ledger_expert(const struct env *e, const char *how, struct env_call *out)
{
    const struct ledger *l = ledger_of_const(e);

    ledger_make_call(choose(l, strcmp(how, "check") == 0), l->order.key,
                     ledger_wrap(l->now.seen + l->order.delta), out);
}
