/* toy_source.h - data that a tiny model learns in a few updates: each id is followed by its
 * successor under one permutation.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_UNIT_TRAIN_TOY_SOURCE_H
#define TROUPE_TESTS_UNIT_TRAIN_TOY_SOURCE_H

#include "models/train/example_source.h"

#define TOY_IDS 20

struct toy {
    struct example_source source;
    int64_t n_gets;       /* calls so far */
    int64_t interrupt_at; /* at this call *flag is set (0: never) */
    volatile int *flag;
    int64_t kill_at; /* at this call the process kills itself (0: never) */
};

void toy_init(struct toy *t); /* endless, with a probe of one category "even" and one "odd" */

#endif
