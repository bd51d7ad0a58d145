/* codec_json_reply.c - turns a model's reply into calls, or into the answer.
 *
 * A wrong reply is not a failure of the agent. An unreadable call, an unknown tool, arguments of
 * the wrong type and an answer that does not fit its schema get an error message that the model can
 * act on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "agents/codec_json.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/schema.h"
#include "runtime/base/text.h"
#include "runtime/base/unicode.h"

static struct json_codec *codec_of(const struct agent *a)
{
    return a->codec_state;
}

static char *words_of(const struct error *e)
{
    struct str s = STR_INIT;

    str_printf(&s, "%s%s%s", e->where, e->where[0] ? ": " : "", e->message);
    return str_take(&s);
}

static struct tool *role_tool(const struct agent *a, const char *name)
{
    const struct agent_role *role = a->task.role;

    for (int32_t i = 0; i < role->n_tools; i++) {
        if (strcmp(role->tools[i]->name, name) == 0)
            return role->tools[i];
    }
    return NULL;
}

static char *unknown_tool(const struct agent *a, const char *name)
{
    const struct agent_role *role = a->task.role;
    const char **names = xcalloc((size_t)role->n_tools + 1, sizeof(*names));
    const char *near;
    struct str s = STR_INIT;

    for (int32_t i = 0; i < role->n_tools; i++)
        names[i] = role->tools[i]->name;
    near = nearest_word(name, names, (size_t)role->n_tools);
    str_printf(&s, "unknown tool \"%.64s\"", name);
    if (near)
        str_printf(&s, "; did you mean \"%s\"?", near);
    else
        for (int32_t i = 0; i < role->n_tools; i++)
            str_printf(&s, "%s%s", i ? ", " : "; the tools are: ", names[i]);
    free(names);
    return str_take(&s);
}

static bool is_env_tool(const struct agent *a, const char *name)
{
    const struct env_ops *env = a->task.env_ops;

    for (int32_t i = 0; env && i < env->n_tools; i++) {
        if (strcmp(env->tools[i].name, name) == 0)
            return true;
    }
    return false;
}

/* `arguments` NULL means none; `id` is the model's own, or NULL. */
static void add_call(struct agent *a, const char *name, const struct json *arguments,
                     const char *id)
{
    struct pending_call *p = pending_add(a);
    struct tool *tool = role_tool(a, name);
    struct error err = ERROR_INIT;

    p->name = name;
    p->id = id;
    p->arguments = arguments ? jv_deep_copy(arguments) : jv_object();
    if (is_env_tool(a, name) || (a->env && !tool)) {
        p->is_env = true;
        if (env_call_from_json(a->task.env_ops, name, p->arguments, &p->env, &err))
            p->error = words_of(&err);
    } else if (tool) {
        p->tool = tool;
    } else {
        p->error = unknown_tool(a, name);
    }
}

/* A call that could not be read; it counts as one in an environment. */
static void add_unreadable(struct agent *a, const char *raw, const char *words)
{
    struct pending_call *p = pending_add(a);

    p->name = "invalid";
    p->unreadable = true;
    p->error = xstrdup(words);
    p->is_env = a->env != NULL;
    p->env.tool = -1;
    p->arguments = jv_object();
    jv_set_string(p->arguments, "text", raw);
}

static enum status parse_text(struct agent *a, struct error *err)
{
    struct json_codec *c = codec_of(a);
    struct str clean = STR_INIT;
    bool thinking = prompt_opens_reasoning(str_cstr(&c->rendered), c->rendered.len);
    enum status st;

    str_clear(&a->reply_text);
    tokenizer_decode(a->task.role->model->info.tokenizer, a->call.ids, (size_t)a->call.n_ids, true,
                     &a->reply_text);
    utf8_clean(str_cstr(&a->reply_text), a->reply_text.len, &clean);
    parsed_reply_deinit(&c->reply);
    c->reply = (struct parsed_reply){.content = NULL};
    st = tool_calls_parse(c->chat->format, str_cstr(&clean), clean.len,
                          thinking ? REPLY_STARTS_THINKING : REPLY_STARTS_ANYHOW,
                          a->call.finish != FINISH_STOP, c->tools, &c->reply, err);
    str_deinit(&clean);
    if (st)
        return st;
    for (int32_t i = 0; i < c->reply.n_calls; i++) {
        const struct parsed_call *call = &c->reply.call[i];

        if (call->error)
            add_unreadable(a, call->raw, call->error);
        else
            add_call(a, call->name, call->arguments, NULL);
    }
    return STATUS_OK;
}

/* Of a model that gives calls: its arguments are a text that is not an object. */
static void add_unreadable_call(struct agent *a, const char *name, const struct json *arguments)
{
    const char *text = jv_get_string(arguments, "");
    struct str raw = STR_INIT, words = STR_INIT;
    struct error why = ERROR_INIT;
    struct json *v = NULL;

    str_printf(&raw, "%s%s%s", name, *name && *text ? " " : "", text);
    str_puts(&words, "a call needs a name and an object of arguments");
    if (*text && jv_parse(text, jv_string_len(arguments), "arguments", &v, &why))
        str_printf(&words, "; %s: %s", why.where, why.message);
    add_unreadable(a, str_cstr(&raw), str_cstr(&words));
    jv_unref(v);
    str_deinit(&raw);
    str_deinit(&words);
}

static void take_calls(struct agent *a)
{
    const struct json *calls = a->call.tool_calls;

    for (size_t i = 0; i < jv_size(calls); i++) {
        const struct json *call = jv_at(calls, i);
        const char *name = jv_get_string(jv_get(call, "name"), NULL);
        const struct json *arguments = jv_get(call, "arguments");

        if (name && *name && (!arguments || jv_kind(arguments) == JV_OBJECT))
            add_call(a, name, arguments, jv_get_string(jv_get(call, "id"), NULL));
        else
            add_unreadable_call(a, name ? name : "", arguments);
    }
}

static const char *content_of(const struct agent *a)
{
    const struct json_codec *c = codec_of(a);
    const char *text = c->chat ? c->reply.content : a->call.text;

    return text ? text : "";
}

/* {id, type, function: {name, arguments}} of the OpenAI API. */
static struct json *call_message(const struct agent *a, int32_t i)
{
    const struct json_codec *c = codec_of(a);
    const struct pending_call *p = &a->pending[i];
    struct json *call = jv_object(), *f = jv_object(), *guarded;
    char *text = jv_dump(p->arguments), made[JSON_CALL_ID];

    jv_set_string(f, "name", p->name);
    jv_set_string(f, "arguments", text);
    free(text);
    if (c->chat) {
        guarded = chat_guard_json(&c->chat->guard, f);
        jv_unref(f);
        f = guarded;
    }
    jv_set_string(call, "id", json_call_id(a, i, made));
    jv_set_string(call, "type", "function");
    jv_set_adopt(call, "function", f);
    return call;
}

static struct json *call_said(const struct pending_call *p)
{
    struct json *v = jv_object();

    jv_set_string(v, "name", p->name);
    jv_set_adopt(v, "arguments", jv_ref(p->arguments));
    if (p->id)
        jv_set_string(v, "id", p->id);
    return v;
}

/* The output in the journal, and the message in the next prompt. */
static void remember(struct agent *a)
{
    struct json_codec *c = codec_of(a);
    struct json *m, *said = jv_object(), *calls = jv_array(), *plain = jv_array();
    const char *reasoning = c->chat ? c->reply.reasoning : a->call.reasoning;
    struct str content = STR_INIT;

    str_puts(&content, content_of(a));
    for (int32_t i = 0; i < a->n_pending; i++) {
        const struct pending_call *p = &a->pending[i];

        if (p->unreadable) { /* stays in the text */
            str_puts(&content, jv_get_string(jv_get(p->arguments, "text"), ""));
            continue;
        }
        jv_append_adopt(calls, call_message(a, i));
        jv_append_adopt(plain, call_said(p));
    }
    m = json_message(c, "assistant", str_cstr(&content), content.len);
    jv_set_string(said, "content", str_cstr(&content));
    str_deinit(&content);
    if (reasoning) {
        struct json *text = jv_string(reasoning);

        jv_set_adopt(m, "reasoning_content",
                     c->chat ? chat_guard_json(&c->chat->guard, text) : jv_ref(text));
        jv_set_adopt(said, "reasoning", text);
    }
    if (!c->chat && a->call.finish != FINISH_STOP)
        jv_set_string(said, "finish", model_finish_name(a->call.finish));
    if (!c->chat && a->call.usage.cost_nano > 0)
        jv_set_int(said, MODEL_COST_KEY, a->call.usage.cost_nano);
    if (!c->chat && a->call.requests > 1)
        jv_set_int(said, MODEL_REQUESTS_KEY, a->call.requests);
    if (jv_size(calls) > 0) {
        jv_set_adopt(m, "tool_calls", jv_ref(calls));
        jv_set_adopt(said, "tool_calls", jv_ref(plain));
    }
    jv_unref(calls);
    jv_unref(plain);
    jv_append_adopt(c->messages, m);
    c->said = said;
}

/* What is between the first code fence and the next; NULL: no such thing. */
static const char *fenced(const char *text, size_t *n)
{
    const char *from = strstr(text, "```"), *to = NULL;

    from = from ? strchr(from, '\n') : NULL;
    to = from ? strstr(from, "```") : NULL;
    *n = to ? (size_t)(to - from) : 0;
    return to ? from : NULL;
}

enum status json_in_reply(const char *text, const struct json *schema, struct json **out,
                          const char **from, size_t *n, struct error *err)
{
    struct json *v = NULL;
    const char *inside;
    enum status st;

    *from = text;
    *n = strlen(text);
    st = jv_parse(text, *n, "answer", &v, err);
    inside = st ? fenced(text, n) : NULL;
    if (inside) {
        *from = inside;
        error_clear(err);
        st = jv_parse(inside, *n, "answer", &v, err);
    }
    if (!st)
        st = schema_check(schema, v, "answer", err);
    if (st)
        jv_unref(v);
    else
        *out = v;
    return st;
}

/* A truncated answer is an error unless the task allows it; the budget may be the cause. */
static enum status check_end(struct agent *a, struct error *err)
{
    bool ids = a->task.role->model->info.takes_ids;
    enum status st;

    a->result.cut_at = 0;
    if (a->call.finish != FINISH_LENGTH)
        return STATUS_OK;
    st = budget_fits(a->task.scope.budget, agent_now_ms(a), 1, 0, 0, err);
    a->result.cut_at = ids ? a->call.n_ids : a->call.usage.completion;
    if (st || a->task.may_be_cut)
        return st;
    return error_set(err, STATUS_LIMIT,
                     AGENT_CUT
                     "the reply was cut after %lld token%s (max_tokens, or the end of the "
                     "context)",
                     (long long)a->result.cut_at, plural_s(a->result.cut_at));
}

static enum status take_answer(struct agent *a, struct error *err)
{
    struct json_codec *c = codec_of(a);
    struct error why = ERROR_INIT;
    struct str text = STR_INIT;
    const char *from;
    size_t n;
    enum status st = check_end(a, err);

    if (st)
        return st;
    if (!a->task.schema) {
        a->answer = jv_string(content_of(a));
        return STATUS_OK;
    }
    if (!json_in_reply(content_of(a), a->task.schema, &a->answer, &from, &n, &why))
        return STATUS_OK;
    if (++c->n_repairs > JSON_MAX_REPAIRS)
        return error_set(err, STATUS_INVALID,
                         "the answer does not fit the schema after %d tries: %s%s%s",
                         JSON_MAX_REPAIRS, why.where, why.where[0] ? ": " : "", why.message);
    str_printf(&text,
               "The answer must be one JSON value that fits the schema, and nothing else. "
               "%s%s%s\nThe schema: ",
               why.where, why.where[0] ? ": " : "", why.message);
    jv_write(a->task.schema, 0, &text);
    json_add_message(c, "user", str_cstr(&text), text.len);
    str_deinit(&text);
    return STATUS_OK;
}

enum status codec_json_read_reply(struct agent *a, struct error *err)
{
    struct json_codec *c = codec_of(a);
    enum status st = STATUS_OK;

    jv_unref(c->said);
    c->said = NULL;
    if (c->chat)
        st = parse_text(a, err);
    else
        take_calls(a);
    if (st)
        return st;
    if (a->n_pending == 0 && a->env) {
        remember(a);
        add_unreadable(a, "", "there is no tool call in this reply; call one of the tools");
        return STATUS_OK;
    }
    remember(a);
    return a->n_pending == 0 ? take_answer(a, err) : STATUS_OK;
}
