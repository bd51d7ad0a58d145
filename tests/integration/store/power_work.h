/* power_work.h - the work of a store before the power fails, and the promises that it made.
 *
 * Everything written has a count within its run: intended steps, finished steps, messages and so
 * on. For each value of a count, the number of the transaction that reached it is kept.
 * Transactions are numbered in the order in which they were posted, which is the order of their
 * commits. So after a crash, the store must contain the writes of a prefix of them. A promise is a
 * position of the log, and the number of the last transaction that was reported as durable at that
 * position.
 *
 * One seed gives one log, to the byte, unless the machine stalls for a second, after which a store
 * does maintenance.
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
    POWER_SAID,    /* messages: one per finished step, in its transaction */
    POWER_SPENT,   /* the counter of its budget */
    POWER_PLAYED,  /* episodes */
    POWER_ENDED,   /* its status and output: 0 or 1 */
    POWER_WHATS
};

/* txn[i]: the transaction that raised the count from i to i + 1. */
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
    POWER_WORK_LONG,    /* enough commits for SQLite to copy its log and start it again */
    POWER_WORK_RESTORED /* in a store that was a backup */
};

/* Creates the store at `path`, works in it and closes it. Starts and stops `log`. */
void power_work_do(struct power_work *w, struct power_vfs *log, const char *path,
                   enum store_durability durability, uint64_t seed, enum power_kind_of_work kind);
void power_work_deinit(struct power_work *w);
/* The last transaction promised up to this position of the log. */
int32_t power_work_promised(const struct power_work *w, size_t position);

/* The result of the k-th step of a run: short, long or hard to compress. New reference. */
struct json *power_work_value(int run, int32_t k);
/* The number of ids in its token record; some records are stored in pieces. */
int32_t power_work_n_ids(int32_t k);

#endif
