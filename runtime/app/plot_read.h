/* plot_read.h - where curves come from: the metrics of a training, or evaluations in the store.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_PLOT_READ_H
#define TROUPE_RUNTIME_APP_PLOT_READ_H

#include "runtime/app/app.h"
#include "runtime/app/plot.h"

/* DIR/metrics.jsonl, also while it is written. */
MUST_CHECK enum status plot_training(struct plot_set *set, const char *dir, struct error *err);

/* Evaluations, drawn together: a panel for each environment and rate of faults, in it a curve for
 * each model as it was evaluated (temperature, ablation, tasks). Runs that differ in nothing but
 * their horizons are one curve. */
struct plot_horizons;
struct plot_horizons *plot_horizons_new(struct plot_set *set);
MUST_CHECK enum status plot_horizons_add(struct plot_horizons *h, struct store_reader *q,
                                         const char *run, struct error *err);
void plot_horizons_end(struct plot_horizons *h); /* ceilings and notes; frees h */

#endif
