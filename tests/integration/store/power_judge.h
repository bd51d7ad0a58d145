/* power_judge.h - checks that a store after a crash is what it promised.
 *
 * The image is opened like any store and checked by store_check. Every run in it is taken and read
 * back: each value is the one that was written, steps have no gaps, a step is finished (state,
 * output and token record) or only intended. The counts then show which transactions exist; they
 * must be a prefix of all transactions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_POWER_JUDGE_H
#define TROUPE_TESTS_POWER_JUDGE_H

#include "runtime/base/str.h"
#include "tests/integration/store/power_work.h"

enum power_outcome {
    POWER_INTACT, /* every promised transaction exists */
    POWER_LOST,   /* some of the last promised transactions are missing; everything else holds */
    POWER_CORRUPT /* anything else */
};

/* promised: the last transaction that must exist. *n_lost: how many promised ones are missing.
 * `report` lists the findings; it is cleared first. The store at `path` is changed by the check and
 * must not be used after it. */
enum power_outcome power_judge(const struct power_work *w, const char *path, int32_t promised,
                               int32_t *n_lost, struct str *report);

#endif
