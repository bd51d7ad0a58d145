/* scheduler.h - who runs: admission, rows of the next step, pages, preemption.
 *
 * Calls wait in order of (priority, arrival) and run until they end. Running sequences stand in
 * the same order, so the last of them is always the one to preempt: the youngest of the lowest
 * priority. A preempted call gives up its pages and waits in its old place; its positions
 * are computed again later, with the same bits. The first running sequence is never preempted,
 * so something always advances.
 *
 * Pages are found in this order: free ones; the prefix tree's that nobody uses; those of idle
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
/* A session that is in no list waits. Its call, arrival and pinned weights are set. */
void scheduler_enqueue(struct scheduler *s, struct model_session *x);
/* A call that waits no more (cancelled); the session is in no list after. */
void scheduler_remove_waiting(struct scheduler *s, struct model_session *x);

/* Moves waiting calls to running while rows and pages last. A call that cannot run even alone is
 * left at the head with ended and an error set: the caller answers it and calls again. False then.
 */
MUST_CHECK bool scheduler_admit(struct scheduler *s);
/* Sets plan_rows of every running sequence, with pages for them; returns their sum. A sequence that
 * cannot go on even alone is ended with an error. */
int32_t scheduler_plan(struct scheduler *s);
/* Takes the ended ones out of running; fn gets each of them, in no list, in their order. */
void scheduler_sweep(struct scheduler *s, void (*fn)(void *ctx, struct model_session *x),
                     void *ctx);
/* New weights: idle pages and the tree die; running and waiting calls keep what they have. */
void scheduler_new_weights(struct scheduler *s, int64_t serial);

#endif
