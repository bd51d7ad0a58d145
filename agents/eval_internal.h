/* eval_internal.h - what the files of an evaluation share: tallies and the stored configuration.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_EVAL_INTERNAL_H
#define TROUPE_AGENTS_EVAL_INTERNAL_H

#include "agents/eval.h"
#include "runtime/store/query.h"

/* Steps grouped by whether the step before was right. */
struct eval_after {
    int64_t wrong, wrong_right; /* steps after a wrong one; how many were right */
    int64_t right, right_right;
};

/* Sums over the episodes of a row. */
struct eval_tally {
    int64_t n, n_success, n_failed_outside;
    int64_t steps;
#define COUNTER(name) int64_t name;
#include "tools/environments/counters.def"
#undef COUNTER
    struct eval_after after;
    int64_t tok_in, tok_out;
};

/* eval_stats.c */
void eval_tally_add(struct eval_tally *t, const struct env_verdict *v,
                    const struct eval_after *after);
void eval_after_of(const struct env_ops *ops, const struct env *env, struct eval_after *out);
/* The stored form of an episode: its verdict and `after`. */
struct json *eval_verdict_json(const struct env_verdict *v, const struct eval_after *after);
/* Fills all of row but spec, ceiling and times. */
void eval_tally_row(const struct eval_tally *t, struct eval_row *row);

/* eval_config.c */
MUST_CHECK enum status eval_check(const struct eval_options *o, struct error *err);
void eval_params(const struct eval_options *o, const struct eval_row_spec *row, int32_t episode,
                 struct env_params *out);
/* Mean over the row's tasks: the ceiling depends on the task if the risk does. */
double eval_ceiling(const struct eval_options *o, const struct eval_row_spec *row);
/* Creates the run, or opens the one to resume and compares its configuration. */
MUST_CHECK enum status eval_open_run(const struct eval_options *o, struct run **out,
                                     struct error *err);
/* Sets is_done (one byte per episode) for the stored episodes of row r, and tallies them. */
MUST_CHECK enum status eval_load_row(const struct eval_options *o, const char *uuid, int32_t r,
                                     uint8_t *is_done, struct eval_tally *t, struct error *err);

#endif
