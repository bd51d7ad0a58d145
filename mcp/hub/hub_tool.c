/* hub_tool.c - see hub_tool.h. Questions to a person are in hub_ask.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_tool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_ask.h"
#include "mcp/hub/hub_content.h"
#include "mcp/hub/hub_internal.h"
#include "runtime/base/memory.h"

/* The ctx of a tool. */
struct hub_tool {
    struct hub *hub;
    enum mcp_method method; /* MCP_TOOLS_CALL, or what mcp_resource and mcp_prompt ask for */
    char *server, *own;     /* the server's name of it */
    char *name;             /* ours */
};

/* One call: an exchange with the hub, as any client has it; a second one after input was given. */
struct tool_work {
    struct hub_tool *tool;
    struct tool_call *call;
    struct mcp_exchange *exchange; /* NULL: a person is asked */
    struct hub_ask *ask;
    bool cancelled;
};

static void work_free(struct tool_work *w)
{
    hub_ask_free(w->ask);
    w->call->state = NULL;
    free(w);
}

static void send(struct tool_work *w, struct json_view input_responses, struct json_view state);

/* ---- the answer */

static void finish_result(struct tool_work *w, struct json_view result)
{
    struct tool_call *c = w->call;
    struct json_view structured = json_view_get(result, "structuredContent");
    struct json *content = json_view_value(json_view_get(result, "content"));
    struct json *value = json_view_value(structured);
    struct error err = ERROR_INIT;
    bool is_error = json_view_bool(json_view_get(result, "isError"), false);

    work_free(w);
    if (!content)
        content = jv_array();
    if (tool_content_check(content, &err)) {
        jv_unref(content);
        jv_unref(value);
        tool_call_finish_error(c, "the server's answer is not valid: %s", err.message);
        return;
    }
    tool_call_finish_content(c, is_error ? TOOL_ERROR : TOOL_OK, content, value);
}

static void answered(void *ctx, bool is_given, struct json_view responses)
{
    struct tool_work *w = ctx;
    struct str state = STR_INIT, input = STR_INIT;

    if (w->cancelled || !is_given) {
        struct tool_call *c = w->call;

        work_free(w);
        tool_call_finish(c, TOOL_CANCELLED, NULL);
        return;
    }
    json_view_put(&state, hub_ask_state(w->ask));
    json_view_put(&input, responses);
    hub_ask_free(w->ask);
    w->ask = NULL;
    send(w, json_view_str(&input), json_view_str(&state));
    str_deinit(&state);
    str_deinit(&input);
}

static void person_answered(struct tool_call *c, const struct json *answer)
{
    struct tool_work *w = c->state;

    hub_ask_answered(w->ask, answer);
}

static void finish_answer(struct tool_work *w, const struct mcp_answer *a)
{
    struct tool_call *c = w->call;

    if (a->kind == MCP_COMPLETE && w->tool->method == MCP_TOOLS_CALL) {
        finish_result(w, a->result);
    } else if (a->kind == MCP_COMPLETE) {
        struct json *value = hub_content_value(w->tool->method, a->result);

        work_free(w);
        tool_call_finish(c, TOOL_OK, value);
    } else if (a->kind == MCP_INPUT_REQUIRED) {
        w->ask = hub_ask_new(&(struct hub_ask_spec){.call = c,
                                                    .server = w->tool->server,
                                                    .result = a->result,
                                                    .answered = person_answered,
                                                    .done = answered,
                                                    .ctx = w});
        hub_ask_start(w->ask);
    } else {
        struct str message = STR_INIT;
        bool refused = a->kind == MCP_ERROR && a->code == RPC_INVALID_PARAMS;

        str_puts(&message, a->kind == MCP_ERROR ? a->message : "the server began a task");
        work_free(w);
        if (refused)
            tool_call_refuse(c, "%s", str_cstr(&message));
        else
            tool_call_finish_error(c, "%s", str_cstr(&message));
        str_deinit(&message);
    }
}

static void on_done(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct tool_work *w = ctx;

    w->exchange = NULL;
    if (w->cancelled) {
        struct tool_call *c = w->call;

        work_free(w);
        tool_call_finish(c, TOOL_CANCELLED, NULL);
    } else {
        finish_answer(w, a);
    }
    mcp_exchange_unref(x);
}

static void on_note(void *ctx, struct mcp_exchange *x, enum mcp_method note,
                    struct json_view params)
{
    struct tool_work *w = ctx;
    const struct tool_host *host = w->call->host;
    struct str text;

    (void)x;
    str_init(&text, 65536);
    if (note == MCP_PROGRESS) {
        (void)json_view_text(json_view_get(params, "message"), &text);
        host->progress(w->call, json_view_number(json_view_get(params, "progress"), 0),
                       json_view_number(json_view_get(params, "total"), 0), str_cstr(&text));
    } else if (note == MCP_MESSAGE) {
        struct json_view data = json_view_get(params, "data");

        if (!json_view_text(data, &text))
            json_view_put(&text, data);
        host->log(w->call, mcp_log_level_name(mcp_log_level_find(json_view_get(params, "level"))),
                  str_cstr(&text));
    }
    str_deinit(&text);
}

/* ---- the call */

/* Arguments of mcp_resource and mcp_prompt are the params themselves, but for the end of the
 * object.
 */
static void put_own_params(const struct tool_call *c, struct str *out)
{
    struct str text = STR_INIT;

    if (c->arguments)
        jv_write(c->arguments, 0, &text);
    str_append(out, text.len ? str_cstr(&text) : "{", text.len ? text.len - 1 : 1);
    str_deinit(&text);
}

static void put_call(const struct tool_work *w, struct str *out)
{
    const struct tool_call *c = w->call;

    str_puts(out, "{\"name\":");
    str_put_json_string(out, w->tool->name, strlen(w->tool->name));
    str_puts(out, ",\"arguments\":");
    if (c->arguments)
        jv_write(c->arguments, 0, out);
    else
        str_puts(out, "{}");
}

static void put_params(const struct tool_work *w, struct json_view input, struct json_view state,
                       struct str *out)
{
    const struct tool_call *c = w->call;

    if (w->tool->method == MCP_TOOLS_CALL)
        put_call(w, out);
    else
        put_own_params(c, out);
    if (c->idem) {
        str_puts(out, ",\"_meta\":{\"troupe/idempotencyKey\":");
        str_put_json_string(out, c->idem, strlen(c->idem));
        str_putc(out, '}');
    }
    if (input.at) {
        str_puts(out, ",\"inputResponses\":");
        json_view_put(out, input);
    }
    if (state.at && json_view_kind(state) == JV_STRING) {
        str_puts(out, ",\"requestState\":");
        json_view_put(out, state);
    }
    str_putc(out, '}');
}

static void send(struct tool_work *w, struct json_view input, struct json_view state)
{
    static const char can[] = "{\"elicitation\":{\"form\":{},\"url\":{}}}";
    struct mcp_caller *caller = mcp_caller_new(&(struct mcp_caller_spec){
        .principal = "agents",
        .revision = MCP_NEWEST,
        .capabilities =
            json_view_of(w->call->host->ask ? can : "{}", w->call->host->ask ? strlen(can) : 2),
    });
    struct str params = STR_INIT;
    struct mcp_exchange *x;

    put_params(w, input, state, &params);
    x = mcp_exchange_new(&(struct mcp_exchange_spec){
        .method = w->tool->method,
        .caller = caller,
        .params = json_view_str(&params),
        .wants_progress = true,
        .log_level = MCP_LOG_INFO,
        .deadline_ms = w->call->deadline_ms,
        .events = {.note = on_note, .done = on_done, .ctx = w},
    });
    mcp_caller_unref(caller);
    str_deinit(&params);
    if (!x) {
        struct tool_call *c = w->call;

        work_free(w);
        tool_call_finish_error(c, "no memory for the call");
        return;
    }
    w->exchange = x;
    mcp_exchange_start(x, hub_handler(w->tool->hub));
}

static void start(struct tool *t, struct tool_call *c)
{
    struct tool_work *w = xcalloc(1, sizeof(*w));

    w->tool = t->ctx;
    w->call = c;
    c->state = w;
    send(w, JSON_VIEW_NONE, JSON_VIEW_NONE);
}

static void cancel(struct tool *t, struct tool_call *c)
{
    struct tool_work *w = c->state;

    (void)t;
    if (!w || w->cancelled)
        return;
    w->cancelled = true;
    if (w->exchange)
        mcp_exchange_cancel(w->exchange); /* on_done follows */
    else
        answered(w, false, JSON_VIEW_NONE);
}

static void free_tool(struct tool *t)
{
    struct hub_tool *own = t->ctx;

    free(own->server);
    free(own->own);
    free(own->name);
    free(own);
    tool_release(t);
}

static const struct tool_ops ops = {.start = start, .cancel = cancel, .free = free_tool};

/* The same: not one of a server's list. */
static const struct tool_ops content_ops = {.start = start, .cancel = cancel, .free = free_tool};

/* ---- the registry */

static enum status make_tool(struct hub_server *s, const struct hub_entry *e, const char *name,
                             struct tool **out, struct error *err)
{
    const char *server = hub_source_name(s->source);
    struct hub_tool *own = xcalloc(1, sizeof(*own));
    struct json_view schema = json_view_get(e->object, "inputSchema");
    struct json *input = json_view_value(schema);
    struct json *output = json_view_value(json_view_get(e->object, "outputSchema"));
    struct str description;
    enum status st;

    *own = (struct hub_tool){.hub = s->hub,
                             .method = MCP_TOOLS_CALL,
                             .server = xstrdup(server),
                             .own = xstrdup(e->name),
                             .name = xstrdup(name)};
    str_init(&description, 65536);
    (void)json_view_text(json_view_get(e->object, "description"), &description);
    st = tool_new(&(struct tool_declaration){.name = name,
                                             .description = str_cstr(&description),
                                             .source = server,
                                             .input_schema = input ? NULL : "{\"type\":\"object\"}",
                                             .input = input,
                                             .output = output,
                                             .foreign = true,
                                             .effect = hub_source_effect(s->source, e->name),
                                             .access = TOOL_READS_UNTRUSTED | TOOL_EXTERNAL},
                  &ops, own, out, err);
    jv_unref(input);
    jv_unref(output);
    str_deinit(&description);
    return st;
}

/* The tools of a source that are not in its list any more. */
static void retire_gone(struct hub_server *s, struct tool_registry *r, const struct hub_list *list)
{
    const char *server = hub_source_name(s->source);

    for (size_t i = tool_registry_size(r); i-- > 0;) {
        struct tool *t = tool_registry_at(r, i);
        bool found = false;

        if (t->ops != &ops || strcmp(t->source, server) != 0)
            continue;
        for (size_t k = 0; k < list->n && !found; k++)
            found = strcmp(list->entry[k].name, ((struct hub_tool *)t->ctx)->own) == 0;
        if (!found)
            tool_registry_retire(r, t);
    }
}

static enum status update_from(struct hub_server *s, struct tool_registry *r, struct error *err)
{
    struct hub_instance *one = hub_source_instance(s->source, NULL);
    struct hub_peer *p = one ? hub_peer_of(one) : NULL;
    struct hub_list *list = p ? hub_peer_list(p, HUB_TOOLS) : NULL;

    if (!list)
        return STATUS_OK;
    hub_learn(s, HUB_TOOLS, list);
    retire_gone(s, r, list);
    for (size_t i = 0; i < list->n; i++) {
        struct str name = STR_INIT;
        const char *description;
        struct tool *t = NULL, *now;
        struct error why = ERROR_INIT;
        enum status st = STATUS_OK;

        if (hub_shown(s->hub, s->hub->self, s, HUB_TOOLS, list->entry[i].name, &name, &description))
            st = make_tool(s, &list->entry[i], str_cstr(&name), &t, &why);
        if (t)
            st = tool_registry_update(r, t, &now, &why);
        str_deinit(&name);
        if (st == STATUS_NO_MEMORY) {
            if (err)
                *err = why;
            return st;
        }
        if (st)
            log_write(s->hub->o.log, LOG_WARN, "server %s: the tool %s cannot be used: %s",
                      hub_source_name(s->source), list->entry[i].name, why.message);
    }
    return STATUS_OK;
}

/* mcp_resource and mcp_prompt: for blueprints, and for agents that are given them. */
static enum status add_content_tool(struct hub *h, struct tool_registry *r, enum mcp_method method,
                                    struct error *err)
{
    struct hub_tool *own;
    struct tool_declaration d = hub_content_declaration(method);
    struct tool *t;
    enum status st;

    if (tool_registry_find(r, d.name))
        return STATUS_OK;
    own = xcalloc(1, sizeof(*own));
    *own = (struct hub_tool){
        .hub = h, .method = method, .server = xstrdup("mcp"), .name = xstrdup(d.name)};
    st = tool_new(&d, &content_ops, own, &t, err);
    return st ? st : tool_registry_adopt(r, t, err);
}

enum status hub_tools_update(struct hub *h, struct tool_registry *r, struct error *err)
{
    enum status st = add_content_tool(h, r, MCP_RESOURCES_READ, err);

    if (!st)
        st = add_content_tool(h, r, MCP_PROMPTS_GET, err);
    for (size_t i = 0; i < h->n_servers && !st; i++)
        st = update_from(h->server[i], r, err);
    return st;
}
