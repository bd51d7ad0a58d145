/* rng.h - Philox4x32-10, the only generator (Salmon et al., SC 2011).
 *
 * Counter-based: the same key and counter give the same words, whatever the
 * batch, the thread or the device. Nothing here has state.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_RNG_H
#define TROUPE_RUNTIME_BASE_RNG_H

#include <stdint.h>

struct rng_block {
    uint32_t word[4];
};

/* key = (seed low, seed high); counter = (c0, c1, c2, c3). */
struct rng_block rng_philox(uint64_t seed, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3);

/* [0, 1) with 24 bits, and with 53 bits from two words. */
float rng_unit_float(uint32_t word);
double rng_unit_double(uint32_t hi, uint32_t lo);
/* Uniform in [0, n) by multiply-shift; n at least 1. */
uint32_t rng_below(uint32_t word, uint32_t n);
/* A seed for something inside something else: mixes both (Philox of a under b). */
uint64_t rng_derive(uint64_t seed, uint64_t stream);

#endif
