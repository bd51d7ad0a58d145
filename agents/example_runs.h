/* example_runs.h - the token ids of recorded runs as examples for supervised training.
 *
 * A chain of calls is one example: the ids of the prompts and replies as they were recorded, never
 * tokenized again. Sampled ids are trained, once each; a call whose prompt no longer begins with
 * all of the call before starts another example. Ids come from models in this process, and from
 * servers that give them (remote_spec.h, `ids`).
 *
 * Ids mean something only with their tokenizer. All are checked against the model's: below the
 * vocabulary, and a reply whose text is recorded must decode to it. (The record of a model in this
 * process has its text only as ids.)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_EXAMPLE_RUNS_H
#define TROUPE_AGENTS_EXAMPLE_RUNS_H

#include "models/formats/tokenizer.h"
#include "models/train/example_source.h"
#include "runtime/base/log.h"

struct store_reader;

#define EXAMPLE_RUNS_MAX_IDS ((int64_t)1 << 28) /* of all runs together */

struct example_runs_options {
    struct store_reader *reader;       /* lent for the call */
    const char *runs;                  /* RUN[/PATH],...: as `show` takes them */
    const struct tokenizer *tokenizer; /* lent for the call */
    int32_t vocab;                     /* of the model */
    struct log *log; /* a warning for each run, or part of one, without ids; may be NULL */
};
/* Reads all runs. STATUS_INVALID: a run has not ended ok or is an evaluation, an id or a text is
 * not of this tokenizer (the message names the call), or no call has ids. */
MUST_CHECK enum status example_runs_new(const struct example_runs_options *o,
                                        struct example_source **out, struct error *err);
void example_runs_free(struct example_source *s);

#endif
