/* wait_text.h - an open question as text: the question, its deadline, and how to answer.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_WAIT_TEXT_H
#define TROUPE_RUNTIME_APP_WAIT_TEXT_H

#include "runtime/app/app.h"

/* True: the deadline of the question has passed, so it takes no answer. */
bool wait_is_over(const struct json *w, int64_t now_ms);
/* Appends the lines of one question (a document of api/troupe_wait.h). `run`: the whole id of the
 * run for the `troupe answer` line, since a prefix that is unique now may not be later; NULL: no
 * such line. with_path: that line contains the path. */
void wait_put_text(const struct json *w, const char *run, bool with_path, int64_t now_ms,
                   struct str *out);
/* The lines of all open questions of a run, on standard error, also with --quiet. */
void wait_print_all(struct app *a, const char *uuid);

#endif
