/* power_judge.h - is what a crash left what the store promised?
 *
 * The image is opened as any store is, checked by store_check, and every run in it is taken and
 * read back: what is there has the value that was written, steps follow each other without a
 * gap, a step is finished (state, output and token record) or only intended. The counts then say
 * which transactions are there; these must be the first so many of all.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_POWER_JUDGE_H
#define TROUPE_TESTS_POWER_JUDGE_H

#include "runtime/base/str.h"
#include "tests/integration/store/power_work.h"

enum power_outcome {
    POWER_INTACT, /* everything promised is there */
    POWER_LOST,   /* some of the last promised transactions are not; all else holds */
    POWER_CORRUPT /* anything else */
};

/* promised: the last transaction that must be there. *n_lost: how many of the promised are not.
 * `report` says what is wrong; it is cleared first. The store at `path` is used up: it is written
 * to, too. */
enum power_outcome power_judge(const struct power_work *w, const char *path, int32_t promised,
                               int32_t *n_lost, struct str *report);

#endif
