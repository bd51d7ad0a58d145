/* fuzz_mcp_hub.c - clients, the hub and a server that answers anything, in memory: each request
 * ends once, what a client gets is valid JSON, and nothing is left at the end.
 *
 * A line is a step; its first byte says which, the rest is its JSON:
 *   t p r e   the server's tools, prompts, resources, templates from now on
 *   a i k     its next answer: a result, a request for input, a task
 *   f         its next answer is an error
 *   n d       it reports a change of its tools; it ends
 *   C G R M K lists and requests of a client: tools/call, prompts/get, resources/read,
 *   Q L S       completion/complete, tasks/get; tools/list, resources/list, subscriptions/listen
 *   x         the client cancels its last request
 *   s         the last state that a client got goes into the params of the next request
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub.h"
#include "runtime/base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MAX_BYTES   8192
#define REQUESTS    64
#define LINE_MAX_IS 4096

struct world {
    struct loop *loop;
    struct hub *hub;
    /* The server. */
    struct json_view lists[HUB_LIST_N], answer;
    enum mcp_answer_kind kind;
    struct mcp_exchange *waits[2 * REQUESTS]; /* not answered */
    struct hub_link_events events;
    bool is_open;
    /* The client. */
    struct mcp_exchange *asked[REQUESTS]; /* NULL: ended */
    int n_asked, n_done;
    struct str state;
    bool use_state;
};

/* ---- the server */

static void finish(struct world *w, struct mcp_exchange *x)
{
    struct mcp_answer a = {.kind = w->kind, .result = w->answer};

    if (w->kind == MCP_ERROR)
        a = (struct mcp_answer){
            .kind = MCP_ERROR, .code = -32000, .message = "no", .data = w->answer};
    mcp_exchange_finish(x, &a);
}

static void server_start(void *ctx, struct mcp_exchange *x)
{
    static const enum mcp_method lists[HUB_LIST_N] = {
        MCP_TOOLS_LIST, MCP_PROMPTS_LIST, MCP_RESOURCES_LIST, MCP_RESOURCES_TEMPLATES_LIST};
    static const char all[] =
        "{\"capabilities\":{\"tools\":{\"listChanged\":true},\"prompts\":{},\"resources\":{}}}";
    struct world *w = ctx;

    for (int k = 0; k < HUB_LIST_N; k++) {
        if (x->method == lists[k]) {
            if (w->lists[k].at)
                mcp_exchange_complete(x, w->lists[k]);
            else
                mcp_exchange_fail(x, RPC_METHOD_NOT_FOUND, "no list");
            return;
        }
    }
    if (x->method == MCP_DISCOVER) {
        mcp_exchange_complete(x, json_view_of(all, sizeof(all) - 1));
    } else if (x->method != MCP_LISTEN && w->answer.at) {
        finish(w, x);
    } else {
        for (size_t i = 0; i < ARRAY_LEN(w->waits); i++) {
            if (!w->waits[i]) {
                w->waits[i] = x;
                return;
            }
        }
        mcp_exchange_fail(x, RPC_INTERNAL_ERROR, "no room");
    }
}

static void forget(struct world *w, struct mcp_exchange *x)
{
    for (size_t i = 0; i < ARRAY_LEN(w->waits); i++) {
        if (w->waits[i] == x)
            w->waits[i] = NULL;
    }
}

static void server_cancel(void *ctx, struct mcp_exchange *x)
{
    forget(ctx, x);
    mcp_exchange_fail_cancelled(x);
}

static void server_close(void *ctx)
{
    struct world *w = ctx;

    w->is_open = false;
    for (size_t i = 0; i < ARRAY_LEN(w->waits); i++) {
        struct mcp_exchange *x = w->waits[i];

        w->waits[i] = NULL;
        if (x)
            mcp_exchange_fail(x, RPC_INTERNAL_ERROR, "the server ended");
    }
}

static enum status server_open(void *ctx, struct mcp_caller *owner,
                               const struct hub_link_events *events, struct hub_link *out,
                               struct error *err)
{
    struct world *w = ctx;

    (void)owner;
    (void)err;
    w->events = *events;
    w->is_open = true;
    *out = (struct hub_link){.handler = {.ctx = w, .start = server_start, .cancel = server_cancel},
                             .ctx = w,
                             .close = server_close};
    events->ready(events->ctx);
    return STATUS_OK;
}

static void report_change(struct world *w)
{
    for (size_t i = 0; i < ARRAY_LEN(w->waits); i++) {
        if (w->waits[i] && w->waits[i]->method == MCP_LISTEN)
            mcp_exchange_note(w->waits[i], MCP_TOOLS_CHANGED, JSON_VIEW_NONE);
    }
}

/* ---- the client */

static void check_json(struct json_view v)
{
    struct json_view again;

    if (v.at && json_view_open(v.at, v.n, (size_t)1 << 26, "answer", &again, NULL))
        abort();
}

static void client_note(void *ctx, struct mcp_exchange *x, enum mcp_method note,
                        struct json_view params)
{
    (void)ctx;
    (void)x;
    (void)note;
    check_json(params);
}

static void client_done(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct world *w = ctx;
    int found = 0;

    for (int i = 0; i < w->n_asked; i++) {
        if (w->asked[i] == x) {
            w->asked[i] = NULL;
            found++;
        }
    }
    if (found > 1)
        abort();
    w->n_done++;
    if (a->kind == MCP_ERROR) {
        if (!a->message)
            abort();
        check_json(a->data);
    } else {
        check_json(a->result);
        if (a->kind == MCP_INPUT_REQUIRED) {
            str_clear(&w->state);
            json_view_put(&w->state, json_view_get(a->result, "requestState"));
        }
    }
    mcp_exchange_unref(x);
}

static void ask(struct world *w, enum mcp_method method, struct json_view params)
{
    static const char can[] = "{\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}";
    struct mcp_caller *caller;
    struct mcp_exchange *x;
    struct str with = STR_INIT;

    if (w->n_asked == REQUESTS)
        return;
    if (json_view_kind(params) != JV_OBJECT)
        params = JSON_VIEW_NONE; /* an edge refuses others */
    if (w->use_state && w->state.len > 0 && json_view_kind(json_view_str(&w->state)) == JV_STRING) {
        json_view_put_changed(
            &with, params,
            &(struct json_change){.key = "requestState", .value = json_view_str(&w->state)}, 1);
        params = json_view_str(&with);
    }
    caller = mcp_caller_new(
        &(struct mcp_caller_spec){.principal = "p",
                                  .revision = MCP_NEWEST,
                                  .capabilities = json_view_of(can, sizeof(can) - 1)});
    x = mcp_exchange_new(&(struct mcp_exchange_spec){
        .method = method,
        .caller = caller,
        .params = params,
        .events = {.note = client_note, .done = client_done, .ctx = w}});
    mcp_caller_unref(caller);
    w->asked[w->n_asked++] = x;
    mcp_exchange_start(x, hub_handler(w->hub));
    str_deinit(&with);
}

/* ---- the steps */

static void stop(void *ctx)
{
    loop_stop(ctx);
}

static void turn(struct world *w)
{
    struct loop_timer *t = loop_timer_new(w->loop, 0, stop, w->loop);

    loop_run(w->loop);
    loop_timer_free(t);
}

static void set_answer(struct world *w, enum mcp_answer_kind kind, struct json_view v)
{
    w->kind = kind;
    w->answer = json_view_kind(v) == JV_OBJECT ? v : JSON_VIEW_NONE;
    for (size_t i = 0; i < ARRAY_LEN(w->waits) && w->answer.at; i++) {
        struct mcp_exchange *x = w->waits[i];

        if (x && x->method != MCP_LISTEN) {
            w->waits[i] = NULL;
            finish(w, x);
        }
    }
}

static void step(struct world *w, char what, struct json_view v)
{
    static const struct {
        char what;
        enum mcp_method method;
    } asks[] = {{'C', MCP_TOOLS_CALL},     {'G', MCP_PROMPTS_GET}, {'R', MCP_RESOURCES_READ},
                {'M', MCP_COMPLETION},     {'K', MCP_TASKS_GET},   {'Q', MCP_TOOLS_LIST},
                {'L', MCP_RESOURCES_LIST}, {'S', MCP_LISTEN}};
    static const char lists[] = "tpre", answers[] = "aikf";
    static const enum mcp_answer_kind kinds[] = {MCP_COMPLETE, MCP_INPUT_REQUIRED, MCP_TASK,
                                                 MCP_ERROR};
    const char *at;

    if (what && (at = strchr(lists, what)))
        w->lists[at - lists] = json_view_kind(v) == JV_OBJECT ? v : JSON_VIEW_NONE;
    else if (what && (at = strchr(answers, what)))
        set_answer(w, kinds[at - answers], v);
    else if (what == 'n')
        report_change(w);
    else if (what == 'd' && w->is_open)
        w->events.down(w->events.ctx, &(struct error){.status = STATUS_IO});
    else if (what == 's')
        w->use_state = !w->use_state;
    else if (what == 'x' && w->n_asked > 0 && w->asked[w->n_asked - 1])
        mcp_exchange_cancel(w->asked[w->n_asked - 1]);
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        if (asks[i].what == what)
            ask(w, asks[i].method, v);
    }
}

static void play(struct world *w, const char *text, size_t n)
{
    const char *end = text + n;

    while (text < end) {
        const char *line = memchr(text, '\n', (size_t)(end - text));
        size_t size = line ? (size_t)(line - text) : (size_t)(end - text);
        struct json_view v = JSON_VIEW_NONE;

        if (size > 1 && size < LINE_MAX_IS &&
            json_view_open(text + 1, size - 1, LINE_MAX_IS, "step", &v, NULL))
            v = JSON_VIEW_NONE;
        if (size > 0)
            step(w, *text, v);
        turn(w);
        text += size + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct world w = {.state = STR_INIT};
    struct hub_source_spec spec = {.name = "s",
                                   .limits = {.gap_ms = 1, .max_gap_ms = 1},
                                   .opener = {.ctx = &w, .open = server_open}};

    if (n > MAX_BYTES || loop_new(seams_real(), &w.loop, NULL))
        return 0;
    w.hub = hub_new(w.loop, &(struct hub_options){
                                .seams = seams_real(), .name = "hub", .version = "1", .page = 3});
    if (hub_add(w.hub, &spec, NULL, NULL))
        abort();
    play(&w, (const char *)data, n);
    hub_free(w.hub);
    if (w.n_done != w.n_asked)
        abort(); /* a request without an end */
    loop_free(w.loop);
    str_deinit(&w.state);
    return 0;
}
