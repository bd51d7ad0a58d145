/* replay.h - how the steps of a recorded run ended, for a run that replays it.
 *
 * In a replay the record decides how a step ends, and no clock does. A step with a recorded end
 * ends the same way. A step that was cancelled, or never ended, or was never begun, is held
 * (frame.h) until the step around it ends. When only held steps are left, runner_replay.c ends the
 * step that was the next to be ended early: by its time-out, or by the failure of a branch.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_REPLAY_H
#define TROUPE_BLUEPRINTS_REPLAY_H

#include "runtime/base/map.h"
#include "runtime/store/journal.h"

struct step_row;
struct store_reader;

struct replay_end {
    enum step_state state; /* started or waiting: it has not ended */
    int32_t tries;
    int64_t ended_ms; /* wall clock; 0: not ended */
    char *error;      /* may be NULL */
};

struct replay {
    struct map *end;   /* path with the attempt -> struct replay_end */
    struct map *taken; /* paths of steps that are not done again: see replay_takes */
    struct json
        *keep; /* the results that a repair kept for other inputs: path -> attempt; or NULL */
    struct replay_end run;
};

MUST_CHECK enum status replay_load(struct store_reader *q, const char *uuid, struct replay **out,
                                   struct error *err);
void replay_free(struct replay *r);
/* NULL: the attempt was never begun. */
const struct replay_end *replay_find(const struct replay *r, const char *path, int32_t attempt);
/* Is this row part of the record that the replay starts from? Results of models, tools and people
 * are. So is a step with all steps in it if its result cannot be computed again: an agent that was
 * ended from outside, or a step that a repair kept for other inputs. */
bool replay_takes(const struct replay *r, const struct step_row *s);

#endif
