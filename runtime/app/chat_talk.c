/* chat_talk.c - see chat_talk.h.
 *
 * Everything is on one thread. The loop runs in two places: in chat_until_readable, while the
 * person types, and in work(), until the agent asks for the next message.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/chat_talk.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api/run_models.h"
#include "runtime/api/troupe_wait.h"
#include "runtime/app/app_ask.h"
#include "runtime/app/app_model.h"
#include "runtime/app/app_trace.h"
#include "runtime/app/wait_text.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"
#include "runtime/store/path.h"
#include "runtime/store/query.h"

static bool is_asked_to_end(const struct chat *c)
{
    return *c->app->interrupted != 0;
}

/* ---- signals */

/* The second Ctrl-C for one message ends the program: what it does may not be able to stop. So does
 * one while it waits for lines that nobody edits. */
static void on_stop(struct chat *c)
{
    c->app->signal->stops = 0;
    if (c->reading && c->edits) {
        c->dropped = true;
        loop_stop(c->loop);
    } else if (!c->reading && !c->cut && c->run) {
        c->cut = true;
        troupe_run_cut_short(c->run);
    } else {
        c->app->signal->signo = SIGINT;
    }
}

/* Once a turn: a signal wakes the loop. */
static void look_for_signal(void *ctx)
{
    struct chat *c = ctx;

    if (c->app->signal->stops > 0)
        on_stop(c);
    if (is_asked_to_end(c)) {
        troupe_interrupt(c->app->troupe);
        loop_stop(c->loop);
    }
}

/* ---- what the run does */

static bool begins(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

static void on_text(void *ctx, struct troupe_run *r, const char *path, const char *text, size_t n)
{
    struct chat *c = ctx;

    (void)r;
    (void)path;
    chat_output_text(&c->out, text, n);
}

static void on_end(void *ctx, struct troupe_run *r)
{
    struct chat *c = ctx;

    (void)r;
    c->over = true;
    loop_stop(c->loop);
}

static void step_began(void *ctx, struct troupe_run *r, const struct step_intent *s)
{
    struct chat *c = ctx;

    if (r != c->run)
        return;
    if (strcmp(s->kind, "model") == 0)
        chat_output_begin(&c->out);
    if (strcmp(s->kind, "tool") == 0)
        chat_output_call(&c->out, s->path, s->name ? s->name : "", s->args);
}

static void asks_message(struct chat *c, const struct step_result *s)
{
    const char *failed = jv_get_string(jv_get(s->out, "failed"), NULL);

    free(c->asks);
    c->asks = xstrdup(s->path);
    c->failed = failed != NULL;
    if (failed)
        chat_output_failure(&c->out, failed);
    loop_stop(c->loop);
}

static void step_ended(void *ctx, struct troupe_run *r, const struct step_result *s)
{
    struct chat *c = ctx;
    const char *name = path_last(s->path);
    const char *finish = s->call && s->call->finish ? s->call->finish : "";

    if (r != c->run)
        return;
    if (begins(name, "model:"))
        chat_output_end(&c->out, strcmp(finish, "stop") != 0);
    if (strcmp(name, "message") == 0 && s->state == STEP_WAITING)
        asks_message(c, s);
    if (!begins(name, "tool:"))
        return;
    if (s->state != STEP_WAITING) {
        chat_output_result(&c->out, s->path, s->out);
        return;
    }
    c->asks_person = true;
    loop_stop(c->loop);
}

/* ---- work */

/* Does a tool still ask? A call that begins again after a resume finds its answer. */
static enum status is_asked(struct chat *c, bool *asked, struct error *err)
{
    struct json *waits = NULL;
    enum status st = journal_sync(troupe_run_row(c->run), err); /* the question is a row of it */

    if (!st)
        st = troupe_waits(c->app->troupe, c->uuid, &waits, err);
    for (size_t i = 0; i < jv_size(waits); i++)
        if (strcmp(jv_get_string(jv_get(jv_at(waits, i), "kind"), ""), "message") != 0)
            *asked = true;
    jv_unref(waits);
    return st;
}

/* A tool asks something: the person answers on the terminal; elsewhere the run is left. */
static enum status ask_person(struct chat *c, struct error *err)
{
    bool asked = false;
    enum status st = is_asked(c, &asked, err);

    c->asks_person = false;
    if (st)
        troupe_run_suspend(c->run);
    if (st || !asked)
        return st;
    if (app_can_ask(c->app)) {
        c->app->signal->counts_stops = false;
        bool answered = app_ask(c->app, c->uuid);
        c->app->signal->counts_stops = true;
        if (answered)
            return STATUS_OK;
    }
    wait_print_all(c->app, c->uuid);
    c->quit = c->left_asking = true;
    troupe_run_suspend(c->run);
    return error_set(err, STATUS_WAITING, "run %s waits for an answer", c->uuid);
}

static void drop_run(struct chat *c)
{
    troupe_run_free(c->run);
    c->run = NULL;
    c->over = false;
    free(c->asks);
    c->asks = NULL;
}

/* The run ended though nobody left it. */
static enum status report_end(struct chat *c, struct error *err)
{
    const struct troupe_result *r = troupe_run_result(c->run);
    enum status st = STATUS_OK;

    if (is_asked_to_end(c))
        st = error_set(err, STATUS_CANCELLED, "interrupted; `troupe chat --resume %s` goes on",
                       c->uuid);
    else if (r->err.message[0])
        *err = r->err, st = r->err.status ? r->err.status : STATUS_FAILED;
    else
        chat_output_note(&c->out, "the talk has ended: %s", run_status_word(r->status));
    drop_run(c);
    return st;
}

/* Until the agent asks for the next message, or the run ends. */
static enum status work(struct chat *c, struct error *err)
{
    enum status st = STATUS_OK;

    while (!c->asks && !c->over) {
        if (c->asks_person) {
            enum status asked = ask_person(c, err);

            st = asked ? asked : st;
        }
        loop_run(c->loop);
    }
    if (st) {
        if (c->over)
            drop_run(c);
        return st;
    }
    if (c->over)
        return report_end(c, err);
    if (!c->failed)
        chat_output_answer(&c->out, c->cut);
    return STATUS_OK;
}

static void on_readable(void *ctx, int ready)
{
    struct chat *c = ctx;

    (void)ready;
    loop_stop(c->loop);
}

bool chat_until_readable(void *chat, int fd)
{
    struct chat *c = chat;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct loop_fd *watch = NULL;
    struct error ignored = ERROR_INIT;

    c->reading = true;
    while (!c->dropped && !is_asked_to_end(c) && poll(&p, 1, 0) == 0) {
        if (!watch && loop_fd_new(c->loop, fd, on_readable, c, &watch, &ignored))
            break; /* a read that blocks is all that is left */
        loop_fd_want(watch, LOOP_READ);
        loop_run(c->loop);
        loop_fd_want(watch, 0);
    }
    loop_fd_free(watch);
    if (c->app->signal->stops > 0) /* while it was not in the loop */
        on_stop(c);
    c->reading = false;
    if (!c->dropped)
        return !is_asked_to_end(c);
    c->dropped = false;
    return false;
}

/* ---- messages */

/* A template without tools leaves them out, and the model knows nothing of them. */
static void warn_of_template(const struct chat *c, const struct model *m)
{
    const struct plan_agent *agent = plan_agent_find(troupe_run_plan(c->run), CHAT_STEP);
    const char *template = m->info.chat_template;

    if (agent->n_tools > 0 && m->info.takes_ids && template && !strstr(template, "tools"))
        log_write(c->app->log, LOG_WARN,
                  "the chat template of this model has no tools: the model does not see them, "
                  "unless --system describes them");
}

/* The model writes the replies, so what they look like depends on it. */
static enum status take_model(struct chat *c, struct error *err)
{
    const struct json *config = run_config(troupe_run_row(c->run));
    const char *name = jv_get_string(jv_get(config, "model"), c->model);
    struct model *m = NULL;
    enum status st = troupe_model(c->app->troupe, name, &m, err);

    c->out.model = m;
    if (!st)
        warn_of_template(c, m);
    return st;
}

static enum status start(struct chat *c, struct error *err)
{
    enum status st;

    snprintf(c->uuid, sizeof(c->uuid), "%s", troupe_run_uuid(c->run));
    c->over = c->cut = c->failed = false;
    st = take_model(c, err);
    if (!st)
        st = troupe_run_start(c->run, err);
    if (st) {
        drop_run(c);
        return st;
    }
    return work(c, err);
}

static enum status begin(struct chat *c, struct json *message, struct error *err)
{
    char path[APP_PATH_MAX];
    struct store_options store;
    struct json *inputs = jv_object();
    struct troupe_run_spec spec = {.kind = "run",
                                   .plan = c->plan,
                                   .inputs = inputs,
                                   .seed = app_seed(c->app),
                                   .store = &store};
    enum status st = app_store_options(c->app, path, &store, err);

    jv_set_adopt(inputs, "message", jv_ref(message));
    if (c->said)
        jv_set_adopt(inputs, "history", jv_ref(c->said));
    if (!st)
        st = troupe_run_new(c->app->troupe, &spec, &c->options, &c->run, err);
    jv_unref(inputs);
    if (st)
        return st;
    jv_unref(c->said);
    c->said = NULL;
    return start(c, err);
}

enum status chat_say(struct chat *c, const char *text, size_t n, struct error *err)
{
    struct json *message = jv_string_n(text, n);
    enum status st;

    c->cut = c->failed = false;
    c->app->signal->stops = 0;
    if (!c->run || c->over) {
        if (c->run)
            drop_run(c);
        st = begin(c, message, err);
    } else {
        char *path = c->asks;

        c->asks = NULL;
        st = troupe_run_answer(c->run, path, message, err);
        if (st)
            c->asks = path;
        else
            free(path);
        if (!st)
            st = work(c, err);
    }
    jv_unref(message);
    c->failed = c->failed || st;
    return st;
}

enum status chat_leave(struct chat *c, struct error *err)
{
    enum status st = STATUS_OK;

    if (!c->run)
        return STATUS_OK;
    if (!c->over)
        troupe_run_suspend(c->run);
    while (!c->over)
        loop_run(c->loop);
    if (troupe_run_result(c->run)->err.status)
        st = error_set(err, STATUS_FAILED, "%s", troupe_run_result(c->run)->err.message);
    drop_run(c);
    return st;
}

/* ---- an earlier talk */

static void show_said(struct chat *c)
{
    struct json *all = NULL;
    struct error ignored = ERROR_INIT;

    if (!c->out.terminal || chat_messages(c, true, &all, &ignored))
        return;
    for (size_t i = 0; i < jv_size(all); i++) {
        const struct json *m = jv_at(all, i);
        bool user = strcmp(jv_get_string(jv_get(m, "role"), ""), "user") == 0;

        chat_output_note(&c->out, "%s%s", user ? "> " : "",
                         jv_get_string(jv_get(m, "content"), ""));
    }
    jv_unref(all);
}

enum status chat_resume(struct chat *c, const char *run, struct error *err)
{
    struct store *store = NULL;
    struct store_reader *q = NULL;
    char uuid[37];
    enum status st = app_store(c->app, false, &store, err);

    if (!st)
        st = troupe_reader(c->app->troupe, &q, err);
    if (!st)
        st = query_resolve_run(q, run, uuid, err);
    if (!st)
        st = troupe_run_take(c->app->troupe, uuid, &c->options, &c->run, err);
    if (!st && !chat_plan_is_talk(troupe_run_plan(c->run))) {
        st = error_set(err, STATUS_USAGE, "run %s is not a talk", uuid);
        error_hint(err, "`troupe resume %s` goes on with it", uuid);
        drop_run(c);
    }
    if (st)
        return st;
    snprintf(c->uuid, sizeof(c->uuid), "%s", uuid);
    show_said(c);
    return start(c, err);
}

/* ---- life */

/* The place in a blueprint that nobody wrote says nothing. */
static enum status as_option(enum status st, struct error *err)
{
    if (!st || !begins(err->where, CHAT_FILE))
        return st;
    err->where[0] = '\0';
    err->message[strcspn(err->message, "\n")] = '\0';
    return st;
}

/* Without --model there is none that chats. */
static enum status check_model(struct chat *c, struct error *err)
{
    enum status st = STATUS_OK;

    if (strcmp(c->model, "embedded") == 0) {
        st = model_chats_not(c->model, err);
        error_hint(err, "`troupe models get smollm2` fetches one; then `troupe chat --model "
                        "smollm2`");
        return st;
    }
    return as_option(troupe_plan_check(c->app->troupe, c->plan, &c->options, err), err);
}

enum status chat_open(struct chat *c, struct app *a, struct error *err)
{
    const char *name = app_model_name(a, NULL, "embedded");
    bool resumes = option_is_set(a->options, OPT_CHAT_RESUME);
    enum status st;

    *c = (struct chat){.app = a, .history = {.fd = -1}, .model = xstrdup(name)};
    chat_output_init(&c->out, a);
    c->given[0] = c->model;
    c->options = (struct troupe_run_options){
        .model = c->given,
        .n_models = resumes && strcmp(option_origin(a->options, OPT_MODEL), "flag") != 0 ? 0 : 1,
        .root = option_text(a->options, OPT_ROOT),
        .stay = RUNNER_STAY_ALL,
        .listener = {.ctx = c, .on_text = on_text, .on_end = on_end}};
    st = app_trace_open(a, err);
    if (!st)
        st = chat_plan(a, &c->plan, err);
    if (!st)
        st = troupe_loop(a->troupe, &c->loop, err);
    if (!st && !resumes)
        st = check_model(c, err);
    if (st)
        return st;
    c->observer =
        (struct troupe_observer){.ctx = c, .step_began = step_began, .step_ended = step_ended};
    troupe_observe(a->troupe, &c->observer);
    c->tick = loop_tick_new(c->loop, look_for_signal, c);
    a->signal->wake = c->loop;
    a->signal->counts_stops = true;
    return STATUS_OK;
}

void chat_close(struct chat *c)
{
    struct error ignored = ERROR_INIT;

    c->app->signal->counts_stops = false;
    if (c->run && !c->over && chat_leave(c, &ignored)) /* only after an error, which was reported */
        log_write(c->app->log, LOG_DEBUG, "%s", ignored.message);
    if (c->tick) {
        c->app->signal->wake = NULL;
        loop_tick_free(c->tick);
        troupe_unobserve(c->app->troupe, &c->observer);
    }
    if (c->run)
        drop_run(c);
    chat_input_free(c->in);
    chat_history_close(&c->history);
    chat_output_deinit(&c->out);
    plan_free(c->plan);
    jv_unref(c->said);
    free(c->model);
}
