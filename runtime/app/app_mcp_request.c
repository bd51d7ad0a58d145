/* app_mcp_request.c - see app_mcp_request.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_mcp_request.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_ask.h"
#include "runtime/app/app_ask.h"
#include "runtime/app/app_terminal.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"

struct request {
    struct app *a;
    struct loop *loop;
    enum mcp_method method;
    struct json *params; /* with inputResponses and requestState from the second round on */
    struct mcp_exchange *exchange; /* NULL: none is open */
    struct hub_ask *ask;
    struct tool_call call; /* of `ask`: only its host is used */
    struct json *result;
    struct error err;
    bool done;
};

static void send(struct request *r);

static void end(struct request *r)
{
    r->done = true;
    loop_stop(r->loop);
}

/* ---- questions of the server */

static bool is_option(const struct json *options, const char *word)
{
    for (size_t i = 0; i < jv_size(options); i++)
        if (strcmp(jv_get_string(jv_at(options, i), ""), word) == 0)
            return true;
    return jv_size(options) == 0;
}

static void ask_person(struct tool_call *c, const struct json *prompt, int64_t deadline_ms,
                       void (*answered)(struct tool_call *c, const struct json *answer))
{
    struct request *r = c->caller;
    const struct json *options = jv_get(prompt, "options");
    const char *otherwise = jv_get_string(jv_get(prompt, "default"), NULL);
    struct str text = STR_INIT, line = STR_INIT;
    struct json *answer = NULL;
    bool given;

    (void)deadline_ms;
    str_printf(&text, "%s\n", jv_get_string(jv_get(prompt, "text"), ""));
    for (size_t i = 0; i < jv_size(options); i++)
        str_printf(&text, "%s%s", i ? ", " : "  one of: ", jv_get_string(jv_at(options, i), ""));
    str_puts(&text, jv_size(options) ? "\n" : "");
    if (otherwise)
        str_printf(&text, "  Enter: %s\n", otherwise);
    str_puts(&text, "> ");
    do {
        str_clear(&line);
        given = terminal_ask(r->a, str_cstr(&text), false, &line);
        if (given && line.len == 0 && otherwise)
            str_puts(&line, otherwise);
    } while (given && !is_option(options, str_cstr(&line)));
    if (given)
        answer = jv_string(str_cstr(&line));
    str_deinit(&text);
    str_deinit(&line);
    answered(c, answer);
    jv_unref(answer);
}

static void person_answered(struct tool_call *c, const struct json *answer)
{
    struct request *r = c->caller;

    hub_ask_answered(r->ask, answer);
}

static void asked(void *ctx, bool is_given, struct json_view responses)
{
    struct request *r = ctx;
    struct json *state;

    if (!is_given) {
        error_set(&r->err, STATUS_CANCELLED, "the server's question was not answered");
        end(r);
        return;
    }
    state = json_view_value(hub_ask_state(r->ask));
    jv_set_adopt(r->params, "inputResponses", json_view_value(responses));
    if (state)
        jv_set_adopt(r->params, "requestState", state);
    else
        jv_remove(r->params, "requestState");
    send(r);
}

static void begin_ask(struct request *r, struct json_view result)
{
    hub_ask_free(r->ask);
    r->ask = hub_ask_new(&(struct hub_ask_spec){.call = &r->call,
                                                .server = "the server",
                                                .result = result,
                                                .answered = person_answered,
                                                .done = asked,
                                                .ctx = r});
    hub_ask_start(r->ask);
}

/* ---- the answer */

static void on_note(void *ctx, struct mcp_exchange *x, enum mcp_method note,
                    struct json_view params)
{
    struct request *r = ctx;
    struct str text = STR_INIT;

    (void)x;
    (void)json_view_text(json_view_get(params, note == MCP_PROGRESS ? "message" : "data"), &text);
    if (note == MCP_PROGRESS)
        log_progress(r->a->log, "%g of %g%s%s",
                     json_view_number(json_view_get(params, "progress"), 0),
                     json_view_number(json_view_get(params, "total"), 0), text.len ? ": " : "",
                     str_cstr(&text));
    else if (note == MCP_MESSAGE)
        log_write(r->a->log, LOG_INFO, "%s", str_cstr(&text));
    str_deinit(&text);
}

static void on_done(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct request *r = ctx;

    r->exchange = NULL;
    log_progress_end(r->a->log);
    if (a->kind == MCP_INPUT_REQUIRED && app_can_ask(r->a)) {
        begin_ask(r, a->result);
    } else {
        if (a->kind == MCP_COMPLETE)
            r->result = json_view_value(a->result);
        else if (a->kind == MCP_INPUT_REQUIRED)
            error_set(&r->err, STATUS_IO, "the server asks a question, but there is no terminal");
        else if (a->is_cancelled)
            error_set(&r->err, STATUS_CANCELLED, "interrupted");
        else
            error_set(&r->err, a->code == RPC_INVALID_PARAMS ? STATUS_INVALID : STATUS_IO, "%s",
                      a->message ? a->message : "the server began a task");
        end(r);
    }
    mcp_exchange_unref(x);
}

static void send(struct request *r)
{
    static const char can[] = "{\"elicitation\":{\"form\":{},\"url\":{}}}", cannot[] = "{}";
    bool asks = app_can_ask(r->a);
    struct mcp_caller *caller = mcp_caller_new(&(struct mcp_caller_spec){
        .principal = "terminal",
        .session = "terminal",
        .revision = MCP_NEWEST,
        .capabilities = json_view_of(asks ? can : cannot, strlen(asks ? can : cannot)),
    });
    struct str text = STR_INIT;

    jv_write(r->params, 0, &text);
    r->exchange = mcp_exchange_new(&(struct mcp_exchange_spec){
        .method = r->method,
        .caller = caller,
        .params = json_view_str(&text),
        .wants_progress = true,
        .log_level = MCP_LOG_INFO,
        .events = {.note = on_note, .done = on_done, .ctx = r},
    });
    mcp_caller_unref(caller);
    str_deinit(&text);
    if (!r->exchange) {
        error_set(&r->err, STATUS_NO_MEMORY, "no memory for the request");
        end(r);
        return;
    }
    mcp_exchange_start(r->exchange, hub_handler(troupe_hub(r->a->troupe)));
}

static void look_for_signal(void *ctx)
{
    struct request *r = ctx;

    if (r->a->signal->signo && r->exchange)
        mcp_exchange_cancel(r->exchange);
}

enum status app_mcp_request(struct app *a, enum mcp_method method, struct json *params,
                            struct json **result, struct error *err)
{
    const struct tool_host host = {.ask = ask_person};
    struct request r = {.a = a, .method = method, .err = ERROR_INIT};
    struct loop_tick *tick;
    enum status st = troupe_loop(a->troupe, &r.loop, err);

    if (st)
        return st;
    r.params = params ? jv_deep_copy(params) : jv_object();
    r.call.host = &host;
    r.call.caller = &r;
    tick = loop_tick_new(r.loop, look_for_signal, &r);
    a->signal->wake = r.loop;
    send(&r);
    while (!r.done)
        loop_run(r.loop);
    a->signal->wake = NULL;
    loop_tick_free(tick);
    hub_ask_free(r.ask);
    jv_unref(r.params);
    if (!r.result) {
        *err = r.err;
        return r.err.status;
    }
    *result = r.result;
    return STATUS_OK;
}

enum status app_mcp_list(struct app *a, enum mcp_method method, const char *member,
                         struct json **list, struct error *err)
{
    struct json *all = jv_array(), *params = jv_object(), *result;
    bool more = true;
    enum status st = STATUS_OK;

    while (!st && more) {
        const struct json *page;
        const char *cursor;

        st = app_mcp_request(a, method, params, &result, err);
        if (st)
            break;
        page = jv_get(result, member);
        for (size_t i = 0; i < jv_size(page); i++)
            jv_append_adopt(all, jv_ref(jv_at(page, i)));
        cursor = jv_get_string(jv_get(result, "nextCursor"), NULL);
        more = cursor != NULL;
        if (cursor)
            jv_set_string(params, "cursor", cursor);
        jv_unref(result);
    }
    jv_unref(params);
    if (st)
        jv_unref(all);
    else
        *list = all;
    return st;
}

enum status app_mcp_warm(struct app *a, const char *server, struct error *err)
{
    struct mcp_server_spec *s;
    enum status st = app_mcp_open(a, APP_MCP_NAMED, err);
    const struct mcp_config *c = st ? NULL : troupe_mcp_config(a->troupe);

    if (st)
        return st;
    if (server) {
        st = app_mcp_find(a, server, &s, err);
        return st ? st : troupe_mcp_server(a->troupe, server, err);
    }
    for (size_t i = 0; i < mcp_config_size(c); i++) {
        struct error why = ERROR_INIT;

        s = mcp_config_at(c, i);
        if (s->settings.enabled && troupe_mcp_admit(a->troupe, s->name, &why))
            app_print_error(a, NULL, &why);
    }
    return troupe_mcp_warm(a->troupe, NULL, 0, err);
}
