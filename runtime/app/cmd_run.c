/* cmd_run.c - run a blueprint; validate one without running it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blueprints/plan.h"
#include "runtime/api/troupe_mcp.h"
#include "runtime/app/app_ask.h"
#include "runtime/app/app_detach.h"
#include "runtime/app/app_run.h"
#include "runtime/app/app_tools.h"
#include "runtime/app/app_trace.h"
#include "runtime/app/table.h"
#include "runtime/base/memory.h"

/* Everything up to the row. An error before that leaves no run in the store. */
static enum status begin_run(struct app_drive *d, struct plan **plan, struct troupe_run **run,
                             struct error *err)
{
    struct app *a = d->app;
    char path[APP_PATH_MAX];
    struct store_options store;
    struct troupe_run_spec spec = {.kind = "run", .seed = app_seed(a), .store = &store};
    struct json *given = NULL;
    enum status st = app_load_plan(a, options_arg(a->options, 0), plan, &given, err);

    if (!st)
        st = app_trace_open(a, err);
    if (!st)
        st = app_store_options(a, path, &store, err);
    spec.plan = *plan;
    spec.inputs = given;
    if (!st)
        st = troupe_run_new(a->troupe, &spec, &d->options, run, err);
    jv_unref(given);
    return st;
}

static int run_main(void *app)
{
    struct app *a = app;
    struct detached detached = DETACHED_INIT;
    struct app_drive d;
    struct plan *plan = NULL;
    struct troupe_run *run = NULL;
    struct error err = ERROR_INIT;
    int code = EXIT_OK;
    enum status st = STATUS_OK;

    if (option_flag(a->options, OPT_DETACH)) {
        st = app_detach(a, &detached, &code, &err);
        if (st || detached.is_parent)
            return st ? app_fail(a, &err) : code;
    }
    app_drive_init(&d, a);
    if (!option_flag(a->options, OPT_DETACH))
        app_drive_asks(&d);
    st = begin_run(&d, &plan, &run, &err);
    if (!st)
        st = app_detached(a, &detached, troupe_run_uuid(run), &err);
    if (st) {
        code = app_fail(a, &err);
        troupe_run_free(run);
    } else {
        code = app_drive(&d, run);
    }
    app_drive_deinit(&d);
    plan_free(plan);
    return code;
}

static const enum option_id run_options[] = {
    OPT_VAR,      OPT_MODEL,        OPT_SEED,         OPT_STREAM,  OPT_DETACH,
    OPT_TIMEOUT,  OPT_ROOT,         OPT_DEVICE,       OPT_THREADS, OPT_KV_MEMORY,
    OPT_CONTEXT,  OPT_CPU_ISA,      OPT_WEIGHT_TYPE,  OPT_KV_TYPE, OPT_TRUST_PROJECT,
    OPT_OTLP_URL, OPT_OTLP_HEADERS, OPT_OTLP_CONTENT, OPT_END};
const struct command_spec cmd_run = {
    "run",
    "work",
    "BLUEPRINT",
    "run a workflow; its output goes to standard output",
    "Every step is recorded before it takes effect and after it. "
    "After a crash, `troupe resume` continues the run.\nExit code "
    "0: the run ended ok, also when its verdict is a failure, which "
    "is a result.",
    run_options,
    1,
    1,
    run_main};

static int validate_main(void *app)
{
    struct app *a = app;
    struct plan *plan = NULL;
    struct tool_registry *tools = NULL;
    struct error err = ERROR_INIT;
    int code = EXIT_OK;
    enum status st = blueprint_load(options_arg(a->options, 0), &plan, &err);

    if (!st)
        st = troupe_mcp_plan(a->troupe, plan, &err);
    if (!st)
        st = app_tools(a, &tools, &err);
    if (!st) {
        const struct plan_check check = {
            .tools = tools, .model = troupe_check_model, .ctx = a->troupe};
        st = blueprint_check(plan, &check, &err);
        if (!st)
            st = plan_check_cost(plan, troupe_has_price, a->troupe, &err);
    }
    tool_registry_free(tools);
    if (st) {
        plan_free(plan);
        return app_fail(a, &err);
    }
    if (a->json) {
        struct json *doc = app_document("validate");
        jv_set_bool(doc, "ok", true);
        jv_set_string(doc, "name", plan->name);
        jv_set_int(doc, "steps", plan->n_steps);
        jv_set_int(doc, "agents", plan->n_agents);
        jv_set_adopt(doc, "effective", jv_ref(plan->effective));
        code = app_print_json(doc);
    } else {
        log_write(a->log, LOG_INFO, "%s: ok, %d step%s, %d agent%s, %d input%s", plan->name,
                  plan->n_steps, plural_s(plan->n_steps), plan->n_agents, plural_s(plan->n_agents),
                  plan->n_inputs, plural_s(plan->n_inputs));
    }
    plan_free(plan);
    return code;
}

static const enum option_id validate_options[] = {OPT_TRUST_PROJECT, OPT_END};
const struct command_spec cmd_validate = {
    "validate",
    "host",
    "BLUEPRINT",
    "check a blueprint without running it",
    "It finds unknown keys and names, expressions that cannot be right, and models and tools that "
    "are missing. MCP servers whose tools it names are started.\nThe exit code is 78 when there is "
    "a mistake.",
    validate_options,
    1,
    1,
    validate_main};
