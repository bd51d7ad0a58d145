/* troupe_run.h - a run in this process; shared by the files of runtime/api.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_TROUPE_RUN_H
#define TROUPE_RUNTIME_API_TROUPE_RUN_H

#include "blueprints/runner.h"
#include "runtime/api/run_models.h"
#include "runtime/api/troupe_internal.h"

struct troupe_run {
    struct troupe *t;
    struct troupe_run *next; /* in the list of runs under way */
    bool under_way;          /* started, and not yet over */
    int64_t timeout_ms;
    enum runner_stay stay;
    struct troupe_listener listener;
    const struct plan *plan;
    struct plan *own_plan; /* the same if it was loaded from a record, else NULL */
    struct json *inputs;
    struct replay *replay; /* the record that it replays, or NULL */
    struct run_models *models;
    struct tool_registry *tools;
    struct json *recorded_tools; /* of a replay: the upstream tools of the record; or NULL */
    struct agent_host *agents;
    struct runner *runner; /* NULL for a row that is never started */
    struct run *run;
    const char *key; /* of the row to create (run_spec.key), or NULL */
    char uuid[37];
    int64_t created_ms;
    struct run_observer observer; /* of `run`, for the observers of t */
    struct loop_timer *limit;
    struct troupe_result result;
};

/* The absolute folder of the file tools: the given one, else the recorded one, else (both NULL) the
 * working folder; malloc'd. */
MUST_CHECK enum status troupe_run_root(const char *given, const char *recorded, char **out,
                                       struct error *err);
/* The absolute path of the blueprint's file, in `out`; NULL: a plan of 0.1, which does not have it.
 */
const char *troupe_run_source(const struct plan *p, struct str *out);
/* A new object that has only its options. */
struct troupe_run *troupe_run_prepare(struct troupe *t, const struct troupe_run_options *o);
/* Finds tools, opens models and creates a runner for r->plan: all that can fail before the row
 * exists. */
MUST_CHECK enum status troupe_run_check(struct troupe_run *r, const char *root, struct error *err);
/* Creates the row of a checked run: its configuration is the plan, its inputs, models and root,
 * and `more`. prompt_format: as of struct run_spec, 0 for a new run. */
MUST_CHECK enum status troupe_run_create(struct troupe_run *r, const char *kind, uint64_t seed,
                                         int32_t prompt_format, const char *root,
                                         const struct json *more, struct error *err);
/* Takes the row for a checked run. */
MUST_CHECK enum status troupe_run_hold(struct troupe_run *r, const char *uuid, struct error *err);

/* Adds the run to the list of runs under way, and removes it. */
void troupe_run_add(struct troupe_run *r);
void troupe_run_remove(struct troupe_run *r);

#endif
