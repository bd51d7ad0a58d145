/* app_watch.c - see app_watch.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_watch.h"

#include <stdio.h>
#include <string.h>

#include "runtime/api/troupe_wait.h"
#include "runtime/api/troupe_watch.h"
#include "runtime/app/app_run.h"
#include "runtime/app/wait_text.h"
#include "runtime/loop/loop.h"
#include "runtime/store/query.h"

struct watching {
    struct app_drive drive; /* first: the listener's context; for every run */
    struct app *app;
    int code; /* of the last run that could not go on or could not be printed */
};

/* Prints the ends of runs. A run that waits has already printed its question. */
static void on_end(void *ctx, struct troupe_run *r)
{
    struct watching *w = ctx; /* the drive is its first member */
    int code;

    if (troupe_run_result(r)->status == RUN_WAITING) {
        log_progress_end(w->app->log);
        wait_print_all(w->app, troupe_run_uuid(r));
        return;
    }
    code = app_drive_print(&w->drive, troupe_run_uuid(r), troupe_run_result(r));
    w->code = code ? code : w->code;
}

static void on_stuck(void *ctx, const char *uuid, const struct error *err)
{
    struct watching *w = ctx;
    struct error why = *err;

    error_note(&why, "run %s", uuid);
    app_print_error(w->app, uuid, &why);
    log_write_run(w->app->log, LOG_WARN, uuid, NULL, "run %s cannot go on and stays as it is",
                  uuid);
    w->code = app_exit_of(err->status);
}

static void on_idle(void *ctx, const struct error *lost)
{
    struct watching *w = ctx;
    struct error ignored = ERROR_INIT;
    struct loop *loop;

    if (lost) {
        app_print_error(w->app, NULL, lost);
        w->code = app_exit_of(lost->status);
    }
    if (!troupe_loop(w->app->troupe, &loop, &ignored)) /* it runs */
        loop_stop(loop);
}

static bool name_eval(void *ctx, const struct run_row *r)
{
    struct app *a = ctx;

    if (strcmp(r->kind, "eval") == 0)
        log_write(a->log, LOG_INFO, "evaluation %s is interrupted; `troupe resume %s` continues it",
                  r->uuid, r->uuid);
    return true;
}

static void log_waits(struct app *a, const struct json *waits)
{
    for (size_t i = 0; i < jv_size(waits); i++) {
        const struct json *w = jv_at(waits, i);

        const char *run = jv_get_string(jv_get(w, "run"), "");
        const char *path = jv_get_string(jv_get(w, "path"), "");

        if (wait_is_over(w, seams_wall_ms(a->seams)))
            log_write(a->log, LOG_INFO,
                      "run %s: the time to answer %s is over; `troupe resume %s` continues the run",
                      run, path, run);
        else
            log_write_run(a->log, LOG_INFO, run, path, "run %s is waiting for an answer at %s%s",
                          run, path,
                          jv_kind(jv_get(w, "deadline")) == JV_NULL ? ", without a deadline" : "");
    }
    if (jv_size(waits) == 0)
        log_write(a->log, LOG_INFO, "no run is open");
}

/* Lists the rest: questions without a deadline, and evaluations, which are not watched. */
static int print_rest(struct watching *w, struct error *err)
{
    struct app *a = w->app;
    struct json *waits = NULL, *doc;
    struct store_reader *q;
    int code = EXIT_OK;
    enum status st = troupe_reader(a->troupe, &q, err);

    if (!st && !*a->interrupted)
        st = query_runs(q, RUN_STATUS_BIT(RUN_INTERRUPTED), 0, name_eval, a, err);
    if (!st)
        st = troupe_inbox(a->troupe, 0, &waits, err);
    if (st)
        return app_fail(a, err);
    log_progress_end(a->log);
    if (!*a->interrupted)
        log_waits(a, waits);
    if (a->json) {
        doc = app_document("resume");
        if (w->drive.stream_json)
            jv_set_string(doc, "type", "result");
        jv_set_adopt(doc, "runs", jv_ref(w->drive.list));
        jv_set_adopt(doc, "waits", jv_ref(waits));
        code = app_print_json(doc);
    }
    jv_unref(waits);
    return code;
}

int app_watch(struct app *a)
{
    struct watching w = {.app = a};
    struct troupe_watch_options o = {.at_once = (int32_t)option_int(a->options, OPT_IN_FLIGHT),
                                     .on_stuck = on_stuck,
                                     .on_idle = on_idle,
                                     .ctx = &w};
    struct troupe_watch *watch = NULL;
    struct error err = ERROR_INIT;
    int code;
    enum status st;

    app_drive_init(&w.drive, a);
    w.drive.list = a->json ? jv_array() : NULL;
    o.run = w.drive.options;
    o.run.listener.on_end = on_end;
    st = troupe_watch_start(a->troupe, &o, &watch, &err);
    if (!st)
        st = app_run_loop(a, &err);
    troupe_watch_free(watch);
    code = st ? app_fail(a, &err) : print_rest(&w, &err);
    jv_unref(w.drive.list);
    app_drive_deinit(&w.drive);
    return code ? code : w.code;
}
