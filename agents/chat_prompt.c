/* chat_prompt.c - see chat_prompt.h.
 *
 * Templates differ in what they know. What most of them do not is changed here: a list of text
 * parts becomes one text, null content an empty one, and the role "developer" is "system".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/chat_prompt.h"

#include <string.h>

#include "agents/codec_json.h"

/* What one call works on. */
struct making {
    const struct agent_host *host;
    const struct chat_prompt_spec *spec;
    struct chat_prompt *out;
};

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
static enum status template_messages(const struct making *k, struct json **out, struct error *err)
{
    const struct json *from = k->spec->messages;
    struct json *list = jv_array(), *m;
    enum status st = STATUS_OK;

    for (size_t i = 0; i < jv_size(from) && !st; i++) {
        st = plain_message(jv_at(from, i), &m, err);
        if (!st)
            jv_append_adopt(list, m);
    }
    if (!st && jv_size(list) == 0)
        st = error_set(err, STATUS_INVALID, "there are no messages");
    if (!st && k->spec->schema)
        ask_for_schema(list, k->spec->schema);
    if (!st)
        *out = chat_guard_json(&k->out->chat->guard, list);
    jv_unref(list);
    return st;
}

/* A template may take long, and no timer fires while it runs. */
static enum status in_time(void *ctx, struct error *err)
{
    const struct making *k = ctx;

    if (k->spec->deadline_ms > 0 && seams_wall_ms(k->host->o.seams) >= k->spec->deadline_ms)
        return error_set(err, STATUS_TIMEOUT, "the time limit of the call was reached");
    return STATUS_OK;
}

static enum status render(struct making *k, struct str *out, struct error *err)
{
    const struct model_info *info = &k->spec->model->info;
    struct json *messages = NULL;
    struct chat_input in = {.tools = k->out->tools,
                            .extra = k->spec->more,
                            .add_generation_prompt = true,
                            .bos_token = info->bos_token,
                            .eos_token = info->eos_token,
                            .now_ms = seams_wall_ms(k->host->o.seams),
                            .check = in_time,
                            .check_ctx = k};
    enum status st = template_messages(k, &messages, err);

    in.messages = messages;
    if (!st)
        st = chat_render(k->out->chat->template, &in, out, err);
    jv_unref(messages);
    return st;
}

enum status chat_prompt_make(struct agent_host *h, const struct chat_prompt_spec *s,
                             struct chat_prompt *out, struct token_ids *ids, struct error *err)
{
    struct making k = {.host = h, .spec = s, .out = out};
    struct str text = STR_INIT;
    enum status st;

    *out = (struct chat_prompt){.chat = NULL};
    st = chat_cache_get(h, s->model, &out->chat, err);
    if (st)
        return st;
    if (jv_size(s->tools) > 0)
        out->tools = chat_guard_json(&out->chat->guard, s->tools);
    st = render(&k, &text, err);
    if (!st)
        st = chat_guard_encode(s->model->info.tokenizer, h->scratch, str_cstr(&text), text.len, ids,
                               err);
    out->in_reasoning = prompt_opens_reasoning(str_cstr(&text), text.len);
    str_deinit(&text);
    if (st) {
        jv_unref(out->tools);
        out->tools = NULL;
    }
    return st;
}
