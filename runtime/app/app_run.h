/* app_run.h - a blueprint from the command line: loaded, driven, its result printed.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_RUN_H
#define TROUPE_RUNTIME_APP_APP_RUN_H

#include "runtime/app/app.h"
#include "runtime/store/query.h"

/* The blueprint and its inputs as given (--var). Both are the caller's, also the plan of a failure
 * over an input. */
MUST_CHECK enum status app_load_plan(struct app *a, const char *path, struct plan **plan,
                                     struct json **given, struct error *err);

/* One run in the foreground: progress goes to standard error; with --stream the text of replies
 * goes to standard output, with --json too as a line each. */
struct app_drive {
    struct app *app;
    bool quiet;        /* nothing is printed, neither progress nor result */
    bool asks;         /* a question is asked on the terminal; the run goes on with the answer */
    struct json *list; /* where the document goes instead of standard output, or NULL */
    struct troupe_run_options options; /* made by app_drive_init */
    /* ---- private */
    const char **model;
    int64_t steps_seen;
    bool stream_json;
    bool unwritten; /* standard output took no more: nothing else is tried */
    char last_byte; /* of the text on standard error */
};
/* Reads the invocation's options; lives as long as the run. */
void app_drive_init(struct app_drive *d, struct app *a);
void app_drive_deinit(struct app_drive *d);
/* Drives r (adopted) to its end or to a wait, prints what `troupe run` prints and gives the exit
 * code. */
int app_drive(struct app_drive *d, struct troupe_run *adopt_r);

/* Prints how a run ended, or appends its document to d->list; EXIT_FAILED when it cannot be
 * written. */
int app_drive_print(const struct app_drive *d, const char *uuid,
                    const struct troupe_result *result);

/* Runs the loop until no run is under way; a signal leaves them for a later resume. */
MUST_CHECK enum status app_run_loop(struct app *a, struct error *err);

#endif
