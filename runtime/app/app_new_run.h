/* app_new_run.h - from a blueprint on the command line to a row in the store. */
#ifndef TROUPE_RUNTIME_APP_APP_NEW_RUN_H
#define TROUPE_RUNTIME_APP_APP_NEW_RUN_H

#include "blueprints/plan.h"
#include "runtime/app/app.h"
#include "runtime/store/journal.h"

/* The blueprint and its inputs (--var, and defaults). Both are the caller's, also the plan of a
 * failure over an input. */
MUST_CHECK enum status app_load_plan(struct app *a, const char *path, struct plan **plan,
                                     struct json **inputs, struct error *err);

struct new_run {
    const char *kind; /* "run", "eval" */
    uint64_t seed;
    const struct json *more; /* members of the configuration beside the plan's, or NULL */
};
/* Opens the models that its agents need, and only then creates the run. */
MUST_CHECK enum status app_new_run(struct app *a, const struct plan *plan,
                                   const struct json *inputs, const struct new_run *how,
                                   struct run **out, struct error *err);

#endif
