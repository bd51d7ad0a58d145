/* power_work.h - what a store is made to do before the power fails, and what it promised meanwhile.
 *
 * Everything that is written can be counted, and is counted upwards within its run: steps that
 * were intended, steps that were finished, messages, and so on. For each count the number of the
 * transaction is kept that raised it. Transactions are numbered in the order in which they were
 * posted, which is the order in which the store commits them; so what a crash leaves must be what
 * the first so many of them wrote. A promise is a place in the disk's log with the number of the
 * last transaction that was said to be durable when the log was so long.
 *
 * One seed gives one log, to the byte, unless the machine stalls for the second after which a store
 * tidies up.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_POWER_WORK_H
#define TROUPE_TESTS_POWER_WORK_H

#include "runtime/base/seams.h"
#include "runtime/store/journal.h"
#include "tests/integration/store/power_draw.h"
#include "tests/integration/store/power_vfs.h"

#define POWER_RUNS      6
#define POWER_STEP_PATH "work/turn:%d/tool:0:act"
#define POWER_EPISODE   "row[0]/episode[%d]"
#define POWER_THREAD    "work"

enum power_what {
    POWER_MADE,    /* the run itself: 0 or 1 */
    POWER_STARTED, /* steps intended */
    POWER_DONE,    /* steps finished, with output and token record */
    POWER_SAID,    /* messages, one a finished step and in its transaction */
    POWER_SPENT,   /* the counter of its budget */
    POWER_PLAYED,  /* episodes */
    POWER_ENDED,   /* its status and output: 0 or 1 */
    POWER_WHATS
};

/* txn[i]: who raised the count from i to i + 1. */
struct power_count {
    int32_t *txn;
    int32_t n, cap;
};

struct power_run {
    char uuid[37];
    struct run *run; /* NULL once it has ended, and after the work */
    struct power_count count[POWER_WHATS];
};

struct power_promise {
    size_t position;
    int32_t txn;
};

struct power_work {
    struct power_run run[POWER_RUNS];
    int n_runs;
    size_t start;   /* position in the log: the work begins */
    int32_t n_txns; /* they are numbered from 1 */
    struct power_promise *promise;
    size_t n_promises, cap_promises;
};

enum power_kind_of_work {
    POWER_WORK_SHORT,
    POWER_WORK_LONG,    /* so many commits that SQLite's log is copied and restarted */
    POWER_WORK_RESTORED /* in a store that was a backup */
};

/* Works in the store at `path`, which is made, and closes it. `log` is started and stopped. */
void power_work_do(struct power_work *w, struct power_vfs *log, const char *path,
                   enum store_durability durability, uint64_t seed, enum power_kind_of_work kind);
void power_work_deinit(struct power_work *w);
/* What had been promised when the log was so long. */
int32_t power_work_promised(const struct power_work *w, size_t position);

/* What a run's k-th step gave: short, long or hard to compress. New reference. */
struct json *power_work_value(int run, int32_t k);
/* How many ids its token record has: some records are stored in pieces. */
int32_t power_work_n_ids(int32_t k);

#endif
