/* troupe_wait.h - open questions of runs, and their answers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_TROUPE_WAIT_H
#define TROUPE_RUNTIME_API_TROUPE_WAIT_H

#include "runtime/api/troupe.h"

struct wait_row;

/* Is it an open question? A timer is not a question. */
bool wait_is_question(const struct wait_row *w);
/* {"path", "kind", "prompt": text, "options": array or null, "default": value or null, "deadline":
 * RFC 3339 in UTC or null}: new. */
struct json *wait_document(const struct wait_row *w);

/* The open questions of a run: a new array of such documents. The store is open. */
MUST_CHECK enum status troupe_waits(struct troupe *t, const char *uuid, struct json **out,
                                    struct error *err);
/* Those of all runs, the oldest run first, each also with "run" and "name"; at most `most` (0: all
 * of them). */
MUST_CHECK enum status troupe_inbox(struct troupe *t, size_t most, struct json **out,
                                    struct error *err);

/* Answers the question at `path` (NULL: the only one that is open) with one of its options by its
 * text, else with the text itself. STATUS_USAGE names the options, STATUS_NOT_FOUND: no question
 * there. A closed question is an error with the reason. A process that drives the run takes the
 * answer within a second. The store must be open for writing. */
MUST_CHECK enum status troupe_answer(struct troupe *t, const char *uuid, const char *path,
                                     const char *text, struct error *err);
/* The same without waiting for the disk: `done` is called on the loop. An error that is returned is
 * all. */
MUST_CHECK enum status troupe_answer_later(struct troupe *t, const char *uuid, const char *path,
                                           const char *text, txn_done done, void *ctx,
                                           struct error *err);

#endif
