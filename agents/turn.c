/* turn.c - the state machine of an agent: moves as far as possible, and ends the agent.
 *
 * Every move returns whether another can follow at once, so that a long replay is a loop and not a
 * recursion. Callbacks that arrive during a move (a tool that finishes inside its start) only set a
 * flag; the move that waits for it checks the flag.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agents/agent_state.h"
#include "agents/turn.h"
#include "runtime/base/memory.h"
#include "runtime/store/path.h"

/* Between moves, with nothing in flight. */
static bool must_stop(struct agent *a)
{
    struct error *err = &a->result.err;

    if (a->task.scope.cancelled && *a->task.scope.cancelled && a->stop < AGENT_STOP_CANCEL)
        a->stop = AGENT_STOP_CANCEL;
    switch (a->stop) {
    case AGENT_STOP_NONE:
        return false;
    case AGENT_STOP_TIMEOUT:
        return !agent_end(a, error_set(err, STATUS_TIMEOUT, "the agent's time limit was reached"),
                          NULL);
    case AGENT_STOP_CANCEL:
        break;
    case AGENT_STOP_INTERRUPT:
        agent_end(a, error_set(err, STATUS_CANCELLED, "the agent was interrupted"), NULL);
        a->result.state = STEP_STARTED; /* it has not ended */
        return true;
    }
    return !agent_end(a, error_set(err, STATUS_CANCELLED, "the agent was cancelled"), NULL);
}

static bool move(struct agent *a)
{
    switch (a->state) {
    case AGENT_BEGIN:
        agent_set_state(a, AGENT_PERCEIVE);
        return true;
    case AGENT_PERCEIVE:
        return !must_stop(a) && turn_perceive(a);
    case AGENT_REASON:
        return turn_reason(a);
    case AGENT_REASONING:
        return turn_reasoning(a);
    case AGENT_ACT:
        return !must_stop(a) && turn_act(a);
    case AGENT_ACTING:
        return turn_acting(a);
    case AGENT_LISTENING:
        return turn_listening(a);
    case AGENT_END:
    case AGENT_OVER:
        break;
    }
    return false;
}

static void give_result(struct agent *a)
{
    struct agent_result *r = &a->result;

    agent_set_state(a, AGENT_OVER);
    loop_timer_free(a->timer);
    a->timer = NULL;
    r->turns = a->turn;
    if (r->state == STEP_OK && a->env) {
        a->task.env_ops->verify(a->env, &r->verdict);
        r->has_verdict = true;
        /* An episode's owner reads the struct; only a step's output is written as JSON. */
        if (!a->task.record) {
            r->output = jv_object();
            jv_set_adopt(r->output, "verdict", env_verdict_json(&r->verdict));
        }
    } else if (r->state == STEP_OK) {
        r->output = a->answer;
        a->answer = NULL;
    }
    a->done(a->ctx, a, r);
}

void agent_advance(struct agent *a)
{
    if (a->advancing || a->state == AGENT_OVER)
        return;
    a->advancing = true;
    while (move(a))
        continue;
    a->advancing = false;
    if (a->state == AGENT_END)
        give_result(a); /* may free a */
}
