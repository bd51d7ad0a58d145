/* app_program.h - runs another program to its end, for commands that need one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_PROGRAM_H
#define TROUPE_RUNTIME_APP_APP_PROGRAM_H

#include "runtime/app/app.h"

/* Runs argv (ends with NULL) without input, until it ends or a signal asks this program to end:
 * STATUS_CANCELLED. Its output lines become messages, unless `quiet`. STATUS_NOT_FOUND: there is no
 * such program. An exit code other than 0 is STATUS_FAILED: "WHAT: ended with exit code N: LAST
 * LINE", the last line of its standard error. */
MUST_CHECK enum status app_program(struct app *a, const char *const *argv, const char *what,
                                   bool quiet, struct error *err);

#endif
