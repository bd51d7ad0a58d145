/* app_ask.h - asks a waiting run's question on the terminal.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_ASK_H
#define TROUPE_RUNTIME_APP_APP_ASK_H

#include "runtime/app/app.h"

/* Standard input and error are a terminal, and --json is not given. */
bool app_can_ask(const struct app *a);
/* Asks the first open question of a run that no other process holds, until it is answered, here or
 * elsewhere, or its deadline passes. The loop of the program turns meanwhile. False: the run stays
 * waiting (end of input, a signal, or no open question). */
bool app_ask(struct app *a, const char *uuid);

#endif
