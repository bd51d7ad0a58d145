/* prometheus_text.h - metrics in the text format of Prometheus, version 0.0.4.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_PROMETHEUS_TEXT_H
#define TROUPE_RUNTIME_SERVE_PROMETHEUS_TEXT_H

#include "runtime/base/str.h"
#include "runtime/serve/histogram.h"

#define PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum prometheus_type { PROMETHEUS_COUNTER, PROMETHEUS_GAUGE, PROMETHEUS_HISTOGRAM };

/* Appends the lines HELP and TYPE; the samples of the family follow. */
void prometheus_family(struct str *out, enum prometheus_type type, const char *name,
                       const char *help);
/* Appends one label to `labels`: name="value", with a comma before it unless it is the first. */
void prometheus_label(struct str *labels, const char *name, const char *value);
/* labels: of prometheus_label; "": none. */
void prometheus_sample(struct str *out, const char *name, const char *labels, double value);
void prometheus_histogram(struct str *out, const char *name, const char *labels,
                          const struct histogram_bounds *b, const struct histogram *h);

#endif
