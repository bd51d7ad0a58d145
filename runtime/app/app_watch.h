/* app_watch.h - `resume --all --watch`: drives all runs of the store until none is open.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_WATCH_H
#define TROUPE_RUNTIME_APP_APP_WATCH_H

#include "runtime/app/app.h"

/* The store is open. Prints each run as it ends, and finally the open questions without a deadline.
 * Returns the exit code. */
int app_watch(struct app *a);

#endif
