/* show.h - a run or an episode (api/run_view.h) as text, and differences of two.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_SHOW_H
#define TROUPE_RUNTIME_APP_SHOW_H

#include "runtime/api/run_view.h"
#include "runtime/app/app.h"

struct tokenizer;

struct show_view {
    struct app *app;
    struct run_view run;         /* its `tokens` and `messages` are set before loading */
    struct tokenizer *tokenizer; /* of the run's model where it can be found, or NULL */
};

MUST_CHECK enum status show_load(struct show_view *v, struct store_reader *q, const char *uuid,
                                 const char *path, int64_t after, struct error *err);
void show_deinit(struct show_view *v);
void show_text(const struct show_view *v, struct str *out);
/* The steps alone, for --follow; NDJSON with the result last. */
int show_stream(const struct show_view *v, bool json, bool last);
/* Prints steps as they are recorded until the run ends or no process holds it any more. v gives the
 * format (tokens, json). Returns the exit code. */
int show_follow(const struct show_view *v, struct store_reader *q, const char *uuid,
                const char *path);
/* Compares steps by path and attempt: state, result, tokens; and how the runs ended. Returns how
 * many differences there are. *list: new, of {path, attempt, only_in: "first" or "second"} and
 * {path, attempt, members: {NAME: [value in a, value in b]}}; for the run itself the path is null.
 */
int64_t show_diff(const struct show_view *a, const struct show_view *b, struct str *out,
                  struct json **list);

#endif
