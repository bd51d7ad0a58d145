/* agent_state.c - shared operations on an agent: its state, its end, the ready list, the calls of
 * its reply.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/agent_state.h"

#include <assert.h>
#include <stdlib.h>

#include "agents/turn.h"
#include "runtime/base/memory.h"
#include "runtime/store/path.h"

int64_t agent_now_ms(const struct agent *a)
{
    return seams_wall_ms(a->host->o.seams);
}

void agent_set_state(struct agent *a, enum agent_state to)
{
#define TO(state) (1U << AGENT_##state)
    static const unsigned next[] = {
        [AGENT_BEGIN] = TO(PERCEIVE),
        [AGENT_PERCEIVE] = TO(REASON) | TO(LISTENING) | TO(END),
        [AGENT_REASON] = TO(REASONING) | TO(ACT) | TO(PERCEIVE) | TO(END), /* if it is recorded */
        [AGENT_REASONING] = TO(REASONING) | TO(ACT) | TO(PERCEIVE) | TO(END),
        [AGENT_ACT] = TO(ACT) | TO(ACTING) | TO(PERCEIVE) | TO(END),
        [AGENT_ACTING] = TO(ACT) | TO(PERCEIVE) | TO(END),
        [AGENT_LISTENING] = TO(LISTENING) | TO(PERCEIVE) | TO(END),
        [AGENT_END] = TO(OVER),
        [AGENT_OVER] = 0,
    };
#undef TO

    (void)next; /* without asserts */
    assert(next[a->state] & (1U << to));
    assert(!a->in_flight || to == AGENT_REASONING); /* only that state waits for the model */
    assert(to != AGENT_ACTING || a->step);
    a->state = to;
}

/* Timers go by another clock than deadlines: the step around an agent may end it this much early.
 */
#define TIMER_SLACK_MS 20

bool agent_gave_up(const struct agent *a, const char **words)
{
    bool is_over = a->stop == AGENT_STOP_TIMEOUT ||
                   (a->deadline_ms > 0 && agent_now_ms(a) + TIMER_SLACK_MS >= a->deadline_ms);

    *words = is_over ? "given up: the agent's time was over" : "given up: the agent was cancelled";
    return a->task.scope.run && a->stop != AGENT_STOP_INTERRUPT;
}

bool agent_end(struct agent *a, enum status st, const struct error *err)
{
    agent_set_state(a, AGENT_END);
    a->result.state = step_state_of(st);
    if (err && err != &a->result.err)
        a->result.err = *err;
    return false;
}

void agent_make_ready(struct agent *a)
{
    struct agent_host *h = a->host;

    if (a->is_ready)
        return;
    assert(a->state < AGENT_OVER);
    a->is_ready = true;
    h->n_ready++;
    a->ready_prev = h->ready_last;
    a->ready_next = NULL;
    if (h->ready_last)
        h->ready_last->ready_next = a;
    else
        h->ready = a;
    h->ready_last = a;
    if (h->o.loop && !h->pumping_due) {
        h->pumping_due = true;
        loop_defer(h->o.loop, h->pump, h);
    }
}

void agent_not_ready(struct agent *a)
{
    struct agent_host *h = a->host;

    if (!a->is_ready)
        return;
    a->is_ready = false;
    h->n_ready--;
    assert(h->n_ready >= 0);
    if (a->ready_prev)
        a->ready_prev->ready_next = a->ready_next;
    else
        h->ready = a->ready_next;
    if (a->ready_next)
        a->ready_next->ready_prev = a->ready_prev;
    else
        h->ready_last = a->ready_prev;
}

void turn_path(struct agent *a)
{
    path_turn(&a->base, a->task.scope.path, a->turn);
}

struct pending_call *pending_add(struct agent *a)
{
    if (a->n_pending == a->pending_cap) {
        a->pending_cap = a->pending_cap ? 2 * a->pending_cap : 1;
        a->pending = xrealloc(a->pending, (size_t)a->pending_cap * sizeof(*a->pending));
    }
    a->pending[a->n_pending] = (struct pending_call){.is_env = false};
    return &a->pending[a->n_pending++];
}

void pending_clear(struct agent *a)
{
    for (int32_t i = 0; i < a->n_pending; i++) {
        jv_unref(a->pending[i].arguments);
        free(a->pending[i].error);
    }
    a->n_pending = a->at = 0;
}
