/* chat_call_stream.c - a reply into content, reasoning and calls, as it comes and at its end.
 *
 * The same path for streamed and other calls, so that both have the same result: bytes to whole
 * characters, without stop texts, split at tags. Pieces are given on the way.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/chat_call_state.h"
#include "agents/codec_json.h"
#include "runtime/base/memory.h"
#include "runtime/base/unicode.h"

static void piece(struct chat_call *c, enum chat_piece kind, const char *text, size_t n)
{
    if (c->spec.on_piece && n > 0)
        c->spec.on_piece(c->spec.ctx, kind, text, n);
}

static void add_content(struct chat_call *c, const char *text, size_t n)
{
    str_append(&c->content, text, n);
    if (!c->schema)
        piece(c, CHAT_CONTENT, text, n);
}

static void on_part(void *ctx, enum reply_part part, const char *text, size_t n)
{
    if (part == REPLY_CONTENT)
        add_content(ctx, text, n);
    else
        piece(ctx, CHAT_REASONING, text, n);
}

void chat_call_stream_begin(struct chat_call *c)
{
    struct reply_stream_spec spec = {.format = c->tools ? c->chat->format : TOOL_CALLS_NONE,
                                     .in_reasoning = c->in_reasoning,
                                     .tools = c->tools,
                                     .give = on_part,
                                     .ctx = c};

    c->stops.text = c->spec.stop;
    c->stops.n_text = c->spec.n_stop;
    if (c->chat)
        c->split = reply_stream_new(&spec);
}

/* The content of a call with `echo` begins with its prompt. */
static void add_prompt(struct chat_call *c)
{
    struct str text = STR_INIT, clean = STR_INIT;

    if (!c->spec.echo)
        return;
    c->spec.echo = false;
    if (c->spec.prompt_ids)
        tokenizer_decode(c->spec.model->info.tokenizer, c->prompt.id, c->prompt.n, false, &text);
    else
        str_append(&text, c->spec.prompt, c->spec.prompt_bytes);
    utf8_clean(str_cstr(&text), text.len, &clean);
    add_content(c, str_cstr(&clean), clean.len);
    str_deinit(&text);
    str_deinit(&clean);
}

static void pass(struct chat_call *c, const struct str *text)
{
    if (text->len == 0)
        return;
    if (c->split)
        reply_stream_push(c->split, str_cstr(text), text->len);
    else
        add_content(c, str_cstr(text), text->len);
}

static void read_text(struct chat_call *c, const char *text, size_t n)
{
    struct str out = STR_INIT;

    stop_stream_push(&c->stops, text, n, &out);
    pass(c, &out);
    str_deinit(&out);
}

/* Tokens of a tag, or blanks before it, belong to the reasoning that follows. */
static void count_reasoning(struct chat_call *c, bool thinks, size_t content_was)
{
    c->n_undecided++;
    if (thinks)
        c->result.usage.reasoning += c->n_undecided;
    if (thinks || c->content.len > content_was)
        c->n_undecided = 0;
}

static void read_token(struct chat_call *c, int32_t id)
{
    bool thinks = c->split && reply_stream_is_thinking(c->split);
    size_t content_was = c->content.len;
    struct str text = STR_INIT;

    token_stream_push(&c->utf8, c->spec.model->info.tokenizer, id, true, &text);
    c->n_read++;
    c->result.n_ids = c->n_read;
    read_text(c, str_cstr(&text), text.len);
    str_deinit(&text);
    thinks = thinks || (c->split && reply_stream_is_thinking(c->split));
    count_reasoning(c, thinks, content_was);
}

void chat_call_on_token(struct model_call *m, int32_t id, float logp)
{
    reply_feed_token(&CONTAINER_OF(m, struct chat_call, call)->feed, id, logp);
}

void chat_call_on_text(struct model_call *m, const char *text, size_t n)
{
    reply_feed_text(&CONTAINER_OF(m, struct chat_call, call)->feed, text, n);
}

void chat_call_stream_show(struct reply_feed *f)
{
    struct chat_call *c = CONTAINER_OF(f, struct chat_call, feed);
    int32_t n = reply_feed_n(f);
    struct str text = STR_INIT;

    if (c->stop)
        return;
    add_prompt(c);
    c->result.ids = f->id;
    c->result.logp = f->logp;
    while (c->n_read < n && !c->stop)
        read_token(c, f->id[c->n_read]);
    if (!chat_call_takes_ids(c)) {
        reply_feed_take_text(f, &text);
        c->n_given += text.len;
        read_text(c, str_cstr(&text), text.len);
        str_deinit(&text);
    }
}

/* ---- the end */

/* arguments: an object, or the text of what is none. */
static void add_call(struct chat_call *c, const char *name, const struct json *arguments,
                     const char *id)
{
    struct json *call = jv_object(), *f = jv_object();
    char made[48], *text;

    if (!c->calls)
        c->calls = jv_array();
    (void)snprintf(made, sizeof(made), "call_%016llx_%zu", (unsigned long long)c->spec.call_id,
                   jv_size(c->calls));
    jv_set_string(f, "name", name);
    if (jv_kind(arguments) == JV_STRING) {
        jv_set_string(f, "arguments", jv_get_string(arguments, ""));
    } else {
        text = arguments ? jv_dump(arguments) : xstrdup("{}");
        jv_set_string(f, "arguments", text);
        free(text);
    }
    jv_set_string(call, "id", id && *id ? id : made);
    jv_set_string(call, "type", "function");
    jv_set_adopt(call, "function", f);
    jv_append_adopt(c->calls, call);
}

/* A call that cannot be read stays what it is: text. */
static void take_parsed_calls(struct chat_call *c)
{
    for (int32_t i = 0; i < c->reply.n_calls; i++) {
        const struct parsed_call *call = &c->reply.call[i];

        if (!call->error) {
            add_call(c, call->name, call->arguments, NULL);
            continue;
        }
        if (c->content.len > 0)
            add_content(c, "\n", 1);
        add_content(c, call->raw, strlen(call->raw));
    }
}

static enum status end_of_ids(struct chat_call *c, struct error *err)
{
    struct str text = STR_INIT, rest = STR_INIT;
    enum status st = STATUS_OK;

    c->result.ids = c->call.ids;
    c->result.logp = c->call.logp;
    while (c->n_read < c->call.n_ids)
        read_token(c, c->call.ids[c->n_read]);
    token_stream_finish(&c->utf8, &text);
    read_text(c, str_cstr(&text), text.len);
    stop_stream_end(&c->stops, &rest);
    pass(c, &rest);
    str_deinit(&text);
    str_deinit(&rest);
    if (c->split) {
        st = reply_stream_end(c->split, c->call.finish == FINISH_LENGTH && !c->stops.stopped,
                              &c->reply, err);
        if (!st)
            take_parsed_calls(c);
    }
    if (c->reply.reasoning && c->reply.reasoning[0])
        c->result.reasoning = c->reply.reasoning;
    return st;
}

static enum status end_of_text(struct chat_call *c, struct error *err)
{
    const struct model_call *m = &c->call;
    const char *text = m->text ? m->text : "";
    size_t n = strlen(text);
    struct str rest = STR_INIT;

    chat_call_stream_show(&c->feed);
    if (c->n_given > n)
        return error_set(err, STATUS_FAILED,
                         "model %s streamed %zu bytes, but its reply has only %zu",
                         c->spec.model->info.name, c->n_given, n);
    if (m->reasoning && m->reasoning[0]) {
        c->result.reasoning = m->reasoning;
        piece(c, CHAT_REASONING, m->reasoning, strlen(m->reasoning));
    }
    read_text(c, text + c->n_given, n - c->n_given);
    stop_stream_end(&c->stops, &rest);
    pass(c, &rest);
    str_deinit(&rest);
    for (size_t i = 0; i < jv_size(m->tool_calls); i++) {
        const struct json *call = jv_at(m->tool_calls, i);

        add_call(c, jv_get_string(jv_get(call, "name"), ""), jv_get(call, "arguments"),
                 jv_get_string(jv_get(call, "id"), NULL));
    }
    return STATUS_OK;
}

/* Only the JSON of the content is left, and it is given. A reply that was cut is given as it is. */
static enum status check_schema(struct chat_call *c, struct error *err)
{
    struct str fitting = STR_INIT;
    struct json *v = NULL;
    struct error why = ERROR_INIT;
    const char *from;
    size_t n;

    if (c->result.finish == FINISH_STOP && !c->calls) {
        if (json_in_reply(str_cstr(&c->content), c->schema, &v, &from, &n, &why)) {
            c->result.unfit = true;
            return error_set(err, STATUS_INVALID, "the reply does not fit the schema: %s%s%s",
                             why.where, why.where[0] ? ": " : "", why.message);
        }
        jv_unref(v);
        while (n > 0 && isspace((unsigned char)from[n - 1]))
            n--;
        while (n > 0 && isspace((unsigned char)*from)) {
            from++;
            n--;
        }
        str_append(&fitting, from, n);
        str_deinit(&c->content);
        c->content = fitting;
    }
    piece(c, CHAT_CONTENT, str_cstr(&c->content), c->content.len);
    return STATUS_OK;
}

enum status chat_call_stream_end(struct chat_call *c, struct error *err)
{
    struct chat_result *r = &c->result;
    int32_t reasoning;
    enum status st;

    add_prompt(c);
    st = chat_call_takes_ids(c) ? end_of_ids(c, err) : end_of_text(c, err);
    reasoning = r->usage.reasoning;
    r->usage = c->call.usage;
    if (chat_call_takes_ids(c))
        r->usage.reasoning = reasoning;
    r->finish = c->stops.stopped ? FINISH_STOP : c->call.finish;
    if (!st && c->schema)
        st = check_schema(c, err);
    if (!st && (!str_ok(&c->content) || !str_ok(&c->stops.held) || !str_ok(&c->feed.text)))
        st = error_set(err, STATUS_NO_MEMORY, "no memory for the reply");
    r->has_calls = c->calls != NULL;
    r->tool_calls = c->calls;
    r->content = c->calls && c->content.len == 0 ? NULL : str_cstr(&c->content);
    return st;
}
