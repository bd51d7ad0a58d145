/* histogram.c - see histogram.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/histogram.h"

#include "runtime/base/map.h"
#include "runtime/base/memory.h"

void histogram_add(struct histogram *h, const struct histogram_bounds *b, double value)
{
    int32_t i = 0;

    while (i < b->n && value > b->bound[i])
        i++;
    h->count[i]++;
    h->sum += value;
}

struct series *series_find(struct map *set, const char *labels)
{
    struct series *s = map_get(set, labels);

    if (!s && map_size(set) >= SERIES_MAX) {
        labels = "otel_metric_overflow=\"true\"";
        s = map_get(set, labels);
    }
    if (!s) {
        s = xcalloc(1, sizeof(*s));
        map_put(set, labels, s);
    }
    return s;
}
