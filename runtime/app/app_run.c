/* app_run.c - see app_run.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/api/run_summary.h"
#include "runtime/api/troupe_mcp.h"
#include "runtime/api/troupe_wait.h"
#include "runtime/app/app_ask.h"
#include "runtime/app/run_text.h"
#include "runtime/app/table.h"
#include "runtime/app/wait_text.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"

/* The exit code for the status of a run. */
static int app_exit_of_status(enum run_status status)
{
    switch (status) {
    case RUN_OK:
        return EXIT_OK;
    case RUN_WAITING:
        return EXIT_WAITING;
    case RUN_TIMEOUT:
        return EXIT_TIME;
    default:
        return EXIT_NOT_OK;
    }
}

/* ---- from the command line */

enum status app_load_plan(struct app *a, const char *path, struct plan **plan, struct json **given,
                          struct error *err)
{
    enum status st = blueprint_load(path, plan, err);

    if (!st)
        st = troupe_mcp_plan(a->troupe, *plan, err);
    *given = jv_object();
    for (int32_t i = 0; !st && i < option_count(a->options, OPT_VAR); i++)
        st = plan_input_assign(*plan, option_text_at(a->options, OPT_VAR, i), *given, err);
    return st;
}

/* ---- while it runs */

static void print_event(struct app_drive *d, const struct troupe_run *r, const char *type,
                        const char *path, const char *key, struct json *adopt_value)
{
    struct json *o = jv_object();

    jv_set_string(o, "type", type);
    jv_set_string(o, "run", troupe_run_uuid(r));
    jv_set_string(o, "path", path);
    jv_set_adopt(o, key, adopt_value);
    if (d->unwritten)
        jv_unref(o);
    else
        d->unwritten = app_print_json(o) != EXIT_OK;
}

static const char *short_id(struct app_drive *d, const struct troupe_run *r)
{
    const char *uuid = troupe_run_uuid(r);
    struct store_reader *q;
    struct error ignored = ERROR_INIT;

    if (strncmp(uuid, d->short_id, strlen(d->short_id)) == 0 && d->short_id[0])
        return d->short_id;
    if (troupe_reader(d->app->troupe, &q, &ignored) ||
        query_short_id(q, uuid, d->short_id, &ignored))
        snprintf(d->short_id, sizeof(d->short_id), "%s", uuid);
    return d->short_id;
}

static void on_step(void *ctx, struct troupe_run *r, const char *path, const char *kind,
                    enum step_state state)
{
    struct app_drive *d = ctx;

    const struct troupe_result *so_far = troupe_run_result(r);
    const char *more = so_far->n_before > 0 ? "more " : "";
    bool several = option_flag(d->app->options, OPT_ALL);

    if (d->stream_json)
        print_event(d, r, "step", path, "status", jv_string(step_state_name(state)));
    if (d->options.listener.on_text) /* which writes to the same place */
        return;
    log_progress_run(d->app->log, troupe_run_uuid(r), path,
                     "%s%s%s%lld %sstep%s done, now at %s (%s)", several ? "run " : "",
                     several ? short_id(d, r) : "", several ? ": " : "", (long long)so_far->n_done,
                     more, plural_s(so_far->n_done), path, kind);
}

static void on_text(void *ctx, struct troupe_run *r, const char *path, const char *text, size_t n)
{
    struct app_drive *d = ctx;

    if (d->stream_json) {
        print_event(d, r, "text", path, "text", jv_string_n(text, n));
        return;
    }
    while (n > 0) {
        ssize_t w = write(STDERR_FILENO, text, n);

        if (w < 0 && errno != EINTR)
            return; /* provisional text that is not shown */
        d->last_byte = w > 0 ? text[w - 1] : d->last_byte;
        text += w > 0 ? w : 0;
        n -= w > 0 ? (size_t)w : 0;
    }
}

void app_drive_init(struct app_drive *d, struct app *a)
{
    const struct options *o = a->options;
    int32_t n = option_count(o, OPT_MODEL);

    *d = (struct app_drive){.app = a, .n_before = -1};
    d->model = xcalloc((size_t)n + 1, sizeof(*d->model));
    for (int32_t i = 0; i < n; i++)
        d->model[i] = option_text_at(o, OPT_MODEL, i);
    d->options.model = d->model;
    d->options.n_models = n;
    d->options.models_are_defaults = strcmp(option_origin(o, OPT_MODEL), "flag") != 0;
    d->options.root = option_text(o, OPT_ROOT);
    /* Waits for a step `wait`, unless other runs follow. */
    d->options.stay = option_flag(o, OPT_ALL) ? RUNNER_STAY_WORK : RUNNER_STAY_WAITS;
    if (option_is_set(o, OPT_TIMEOUT))
        d->options.timeout_ms = option_int(o, OPT_TIMEOUT);
    d->options.listener = (struct troupe_listener){.ctx = d, .on_step = on_step};
    if (option_flag(o, OPT_STREAM))
        d->options.listener.on_text = on_text;
    d->stream_json = a->json && option_flag(o, OPT_STREAM);
}

void app_drive_deinit(struct app_drive *d)
{
    free(d->model);
}

/* ---- the result */

static void put_waits(struct app *a, const char *uuid, struct json *doc)
{
    struct json *waits = NULL;
    struct error err = ERROR_INIT;

    if (troupe_waits(a->troupe, uuid, &waits, &err))
        log_write(a->log, LOG_WARN, "cannot read the open questions of the run: %s", err.message);
    else
        jv_set_adopt(doc, "waits", waits);
}

static struct json *result_document(const struct app_drive *d, const char *uuid,
                                    const struct troupe_result *result)
{
    struct json *doc = app_document("run");

    if (d->stream_json)
        jv_set_string(doc, "type", "result");
    jv_set_string(doc, "run", uuid);
    jv_set_string(doc, "status", run_status_word(result->status));
    jv_set_adopt(doc, "output", result->output ? jv_ref(result->output) : jv_null());
    jv_set_int(doc, "steps", result->n_steps);
    jv_set_int(doc, "tokens", result->tok_in + result->tok_out);
    jv_set_int(doc, "tokens_in", result->tok_in);
    jv_set_int(doc, "tokens_out", result->tok_out);
    run_set_cost(doc, result->cost_nano);
    jv_set_real(doc, "wall_s", (double)result->wall_ms / 1000);
    if (result->err.message[0])
        jv_set_adopt(doc, "error", app_error_json(&result->err));
    if (result->status == RUN_WAITING)
        put_waits(d->app, uuid, doc);
    return doc;
}

static int print_text(const struct app_drive *d, const char *uuid,
                      const struct troupe_result *result)
{
    int64_t tokens = result->tok_in + result->tok_out;
    int64_t before = d->n_before < 0 ? result->n_before : d->n_before;
    struct str out = STR_INIT, cost = STR_INIT;
    char took[32], earlier[48] = "";
    int code;

    if (result->output) {
        jv_write(result->output, 2, &out);
        str_putc(&out, '\n');
    }
    code = app_print(&out);
    str_deinit(&out);
    format_duration_ms(result->wall_ms, took, sizeof(took));
    run_put_cost(result->cost_nano, &cost);
    if (before > 0)
        snprintf(earlier, sizeof(earlier), " (%lld done before)", (long long)before);
    log_write_run(
        d->app->log, LOG_INFO, uuid, NULL, "run %s: %s, %lld step%s%s, %lld token%s%s, %s", uuid,
        run_status_word(result->status), (long long)result->n_steps, plural_s(result->n_steps),
        earlier, (long long)tokens, plural_s(tokens), str_cstr(&cost), took);
    str_deinit(&cost);
    return code;
}

/* Of several runs, with the run. */
static void print_why(const struct app_drive *d, const char *uuid, const struct error *why)
{
    struct error err = *why;

    if (option_flag(d->app->options, OPT_ALL))
        error_note(&err, "run %s", uuid);
    app_print_error(d->app, uuid, &err);
}

int app_drive_print(const struct app_drive *d, const char *uuid, const struct troupe_result *result)
{
    struct app *a = d->app;
    int code = EXIT_OK;

    log_progress_end(a->log);
    if (d->last_byte && d->last_byte != '\n')
        dprintf(STDERR_FILENO, "\n");
    if (result->err.message[0])
        print_why(d, uuid, &result->err);
    if (d->unwritten)
        code = EXIT_FAILED;
    else if (d->list)
        jv_append_adopt(d->list, result_document(d, uuid, result));
    else
        code = a->json ? app_print_json(result_document(d, uuid, result))
                       : print_text(d, uuid, result);
    if (result->status == RUN_WAITING) {
        wait_print_all(a, uuid);
        log_write_run(a->log, LOG_INFO, uuid, NULL,
                      "after the answer, `troupe resume %s` continues the run", uuid);
    }
    if (run_status_is_repairable(result->status) && !result->err.hint[0])
        log_write_run(a->log, LOG_INFO, uuid, NULL,
                      "`troupe resume %s --from-failed` tries the failed steps again", uuid);
    if (result->status == RUN_INTERRUPTED)
        log_write_run(a->log, LOG_INFO, uuid, NULL,
                      "interrupted; `troupe resume %s` continues the run", uuid);
    return code;
}

static int exit_code(const struct app_drive *d, const struct troupe_result *result, int printed)
{
    if (printed)
        return printed; /* the result is lost, whatever it was */
    if (result->status == RUN_INTERRUPTED && *d->app->interrupted)
        return 128 + *d->app->interrupted;
    if (result->status == RUN_INTERRUPTED && result->err.status)
        return app_exit_of(result->err.status); /* of this process, not of the run */
    return app_exit_of_status(result->status);
}

/* ---- driving */

/* Once a turn: checks for a signal, which wakes the loop. */
static void look_for_signal(void *ctx)
{
    struct app *a = ctx;

    if (a->signal->signo)
        troupe_interrupt(a->troupe);
}

/* Runs the loop until no run is under way. A signal interrupts the runs. */
enum status app_run_loop(struct app *a, struct error *err)
{
    struct loop_tick *tick;
    struct loop *loop;
    enum status st = troupe_loop(a->troupe, &loop, err);

    if (st)
        return st;
    tick = loop_tick_new(loop, look_for_signal, a);
    a->signal->wake = loop;
    st = troupe_drive(a->troupe, err);
    a->signal->wake = NULL;
    loop_tick_free(tick);
    return st;
}

void app_drive_asks(struct app_drive *d)
{
    d->asks = app_can_ask(d->app);
    if (d->asks)
        d->options.stay = RUNNER_STAY_ALL;
}

struct asking {
    struct troupe_run *run;
    struct loop *loop;
};

static void look_for_question(void *ctx)
{
    const struct asking *q = ctx;

    if (troupe_run_only_asks(q->run))
        loop_stop(q->loop);
}

/* What it asks is asked on the terminal, while it is under way: a call that asks stays open. */
static enum status drive_asking(struct app *a, struct troupe_run *run, struct error *err)
{
    struct asking q = {.run = run};
    struct loop_tick *tick;
    enum status st = troupe_loop(a->troupe, &q.loop, err);

    if (st)
        return st;
    tick = loop_tick_new(q.loop, look_for_question, &q);
    do {
        troupe_run_look(run); /* for the answer to the last question */
        st = app_run_loop(a, err);
        if (!st && troupe_run_only_asks(run))
            st = troupe_run_sync(run, err);
    } while (!st && troupe_run_only_asks(run) && app_ask(a, troupe_run_uuid(run)));
    loop_tick_free(tick);
    if (!st && !troupe_is_idle(a->troupe)) { /* left open: it waits, also after a signal */
        troupe_run_suspend(run);
        st = troupe_drive(a->troupe, err);
    }
    return st;
}

/* Drives it until it ends or waits. */
static enum status drive(struct app_drive *d, struct troupe_run *run, struct error *err)
{
    enum status st = troupe_run_start(run, err);

    d->n_before = troupe_run_result(run)->n_before;
    if (st)
        return st;
    return d->asks ? drive_asking(d->app, run, err) : app_run_loop(d->app, err);
}

int app_drive(struct app_drive *d, struct troupe_run *adopt_r)
{
    struct app *a = d->app;
    struct error err = ERROR_INIT;
    enum status st;
    int code;

    if (!d->quiet)
        log_write_run(a->log, LOG_INFO, troupe_run_uuid(adopt_r), NULL, "run %s, seed %llu",
                      troupe_run_uuid(adopt_r),
                      (unsigned long long)run_seed(troupe_run_row(adopt_r)));
    st = drive(d, adopt_r, &err);
    code = st         ? app_fail(a, &err)
           : d->quiet ? EXIT_OK
                      : app_drive_print(d, troupe_run_uuid(adopt_r), troupe_run_result(adopt_r));
    if (!st)
        code = exit_code(d, troupe_run_result(adopt_r), code);
    troupe_run_free(adopt_r);
    return code;
}
