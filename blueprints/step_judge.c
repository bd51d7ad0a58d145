/* step_judge.c - decides from the record of a step: is it done, does it go on, does it begin
 * another attempt, or does it no longer match?
 *
 * In a repaired run (repair.h), `again` has the first attempt of a step whose record counts, and
 * `keep` the attempt whose result counts for any inputs. Containers of such a run begin again,
 * because the steps in them may read other values than before.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "blueprints/step.h"

static int32_t rule(const struct frame *f, const char *which, int32_t otherwise)
{
    const struct json *rules = jv_get(f->host->repair, which);

    return (int32_t)jv_get_int(jv_get(rules, f->path), otherwise);
}

int32_t step_first_attempt(const struct frame *f)
{
    return rule(f, "again", 0);
}

/* Cancelled with the step around it, which has not ended: it runs again too. */
bool step_record_is_open(const struct step_record *rec)
{
    return rec->state == STEP_STARTED || rec->state == STEP_WAITING || rec->state == STEP_CANCELLED;
}

bool step_record_has_value(const struct frame *f, const struct step_record *rec)
{
    if (step_record_is_open(rec))
        return false;
    return rec->state == STEP_OK || strcmp(f->step->on_error, "continue") == 0;
}

/* A leaf with other inputs than its record. */
static enum step_verdict judge_other_inputs(const struct frame *f, const struct step_record *rec)
{
    if (!f->host->repair)
        return STEP_DISAGREES;
    if (f->step->kind == PLAN_VALUE)
        return STEP_NEW_ATTEMPT;
    /* It does not matter whether it happened. While the run goes on, what a step reads differs only
     * because a step before it was done again: the comparison has settled all else. */
    if (step_effect(f) <= EFFECT_READ && (step_record_is_open(rec) || f->host->run))
        return STEP_NEW_ATTEMPT;
    return STEP_DISAGREES;
}

enum step_verdict step_judge(const struct frame *f, const struct step_record *rec)
{
    bool same = memcmp(rec->in_hash, f->in_hash, sizeof(f->in_hash)) == 0;
    enum step_verdict as_recorded = step_record_is_open(rec) ? STEP_GOES_ON : STEP_IS_DONE;

    if (rec->attempt < step_first_attempt(f))
        return STEP_NEW_ATTEMPT;
    if (rule(f, "keep", -1) == rec->attempt)
        return STEP_IS_DONE;
    if (f->host->repair && !frame_is_leaf(f)) {
        bool handled = rec->state != STEP_OK && step_record_has_value(f, rec);

        return handled && rule(f, "again", -1) < 0 ? STEP_IS_DONE : STEP_GOES_ON;
    }
    return same ? as_recorded : judge_other_inputs(f, rec);
}
