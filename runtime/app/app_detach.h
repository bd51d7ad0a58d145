/* app_detach.h - moves a command into the background once its run is in the store.
 *
 * The process forks before it has any thread (store, engine and loop start theirs later). The child
 * keeps the terminal until the row of the run is written, so that errors are printed as without
 * --detach and give the same exit code. Then it sends the run's id to the parent and detaches.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_DETACH_H
#define TROUPE_RUNTIME_APP_APP_DETACH_H

#include "runtime/app/app.h"

struct detached {
    bool is_parent;
    int pipe; /* child: to the parent, or -1 */
};
#define DETACHED_INIT                                                                              \
    {                                                                                              \
        .pipe = -1                                                                                 \
    }

/* A command calls it before anything else. In the parent it returns when the child has detached or
 * ended; then the id is printed and *code is the exit code. */
MUST_CHECK enum status app_detach(struct app *a, struct detached *d, int *code, struct error *err);
/* In the child, once the row of the run is written. From here on messages go to STORE.log, and
 * standard input and output are /dev/null. Does nothing without --detach. */
MUST_CHECK enum status app_detached(struct app *a, struct detached *d, const char *uuid,
                                    struct error *err);

#endif
