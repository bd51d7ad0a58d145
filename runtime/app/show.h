/* show.h - loads a run or an episode as a document, then writes it as text or JSON.
 *
 * Steps look the same from both: those of a run come from the step and tok tables, those of an
 * episode from its packed record.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_SHOW_H
#define TROUPE_RUNTIME_APP_SHOW_H

#include "runtime/app/app.h"
#include "runtime/base/json.h"
#include "runtime/store/query.h"

struct tokenizer;

struct show_view {
    struct app *app;
    bool tokens, messages;
    /* ---- loaded */
    struct json *head;     /* run, status, name, kind, seed, output ... */
    struct json *steps;    /* array, as in troupe.show/1 */
    struct json *verdict;  /* or NULL */
    struct json *episodes; /* of an evaluation shown whole, or NULL */
    struct json *episode;  /* the episode shown, as input for `env verify`, or NULL */
    struct json *waits;
    struct json *threads;        /* show_messages.h; NULL unless messages are asked for */
    struct tokenizer *tokenizer; /* of the run's model where it can be found, or NULL */
    int64_t last_seq;
    bool ended;
};

MUST_CHECK enum status show_load(struct show_view *v, struct store_reader *q, const char *uuid,
                                 const char *path, int64_t after, struct error *err);
void show_deinit(struct show_view *v);
struct json *show_document(const struct show_view *v); /* troupe.show/1: new */
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
