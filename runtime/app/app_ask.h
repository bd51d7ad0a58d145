/* app_ask.h - asks a waiting run's question on the terminal.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_ASK_H
#define TROUPE_RUNTIME_APP_APP_ASK_H

#include "runtime/app/app.h"

/* Somebody is there: standard input and error are a terminal, and no document is wanted. */
bool app_can_ask(const struct app *a);
/* Asks the first open question of a run that nobody holds, until it has an answer, from here or
 * from elsewhere, or its time is over. False: the run stays waiting (end of input, a signal, or
 * nothing is asked). */
bool app_ask(struct app *a, const char *uuid);

#endif
