/* app_eval.h - going on with an interrupted evaluation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_EVAL_H
#define TROUPE_RUNTIME_APP_APP_EVAL_H

#include "runtime/app/app.h"

/* Plays the episodes that run `uuid` (kind eval, with its stored configuration) does not have and
 * prints the table as `eval` does, or appends its document to the array `list`. Gives the exit
 * code; fails when it cannot go on, for instance under other weights. */
MUST_CHECK enum status app_resume_eval(struct app *a, const char *uuid, const struct json *config,
                                       struct json *list, int *code, struct error *err);

/* `eval BLUEPRINT`: runs it --episodes times with the seeds from --seed on, one after the other.
 * Each is a run of its own; the evaluation is one more, which names them. Gives the exit code. */
int app_eval_blueprint(struct app *a, const char *path);

#endif
