/* power_draw.h - numbered random draws of the power-loss test: the same seed and stream give the
 * same draws.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_POWER_DRAW_H
#define TROUPE_TESTS_POWER_DRAW_H

#include "runtime/base/rng.h"

struct power_draw {
    uint64_t seed;
    uint32_t stream, n; /* n: the number of draws so far */
};

/* Uniform in [0, below); below at least 1. */
static inline uint32_t power_draw(struct power_draw *d, uint32_t below)
{
    return rng_below(rng_philox(d->seed, d->stream, d->n++, 0, 0).word[0], below);
}

#endif
