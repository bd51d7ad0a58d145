/* app_terminal.h - a question on the terminal, answered with a line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_TERMINAL_H
#define TROUPE_RUNTIME_APP_APP_TERMINAL_H

#include "runtime/app/app.h"

/* Prints the text and reads a line, without its end, appended to `out`; `secret`: it is not shown.
 * Blocks. false: end of input, or a signal. Only where app_can_ask. */
bool terminal_ask(struct app *a, const char *text, bool secret, struct str *out);

#endif
