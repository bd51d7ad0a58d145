/* app_training.h - OUT/train.json: what a training was begun with, so that --resume and replay need
 * not be given it again.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_TRAINING_H
#define TROUPE_RUNTIME_APP_APP_TRAINING_H

#include "runtime/app/app.h"

/* All options that are set, but for --out and --resume. Makes the folder. */
MUST_CHECK enum status app_training_write(const struct app *a, const char *out, struct error *err);

/* For a command that trains into --out: *then is *a, with --resume as app_training_read gives it.
 * STATUS_USAGE: there is no --out, or it holds a training and --resume is not given. */
MUST_CHECK enum status app_training_open(const struct app *a, struct app *then, bool *from_folder,
                                         struct error *err);
/* *then is *a with the options that `dir` was begun with, where a flag of now does not say
 * something else; with those of now alone where there is no train.json (*found: false). Threads and
 * the like are always those of now. Closed by app_training_close. STATUS_USAGE: begun by another
 * command. */
MUST_CHECK enum status app_training_read(const struct app *a, const char *dir, const char *command,
                                         struct app *then, bool *found, struct error *err);
/* Prints why a training ended, and how to go on with one that was interrupted; the exit code. */
int app_training_failed(struct app *a, enum status st, struct error *err);
void app_training_close(const struct app *a, struct app *then);

/* --model, which training must be given. from_folder: of options that app_training_read found,
 * where 0.1.0 left it out when it was the embedded one. */
MUST_CHECK enum status app_training_model(const struct app *a, bool from_folder, const char **out,
                                          struct error *err);
/* Does this training teach to chat? It does with --data; but one that 0.1.0 began goes on as it
 * was, with the tokenizer of environments when it is new, and rendered as it was then. */
bool app_training_chats(const struct app *a);
/* --lr-schedule continue. */
bool app_training_continues(const struct app *a);

#endif
