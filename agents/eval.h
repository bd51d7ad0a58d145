/* eval.h - evaluates a policy on many recorded episodes of an environment, and makes the table.
 *
 * Episodes are independent: row[r]/episode[i]. Each is one packed record and one transaction; a row
 * is returned only after its episodes are durable. A kill loses only the episodes in flight; resume
 * plays only the missing ones.
 *
 * Seeds: episode i of every row has the task seed `seed + i` and a fault seed derived from it
 * alone, so that all rows and policies get the same tasks and faults. Sampling is keyed by `seed`,
 * with call ids from the episode's path (rollout.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_EVAL_H
#define TROUPE_AGENTS_EVAL_H

#include "agents/agent.h"
#include "agents/eval_horizon.h"
#include "runtime/base/log.h"

struct eval_row_spec {
    int32_t horizon;
    double noise; /* below 0: the environment's default */
    float temperature;
    int32_t episodes;
};
struct eval_options {
    const struct env_ops *env;
    enum env_profile profile;
    enum env_ablation ablation;
    uint32_t faults; /* kinds that strike (env_params); 0: all */
    struct model *model;
    const char *model_name; /* for the record; NULL: the model's own */
    const char *expert;     /* NULL: the model plays; else a script of env->experts (control) */
    const struct eval_row_spec *row;
    int32_t n_rows;
    uint64_t seed;     /* tasks seed .. seed + episodes - 1; must be at least 2^20 */
    int32_t votes;     /* control: samples of each call for a vote; 0, 1: no vote */
    int32_t in_flight; /* 0: 128 */
    struct store *store;
    const char *resume; /* uuid of an interrupted evaluation or NULL */
    const struct seams *seams;
    struct log *log;                 /* may be NULL */
    const volatile int *interrupted; /* may be NULL */
};
/* A rate without a denominator (recovered errors if there were none) is NaN, null in JSON. */
struct eval_row {
    struct eval_row_spec spec;              /* noise filled in */
    int64_t n, n_success, n_failed_outside; /* the last: timeouts and errors, not counted in n */
    double success, success_low, success_high, ceiling; /* Wilson, 95 % */
    double step_accuracy, recovered, detection, false_alarm, own_slips, calls_per_step;
    /* Accuracy of steps after a wrong step and after a right one, and their difference: do errors
     * lead to more errors? (Newcombe's interval, 95 %.) */
    double after_wrong, after_right, self_conditioning, self_low, self_high;
    int64_t steps;
    int64_t tok_in, tok_out;     /* of this process, as are the next two */
    double wall_s, tokens_per_s; /* sampled tokens */
};
/* Fills rows (n_rows) in order, and uuid as soon as the run exists. If interrupted it returns
 * STATUS_CANCELLED, and the run can be resumed. */
MUST_CHECK enum status eval_run(const struct eval_options *o, struct eval_row *rows, char uuid[37],
                                struct error *err);

/* For a resume: fills in the options that are stored with the run (config must outlive o). The
 * caller sets the model, the store and the others. `row` has room for max_rows. */
MUST_CHECK enum status eval_options_read(const struct json *config, struct eval_options *o,
                                         struct eval_row_spec *row, int32_t max_rows,
                                         struct error *err);

/* Checks that tasks seed .. seed + episodes - 1 are not for training and fit in 64 bits. */
MUST_CHECK enum status eval_check_seed(uint64_t seed, int64_t episodes, struct error *err);
void wilson_interval(int64_t successes, int64_t n, double *low, double *high);
struct json *eval_row_json(const struct eval_options *o, const struct eval_row *row);
/* One entry for each temperature and noise among the rows, in their order. */
struct eval_horizons {
    float temperature;
    double noise;
    struct horizon_fit fit;
};
int32_t eval_horizons(const struct eval_row *rows, int32_t n, struct eval_horizons *out /* (n) */);
struct json *eval_horizons_json(const struct eval_row *rows, int32_t n);

#endif
