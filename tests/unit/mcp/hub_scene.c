/* hub_scene.c - see hub_scene.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/mcp/hub_scene.h"

#include "tests/support/check.h"

static struct json_view view(const char *text)
{
    return text ? json_view_of(text, strlen(text)) : JSON_VIEW_NONE;
}

/* ---- a server */

static const enum mcp_method list_methods[HUB_LIST_N] = {
    MCP_TOOLS_LIST, MCP_PROMPTS_LIST, MCP_RESOURCES_LIST, MCP_RESOURCES_TEMPLATES_LIST};

static void answer_discover(const struct fake *f, struct mcp_exchange *x)
{
    static const char *const words[] = {"tools", "prompts", "resources"};
    struct str out = STR_INIT;
    const char *comma = "";

    str_puts(&out, "{\"capabilities\":{");
    for (int k = 0; k <= HUB_RESOURCES; k++) {
        if (!f->lists[k])
            continue;
        str_printf(&out, "%s\"%s\":{\"listChanged\":true}", comma, words[k]);
        comma = ",";
    }
    str_printf(&out, "},\"instructions\":\"use %s\"}", f->name);
    mcp_exchange_complete(x, json_view_str(&out));
    str_deinit(&out);
}

static void answer_text(struct mcp_exchange *x, const char *text)
{
    if (*text == '!') {
        char *end;
        long code = strtol(text + 1, &end, 10);

        mcp_exchange_fail(x, code, "%s", end + 1);
    } else if (*text == '#') {
        mcp_exchange_finish(x, &(struct mcp_answer){.kind = MCP_TASK, .result = view(text + 1)});
    } else if (strstr(text, "inputRequests") || strstr(text, "\"requestState\"")) {
        mcp_exchange_finish(x,
                            &(struct mcp_answer){.kind = MCP_INPUT_REQUIRED, .result = view(text)});
    } else {
        mcp_exchange_complete(x, view(text));
    }
}

static void add_listen(struct fake *f, struct mcp_exchange *x)
{
    size_t i = 0;

    while (i < ARRAY_LEN(f->listens) && f->listens[i])
        i++;
    assert_true(i < ARRAY_LEN(f->listens));
    f->listens[i] = x;
    mcp_exchange_note(x, MCP_ACKNOWLEDGED, x->params);
}

static void fake_start(void *ctx, struct mcp_exchange *x)
{
    struct fake *f = ctx;
    struct mcp_exchange *before;

    if (x->method == MCP_DISCOVER) {
        answer_discover(f, x);
        return;
    }
    if (x->method == MCP_LISTEN && f->cannot_listen) {
        answer_text(x, "!-32601 no such method");
        return;
    }
    if (x->method == MCP_LISTEN) {
        add_listen(f, x);
        return;
    }
    for (int k = 0; k < HUB_LIST_N; k++) {
        if (x->method != list_methods[k] || f->never_answers)
            continue;
        f->fetched++;
        if (f->changes_with_each_list)
            fake_note(f, MCP_TOOLS_CHANGED, NULL);
        answer_text(x, f->lists[k] ? f->lists[k] : "!-32601 no such list");
        return;
    }
    f->n_asked++;
    str_clear(&f->asked);
    json_view_put(&f->asked, x->params);
    before = f->open;
    f->open = x;
    if (f->notes)
        mcp_exchange_note(x, MCP_PROGRESS, view(f->notes));
    if (!f->never_answers && f->answers[f->n_answered]) {
        f->open = NULL;
        answer_text(x, f->answers[f->n_answered++]);
    } else if (f->always) {
        f->open = before;
        answer_text(x, f->always);
    }
}

static void forget(struct fake *f, struct mcp_exchange *x)
{
    if (f->open == x)
        f->open = NULL;
    for (size_t i = 0; i < ARRAY_LEN(f->listens); i++) {
        if (f->listens[i] == x)
            f->listens[i] = NULL;
    }
}

static void fake_cancel(void *ctx, struct mcp_exchange *x)
{
    struct fake *f = ctx;

    f->cancelled++;
    forget(f, x);
    mcp_exchange_fail_cancelled(x);
}

static void fake_close(void *ctx)
{
    struct fake *f = ctx;
    struct mcp_exchange *x = f->open;

    f->closed++;
    f->open = NULL;
    if (x)
        mcp_exchange_fail(x, RPC_INTERNAL_ERROR, "the server ended");
    for (size_t i = 0; i < ARRAY_LEN(f->listens); i++) {
        x = f->listens[i];
        f->listens[i] = NULL;
        if (x)
            mcp_exchange_fail(x, RPC_INTERNAL_ERROR, "the server ended");
    }
}

static enum status fake_open(void *ctx, struct mcp_caller *owner,
                             const struct hub_link_events *events, struct hub_link *out,
                             struct error *err)
{
    struct fake *f = ctx;

    (void)owner;
    f->opened++;
    if (f->fails.status) {
        *err = f->fails;
        return f->fails.status;
    }
    f->events = *events;
    *out = (struct hub_link){.handler = {.ctx = f, .start = fake_start, .cancel = fake_cancel},
                             .ctx = f,
                             .close = fake_close};
    if (!f->is_slow_to_start)
        events->ready(events->ctx);
    return STATUS_OK;
}

void fake_ready(struct fake *f)
{
    f->events.ready(f->events.ctx);
}

void fake_down(struct fake *f, const char *why)
{
    struct error err = ERROR_INIT;

    error_set(&err, STATUS_IO, "%s", why);
    f->events.down(f->events.ctx, &err);
}

void fake_note(struct fake *f, enum mcp_method note, const char *params)
{
    for (size_t i = 0; i < ARRAY_LEN(f->listens); i++) {
        if (f->listens[i])
            mcp_exchange_note(f->listens[i], note, view(params));
    }
}

void fake_answer(struct fake *f, const char *result)
{
    struct mcp_exchange *x = f->open;

    assert_non_null(x);
    f->open = NULL;
    answer_text(x, result);
}

void fake_deinit(struct fake *f)
{
    str_deinit(&f->asked);
}

/* ---- the hub and its client */

void scene_open(struct scene *s, const struct hub_options *o)
{
    struct hub_options own = o ? *o : (struct hub_options){0};

    *s = (struct scene){.heard = STR_INIT, .last = STR_INIT};
    assert_ok(loop_new(seams_real(), &s->loop, why));
    s->log = log_new(2, LOG_ERROR, false);
    own.seams = seams_real();
    own.log = s->log;
    own.name = "hub";
    own.version = "1";
    s->hub = hub_new(s->loop, &own);
}

void scene_close(struct scene *s)
{
    hub_free(s->hub);
    loop_free(s->loop);
    log_free(s->log);
    str_deinit(&s->heard);
    str_deinit(&s->last);
}

static enum effect fake_effect(void *ctx, const char *tool)
{
    const struct fake *f = ctx;

    (void)tool;
    return f->only_reads ? EFFECT_READ : EFFECT_ONCE;
}

void scene_add(struct scene *s, struct fake *f, const struct hub_source_limits *limits,
               bool per_client)
{
    const struct hub_source_spec spec = {
        .name = f->name,
        .per_client = per_client,
        .limits = limits ? *limits : (struct hub_source_limits){0},
        .opener = {.ctx = f, .open = fake_open, .effect = fake_effect},
    };

    f->asked = STR_INIT;
    assert_ok(hub_add(s->hub, &spec, NULL, why));
}

static void client_note(void *ctx, struct mcp_exchange *x, enum mcp_method note,
                        struct json_view params)
{
    struct scene *s = ctx;

    (void)x;
    str_printf(&s->heard, "%s ", mcp_method_facts(note)->name);
    json_view_put(&s->heard, params);
    str_putc(&s->heard, '\n');
}

static void client_done(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    static const char *const words[] = {"complete ", "input ", "task ", "error "};
    struct scene *s = ctx;

    str_puts(&s->heard, words[a->kind]);
    if (a->kind == MCP_ERROR)
        str_printf(&s->heard, "%lld %s", (long long)a->code, a->message);
    else
        json_view_put(&s->heard, a->result);
    str_putc(&s->heard, '\n');
    mcp_exchange_unref(x);
}

struct mcp_exchange *scene_ask(struct scene *s, const char *principal, const char *view_name,
                               enum mcp_method m, const char *params)
{
    struct mcp_caller *c = mcp_caller_new(&(struct mcp_caller_spec){
        .principal = principal,
        .view = view_name,
        .revision = MCP_NEWEST,
        .capabilities = view("{\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}")});
    struct mcp_exchange *x = mcp_exchange_new(&(struct mcp_exchange_spec){
        .method = m,
        .caller = c,
        .params = view(params),
        .only = s->only,
        .wants_progress = true,
        .events = {.note = client_note, .done = client_done, .ctx = s},
    });

    mcp_caller_unref(c);
    mcp_exchange_start(x, hub_handler(s->hub));
    return x;
}

static void stop(void *ctx)
{
    loop_stop(ctx);
}

void scene_run(struct scene *s, int64_t ms)
{
    struct loop_timer *t = loop_timer_new(s->loop, ms, stop, s->loop);

    loop_run(s->loop);
    loop_timer_free(t);
}

const char *scene_heard(struct scene *s)
{
    for (int i = 0; i < 500 && s->heard.len == 0; i++)
        scene_run(s, 10);
    str_clear(&s->last);
    str_append(&s->last, str_cstr(&s->heard), s->heard.len);
    str_clear(&s->heard);
    return str_cstr(&s->last);
}

char *scene_between(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from), *end;

    assert_non_null(at);
    at += strlen(from);
    end = strstr(at, to);
    assert_non_null(end);
    return xstrndup(at, (size_t)(end - at));
}
