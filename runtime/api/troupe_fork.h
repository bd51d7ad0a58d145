/* troupe_fork.h - a new run that starts from the record of another.
 *
 * A fork takes over the steps before a path as they were, and goes on from there. A replay takes
 * over results of models, tools and people, and does everything else again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_TROUPE_FORK_H
#define TROUPE_RUNTIME_API_TROUPE_FORK_H

#include "runtime/api/troupe.h"

struct store_reader;

struct troupe_fork {
    struct store_reader *from; /* the store with the run `uuid` */
    const char *uuid;
    const char *path; /* live: this step and those after it are not copied; NULL: copies all */
    /* A fork: other models are allowed, and recorded in the new run. Else a replay, for which the
     * weights must be the same. */
    bool live;
};
/* The new run is in the store of t, which may differ from that of `from`. Not started yet. */
MUST_CHECK enum status troupe_run_fork(struct troupe *t, const struct troupe_fork *fork,
                                       const struct troupe_run_options *o, struct troupe_run **out,
                                       struct error *err);

#endif
