/* app_budget.h - the disk budget of a training folder, and what is removed when it is full.
 *
 * Recorded episodes are removed first, then checkpoints, each from the oldest on. The newest run of
 * each kind, the newest checkpoint and the best one are always kept.
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
    bool logged;         /* the removal has been reported */
};

/* Removes files until `need` more bytes fit. STATUS_DISK_FULL: the message says how much would be
 * enough. best: the update whose checkpoint is kept; -1: none. */
MUST_CHECK enum status disk_budget_make_room(struct disk_budget *b, int64_t need, int64_t best,
                                             struct error *err);

#endif
