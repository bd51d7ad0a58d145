/* run_view.h - a run or an episode as a document, as `troupe show --json` prints it.
 *
 * Steps look the same from both: those of a run come from the step and tok tables, those of an
 * episode from its packed record.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_RUN_VIEW_H
#define TROUPE_RUNTIME_API_RUN_VIEW_H

#include "runtime/base/json.h"
#include "runtime/store/query.h"

struct run_view {
    bool tokens, messages; /* load them, too */
    /* ---- loaded */
    struct json *head;     /* run, status, name, kind, seed, output ... */
    struct json *steps;    /* array, as in troupe.show/1 */
    struct json *models;   /* of the calls among the steps: {model, calls, tokens_in, tokens_out,
                              cost?} */
    struct json *verdict;  /* or NULL */
    struct json *episodes; /* of an evaluation shown whole, or NULL */
    struct json *episode;  /* the episode shown, as input for `env verify`, or NULL */
    struct json *waits;
    struct json *threads; /* run_messages.h; NULL unless messages are asked for */
    int64_t last_seq;
    bool ended;
};

/* path: NULL, or a step or an episode alone. Only steps with a number above `after` (-1: all).
 * Also a view that failed is for run_view_deinit. */
MUST_CHECK enum status run_view_load(struct run_view *v, struct store_reader *q, const char *uuid,
                                     const char *path, int64_t after, struct error *err);
void run_view_deinit(struct run_view *v);
struct json *run_view_document(const struct run_view *v); /* troupe.show/1: new */

/* One step as it is in that document: new. */
struct json *run_step_json(const struct step_row *s);

#endif
