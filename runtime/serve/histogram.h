/* histogram.h - counts of values below fixed bounds, and sets of them by label.
 *
 * The loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_HISTOGRAM_H
#define TROUPE_RUNTIME_SERVE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS_MAX 16
#define SERIES_MAX           512 /* of one set */

/* (n) upper bounds, rising; a value belongs to the first that is not below it. */
struct histogram_bounds {
    int32_t n;
    double bound[HISTOGRAM_BOUNDS_MAX];
};
/* Zeroed at first. */
struct histogram {
    uint64_t count[HISTOGRAM_BOUNDS_MAX + 1]; /* of each bucket alone; the last has no bound */
    double sum;
};
void histogram_add(struct histogram *h, const struct histogram_bounds *b, double value);

/* Values by labels: {a="x",b="y"} without the braces, as prometheus_label made it. After SERIES_MAX
 * label sets all others count as otel_metric_overflow="true". */
struct map;
struct series {
    struct histogram histogram; /* or a sum alone */
};
struct series *series_find(struct map *set, const char *labels);

#endif
