/* troupe_fork.h - a new run that begins with what another has recorded.
 *
 * Results of models, tools and people are copied; everything above them is done again by the
 * program.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_TROUPE_FORK_H
#define TROUPE_RUNTIME_API_TROUPE_FORK_H

#include "runtime/api/troupe.h"

struct store_reader;

struct troupe_fork {
    struct store_reader *from; /* where the run `uuid` is read */
    const char *uuid;
    const char *path; /* this step and what began after it is not copied; NULL: all is */
    /* Other models may be given, and stand in the new run's record. Else only the same weights. */
    bool live;
};
/* The new run is in the store of t, which may be another one than `from` reads. Not started yet. */
MUST_CHECK enum status troupe_run_fork(struct troupe *t, const struct troupe_fork *fork,
                                       const struct troupe_run_options *o, struct troupe_run **out,
                                       struct error *err);

#endif
