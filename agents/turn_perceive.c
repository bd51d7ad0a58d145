/* turn_perceive.c - the first third of a turn: checks for an end and the budget, then builds the
 * prompt.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/turn.h"
#include "runtime/base/text.h"

static bool is_at_limit(const struct agent *a, struct error *err)
{
    int32_t most = a->task.max_model_calls;

    if (most == 0 || a->turn - a->talk.turn < most)
        return false;
    error_set(err, STATUS_BUDGET,
              "the limit of %d model call%s is reached; set another with `budget: {steps: N}`",
              (int)most, plural_s(most));
    return true;
}

/* A new turn costs a step; its tokens are checked when the prompt is complete. */
static enum status may_begin(const struct agent *a, struct error *err)
{
    const struct budget *b = a->task.scope.budget;

    if (is_at_limit(a, err))
        return STATUS_BUDGET;
    return b ? budget_fits(b, agent_now_ms(a), 1, 1, 0, err) : STATUS_OK;
}

bool turn_perceive(struct agent *a)
{
    enum status st = STATUS_OK;
    bool asks = false;

    if (a->task.talks)
        st = turn_talk(a, &asks, &a->result.err);
    else if (a->env_over || a->answer)
        return agent_end(a, STATUS_OK, NULL);
    if (asks)
        return true; /* turn_listening goes on */
    if (!st && a->task.talks && is_at_limit(a, &a->result.err))
        return turn_talk_failed(a, &a->result.err);
    if (!st)
        st = may_begin(a, &a->result.err);
    if (!st)
        st = a->codec->perceive(a, &a->result.err);
    if (st && a->stop == AGENT_STOP_INTERRUPT)
        return true; /* which says why */
    if (st)
        return agent_end(a, st, NULL);
    agent_set_state(a, AGENT_REASON);
    return true;
}
