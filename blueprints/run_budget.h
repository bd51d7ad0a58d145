/* run_budget.h - the usage of a run, kept in its row so that a resumed run goes on counting.
 *
 * Live counters (struct budget) move as agents and tools work. Only the usage of ended steps is
 * written: a step in flight when the process dies is replayed or run again and counts again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_RUN_BUDGET_H
#define TROUPE_BLUEPRINTS_RUN_BUDGET_H

#include "blueprints/frame.h"

struct run_budget {
    struct budget live;                      /* of the whole run */
    int64_t tokens, steps, calls, cost_nano; /* by steps that have ended, in all processes */
    bool cost_unknown;       /* cost_nano lacks the calls of models without a price */
    int64_t tok_in, tok_out; /* in this one */
    int64_t began_ms, wall_before_ms;
    struct json *open; /* path -> counters of steps with a budget that are under way, and `from_ms`:
                          when a repaired run began it again; wall clock. Owned */
    bool changed;      /* since the counters were written */
};

/* counters: of the row of a resumed run, or NULL. */
void run_budget_init(struct run_budget *b, const struct plan *plan, const struct seams *seams,
                     const struct json *counters);
void run_budget_deinit(struct run_budget *b);
/* Into the run's open transaction. */
void run_budget_write(struct run_budget *b, struct run *run, const struct seams *seams);
/* "the wall budget of 10m is used up"; malloc'd. */
char *run_budget_wall_words(int64_t wall_ms);

/* Sets the limits of f, if it has any, and its usage so far. */
void run_budget_open(struct frame *f, const struct plan_budget *limits);
/* Adds the usage of an ended attempt. */
void run_budget_add(struct frame *f);
/* When the repaired run came to this container, in whichever process; now, if it was not yet. */
int64_t run_budget_begun_again(struct frame *f);
/* f has ended; a step that begins again later starts at 0. */
void run_budget_close(struct frame *f);

#endif
