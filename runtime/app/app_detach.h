/* app_detach.h - a command that goes on in the background, once what it began stands in the store.
 *
 * The process forks before there is any thread (store, engine and loop make theirs later). The
 * child keeps the terminal until the run's row stands, so that whatever is wrong is said as without
 * --detach and with the same exit code; then it tells the parent the run's id and lets go.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_DETACH_H
#define TROUPE_RUNTIME_APP_APP_DETACH_H

#include "runtime/app/app.h"

struct detached {
    bool is_parent;
    int tell; /* child: the pipe to the parent, or -1 */
};
#define DETACHED_INIT                                                                              \
    {                                                                                              \
        .tell = -1                                                                                 \
    }

/* Called first of all by a command. In the parent it returns when the child has let go or ended,
 * the id is printed, and *code is what to exit with. */
MUST_CHECK enum status app_detach(struct app *a, struct detached *d, int *code, struct error *err);
/* In the child, when the run's row stands: from here on messages go to STORE.log, nothing is read,
 * and nothing stands on standard output. Does nothing when nothing was detached. */
MUST_CHECK enum status app_detached(struct app *a, struct detached *d, const char *uuid,
                                    struct error *err);

#endif
