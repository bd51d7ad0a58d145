/* app_budget.h - how much disk a training folder may take, and what goes first when it is full.
 *
 * Recorded episodes go first, the oldest run before the newer ones, then checkpoints, the oldest
 * first. What stays in any case: the newest run of each kind, the newest checkpoint and the best.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_BUDGET_H
#define TROUPE_RUNTIME_APP_APP_BUDGET_H

#include "runtime/base/log.h"
#include "runtime/store/store.h"

struct disk_budget {
    const char *out;
    int64_t bytes;       /* 0: no bound */
    struct store *store; /* OUT/rollouts.db; may be NULL */
    struct log *log;     /* may be NULL */
    bool told;
};

/* So that `need` more bytes fit. STATUS_DISK_FULL says how much would be enough. best: an update
 * whose checkpoint stays; -1: none. */
MUST_CHECK enum status disk_budget_make_room(struct disk_budget *b, int64_t need, int64_t best,
                                             struct error *err);

#endif
