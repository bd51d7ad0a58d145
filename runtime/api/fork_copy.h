/* fork_copy.h - copies the record of a run into a new run, so that this goes on from it.
 *
 * What a repair has replaced by a new attempt is left out. A step around `path` is copied as begun.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_FORK_COPY_H
#define TROUPE_RUNTIME_API_FORK_COPY_H

#include "blueprints/plan.h"
#include "blueprints/replay.h"

struct fork_copy {
    struct store_reader *from; /* the store with the run `uuid` */
    const char *uuid;
    const struct plan *plan;     /* of that run */
    const struct json *config;   /* of that run */
    const char *path;            /* this step and those after it are not copied; NULL: copies all */
    const struct replay *replay; /* not NULL: copies what it takes, and nothing else */
};
/* STATUS_NOT_FOUND: the run has no step `path`. Flushes; what is written need not be durable yet.
 */
MUST_CHECK enum status fork_copy(struct run *to, const struct fork_copy *what, struct error *err);

#endif
