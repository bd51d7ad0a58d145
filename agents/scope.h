/* scope.h - the context passed from a run to a step, an agent, a turn, a call.
 *
 * Each layer makes a child scope with one more path segment (store/path.h) and, if it is tighter,
 * its own budget or deadline. A scope is owned by its layer and outlives its children.
 * A budget belongs to the thread of its run (the loop's, or a driver's).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_SCOPE_H
#define TROUPE_AGENTS_SCOPE_H

#include "runtime/store/journal.h"

/* Amounts are reserved at intent and corrected at finish; limit 0 means none. A child's use counts
 * in all of its parents. */
struct budget {
    struct budget *parent;
    int64_t tokens, tokens_limit;       /* sampled and fed */
    int64_t steps, steps_limit;         /* turns */
    int64_t calls, calls_limit;         /* tool calls */
    int64_t cost_nano, cost_nano_limit; /* of models that have a price; 1e-9 dollars */
    int64_t started_ms, wall_ms_limit;
};
/* STATUS_BUDGET (STATUS_TIMEOUT for wall time), with the limit's name, if these amounts would not
 * fit this budget or a parent; an amount of 0 is not checked. NULL has no limits. */
MUST_CHECK enum status budget_fits(const struct budget *b, int64_t now_ms, int64_t tokens,
                                   int64_t steps, int64_t calls, struct error *err);
/* Negative amounts give back what was reserved. */
void budget_spend(struct budget *b, int64_t tokens, int64_t steps, int64_t calls);
/* STATUS_BUDGET if this cost would not fit. */
MUST_CHECK enum status budget_cost_fits(const struct budget *b, int64_t nano, struct error *err);
void budget_spend_cost(struct budget *b, int64_t nano); /* negative: gives back */
/* What is left of the tightest limit on cost; INT64_MAX: no limit. */
int64_t budget_cost_left(const struct budget *b);
/* The remaining tokens of the tightest limit; INT64_MAX: no limit. */
int64_t budget_tokens_left(const struct budget *b);
/* Wall clock at which the tightest wall time ends; 0: none. */
int64_t budget_deadline_ms(const struct budget *b);

struct scope {
    struct run *run;  /* NULL: nothing is journaled (episodes of evaluation and training) */
    const char *path; /* of this layer */
    int32_t attempt;  /* of this layer; children carry it in their paths */
    uint64_t task_seed, fault_seed, sample_seed;
    struct budget *budget; /* may be NULL */
    int64_t deadline_ms;   /* wall clock; 0: none */
    const bool *cancelled; /* may be NULL */
    int64_t repaired_ms;   /* when the run was last repaired; wall clock; 0: never */
    int32_t prompt_format; /* of the run; 1: started by release 0.1, keeps its prompts */
};

#endif
