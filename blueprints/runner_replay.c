/* runner_replay.c - a replay in which only held steps are left: what ended them in the record?
 *
 * A container that was held up by them ended early, by its time-out, or because a branch of it had
 * failed. The record has when. The earliest is the next one; of two at the same time, the inner
 * one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/group.h"
#include "blueprints/runner_state.h"

static bool is_group(const struct frame *f)
{
    return f->step && (f->step->kind == PLAN_MAP || f->step->kind == PLAN_PARALLEL);
}

static bool has_failed_branch(const struct frame *f)
{
    return is_group(f) && ((const struct group *)f->node)->failed;
}

static bool was_ended_early(const struct frame *f, const struct replay_end *e)
{
    return e->ended_ms > 0 && (e->state == STEP_TIMEOUT || has_failed_branch(f));
}

static void find_next(struct frame *f, struct frame **next, int64_t *next_ms)
{
    const struct replay_end *e = frame_replayed(f);

    for (struct frame *c = f->child; c; c = c->next)
        find_next(c, next, next_ms);
    if (!e || frame_is_leaf(f) || f->state != FRAME_WORKING || !was_ended_early(f, e))
        return;
    if (!*next || e->ended_ms < *next_ms) {
        *next = f;
        *next_ms = e->ended_ms;
    }
}

struct frame *runner_replay_next(struct frame *root)
{
    struct frame *next = NULL;
    int64_t next_ms = 0;

    find_next(root, &next, &next_ms);
    return next;
}

void runner_replay_end(struct frame *f)
{
    if (has_failed_branch(f))
        group_cancel(f);
    else
        frame_time_out_as(f, frame_replayed(f)->error);
}
