/* step.h - how a step begins and ends in the journal: look it up, record the begin, record the end.
 *
 * The attempt number rises only after a known failure; after a crash it stays the same. A time-out
 * is a known failure where the effect is none or read; an idempotent call is tried again under the
 * same key; a `once` call asks whether it happened.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_STEP_H
#define TROUPE_BLUEPRINTS_STEP_H

#include "blueprints/frame.h"

/* ---- step_begin.c: a QUEUED frame, for the pump */
void step_begin(struct frame *f);
/* Evaluates what the step reads, and its in_hash. */
MUST_CHECK enum status step_prepare(struct frame *f, struct error *err);

/* ---- step_judge.c */
enum step_verdict {
    STEP_IS_DONE,     /* as recorded */
    STEP_GOES_ON,     /* it has begun, and goes on or begins again with the same attempt */
    STEP_NEW_ATTEMPT, /* it begins again as another attempt */
    STEP_DISAGREES    /* it was done, or may have been, with other inputs */
};
enum step_verdict step_judge(const struct frame *f, const struct step_record *rec);
/* Records of attempts before this one no longer count. */
int32_t step_first_attempt(const struct frame *f);
bool step_record_is_open(const struct step_record *rec); /* it has not ended */
/* It ended, and steps after it have read its value. */
bool step_record_has_value(const struct frame *f, const struct step_record *rec);

/* ---- step_end.c: a frame that is ENDED or INTERRUPTED, for the pump; frees it, unless it is the
 * root or another attempt follows */
void step_finish(struct frame *f);
/* What the parent sees of an ended step. */
void step_set_value(struct frame *f);

/* ---- step_record.c */
/* The effect of this step: declared, or that of the steps in it. */
enum effect step_effect(const struct frame *f);
const char *step_name(const struct frame *f); /* of its agent, tool or blueprint; or NULL */
void step_intend(struct frame *f);
/* The end of f itself, or of a cancelled step below it. */
void step_record_end(struct frame *f);
void step_record_cancelled(struct frame *f);
/* Calls on_step. */
void step_report(const struct frame *f, enum step_state state);
/* The step waits for an answer or a time. */
void step_record_waiting(struct frame *f, int64_t due_ms);
/* The same for a step that is already recorded as waiting. */
void step_wait(struct frame *f, int64_t due_ms);
/* The answer arrived, and the attempt goes on. */
void step_record_going_on(struct frame *f);
/* The attempt ends with this message; another one begins at once. */
void step_begin_again(struct frame *f, const char *why);
/* Clears the results of the attempt, so that another one can begin. */
void step_reset(struct frame *f);

#endif
