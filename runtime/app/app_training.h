/* app_training.h - OUT/train.json: the options that a training was started with, for --resume and
 * replay.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_TRAINING_H
#define TROUPE_RUNTIME_APP_APP_TRAINING_H

#include "models/train/learning.h"
#include "runtime/app/app.h"

/* Writes all options that are set, except --out and --resume. Creates the folder. */
MUST_CHECK enum status app_training_write(const struct app *a, const char *out, struct error *err);

/* Warns of options that are allowed and hardly meant: a warm-up that is longer than the training.
 */
void app_training_warn(const struct app *a);

/* For a command that trains into --out: *then is *a, or with --resume the result of
 * app_training_read. STATUS_USAGE: --out is missing, or it contains a training and --resume is not
 * given. */
MUST_CHECK enum status app_training_open(const struct app *a, struct app *then, bool *from_folder,
                                         struct error *err);
/* *then is *a with the options that `dir` was started with; the flags of this invocation override
 * them. Without a train.json (*found: false) it has the options of this invocation alone. Threads
 * and the like always come from this invocation. Closed by app_training_close. STATUS_USAGE:
 * another command started the training. */
MUST_CHECK enum status app_training_read(const struct app *a, const char *dir, const char *command,
                                         struct app *then, bool *found, struct error *err);
/* Prints why a training ended, and how to go on with one that was interrupted; the exit code. */
int app_training_failed(struct app *a, enum status st, struct error *err);
void app_training_close(const struct app *a, struct app *then);

/* --model, which is required. from_folder: the options come from app_training_read; 0.1.0 did not
 * write --model there when it was the embedded one. */
MUST_CHECK enum status app_training_model(const struct app *a, bool from_folder, const char **out,
                                          struct error *err);
/* Does this training produce a chat model? True with --data, except for a training that 0.1.0
 * started: it goes on with the tokenizer and the rendering of 0.1.0. */
bool app_training_chats(const struct app *a);
/* The options of the optimiser, of every command that trains, and their values. */
#define APP_LEARNING_OPTIONS                                                                       \
    OPT_LR, OPT_LR_MIN, OPT_LR_SCHEDULE, OPT_WARMUP, OPT_BETA1, OPT_BETA2, OPT_WEIGHT_DECAY,       \
        OPT_CLIP
struct learning app_learning(const struct app *a);

#endif
