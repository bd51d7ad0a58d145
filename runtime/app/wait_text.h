/* wait_text.h - an open question for people: what is asked, until when, and how to answer.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_WAIT_TEXT_H
#define TROUPE_RUNTIME_APP_WAIT_TEXT_H

#include "runtime/app/app.h"

/* Is its deadline past, so that it takes no answer? */
bool wait_is_over(const struct json *w, int64_t now_ms);
/* Appends the lines of one question (a document of api/troupe_wait.h). `run`: the whole id for the
 * command, since a prefix that is unique now may not be when it is typed; NULL: no command. The
 * path is part of it when `with_path`. */
void wait_put_text(const struct json *w, const char *run, bool with_path, int64_t now_ms,
                   struct str *out);
/* The lines of all open questions of a run, on standard error, also with --quiet. */
void wait_print_all(struct app *a, const char *uuid);

#endif
