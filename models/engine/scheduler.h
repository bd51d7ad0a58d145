/* scheduler.h - admission, rows of the next step, pages, preemption.
 *
 * Calls wait in order of (priority, arrival) and run until they end. Running sequences are in
 * the same order, so the last of them is always the one to preempt: the youngest of the lowest
 * priority. A preempted call releases its pages and waits in its old place. Its positions
 * are recomputed later, with the same bits. The first running sequence is never preempted,
 * so there is always progress.
 *
 * Pages are found in this order: free pages; unused pages of the prefix tree; those of idle
 * sessions, longest idle first; those of a preempted sequence.
 *
 * Engine thread only. Internal to models/engine.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ENGINE_SCHEDULER_H
#define TROUPE_MODELS_ENGINE_SCHEDULER_H

#include "models/engine/session.h"

struct session_list {
    struct model_session *first, *last;
    int32_t n;
};

struct scheduler {
    struct kv_cache *kv;      /* lent */
    struct prefix_tree *tree; /* lent; NULL: no prefix cache */
    int64_t serial;           /* of the weights that the tree's pages belong to */
    struct session_list waiting;
    struct session_list idle;       /* with pages or without, longest idle first */
    struct model_session **running; /* (max_running) by (priority, arrival) */
    int32_t n_running, max_running;
    int32_t max_rows;      /* of one step */
    int32_t prefill_chunk; /* rows of one sequence in one step */
    int32_t lookahead;     /* positions beyond the planned rows that a step may fill */
    int64_t n_preemptions, n_prefix_hit_tokens;
};

MUST_CHECK bool scheduler_init(struct scheduler *s); /* the fields above are set; false: memory */
void scheduler_deinit(struct scheduler *s);

void scheduler_add_idle(struct scheduler *s, struct model_session *x);
void scheduler_remove_idle(struct scheduler *s, struct model_session *x);
/* The session is in no list before, and waiting after. Its call, arrival and pinned weights are
 * set. */
void scheduler_enqueue(struct scheduler *s, struct model_session *x);
/* Removes a cancelled call; the session is in no list after. */
void scheduler_remove_waiting(struct scheduler *s, struct model_session *x);

/* Moves waiting calls to running while rows and pages last. False: a call that cannot run even
 * alone is at the head, with ended and an error set; the caller answers it and calls again.
 */
MUST_CHECK bool scheduler_admit(struct scheduler *s);
/* Sets plan_rows of every running sequence, with pages for them; returns their sum. A sequence that
 * cannot continue even alone is ended with an error. */
int32_t scheduler_plan(struct scheduler *s);
/* Removes the ended sequences from running and passes each to fn, in order; they are in no list. */
void scheduler_sweep(struct scheduler *s, void (*fn)(void *ctx, struct model_session *x),
                     void *ctx);
/* New weights: drops idle pages and the tree; running and waiting calls keep their pages. */
void scheduler_new_weights(struct scheduler *s, int64_t serial);

#endif
