/* app_run.h - loads a blueprint, drives its run and prints the result.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_RUN_H
#define TROUPE_RUNTIME_APP_APP_RUN_H

#include "runtime/app/app.h"
#include "runtime/store/query.h"

/* The blueprint and the given inputs (--var). Both are the caller's; the plan also when an input is
 * wrong. */
MUST_CHECK enum status app_load_plan(struct app *a, const char *path, struct plan **plan,
                                     struct json **given, struct error *err);

/* One run in the foreground. Progress goes to standard error. With --stream the text of replies
 * goes to standard output, with --json as one line each. */
struct app_drive {
    struct app *app;
    bool quiet;        /* nothing is printed, neither progress nor result */
    bool asks;         /* a question is asked on the terminal; the run goes on with the answer */
    struct json *list; /* where the document goes instead of standard output, or NULL */
    struct troupe_run_options options; /* made by app_drive_init */
    /* ---- private */
    const char **model;
    char short_id[37]; /* of the run that the last line of progress was about */
    int64_t n_before;  /* steps that had ended before the command began; -1: not known yet */
    bool stream_json;
    bool unwritten; /* standard output failed: no more output is tried */
    char last_byte; /* of the text on standard error */
};
/* Reads the invocation's options; lives as long as the run. */
void app_drive_init(struct app_drive *d, struct app *a);
/* Before its run is made: what the run asks is asked on the terminal, if there is one. */
void app_drive_asks(struct app_drive *d);
void app_drive_deinit(struct app_drive *d);
/* Drives r (adopted) until it ends or waits, prints the result as `troupe run` does and returns the
 * exit code. */
int app_drive(struct app_drive *d, struct troupe_run *adopt_r);

/* Prints how a run ended, or appends its document to d->list; EXIT_FAILED when it cannot be
 * written. */
int app_drive_print(const struct app_drive *d, const char *uuid,
                    const struct troupe_result *result);

/* Runs the loop until no run is under way. A signal interrupts the runs; they can be resumed. */
MUST_CHECK enum status app_run_loop(struct app *a, struct error *err);

#endif
