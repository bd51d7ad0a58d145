/* eval_text.h - an evaluation as a table for people, or as a document.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_EVAL_TEXT_H
#define TROUPE_RUNTIME_APP_EVAL_TEXT_H

#include "agents/eval.h"
#include "runtime/app/app.h"

/* Prints the table, or with --json the document, or appends the document to `list` unless it is
 * NULL. `model`: the name as given. Returns the exit code. */
int eval_print(struct app *a, const struct eval_options *o, const struct eval_row *rows,
               const char *model, const char *uuid, struct json *list);

#endif
