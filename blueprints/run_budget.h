/* run_budget.h - what a run has spent, kept in its row so that a resumed run goes on counting.
 *
 * Live counters (struct budget) move as agents and tools work. Only what ended steps have used is
 * written: a step in flight when the process dies is replayed or run again and spends again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_RUN_BUDGET_H
#define TROUPE_BLUEPRINTS_RUN_BUDGET_H

#include "blueprints/frame.h"

struct run_budget {
    struct budget live;           /* of the whole run */
    int64_t tokens, steps, calls; /* by steps that have ended, in all processes */
    int64_t tok_in, tok_out;      /* in this one */
    int64_t began_ms, wall_before_ms;
    struct json *open; /* path -> counters of steps with a budget that are under way; owned */
    bool changed;      /* since the counters were written */
};

/* counters: of the row of a resumed run, or NULL. */
void run_budget_init(struct run_budget *b, const struct plan *plan, const struct seams *seams,
                     const struct json *counters);
void run_budget_deinit(struct run_budget *b);
/* Into the run's open transaction. */
void run_budget_write(struct run_budget *b, struct run *run, const struct seams *seams);
/* "the wall budget of 10m is spent"; malloc'd. */
char *run_budget_wall_words(int64_t wall_ms);

/* f's own limits, where it has some, from what it had used when it was last under way. */
void run_budget_open(struct frame *f, const struct plan_budget *limits);
/* What an ended attempt has used. */
void run_budget_add(struct frame *f);
/* f has ended; a step that begins again later starts from nothing. */
void run_budget_close(struct frame *f);

#endif
