/* scope.h - what is handed down from a run to a step, an agent, a turn, a call.
 *
 * Each layer makes a child with one more path segment (store/path.h) and, where it is tighter,
 * a budget or a deadline of its own. A scope is owned by its layer and outlives its children.
 */
#ifndef TROUPE_AGENTS_SCOPE_H
#define TROUPE_AGENTS_SCOPE_H

#include "runtime/store/journal.h"

/* Counters are reserved at intent and settled at finish; limit 0 means none. A child's spending
 * counts in all of its parents. */
struct budget {
    struct budget *parent;
    int64_t tokens, tokens_limit; /* sampled and fed */
    int64_t steps, steps_limit;   /* turns */
    int64_t calls, calls_limit;   /* tool calls */
    int64_t started_ms, wall_ms_limit;
};
/* STATUS_BUDGET (or STATUS_TIMEOUT for wall time) with the limit's name, or STATUS_OK. */
enum status budget_check(const struct budget *b, int64_t now_ms, struct error *err);
void budget_spend(struct budget *b, int64_t tokens, int64_t steps, int64_t calls);

struct scope {
    struct run *run;  /* NULL: nothing is journaled (episodes of evaluation and training) */
    const char *path; /* of this layer */
    int32_t attempt;
    uint64_t task_seed, fault_seed, sample_seed;
    struct budget *budget;
    int64_t deadline_ms;   /* wall clock; 0: none */
    const bool *cancelled; /* may be NULL */
};

#endif
