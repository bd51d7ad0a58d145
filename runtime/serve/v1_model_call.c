/* v1_model_call.c - a request to a model: one chat call for each choice.
 *
 * An error before the first piece is an HTTP error; after it, it is an event of the stream, which
 * then ends without [DONE]. A client that leaves cancels the calls, which frees their pages. For
 * one that reads more slowly than the model writes, text is collected and sent in larger pieces: a
 * reply of any length arrives, and no more of it waits than its own text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/serve/serve_note.h"
#include "runtime/serve/v1.h"

struct v1_call;

struct v1_choice {
    struct v1_call *v;
    int32_t index;
    char path[48]; /* by which a scripted model chooses its reply */
    struct chat_call *chat;
    struct str content, reasoning; /* pieces that wait for the client */
    bool is_open;                  /* on_done follows */
    bool begun;                    /* a chunk of it was sent */
    bool ended, closed;            /* its last chunk is due; was sent */
    int32_t n_given;               /* tokens in the chunks so far */
    int64_t offset;                /* characters in the chunks so far */
    struct v1_span span;
};

struct v1_call {
    struct v1_call *prev, *next; /* of serve.v1_calls */
    struct serve *s;
    struct v1_client who;
    struct http_call *http; /* NULL: replied, or the client has left */
    struct openai_request q;
    struct openai_head head;
    struct v1_choice *choice; /* (n) */
    int32_t n, n_open;
    bool streams;    /* the head of the stream was sent */
    bool is_blocked; /* what is due waits for on_drain */
    bool failed;
    struct openai_error error; /* of the first that failed */
    struct model_usage usage;
    struct str events; /* of the stream, to be sent now */
};

static void link_call(struct v1_call *v)
{
    v->next = v->s->v1_calls;
    if (v->next)
        v->next->prev = v;
    v->s->v1_calls = v;
}

static void unlink_call(struct v1_call *v)
{
    if (v->prev)
        v->prev->next = v->next;
    else
        v->s->v1_calls = v->next;
    if (v->next)
        v->next->prev = v->prev;
}

static void free_call(struct v1_call *v)
{
    struct serve *s = v->s;

    unlink_call(v);
    for (int32_t i = 0; i < v->n; i++) {
        chat_call_free(v->choice[i].chat);
        str_deinit(&v->choice[i].content);
        str_deinit(&v->choice[i].reasoning);
    }
    openai_request_deinit(&v->q);
    openai_head_deinit(&v->head);
    str_deinit(&v->events);
    s->n_v1 -= v->n;
    free(v->choice);
    free(v);
    s->n_calls--;
}

static void cancel_all(struct v1_call *v)
{
    for (int32_t i = 0; i < v->n; i++)
        if (v->choice[i].is_open)
            chat_call_cancel(v->choice[i].chat);
}

static void on_gone(void *ctx)
{
    struct v1_call *v = ctx;

    v->http = NULL;
    if (v->n_open > 0)
        cancel_all(v);
    else
        free_call(v); /* the end of the stream waited for the client */
}

/* ---- streams */

static void on_drain(void *ctx);

/* Sends the head before the first event. false: nobody reads it. */
static bool open_stream(struct v1_call *v)
{
    if (!v->http || v->streams)
        return v->http != NULL;
    v->streams = true;
    if (!v1_stream(&v->who, v->http, NULL)) {
        v->http = NULL; /* too many streams: refused */
        cancel_all(v);
        return false;
    }
    http_call_on_drain(v->http, on_drain, v);
    return true;
}

/* A part of the stream was lost for want of memory, so the rest is worth nothing. */
static void drop_stream(struct v1_call *v)
{
    http_call_abort(v->http);
    v->http = NULL;
    cancel_all(v);
}

/* false: the client does not read as fast, or is gone. */
static bool send_events(struct v1_call *v)
{
    if (!str_ok(&v->events)) {
        drop_stream(v);
        return false;
    }
    v->is_blocked = !v1_events_send(v->http, &v->events);
    return !v->is_blocked;
}

static bool send_chunk(struct v1_call *v, const struct openai_choice *part)
{
    v1_event_begin(&v->events);
    openai_chunk(&v->head, part, &v->events);
    v1_event_end(&v->events);
    return send_events(v);
}

static int64_t count_chars(const char *text, size_t n)
{
    int64_t chars = 0;

    for (size_t i = 0; i < n; i++)
        chars += ((unsigned char)text[i] & 0xc0) != 0x80;
    return chars;
}

static bool send_text(struct v1_choice *c, enum chat_piece kind, const char *text, size_t n)
{
    struct v1_call *v = c->v;
    struct openai_choice part = {.index = c->index,
                                 .begins = !c->begun,
                                 .from = c->n_given,
                                 .to = chat_call_result(c->chat)->n_ids,
                                 .offset = c->offset,
                                 .tokens = v->q.logprobs ? c->chat : NULL};

    *(kind == CHAT_CONTENT ? &part.content : &part.reasoning) = text;
    *(kind == CHAT_CONTENT ? &part.content_bytes : &part.reasoning_bytes) = n;
    if (!send_chunk(v, &part))
        return false;
    if (kind == CHAT_CONTENT)
        c->offset += count_chars(text, n);
    c->begun = true;
    c->n_given = part.to;
    return true;
}

static struct str *waiting(struct v1_choice *c, enum chat_piece kind)
{
    return kind == CHAT_CONTENT ? &c->content : &c->reasoning;
}

static void on_piece(void *ctx, enum chat_piece kind, const char *text, size_t n)
{
    struct v1_choice *c = ctx;
    struct v1_call *v = c->v;

    if (!open_stream(v) || (!v->is_blocked && send_text(c, kind, text, n)) || !v->http)
        return;
    str_append(waiting(c, kind), text, n);
    if (!str_ok(waiting(c, kind)))
        drop_stream(v);
}

/* The pieces that waited, as one. false: they still wait. */
static bool send_waiting(struct v1_choice *c, enum chat_piece kind)
{
    struct str *text = waiting(c, kind);

    if (text->len > 0 && !send_text(c, kind, str_cstr(text), text->len))
        return false;
    str_deinit(text);
    return true;
}

static void choice_of(const struct v1_choice *c, struct openai_choice *out)
{
    openai_choice_of(c->chat, c->index, c->v->q.logprobs, out);
    out->one_call = c->v->q.one_call;
}

/* The last chunk of a choice: its calls, and why it ended. */
static void end_choice(struct v1_choice *c)
{
    struct openai_choice part;

    choice_of(c, &part);
    part.begins = !c->begun;
    part.ends = true;
    part.content = part.reasoning = NULL;
    part.content_bytes = part.reasoning_bytes = 0;
    part.from = c->n_given;
    part.offset = c->offset;
    c->closed = send_chunk(c->v, &part);
}

/* What is due of a choice. */
static void send_due(struct v1_choice *c)
{
    if (send_waiting(c, CHAT_REASONING) && send_waiting(c, CHAT_CONTENT) && c->ended && !c->closed)
        end_choice(c);
}

/* The last events, in one write. false: they wait for on_drain. */
static bool end_stream(struct v1_call *v)
{
    v1_event_begin(&v->events);
    if (v->failed) {
        openai_error_body(&v->error, &v->events);
    } else {
        if (v->q.include_usage) {
            openai_usage_chunk(&v->head, &v->usage, &v->events);
            v1_event_end(&v->events);
            v1_event_begin(&v->events);
        }
        str_puts(&v->events, "[DONE]");
    }
    v1_event_end(&v->events);
    if (send_events(v))
        http_call_end(v->http);
    return !v->http || !v->is_blocked;
}

/* ---- the end */

static void reply_whole(struct v1_call *v)
{
    struct openai_choice *choice = xcalloc((size_t)v->n, sizeof(*choice));
    struct str body = STR_INIT;

    for (int32_t i = 0; i < v->n; i++)
        choice_of(&v->choice[i], &choice[i]);
    openai_answer(&v->head, choice, v->n, &v->usage, &body);
    v1_reply(&v->who, v->http, &body, NULL);
    str_deinit(&body);
    free(choice);
}

static void finish(struct v1_call *v)
{
    if (v->http && v->streams && (v->is_blocked || !end_stream(v)))
        return;
    if (v->http && !v->streams && v->failed)
        v1_fail(&v->who, v->http, &v->error, NULL);
    else if (v->http && !v->streams)
        reply_whole(v);
    free_call(v);
}

static void on_drain(void *ctx)
{
    struct v1_call *v = ctx;

    v->is_blocked = false;
    for (int32_t i = 0; i < v->n && v->http && !v->is_blocked && !v->failed; i++)
        send_due(&v->choice[i]);
    if (v->n_open == 0)
        finish(v);
}

static void set_error(struct v1_call *v, const struct chat_result *r)
{
    struct str what = STR_INIT;

    str_printf(&what, "model %s", v->head.model);
    v1_error_of(&v->who, str_cstr(&what), r, &v->error);
    str_deinit(&what);
}

static void on_done(void *ctx, struct chat_call *chat)
{
    struct v1_choice *c = ctx;
    struct v1_call *v = c->v;
    const struct chat_result *r = chat_call_result(chat);

    v->n_open--;
    c->is_open = false;
    v1_observe_chat(v->s, &c->span, &v->q, r);
    if (r->status && !v->failed) {
        v->failed = true;
        if (v->http) /* nobody waits for the call of a client that left */
            set_error(v, r);
        cancel_all(v);
    } else if (!r->status) {
        openai_usage_add(&v->usage, &r->usage, c->index % v->q.n != 0);
        c->ended = true;
        if (v->q.stream && !v->failed && open_stream(v) && !v->is_blocked)
            send_due(c);
    }
    if (v->n_open == 0)
        finish(v);
}

/* ---- the beginning */

/* The turns that the conversation has had: a scripted model answers each by its own reply. */
static void make_path(const struct v1_call *v, int32_t i, char *out, size_t cap)
{
    const struct json *messages = v->q.messages;
    int32_t turn = 0;

    for (size_t k = 0; k < jv_size(messages); k++) {
        const struct json *role = jv_get(jv_at(messages, k), "role");

        turn += strcmp(jv_get_string(role, ""), "assistant") == 0;
    }
    snprintf(out, cap, "v1/turn:%d/model:%d", (int)turn, (int)i);
}

static struct chat_call_spec spec_of(const struct v1_call *v, struct model *m, int32_t i)
{
    const struct openai_request *q = &v->q;
    struct chat_call_spec spec = {
        .model = m,
        .path = v->choice[i].path,
        .messages = q->messages,
        .tools = q->tools,
        .template_more = q->template_more,
        .tool_choice = q->tool_choice,
        .schema = q->schema,
        .sampling = q->sampling,
        .seed = q->has_seed ? q->seed : v1_random(v->s),
        .call_id = (uint64_t)i,
        .max_tokens = q->max_tokens,
        .stop = q->stop,
        .n_stop = q->n_stop,
        .wants_logprobs = q->logprobs,
        .priority = 1,
        .trace = v->choice[i].span.context,
        .ctx = &v->choice[i],
        .on_piece = q->stream ? on_piece : NULL,
        .on_done = on_done,
    };

    if (q->kind == OPENAI_COMPLETIONS) {
        const struct openai_prompt *p = &q->prompt[i / q->n];

        spec.prompt = p->text;
        spec.prompt_bytes = p->text_bytes;
        spec.prompt_ids = p->ids;
        spec.n_prompt_ids = p->n_ids;
        spec.echo = q->echo;
    }
    return spec;
}

static void cannot_start(struct v1_call *v, const struct error *err)
{
    struct chat_result r = {.status = err->status, .err = *err};

    if (!v->failed)
        set_error(v, &r);
    v->failed = true;
    v->n_open--;
}

void v1_model_call(const struct v1_client *who, struct http_call *c, struct openai_request *adopt_q,
                   struct model *m)
{
    struct v1_call *v = xcalloc(1, sizeof(*v));
    struct serve *s = who->s;
    struct trace_context around = serve_trace_of(s, c);
    struct error err = ERROR_INIT;

    v->s = s;
    v->who = *who;
    v->http = c;
    link_call(v);
    v->q = *adopt_q;
    v->events = STR_INIT;
    v->q.sampling.bias_id = v->q.bias_id;
    v->q.sampling.bias = v->q.bias;
    v->n = v->n_open = v->q.n * (v->q.kind == OPENAI_COMPLETIONS ? v->q.n_prompts : 1);
    v->choice = xcalloc((size_t)v->n, sizeof(*v->choice));
    v1_head(s, &v->q, &m->info, &v->head);
    s->n_v1 += v->n;
    s->n_calls++;
    http_call_on_gone(c, on_gone, v);
    for (int32_t i = 0; i < v->n; i++) {
        struct chat_call_spec spec;

        v->choice[i].v = v;
        v->choice[i].index = i;
        str_init(&v->choice[i].content, SIZE_MAX / 2); /* at most the reply, which has limits */
        str_init(&v->choice[i].reasoning, SIZE_MAX / 2);
        make_path(v, i, v->choice[i].path, sizeof(v->choice[i].path));
        v1_span_begin(s, &around, &v->choice[i].span);
        spec = spec_of(v, m, i);
        if (chat_call_start(s->agents, &spec, &v->choice[i].chat, &err))
            cannot_start(v, &err);
        else
            v->choice[i].is_open = true;
    }
    if (v->failed)
        cancel_all(v);
    if (v->n_open == 0)
        finish(v);
}

/* ---- the server stops */

/* The client has its error now, not when the last call has ended. */
static void stop(struct v1_call *v)
{
    if (v->n_open == 0)
        return; /* complete: it waits for its client */
    cancel_all(v);
    if (!v->failed) {
        v->failed = true;
        openai_fail(&v->error, 503, "shutting_down", NULL,
                    "the server stops; the reply is not complete");
        v->error.retry_after_ms = 1000;
    }
    if (!v->http || v->is_blocked) /* then on_drain sends it */
        return;
    if (!v->streams)
        v1_fail(&v->who, v->http, &v->error, NULL);
    else if (!end_stream(v))
        return;
    v->http = NULL;
}

void v1_model_calls_stop(struct serve *s)
{
    for (struct v1_call *v = s->v1_calls, *next; v; v = next) {
        next = v->next;
        stop(v);
    }
}
