/* app_eval.h - evaluations of blueprints, and resuming an evaluation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_EVAL_H
#define TROUPE_RUNTIME_APP_APP_EVAL_H

#include "runtime/app/app.h"

/* Plays the missing episodes of run `uuid` (kind eval, `config` from its record) and prints the
 * table as `eval` does, or appends its document to the array `list`. Fails when the evaluation
 * cannot go on, for example with other weights. *code: the exit code. */
MUST_CHECK enum status app_resume_eval(struct app *a, const char *uuid, const struct json *config,
                                       struct json *list, int *code, struct error *err);

/* `eval BLUEPRINT`: runs it --episodes times with the seeds from --seed on, one after the other.
 * Each is a separate run; the evaluation is one more run, which lists them. Returns the exit code.
 */
int app_eval_blueprint(struct app *a, const char *path);

#endif
