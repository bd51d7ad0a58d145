/* client_world.c - see client_world.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client_world.h"

#include "mcp/rpc/rpc.h"
#include "tests/support/http_memory.h"

/* ---- events */

static void on_state(void *ctx, enum mcp_client_state state)
{
    struct world *w = ctx;

    w->state = state;
}

static void on_changed(void *ctx, enum mcp_method note, struct json_view params)
{
    struct world *w = ctx;

    (void)note;
    (void)params;
    w->n_changed++;
}

static void on_message(void *ctx, struct json_view params)
{
    struct world *w = ctx;

    json_view_put(&w->messages, params);
    str_putc(&w->messages, '\n');
}

static void on_line(void *ctx, bool is_error, const char *text, size_t n)
{
    struct world *w = ctx;

    (void)is_error;
    str_append(&w->lines, text, n);
    str_putc(&w->lines, '\n');
}

/* ---- the world */

struct mcp_caller *world_caller(const char *principal, const char *session,
                                const char *capabilities)
{
    const struct mcp_caller_spec s = {
        .principal = principal,
        .session = session,
        .revision = MCP_2026_07_28,
        .capabilities = json_view_of(capabilities, strlen(capabilities))};

    return mcp_caller_new(&s);
}

void world_init(struct world *w, bool is_modern)
{
    static const char *const argv[] = {"server", NULL};

    *w = (struct world){.is_modern = is_modern, .about = "\"tools\":{\"listChanged\":true}"};
    w->sent = w->lines = w->messages = STR_INIT;
    assert_ok(loop_new(NULL, &w->loop, why));
    w->caller = world_caller("alice", "", ALL_CAPABILITIES);
    w->spec = (struct mcp_client_spec){.loop = w->loop,
                                       .name = "server",
                                       .transport = MCP_OVER_STDIO,
                                       .argv = argv,
                                       .client_name = "test",
                                       .client_version = "1",
                                       .events = {.ctx = w,
                                                  .state = on_state,
                                                  .changed = on_changed,
                                                  .message = on_message,
                                                  .line = on_line}};
}

void world_over_http(struct world *w)
{
    w->memory = http_memory_new(w->loop);
    w->http = http_client_with(w->loop, NULL, http_memory_ops(w->memory));
    w->spec.transport = MCP_OVER_HTTP;
    w->spec.argv = NULL;
    w->spec.url = "https://mcp.example/mcp";
    w->spec.http = w->http;
}

void world_start(struct world *w)
{
    assert_ok(mcp_client_new(&w->spec, &w->client, why));
}

void world_deinit(struct world *w)
{
    mcp_client_free(w->client);
    http_client_free(w->http);
    http_memory_free(w->memory);
    mcp_caller_unref(w->caller);
    world_wait(w->loop, 1);
    loop_free(w->loop);
    str_deinit(&w->sent);
    str_deinit(&w->lines);
    str_deinit(&w->messages);
}

/* ---- exchanges */

static void on_note(void *ctx, struct mcp_exchange *x, enum mcp_method note,
                    struct json_view params)
{
    struct asked *a = ctx;

    (void)x;
    a->n_notes++;
    a->last_note = note;
    json_view_put(&a->notes, params);
    str_putc(&a->notes, '\n');
}

static void on_done(void *ctx, struct mcp_exchange *x, const struct mcp_answer *answer)
{
    struct asked *a = ctx;

    (void)x;
    assert_false(a->is_done);
    a->is_done = true;
    a->kind = answer->kind;
    a->is_cancelled = answer->is_cancelled;
    a->code = answer->code;
    if (answer->result.at)
        json_view_put(&a->result, answer->result);
    if (answer->data.at)
        json_view_put(&a->data, answer->data);
    if (answer->message)
        str_puts(&a->message, answer->message);
}

void asked_init(struct asked *a, struct loop *loop)
{
    *a = (struct asked){.loop = loop};
    a->result = a->message = a->data = a->notes = STR_INIT;
}

void asked_deinit(struct asked *a)
{
    if (a->x && !a->is_done)
        mcp_exchange_abandon(a->x);
    mcp_exchange_unref(a->x);
    str_deinit(&a->result);
    str_deinit(&a->message);
    str_deinit(&a->data);
    str_deinit(&a->notes);
}

void world_ask_spec(struct world *w, struct asked *a, struct mcp_exchange_spec spec,
                    const char *params, const char *input_errors)
{
    asked_init(a, w->loop);
    spec.caller = spec.caller ? spec.caller : w->caller;
    if (params)
        spec.params = json_view_of(params, strlen(params));
    if (input_errors)
        spec.input_errors = json_view_of(input_errors, strlen(input_errors));
    spec.events = (struct mcp_exchange_events){.ctx = a, .note = on_note, .done = on_done};
    a->x = mcp_exchange_new(&spec);
    assert_non_null(a->x);
    mcp_exchange_start(a->x, mcp_client_handler(w->client));
}

void world_ask(struct world *w, struct asked *a, enum mcp_method method, const char *params)
{
    world_ask_spec(w, a, (struct mcp_exchange_spec){.method = method}, params, NULL);
}

/* ---- running */

struct run {
    struct loop *loop;
    const bool *done;
    const int *n;
    int at_least;
    int64_t until_us;
    bool is_late;
};

static void look(void *ctx)
{
    struct run *r = ctx;

    if ((r->done && *r->done) || (r->n && *r->n >= r->at_least))
        loop_stop(r->loop);
    else if (seams_mono_us(seams_real()) > r->until_us) {
        r->is_late = true;
        loop_stop(r->loop);
    }
}

static void run(struct run *r, int64_t ms)
{
    struct loop_timer *t = loop_timer_every(r->loop, 1, look, r);

    r->until_us = seams_mono_us(seams_real()) + ms * 1000;
    loop_run(r->loop);
    loop_timer_free(t);
}

void world_until(struct loop *loop, const bool *done)
{
    struct run r = {.loop = loop, .done = done};

    run(&r, 20000);
    if (r.is_late)
        fail_msg("nothing came in 20 s");
}

void world_until_int(struct loop *loop, const int *n, int at_least)
{
    struct run r = {.loop = loop, .n = n, .at_least = at_least};

    run(&r, 20000);
    if (r.is_late)
        fail_msg("only %d came in 20 s, not %d", *n, at_least);
}

void world_wait(struct loop *loop, int64_t ms)
{
    struct run r = {.loop = loop};

    run(&r, ms);
}

void world_answer(struct world *w, struct asked *a)
{
    world_until(w->loop, &a->is_done);
}

const char *world_sent(struct world *w, const char *text)
{
    const char *at = str_cstr(&w->sent), *last = NULL;

    while ((at = strstr(at, text))) {
        const char *line = at;

        while (line > w->sent.data && line[-1] != '\n')
            line--;
        last = line;
        at += 1;
    }
    return last;
}

int world_count(const struct str *s, const char *text)
{
    int n = 0;

    for (const char *at = str_cstr(s); (at = strstr(at, text)); at += strlen(text))
        n++;
    return n;
}
