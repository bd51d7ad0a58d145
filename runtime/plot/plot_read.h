/* plot_read.h - where curves come from: the metrics of a training, or recorded evaluations.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_PLOT_PLOT_READ_H
#define TROUPE_RUNTIME_PLOT_PLOT_READ_H

#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/plot/plot.h"

/* DIR/metrics.jsonl, also while it is written. Lines that cannot be read are left out, with a
 * warning (log may be NULL); a file of nothing else is STATUS_CORRUPT. */
MUST_CHECK enum status plot_training(struct plot_set *set, const char *dir, struct log *log,
                                     struct error *err);

/* Evaluations, drawn together: a panel for each environment and rate of faults, in it a curve for
 * each model as it was evaluated (temperature, ablation, tasks). Runs that differ in nothing but
 * their horizons are one curve. */
struct plot_horizons;
struct plot_horizons *plot_horizons_new(struct plot_set *set);
struct plot_evaluation {
    const char *name;                 /* of the run: where config says no more */
    const struct json *config, *rows; /* as the store has them: troupe.eval/1 */
};
MUST_CHECK enum status plot_horizons_add(struct plot_horizons *h, const struct plot_evaluation *e,
                                         struct error *err);
void plot_horizons_end(struct plot_horizons *h); /* ceilings and notes; frees h */

#endif
