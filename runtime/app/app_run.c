/* app_run.c - one blueprint run in this process: loop, agents, tools, models, output.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/app/app_model.h"
#include "runtime/app/app_tools.h"
#include "runtime/app/table.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"

#define CANCEL_POLL_MS 500

struct driver {
    struct app *app;
    struct loop *loop;
    struct loop_box *alive;
    struct loop_tick *tick;
    struct loop_timer *poll, *limit;
    struct agent_host *agents;
    struct tool_registry *tools;
    struct runner *runner;
    struct run *run;
    char uuid[37];
    int64_t steps_seen;
    bool ended, interrupted, stream_json;
    /* the result, copied */
    enum run_status status;
    struct json *output;
    struct error err;
    int64_t steps, tok_in, tok_out, wall_ms;
};

int app_exit_of_status(enum run_status status)
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

/* A resumed run keeps the --model that it was begun with; the last given counts, and one for the
 * role before one for all. */
static const char *stored_model(const struct driver *d, const char *role, const char *name)
{
    const struct json *list = jv_get(run_config(d->run), "models");
    const char *of_role = NULL;
    size_t n = role ? strlen(role) : 0;

    for (size_t i = 0; i < jv_size(list); i++) {
        const char *given = jv_get_string(jv_at(list, i), "");
        const char *eq = app_model_role_end(given);
        if (eq && role && (size_t)(eq - given) == n && strncmp(given, role, n) == 0)
            of_role = eq + 1;
        if (!eq)
            name = given;
    }
    return of_role ? of_role : name;
}

static enum status find_model(void *ctx, const char *role, const char *name, struct model **out,
                              struct error *err)
{
    struct driver *d = ctx;
    const char *was = stored_model(d, role, name), *is = app_model_name(d->app, role, was);
    enum status st = app_model(d->app, is, out, err);

    if (st)
        return st;
    return app_same_weights(was,
                            jv_get_string(jv_get(jv_get(run_config(d->run), "weights"), was), NULL),
                            is, *out, err);
}

/* Nothing is posted here: the box only keeps the loop alive until the run ends. */
static void on_no_mail(void *ctx, struct mail *all)
{
    (void)ctx;
    (void)all;
}

static void wake_for_store(void *ctx)
{
    loop_wake(ctx);
}

static void stop_runner(struct driver *d, bool keep)
{
    if (d->runner && !d->ended)
        runner_stop(d->runner, keep);
}

/* Once a turn: was there a signal (it wakes the loop)? Completions of the store; then what this
 * turn recorded goes out as one transaction. */
static void each_turn(void *ctx)
{
    struct driver *d = ctx;

    if (d->app->signal->signo && !d->interrupted && !d->ended) {
        d->interrupted = true;
        stop_runner(d, true);
    }
    store_drain_replies(store_reply_box(d->app->store));
    if (d->run)
        journal_flush(d->run);
}

static void print_event(const char *type, const char *path, const char *key, const char *value)
{
    struct json *o = jv_object();
    struct str s = STR_INIT;

    jv_set_string(o, "type", type);
    jv_set_string(o, "path", path);
    jv_set_string(o, key, value);
    jv_write(o, 0, &s);
    str_putc(&s, '\n');
    app_print(&s);
    str_deinit(&s);
    jv_unref(o);
}

static void on_step(void *ctx, const char *path, const char *kind, enum step_state state)
{
    struct driver *d = ctx;

    d->steps_seen += state != STEP_STARTED;
    if (d->stream_json)
        print_event("step", path, "status", step_state_name(state));
    log_progress(d->app->log, "%lld steps done, at %s (%s)", (long long)d->steps_seen, path, kind);
}

static void on_text(void *ctx, const char *path, const char *text, size_t n)
{
    struct driver *d = ctx;
    struct str s = STR_INIT;

    if (d->stream_json) {
        struct json *o = jv_object();
        jv_set_string(o, "type", "text");
        jv_set_string(o, "path", path);
        jv_set_adopt(o, "text", jv_string_n(text, n));
        jv_write(o, 0, &s);
        str_putc(&s, '\n');
        jv_unref(o);
    } else {
        str_append(&s, text, n);
    }
    app_print(&s);
    str_deinit(&s);
}

static void on_done(void *ctx, struct runner *r, const struct runner_result *result)
{
    struct driver *d = ctx;

    (void)r;
    d->status = result->status;
    d->output = result->output ? jv_ref(result->output) : NULL;
    d->err = result->err;
    d->steps = result->steps;
    d->tok_in = result->tok_in;
    d->tok_out = result->tok_out;
    d->wall_ms = result->wall_ms;
    d->ended = true;
    loop_stop(d->loop);
}

static void on_limit(void *ctx)
{
    struct driver *d = ctx;
    int64_t ms = option_int(d->app->options, OPT_TIMEOUT);
    char limit[32], words[80];

    if (!d->runner || d->ended)
        return;
    if (ms < 60000)
        snprintf(limit, sizeof(limit), "%g s", (double)ms / 1000);
    else
        format_duration_ms(ms, limit, sizeof(limit));
    snprintf(words, sizeof(words), "time limit of %s reached", limit);
    runner_time_out(d->runner, words);
}

static void poll_cancelled(void *ctx)
{
    struct driver *d = ctx;
    bool cancelled = false;
    struct error ignored = ERROR_INIT;

    loop_timer_free(d->poll);
    d->poll = NULL;
    if (d->ended)
        return;
    if (!run_poll_cancelled(d->run, &cancelled, &ignored) && cancelled)
        stop_runner(d, false);
    else
        d->poll = loop_timer_new(d->loop, CANCEL_POLL_MS, poll_cancelled, d);
}

static enum status open_driver(struct driver *d, struct error *err)
{
    struct app *a = d->app;
    enum status st = loop_new(a->seams, &d->loop, err);

    if (st)
        return st;
    d->alive = loop_box_new(d->loop, on_no_mail, d);
    loop_box_hold(d->alive, 1); /* the run ends by on_done, not by an idle loop */
    store_set_wake(a->store, wake_for_store, d->loop);
    d->tick = loop_tick_new(d->loop, each_turn, d);
    a->signal->wake = d->loop;
    d->poll = loop_timer_new(d->loop, CANCEL_POLL_MS, poll_cancelled, d);
    if (option_is_set(a->options, OPT_TIMEOUT))
        d->limit = loop_timer_new(d->loop, option_int(a->options, OPT_TIMEOUT), on_limit, d);
    st = app_tools(a, &d->tools, err);
    if (st)
        return st;
    struct agent_host_options ho = {
        .loop = d->loop, .registry = d->tools, .seams = a->seams, .ctx = d};
    if (option_flag(a->options, OPT_STREAM))
        ho.on_text = on_text;
    return agent_host_new(&ho, &d->agents, err);
}

static void close_driver(struct driver *d)
{
    runner_free(d->runner);
    run_close(d->run);
    agent_host_free(d->agents);
    tool_registry_free(d->tools);
    loop_timer_free(d->limit);
    loop_timer_free(d->poll);
    d->app->signal->wake = NULL;
    loop_tick_free(d->tick);
    if (d->app->store)
        store_set_wake(d->app->store, NULL, NULL);
    loop_box_free(d->alive);
    loop_free(d->loop);
    jv_unref(d->output);
}

static struct json *result_document(const struct driver *d)
{
    struct json *doc = app_document("run");

    if (d->stream_json)
        jv_set_string(doc, "type", "result");
    jv_set_string(doc, "run", d->uuid);
    jv_set_string(doc, "status", run_status_word(d->status));
    jv_set_adopt(doc, "output", d->output ? jv_ref(d->output) : jv_null());
    jv_set_int(doc, "steps", d->steps);
    jv_set_int(doc, "tokens", d->tok_in + d->tok_out);
    jv_set_int(doc, "tokens_in", d->tok_in);
    jv_set_int(doc, "tokens_out", d->tok_out);
    jv_set_real(doc, "wall_s", (double)d->wall_ms / 1000);
    if (d->err.message[0])
        jv_set_string(doc, "message", d->err.message);
    return doc;
}

/* Prints the result, or appends its document to `list`. */
static int print_result(struct driver *d, struct json *list)
{
    struct app *a = d->app;
    struct str out = STR_INIT;
    char took[32];
    int code;

    log_progress_end(a->log);
    if (d->err.message[0])
        app_print_error(a, &d->err);
    if (list) {
        jv_append_adopt(list, result_document(d));
        code = EXIT_OK;
    } else if (a->json) {
        code = app_print_json(result_document(d));
    } else {
        if (d->output)
            jv_write(d->output, 2, &out);
        if (d->output)
            str_putc(&out, '\n');
        code = app_print(&out);
        format_duration_ms(d->wall_ms, took, sizeof(took));
        log_write(a->log, LOG_INFO, "run %s: %s, %lld steps, %lld tokens, %s", d->uuid,
                  run_status_word(d->status), (long long)d->steps,
                  (long long)(d->tok_in + d->tok_out), took);
    }
    if (d->status == RUN_WAITING)
        log_write(a->log, LOG_INFO, "answer with `troupe answer %s VALUE`, then `troupe resume %s`",
                  d->uuid, d->uuid);
    str_deinit(&out);
    return code;
}

static int exit_code(const struct driver *d, int printed)
{
    if (d->interrupted)
        return 128 + d->app->signal->signo;
    if (d->err.status == STATUS_CONFIG && d->status == RUN_ERROR)
        return EXIT_CONFIG; /* the blueprint no longer fits what was recorded */
    int code = app_exit_of_status(d->status);
    return code ? code : printed;
}

int app_drive_run(struct app *a, const struct plan *plan, struct run *run,
                  const struct json *inputs, bool print, struct json *list)
{
    struct driver d = {.app = a, .run = run};
    struct error err = ERROR_INIT;
    int code;

    d.stream_json = a->json && option_flag(a->options, OPT_STREAM);
    snprintf(d.uuid, sizeof(d.uuid), "%s", run_uuid(run));
    if (print)
        log_write(a->log, LOG_INFO, "run %s, seed %llu", d.uuid, (unsigned long long)run_seed(run));
    enum status st = open_driver(&d, &err);
    if (!st) {
        struct runner_host h = {.loop = d.loop,
                                .agents = d.agents,
                                .tools = d.tools,
                                .store = a->store,
                                .seams = a->seams,
                                .model = find_model,
                                .on_step = on_step,
                                .ctx = &d};
        st = runner_start(&h, plan, run, inputs, on_done, &d, &d.runner, &err);
    }
    if (!st) {
        if (!d.ended)
            loop_run(d.loop);
        st = journal_sync(run, &err); /* nothing is printed before it is durable */
    }
    if (st)
        code = app_fail(a, &err);
    else
        code = exit_code(&d, print ? print_result(&d, list) : EXIT_OK);
    if (d.interrupted && !st)
        log_write(a->log, LOG_INFO, "interrupted; `troupe resume %s` goes on", d.uuid);
    close_driver(&d);
    return code;
}
