/* chat_request.c - see chat_request.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/remote/chat_request.h"

#include <stdio.h>
#include <string.h>

#include "models/remote/strict_schema.h"
#include "runtime/base/rng.h"

bool chat_request_wants_ids(const struct remote_spec *spec, const struct model_call *c)
{
    return spec->ids != REMOTE_IDS_NONE && c->ids && c->logp && c->sampling.temperature == 1.0f;
}

/* Is this call asked for as a stream? */
static bool streams(const struct remote_spec *spec, const struct model_call *c)
{
    if (!spec->stream)
        return false;
    if (!chat_request_wants_ids(spec, c))
        return true;
    return spec->ids == REMOTE_IDS_VLLM && jv_size(c->tools) == 0;
}

static const char *reasoning_member(const struct remote_spec *spec)
{
    switch (spec->reasoning) {
    case REMOTE_REASONING_CONTENT:
        return "reasoning_content";
    case REMOTE_REASONING_PLAIN:
        return "reasoning";
    default:
        return NULL;
    }
}

/* As it is, but for the reasoning. Beside calls, no text is null. */
static struct json *message_of(const struct remote_spec *spec, const struct json *m)
{
    struct json *out = jv_object(), *value;
    const char *key, *name = reasoning_member(spec);

    for (void *it = NULL; (it = jv_next(m, it, &key, &value));) {
        bool is_reasoning = strcmp(key, "reasoning_content") == 0;

        if (is_reasoning && name)
            jv_set_adopt(out, name, jv_ref(value));
        else if (strcmp(key, "content") == 0 && jv_get(m, "tool_calls") &&
                 jv_kind(value) == JV_STRING && jv_string_len(value) == 0)
            jv_set_adopt(out, key, jv_null());
        else if (!is_reasoning)
            jv_set_adopt(out, key, jv_ref(value));
    }
    return out;
}

static void put_messages(const struct remote_spec *spec, const struct model_call *c,
                         struct json *body)
{
    struct json *list = jv_array();

    for (size_t i = 0; i < jv_size(c->messages); i++)
        jv_append_adopt(list, message_of(spec, jv_at(c->messages, i)));
    jv_set_adopt(body, "messages", list);
}

/* With `strict` where the schema of the arguments is of the kind that servers can enforce. */
static struct json *tool_of(const struct remote_spec *spec, const struct json *tool)
{
    struct json *copy = jv_deep_copy(tool), *f = jv_get(copy, "function");

    if (spec->strict_schema && f && schema_is_strict(jv_get(f, "parameters")))
        jv_set_bool(f, "strict", true);
    return copy;
}

static void put_tools(const struct remote_spec *spec, const struct model_call *c, struct json *body)
{
    struct json *list, *choice, *f;

    if (jv_size(c->tools) == 0)
        return;
    list = jv_array();
    for (size_t i = 0; i < jv_size(c->tools); i++)
        jv_append_adopt(list, tool_of(spec, jv_at(c->tools, i)));
    jv_set_adopt(body, "tools", list);
    if (!c->tool_choice)
        return;
    if (strcmp(c->tool_choice, "none") == 0 || strcmp(c->tool_choice, "required") == 0) {
        jv_set_string(body, "tool_choice", c->tool_choice);
        return;
    }
    choice = jv_object();
    f = jv_object();
    jv_set_string(f, "name", c->tool_choice);
    jv_set_string(choice, "type", "function");
    jv_set_adopt(choice, "function", f);
    jv_set_adopt(body, "tool_choice", choice);
}

static void put_schema(const struct remote_spec *spec, const struct model_call *c,
                       struct json *body)
{
    struct json *format, *s;

    if (!c->response_schema || !spec->strict_schema)
        return;
    format = jv_object();
    s = jv_object();
    jv_set_string(s, "name", "answer");
    jv_set_adopt(s, "schema", jv_deep_copy(c->response_schema));
    jv_set_bool(s, "strict", schema_is_strict(c->response_schema));
    jv_set_string(format, "type", "json_schema");
    jv_set_adopt(format, "json_schema", s);
    jv_set_adopt(body, "response_format", format);
}

static void put_stream(const struct remote_spec *spec, const struct model_call *c, bool no_ids,
                       struct json *body)
{
    bool stream = no_ids ? spec->stream : streams(spec, c);
    struct json *options;

    jv_set_bool(body, "stream", stream);
    if (!stream)
        return;
    options = jv_object();
    jv_set_bool(options, "include_usage", true);
    jv_set_adopt(body, "stream_options", options);
}

static void put_bias(const struct sampling *s, struct json *body)
{
    struct json *bias = jv_object();
    char id[16];

    for (int32_t i = 0; i < s->n_bias; i++) {
        snprintf(id, sizeof(id), "%d", (int)s->bias_id[i]);
        jv_set_real(bias, id, (double)s->bias[i]);
    }
    jv_set_adopt(body, "logit_bias", bias);
}

/* The shortest decimal of a float, not the digits of its double. */
static void put_float(struct json *body, const char *key, float value)
{
    struct str text = STR_INIT;
    struct json *v = NULL;

    str_put_float(&text, value);
    if (jv_parse(str_cstr(&text), text.len, key, &v, NULL))
        v = jv_real((double)value);
    jv_set_adopt(body, key, v);
    str_deinit(&text);
}

static void put_sampling(const struct model_call *c, bool all, struct json *body)
{
    const struct sampling *s = &c->sampling;

    if (all || s->temperature != 1.0f)
        put_float(body, "temperature", s->temperature);
    if (all || s->top_p != 1.0f)
        put_float(body, "top_p", s->top_p);
    if (all || s->top_k > 0)
        jv_set_int(body, "top_k", s->top_k > 0 ? s->top_k : -1);
    if (all || s->min_p > 0)
        put_float(body, "min_p", s->min_p);
    if (all || s->repetition_penalty != 1.0f)
        put_float(body, "repetition_penalty", s->repetition_penalty);
    if (s->n_bias > 0)
        put_bias(s, body);
    /* Samples of one prompt differ by the call. 31 bits are what every server takes. */
    if (c->seed != 0)
        jv_set_int(body, "seed", (int64_t)(rng_derive(c->seed, c->call_id) & 0x7fffffff));
}

static void put_stop(const struct model_call *c, struct json *body)
{
    struct json *list;

    if (c->n_stop_text == 0)
        return;
    list = jv_array();
    for (int32_t i = 0; i < c->n_stop_text; i++)
        jv_append_adopt(list, jv_string(c->stop_text[i]));
    jv_set_adopt(body, "stop", list);
}

static void put_ids(const struct remote_spec *spec, struct json *body)
{
    jv_set_bool(body, "logprobs", true);
    jv_set_bool(body, "return_token_ids", true);
    if (spec->ids == REMOTE_IDS_SGLANG)
        jv_set_bool(body, "return_prompt_token_ids", true);
}

/* The operator's own members replace ours; null takes one away. */
static void put_extra(const struct remote_spec *spec, struct json *body)
{
    const char *key;
    struct json *value;

    for (void *it = NULL; spec->body && (it = jv_next(spec->body, it, &key, &value));) {
        if (jv_kind(value) == JV_NULL)
            jv_remove(body, key);
        else
            jv_set_adopt(body, key, jv_deep_copy(value));
    }
}

static enum status check_call(const struct model_call *c, struct error *err)
{
    if (jv_size(c->messages) == 0)
        return error_set(err, STATUS_INVALID, "the call has no messages");
    if (c->n_stop_id > 0)
        return error_set(err, STATUS_UNSUPPORTED,
                         "a remote model cannot stop at token ids (stop_id)");
    if (c->tool_choice && jv_size(c->tools) == 0 && strcmp(c->tool_choice, "none") != 0)
        return error_set(err, STATUS_INVALID,
                         "the call wants a tool call (tool_choice \"%.80s\"), but has no tools",
                         c->tool_choice);
    return STATUS_OK;
}

enum status chat_request_write(const struct remote_spec *spec, const struct model_call *c,
                               bool no_ids, struct str *out, struct error *err)
{
    bool ids = !no_ids && chat_request_wants_ids(spec, c);
    enum status st = check_call(c, err);
    struct json *body;

    if (st)
        return st;
    body = jv_object();
    jv_set_string(body, "model", spec->model);
    put_messages(spec, c, body);
    put_tools(spec, c, body);
    put_schema(spec, c, body);
    put_stream(spec, c, no_ids, body);
    if (c->max_tokens > 0)
        jv_set_int(body, spec->max_completion_tokens ? "max_completion_tokens" : "max_tokens",
                   c->max_tokens);
    put_sampling(c, ids, body);
    put_stop(c, body);
    if (ids)
        put_ids(spec, body);
    put_extra(spec, body);
    jv_write(body, 0, out);
    jv_unref(body);
    return str_ok(out) ? STATUS_OK
                       : error_set(err, STATUS_NO_MEMORY, "no memory for the request to a model");
}
