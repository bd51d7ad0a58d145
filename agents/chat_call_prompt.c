/* chat_call_prompt.c - messages to the ids of a prompt, with the model's own template.
 *
 * Templates differ in what they know. What most of them do not is changed here: a list of text
 * parts becomes one text, null content an empty one, and the role "developer" is "system".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "agents/chat_call_state.h"
#include "agents/codec_json.h"
#include "runtime/base/schema.h"

static enum status join_parts(const struct json *parts, struct str *out, struct error *err)
{
    for (size_t i = 0; i < jv_size(parts); i++) {
        const struct json *part = jv_at(parts, i), *text = jv_get(part, "text");

        if (jv_kind(text) != JV_STRING)
            return error_set(err, STATUS_UNSUPPORTED,
                             "this model takes text only, no part of type \"%.60s\"",
                             jv_get_string(jv_get(part, "type"), ""));
        str_append(out, jv_get_string(text, ""), jv_string_len(text));
    }
    return STATUS_OK;
}

/* A copy whose content is one text. */
static enum status plain_message(const struct json *m, struct json **out, struct error *err)
{
    const struct json *content = jv_get(m, "content");
    struct json *copy = jv_deep_copy(m);
    struct str text = STR_INIT;
    enum status st = STATUS_OK;

    if (jv_kind(content) == JV_ARRAY)
        st = join_parts(content, &text, err);
    else
        str_append(&text, jv_get_string(content, ""), jv_string_len(content));
    if (!st && !str_ok(&text))
        st = error_set(err, STATUS_NO_MEMORY, "no memory for a message");
    jv_set_adopt(copy, "content", jv_string_n(str_cstr(&text), text.len));
    str_deinit(&text);
    if (strcmp(jv_get_string(jv_get(copy, "role"), ""), "developer") == 0)
        jv_set_string(copy, "role", "system");
    if (st)
        jv_unref(copy);
    else
        *out = copy;
    return st;
}

/* To the last message of the user, or else to the last of all. */
static void ask_for_schema(struct json *messages, const struct json *schema)
{
    size_t n = jv_size(messages), at = n;
    struct str text = STR_INIT;
    struct json *m;

    while (at > 0 &&
           strcmp(jv_get_string(jv_get(jv_at(messages, at - 1), "role"), ""), "user") != 0)
        at--;
    m = jv_at(messages, at > 0 ? at - 1 : n - 1);
    str_puts(&text, jv_get_string(jv_get(m, "content"), ""));
    schema_words(schema, &text);
    jv_set_adopt(m, "content", jv_string_n(str_cstr(&text), text.len));
    str_deinit(&text);
}

/* For the template: plain, and guarded as foreign text. */
static enum status template_messages(const struct chat_call *c, struct json **out,
                                     struct error *err)
{
    const struct json *from = c->spec.messages;
    struct json *list = jv_array(), *m;
    enum status st = STATUS_OK;

    for (size_t i = 0; i < jv_size(from) && !st; i++) {
        st = plain_message(jv_at(from, i), &m, err);
        if (!st)
            jv_append_adopt(list, m);
    }
    if (!st && jv_size(list) == 0)
        st = error_set(err, STATUS_INVALID, "there are no messages");
    if (!st && c->spec.schema)
        ask_for_schema(list, c->spec.schema);
    if (!st)
        *out = chat_guard_json(&c->chat->guard, list);
    jv_unref(list);
    return st;
}

/* A template may take long, and no timer fires while it runs. */
static enum status in_time(void *ctx, struct error *err)
{
    const struct chat_call *c = ctx;

    if (c->spec.deadline_ms > 0 && seams_wall_ms(c->host->o.seams) >= c->spec.deadline_ms)
        return error_set(err, STATUS_TIMEOUT, "the time limit of the call was reached");
    return STATUS_OK;
}

static enum status render(struct chat_call *c, struct str *out, struct error *err)
{
    const struct model_info *info = &c->spec.model->info;
    struct json *messages = NULL;
    struct chat_input in = {.tools = c->tools,
                            .extra = c->spec.template_more,
                            .add_generation_prompt = true,
                            .bos_token = info->bos_token,
                            .eos_token = info->eos_token,
                            .now_ms = seams_wall_ms(c->host->o.seams),
                            .check = in_time,
                            .check_ctx = c};
    enum status st = template_messages(c, &messages, err);

    in.messages = messages;
    if (!st)
        st = chat_render(c->chat->template, &in, out, err);
    jv_unref(messages);
    return st;
}

/* Tools, template, ids. */
static enum status prompt_of_messages(struct chat_call *c, struct error *err)
{
    const char *choice = c->spec.tool_choice;
    bool none = choice && strcmp(choice, "none") == 0;
    struct str text = STR_INIT;
    enum status st;

    if (choice && !none)
        return error_set(err, STATUS_UNSUPPORTED,
                         "the engine cannot force a tool call (tool_choice \"%.80s\")", choice);
    st = chat_cache_get(c->host, c->spec.model, &c->chat, err);
    if (st)
        return st;
    if (jv_size(c->spec.tools) > 0 && !none)
        c->tools = chat_guard_json(&c->chat->guard, c->spec.tools);
    st = render(c, &text, err);
    if (!st)
        st = chat_guard_encode(c->spec.model->info.tokenizer, c->host->scratch, str_cstr(&text),
                               text.len, &c->prompt, err);
    c->in_reasoning = prompt_opens_reasoning(str_cstr(&text), text.len);
    str_deinit(&text);
    return st;
}

static enum status prompt_of_text(struct chat_call *c, struct error *err)
{
    const struct chat_call_spec *s = &c->spec;

    if (c->spec.schema || c->spec.tools)
        return error_set(err, STATUS_UNSUPPORTED, "a schema and tools need messages");
    if (s->prompt_ids)
        return token_ids_append(&c->prompt, s->prompt_ids, (size_t)s->n_prompt_ids, err);
    return tokenizer_encode(s->model->info.tokenizer, c->host->scratch, s->prompt, s->prompt_bytes,
                            true, &c->prompt, err);
}

enum status chat_call_prompt(struct chat_call *c, struct error *err)
{
    const struct model_info *info = &c->spec.model->info;
    enum status st;

    if (c->spec.schema)
        c->schema = schema_lenient((struct json *)(uintptr_t)c->spec.schema);
    if (!info->takes_ids && !c->spec.messages)
        return error_set(err, STATUS_UNSUPPORTED,
                         "model %s takes messages; it cannot continue a prompt", info->name);
    if (!info->takes_ids && c->spec.wants_logprobs)
        return error_set(err, STATUS_UNSUPPORTED, "model %s gives no log-probs", info->name);
    if (!info->takes_ids)
        return STATUS_OK;
    if (!info->tokenizer)
        return error_set(err, STATUS_UNSUPPORTED, "model %s has no tokenizer", info->name);
    st = c->spec.messages ? prompt_of_messages(c, err) : prompt_of_text(c, err);
    if (st)
        return st;
    if (c->prompt.n == 0)
        return error_set(err, STATUS_INVALID, "the prompt is empty");
    if (c->prompt.n < (size_t)info->context)
        return STATUS_OK;
    c->result.n_prompt = (int32_t)c->prompt.n;
    c->result.n_context = info->context;
    return error_set(err, STATUS_LIMIT,
                     "the prompt has %zu tokens, but prompt and reply share a context of %d",
                     c->prompt.n, (int)info->context);
}
