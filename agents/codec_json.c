/* codec_json.c - messages and JSON tool calls, for any model that was taught them.
 *
 * Models that take messages get the list as it is. For models that take ids it is rendered with the
 * model's own template, and the ids that the model itself sampled are kept: only the rendered text
 * after the end of the last reply is encoded and appended to the chain. If the rendered text no
 * longer begins with the last rendered text (the template rewrites history, or a step's boundary
 * cut it), a new chain begins.
 * Source: Troupe's notes on token-in, token-out training, section 4.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/codec_json.h"
#include "runtime/base/memory.h"
#include "runtime/base/schema.h"

static struct json_codec *codec_of(const struct agent *a)
{
    return a->codec_state;
}

struct json *json_message(const struct json_codec *c, const char *role, const char *content,
                          size_t n)
{
    static const struct chat_guard none = {.n = 0};
    bool author = strcmp(role, "system") == 0; /* may use special tokens */
    struct json *m = jv_object();
    struct str text = STR_INIT;

    jv_set_string(m, "role", role);
    if (c->chat)
        chat_guard_text(author ? &none : &c->chat->guard, content, n, &text);
    else
        str_append(&text, content, n);
    jv_set_adopt(m, "content", jv_string_n(str_cstr(&text), text.len));
    str_deinit(&text);
    return m;
}

void json_add_message(struct json_codec *c, const char *role, const char *content, size_t n)
{
    struct json *plain = jv_object();

    jv_set_string(plain, "role", role);
    jv_set_adopt(plain, "content", jv_string_n(content, n));
    jv_append_adopt(c->unsaved, plain);
    jv_append_adopt(c->messages, json_message(c, role, content, n));
}

static void put_value(struct str *out, const struct json *v)
{
    if (jv_kind(v) == JV_STRING)
        str_append(out, jv_get_string(v, ""), jv_string_len(v));
    else
        jv_write(v, 0, out);
}

void schema_words(const struct json *schema, struct str *out)
{
    str_puts(out, "\n\nThe final answer must be one JSON value that fits this JSON Schema, and "
                  "nothing else: ");
    jv_write(schema, 0, out);
}

/* [system,] what was said before, the task and the current observation of the environment. */
static void begin_messages(struct agent *a, const struct json *observation)
{
    struct json_codec *c = codec_of(a);
    const struct agent_task *t = &a->task;
    struct str text = STR_INIT;

    jv_unref(c->messages);
    c->messages = jv_array();
    /* Templates need a user message: a role with only a prompt gets it as the task. */
    if (t->role->prompt && (t->input || observation))
        str_puts(&text, t->role->prompt);
    if (t->env_ops && t->env_ops->instructions) {
        if (text.len > 0)
            str_puts(&text, "\n\n");
        str_puts(&text, t->env_ops->instructions);
    }
    if (text.len > 0)
        json_add_message(c, "system", str_cstr(&text), text.len);
    str_clear(&text);
    for (size_t i = 0; i < jv_size(t->history); i++) {
        const struct json *m = jv_at(t->history, i), *content = jv_get(m, "content");

        json_add_message(c, jv_get_string(jv_get(m, "role"), "user"), jv_get_string(content, ""),
                         jv_string_len(content));
    }
    if (t->input)
        put_value(&text, t->input);
    else if (!observation)
        str_puts(&text, t->role->prompt);
    if (observation) {
        if (text.len > 0)
            str_puts(&text, "\n\n");
        put_value(&text, observation);
    }
    if (t->schema && !t->env_ops && t->scope.prompt_format != 1) {
        schema_words(t->schema, &text);
    }
    c->n_unheard = jv_size(c->messages);
    json_add_message(c, "user", str_cstr(&text), text.len);
    str_deinit(&text);
}

static enum status env_tool_json(const struct env_tool_spec *spec, struct json **out,
                                 struct error *err)
{
    struct json *parameters = NULL, *f, *v;
    enum status st =
        jv_parse(spec->input_schema, strlen(spec->input_schema), spec->name, &parameters, err);

    if (st)
        return st;
    f = jv_object();
    v = jv_object();
    jv_set_string(f, "name", spec->name);
    jv_set_string(f, "description", spec->description);
    jv_set_adopt(f, "parameters", parameters);
    jv_set_string(v, "type", "function");
    jv_set_adopt(v, "function", f);
    *out = v;
    return STATUS_OK;
}

static enum status list_tools(const struct agent *a, struct json **out, struct error *err)
{
    const struct agent_task *t = &a->task;
    struct json *list = jv_array(), *one;
    enum status st = STATUS_OK;

    for (int32_t i = 0; t->env_ops && i < t->env_ops->n_tools && !st; i++) {
        st = env_tool_json(&t->env_ops->tools[i], &one, err);
        if (!st)
            jv_append_adopt(list, one);
    }
    for (int32_t i = 0; i < t->role->n_tools; i++)
        jv_append_adopt(list, tool_json(t->role->tools[i]));
    if (st || jv_size(list) == 0) {
        jv_unref(list);
        return st;
    }
    *out = list;
    return STATUS_OK;
}

static enum status begin(struct agent *a, struct error *err)
{
    struct json_codec *c = xcalloc(1, sizeof(*c));
    const struct agent_task *t = &a->task;
    struct json *observation = NULL;
    enum status st;

    a->codec_state = c;
    c->unsaved = jv_array();
    c->rendered = c->text = STR_INIT;
    if (!t->input && !t->env_ops && !t->role->prompt)
        return error_set(err, STATUS_INVALID,
                         "the agent has no input, no prompt and no environment");
    if (t->role->model->info.takes_ids) {
        st = chat_cache_get(a->host, t->role->model, &c->chat, err);
        if (st)
            return st;
    }
    st = list_tools(a, &c->tools, err);
    if (st)
        return st;
    if (c->chat && c->tools) {
        struct json *guarded = chat_guard_json(&c->chat->guard, c->tools);

        jv_unref(c->tools);
        c->tools = guarded;
    }
    if (t->env_ops)
        observation = t->env_ops->observe(a->env);
    begin_messages(a, observation);
    jv_unref(observation);
    return STATUS_OK;
}

static void end(struct agent *a)
{
    struct json_codec *c = codec_of(a);

    if (!c)
        return;
    jv_unref(c->messages);
    jv_unref(c->unsaved);
    jv_unref(c->tools);
    jv_unref(c->said);
    jv_unref(c->boundary);
    parsed_reply_deinit(&c->reply);
    str_deinit(&c->rendered);
    str_deinit(&c->text);
    free(c);
}

/* Did the model's last reply end with one of its end tokens? */
static bool reply_has_end(const struct agent *a)
{
    const struct model_info *m = &a->task.role->model->info;
    int32_t last = a->call.n_ids > 0 ? a->call.ids[a->call.n_ids - 1] : -1;

    for (int32_t i = 0; i < m->n_eos; i++) {
        if (m->eos_id[i] == last)
            return true;
    }
    return false;
}

/* The first end token's text at or after `from`; *n is its length. NULL: none. */
static const char *find_end(const struct agent *a, const char *from, size_t *n)
{
    const struct model_info *m = &a->task.role->model->info;
    const char *best = NULL;

    for (int32_t i = 0; i < m->n_eos; i++) {
        size_t len = 0;
        const char *bytes = tokenizer_bytes(m->tokenizer, m->eos_id[i], &len);
        const char *at = bytes && len ? chat_guard_find(from, bytes, len) : NULL;

        if (at && (!best || at < best)) {
            best = at;
            *n = len;
        }
    }
    return best;
}

/* The part of the new text after the model's last reply; NULL: the chain is broken. */
static const char *suffix_of(const struct agent *a, const struct json_codec *c)
{
    const char *text = str_cstr(&c->text), *end;
    size_t n = 0;

    if (a->chain.n == 0 || c->text.len < c->rendered.len ||
        memcmp(text, str_cstr(&c->rendered), c->rendered.len) != 0)
        return NULL;
    text += c->rendered.len;
    end = find_end(a, text, &n);
    if (!end)
        return NULL;
    /* Reasoning that the template left out is in the chain, but no longer in the history. */
    if (c->reply.reasoning && c->reply.reasoning[0] &&
        !memmem(text, (size_t)(end - text), c->reply.reasoning, strlen(c->reply.reasoning)))
        return NULL;
    return reply_has_end(a) ? end + n : end;
}

/* A template may take long, and no timer fires while it runs. */
static enum status still_wanted(void *ctx, struct error *err)
{
    struct agent *a = ctx;

    if (a->host->o.interrupted && *a->host->o.interrupted) {
        a->stop = AGENT_STOP_INTERRUPT;
        return error_set(err, STATUS_CANCELLED, "the agent was interrupted");
    }
    if (a->task.scope.cancelled && *a->task.scope.cancelled)
        return error_set(err, STATUS_CANCELLED, "the agent was cancelled");
    if (a->deadline_ms > 0 && agent_now_ms(a) >= a->deadline_ms)
        return error_set(err, STATUS_TIMEOUT, "the agent's time limit was reached");
    return STATUS_OK;
}

static enum status render(struct agent *a, struct error *err)
{
    struct json_codec *c = codec_of(a);
    const struct model_info *m = &a->task.role->model->info;
    bool as_01 = a->task.scope.prompt_format == 1;
    char eos[TOKENIZER_MAX_TOKEN_BYTES + 1] = "";
    struct chat_input in = {.messages = c->messages,
                            .tools = c->tools,
                            .add_generation_prompt = true,
                            .bos_token = as_01 ? NULL : m->bos_token,
                            .eos_token = as_01 ? eos : m->eos_token,
                            .now_ms = agent_now_ms(a),
                            .check = still_wanted,
                            .check_ctx = a};
    size_t n = 0;
    const char *bytes =
        as_01 && m->n_eos > 0 ? tokenizer_bytes(m->tokenizer, m->eos_id[0], &n) : NULL;

    if (bytes && n < sizeof(eos))
        memcpy(eos, bytes, n);
    str_clear(&c->text);
    return chat_render(c->chat->template, &in, &c->text, err);
}

static enum status perceive_ids(struct agent *a, struct error *err)
{
    struct json_codec *c = codec_of(a);
    const struct tokenizer *t = a->task.role->model->info.tokenizer;
    const char *suffix;
    struct str swap;
    enum status st = render(a, err);

    if (st)
        return st;
    suffix = suffix_of(a, c);
    if (!suffix) {
        token_ids_clear(&a->chain);
        a->session_len = 0;
        a->new_chain = true;
        suffix = str_cstr(&c->text);
    }
    a->prefix_len = (int32_t)a->chain.n;
    st = chat_guard_encode(t, a->host->scratch, suffix, strlen(suffix), &a->chain, err);
    swap = c->rendered;
    c->rendered = c->text;
    c->text = swap;
    return st;
}

static enum status perceive(struct agent *a, struct error *err)
{
    struct json_codec *c = codec_of(a);

    if (a->restart) {
        begin_messages(a, c->boundary);
        token_ids_clear(&a->chain);
        a->prefix_len = 0;
        a->restart = false;
    }
    jv_unref(c->boundary);
    c->boundary = NULL;
    if (c->chat)
        return perceive_ids(a, err);
    a->call.messages = c->messages;
    a->call.tools = c->tools;
    if (a->task.schema && !a->task.env_ops && a->task.role->model->info.takes_schema)
        a->call.response_schema = a->task.schema;
    return STATUS_OK;
}

static void save_prompt(struct agent *a, bool saved)
{
    struct json_codec *c = codec_of(a);

    for (size_t i = 0; a->task.scope.run && !saved && i < jv_size(c->unsaved); i++) {
        const struct json *m = jv_at(c->unsaved, i);
        struct json *body = jv_object();

        jv_set_adopt(body, "content", jv_ref(jv_get(m, "content")));
        journal_message(a->task.scope.run, a->task.scope.path,
                        jv_get_string(jv_get(m, "role"), "user"), body);
        jv_unref(body);
    }
    if (jv_size(c->unsaved) > 0) {
        jv_unref(c->unsaved);
        c->unsaved = jv_array();
    }
}

const char *json_call_id(const struct agent *a, int32_t i, char out[JSON_CALL_ID])
{
    if (a->pending[i].id)
        return a->pending[i].id;
    (void)snprintf(out, JSON_CALL_ID, "call_%lld_%d", (long long)a->turn, i);
    return out;
}

static void add_result(struct agent *a, const struct pending_call *p, const struct json *result)
{
    struct json_codec *c = codec_of(a);
    struct str text = STR_INIT;
    char id[JSON_CALL_ID];
    struct json *m;

    if (a->restart) {
        jv_unref(c->boundary);
        c->boundary = jv_deep_copy(result);
        return;
    }
    tool_result_show(result, &text);
    if (p->unreadable) {
        /* There is no call for a tool to answer. */
        json_add_message(c, "user", str_cstr(&text), text.len);
    } else {
        m = json_message(c, "tool", str_cstr(&text), text.len);
        jv_set_string(m, "tool_call_id", json_call_id(a, a->at, id));
        jv_set_string(m, "name", p->name);
        jv_append_adopt(c->messages, m);
    }
    str_deinit(&text);
}

static void hear(struct agent *a, const char *text, size_t n)
{
    struct json_codec *c = codec_of(a);

    c->n_unheard = jv_size(c->messages);
    json_add_message(c, "user", text, n);
}

static void unhear(struct agent *a)
{
    struct json_codec *c = codec_of(a);
    struct json *before = jv_array();

    for (size_t i = 0; i < c->n_unheard; i++)
        jv_append_adopt(before, jv_ref(jv_at(c->messages, i)));
    jv_unref(c->messages);
    c->messages = before;
}

static struct json *message(struct agent *a)
{
    struct json *said = codec_of(a)->said;

    return said ? jv_ref(said) : NULL;
}

/* The same object is the body of the message, so that the store keeps one copy. The text of a model
 * that takes ids is in its tokens. */
static struct json *step_output(struct agent *a)
{
    struct json *v;

    if (!codec_of(a)->chat)
        return message(a);
    v = jv_object();
    jv_set_string(v, "finish", model_finish_name(a->call.finish));
    return v;
}

static enum status replay_output(struct agent *a, const struct json *out, struct error *err)
{
    const char *text = jv_get_string(jv_get(out, "content"), NULL), *finish;

    if (!text)
        return error_set(err, STATUS_CORRUPT, "the reply recorded at %s has no content",
                         str_cstr(&a->path));
    model_call_clear_text(&a->call);
    a->call.text = xstrdup(text);
    if (jv_get(out, "reasoning"))
        a->call.reasoning = xstrdup(jv_get_string(jv_get(out, "reasoning"), ""));
    a->call.tool_calls = jv_get(out, "tool_calls") ? jv_ref(jv_get(out, "tool_calls")) : NULL;
    finish = jv_get_string(jv_get(out, "finish"), "");
    a->call.finish = strcmp(finish, model_finish_name(FINISH_CANCELLED)) == 0 ? FINISH_CANCELLED
                     : finish[0]                                              ? FINISH_LENGTH
                                                                              : FINISH_STOP;
    if (jv_get(out, MODEL_COST_KEY))
        a->call.usage.cost_nano = jv_get_int(jv_get(out, MODEL_COST_KEY), 0);
    return STATUS_OK;
}

const struct codec codec_json = {
    .compact = false,
    .begin = begin,
    .end = end,
    .perceive = perceive,
    .read_reply = codec_json_read_reply,
    .add_result = add_result,
    .hear = hear,
    .unhear = unhear,
    .save_prompt = save_prompt,
    .step_output = step_output,
    .message = message,
    .replay_output = replay_output,
};
