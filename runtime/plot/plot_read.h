/* plot_read.h - reads curves from the metrics of a training or from recorded evaluations.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_PLOT_PLOT_READ_H
#define TROUPE_RUNTIME_PLOT_PLOT_READ_H

#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/plot/plot.h"

/* DIR/metrics.jsonl, also while it is written. Unreadable lines are skipped with a warning (log
 * may be NULL). STATUS_CORRUPT: no line is readable. */
MUST_CHECK enum status plot_training(struct plot_set *set, const char *dir, struct log *log,
                                     struct error *err);

/* Evaluations, drawn together: a panel for each environment and rate of faults, in it a curve for
 * each model as it was evaluated (temperature, ablation, tasks). Runs that differ only in their
 * horizons are one curve. */
struct plot_horizons;
struct plot_horizons *plot_horizons_new(struct plot_set *set);
struct plot_evaluation {
    const char *name;                 /* of the run; used if config lacks a name */
    const struct json *config, *rows; /* as the store has them: troupe.eval/1 */
};
MUST_CHECK enum status plot_horizons_add(struct plot_horizons *h, const struct plot_evaluation *e,
                                         struct error *err);
void plot_horizons_end(struct plot_horizons *h); /* ceilings and notes; frees h */

#endif
