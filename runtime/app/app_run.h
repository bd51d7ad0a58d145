/* app_run.h - one blueprint run in this process: loop, agents, tools, models, output.
 */
#ifndef TROUPE_RUNTIME_APP_APP_RUN_H
#define TROUPE_RUNTIME_APP_APP_RUN_H

#include "blueprints/runner.h"
#include "runtime/app/app.h"
#include "runtime/store/query.h"

/* Drives `run` (created or taken; closed here) to its end or to a wait, prints what cli.md says for
 * `run` (nothing when `print` is false; into the array `list` instead when there is one) and gives
 * the exit code. */
int app_drive_run(struct app *a, const struct plan *plan, struct run *run,
                  const struct json *inputs, bool print, struct json *list);
/* The exit code for a run's last status. */
int app_exit_of_status(enum run_status status);

#endif
