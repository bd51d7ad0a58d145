/* v1_offer_call.c - a request to an agent or a blueprint: one durable run in the store.
 *
 * The id of the run is in the header X-Troupe-Run. Tools run here, and the configuration says how
 * an agent samples, so requests with tools or parameters of their own are refused. An error after
 * the run began has X-Should-Retry: false, since clients that repeat requests by themselves would
 * start another run. The reply has the run's output, which is durable by then. A stream gets it in
 * one piece when the run ends, since the text of a turn may not be the answer; until then it gets
 * comments. A client that leaves cancels the run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/serve/serve_note.h"
#include "runtime/serve/v1.h"

struct offer_call {
    struct serve *s;
    struct v1_client who;
    struct http_call *http; /* NULL: replied, or the client has left */
    struct openai_request q;
    struct openai_head head;
    struct json *inputs;
    struct troupe_run_options options; /* lent to the run */
    struct troupe_run *run;            /* NULL: it is being made */
    const struct serve_offer *offer;
    int64_t began_us;
};

static void free_call(struct offer_call *o)
{
    struct serve *s = o->s;

    openai_request_deinit(&o->q);
    openai_head_deinit(&o->head);
    jv_unref(o->inputs);
    free(o);
    s->n_v1--;
    s->n_calls--;
}

static void on_gone(void *ctx)
{
    struct offer_call *o = ctx;

    o->http = NULL;
    if (o->run) /* else on_made cancels it */
        troupe_run_cancel(o->run);
}

/* ---- what the run gets */

static const char *role_of(const struct json *m)
{
    return jv_get_string(jv_get(m, "role"), "");
}

/* The text of a message: of a list of parts, those that are text. */
static void put_content(const struct json *m, struct str *out)
{
    const struct json *content = jv_get(m, "content");

    str_append(out, jv_get_string(content, ""), jv_string_len(content));
    for (size_t i = 0; jv_kind(content) == JV_ARRAY && i < jv_size(content); i++) {
        const struct json *text = jv_get(jv_at(content, i), "text");

        str_append(out, jv_get_string(text, ""), jv_string_len(text));
    }
}

/* {"role": user or assistant, "content": text}. What a client says as system or developer is not
 * the role's own prompt, but a text of a user. */
static struct json *plain_message(const struct json *m)
{
    struct json *plain = jv_object();
    struct str text = STR_INIT;

    put_content(m, &text);
    jv_set_string(plain, "role", strcmp(role_of(m), "assistant") == 0 ? "assistant" : "user");
    jv_set_adopt(plain, "content", jv_string_n(str_cstr(&text), text.len));
    str_deinit(&text);
    return plain;
}

/* Parameters of a model, which would change nothing here. Most clients always send max_tokens,
 * temperature and top_p: those are ignored, as the guide says. */
static bool check_params(const struct openai_request *q, struct openai_error *e)
{
    static const char *const of_models[] = {"stop",  "logit_bias", "repetition_penalty",
                                            "top_k", "min_p",      "chat_template_kwargs"};

    for (size_t i = 0; i < ARRAY_LEN(of_models); i++) {
        const struct json *v = jv_get(q->document, of_models[i]);

        if (v && jv_kind(v) != JV_NULL)
            return openai_refuse(e, of_models[i],
                                 "the configuration says how an agent or a blueprint samples");
    }
    return true;
}

static bool check_request(const struct openai_request *q, struct openai_error *e)
{
    size_t n = jv_size(q->messages);

    if (q->kind != OPENAI_CHAT)
        return openai_fail(e, 400, "unsupported_value", "model",
                           "agents and blueprints are for /v1/chat/completions");
    if (q->tools)
        return openai_refuse(e, "tools", "an agent or a blueprint has its own tools");
    if (q->n > 1)
        return openai_refuse(e, "n", "an agent or a blueprint gives one reply");
    if (q->logprobs)
        return openai_refuse(e, "logprobs", "an agent or a blueprint may use several models");
    if (q->schema)
        return openai_refuse(e, "response_format", "the blueprint says what it gives");
    if (!check_params(q, e))
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(role_of(jv_at(q->messages, i)), "tool") == 0)
            return openai_fail(e, 400, "invalid_value", "messages",
                               "messages[%zu]: results of tools are not for an agent or a "
                               "blueprint, which runs its own",
                               i);
    if (n == 0 || strcmp(role_of(jv_at(q->messages, n - 1)), "user") != 0)
        return openai_fail(e, 400, "invalid_value", "messages",
                           "the last message must be the user's");
    return true;
}

static struct json *inputs_of(const struct serve_offer *offer, const struct json *messages)
{
    struct json *inputs = jv_object(), *all = jv_array();
    size_t n = jv_size(messages);
    struct str last = STR_INIT;
    bool wants_all = false;

    for (size_t i = 0; i < n; i++)
        jv_append_adopt(all, plain_message(jv_at(messages, i)));
    for (int32_t i = 0; offer->input && i < offer->plan->n_inputs; i++)
        if (strcmp(offer->plan->input[i].name, offer->input) == 0)
            wants_all = strcmp(offer->plan->input[i].type, "array") == 0;
    put_content(jv_at(messages, n - 1), &last);
    if (offer->is_agent) {
        struct json *history = jv_array();

        for (size_t i = 0; i + 1 < n; i++)
            jv_append_adopt(history, jv_ref(jv_at(all, i)));
        jv_set_adopt(inputs, "history", history);
    }
    if (offer->input && wants_all)
        jv_set_adopt(inputs, offer->input, jv_ref(all));
    else if (offer->input)
        jv_set_adopt(inputs, offer->input, jv_string_n(str_cstr(&last), last.len));
    jv_unref(all);
    str_deinit(&last);
    return inputs;
}

/* ---- the end */

static void put_output(const struct json *output, struct str *out)
{
    if (jv_kind(output) == JV_STRING)
        str_append(out, jv_get_string(output, ""), jv_string_len(output));
    else if (output)
        jv_write(output, 0, out);
}

/* None of these codes is one that clients try again by themselves (408, 409, 429, 5xx): that would
 * start another run, and repeat the effects of its tools. */
static void error_of(const struct offer_call *o, const struct troupe_result *r,
                     struct openai_error *e)
{
    const char *run = troupe_run_uuid(o->run);
    const char *why =
        o->who.sees_details && r->err.message[0] ? r->err.message : run_status_word(r->status);

    if (r->status == RUN_WAITING)
        openai_fail(
            e, 422, "run_waiting", NULL,
            "run %s waits for an answer of a person; GET /api/inbox and `troupe inbox` show "
            "the question, POST /api/runs/%s/answers and `troupe answer` answer it",
            run, run);
    else if (r->status == RUN_TIMEOUT)
        openai_fail(e, 422, "run_timeout", NULL, "run %s: %s", run, why);
    else if (r->status == RUN_BUDGET)
        openai_fail(e, 422, "run_budget", NULL, "run %s: %s", run, why);
    else if (r->status == RUN_INTERRUPTED)
        openai_fail(e, 503, "run_interrupted", NULL,
                    "the server stops; it continues run %s when it starts again", run);
    else
        openai_fail(e, 422, "run_failed", NULL, "run %s: %s", run, why);
}

/* All that is left of a stream, in one write: only comments have been sent, so it may be long. */
static void close_stream(struct offer_call *o, struct str *events)
{
    if (v1_events_send(o->http, events))
        http_call_end(o->http);
    else
        http_call_abort(o->http);
}

static void end_stream(struct offer_call *o, const struct openai_choice *choice,
                       const struct model_usage *usage)
{
    struct openai_choice part = *choice;
    struct str events = STR_INIT;

    part.begins = true;
    v1_event_begin(&events);
    openai_chunk(&o->head, &part, &events);
    v1_event_end(&events);
    part = (struct openai_choice){.ends = true, .finish = FINISH_STOP};
    v1_event_begin(&events);
    openai_chunk(&o->head, &part, &events);
    v1_event_end(&events);
    if (o->q.include_usage) {
        v1_event_begin(&events);
        openai_usage_chunk(&o->head, usage, &events);
        v1_event_end(&events);
    }
    v1_event_begin(&events);
    str_puts(&events, "[DONE]");
    v1_event_end(&events);
    close_stream(o, &events);
    str_deinit(&events);
}

static int32_t count_of(int64_t tokens)
{
    return tokens < INT32_MAX ? (int32_t)tokens : INT32_MAX;
}

static void reply(struct offer_call *o, const struct troupe_result *r)
{
    struct model_usage usage = {.prompt = count_of(r->tok_in), .completion = count_of(r->tok_out)};
    struct str text = STR_INIT, body = STR_INIT;
    struct openai_choice choice = {.finish = FINISH_STOP};

    put_output(r->output, &text);
    choice.content = str_cstr(&text);
    choice.content_bytes = text.len;
    if (o->q.stream) {
        end_stream(o, &choice, &usage);
    } else {
        openai_answer(&o->head, &choice, 1, &usage, &body);
        v1_reply(&o->who, o->http, &body, troupe_run_uuid(o->run));
    }
    str_deinit(&text);
    str_deinit(&body);
}

static void reply_error(struct offer_call *o, const struct openai_error *e)
{
    struct str event = STR_INIT;

    if (!o->q.stream) {
        v1_fail(&o->who, o->http, e, troupe_run_uuid(o->run));
        return;
    }
    v1_event_begin(&event);
    openai_error_body(e, &event);
    v1_event_end(&event);
    close_stream(o, &event);
    str_deinit(&event);
}

static void on_end(void *ctx, struct troupe_run *run)
{
    struct offer_call *o = ctx;
    const struct troupe_result *r = troupe_run_result(run);
    struct openai_error e;

    v1_observe_run(o->s, o->offer->name, o->offer->is_agent,
                   seams_mono_us(o->s->o.seams) - o->began_us, r);
    if (r->status != RUN_OK)
        log_write_run(o->s->o.log, LOG_WARN, troupe_run_uuid(run), NULL,
                      "request %s: run %s of %s: %s%s%s", o->who.id, troupe_run_uuid(run),
                      o->offer->name, run_status_word(r->status), r->err.message[0] ? ": " : "",
                      r->err.message);
    if (o->http && r->status == RUN_OK) {
        reply(o, r);
    } else if (o->http) {
        error_of(o, r, &e);
        reply_error(o, &e);
    }
    troupe_run_free(run);
    free_call(o);
}

/* ---- the beginning */

/* What comes before a stream has begun. */
static void refuse(struct offer_call *o, const struct error *err)
{
    struct openai_error e;

    if (o->http) {
        v1_error_of(&o->who, o->offer->name,
                    &(struct chat_result){.status = err->status, .err = *err}, &e);
        v1_fail(&o->who, o->http, &e, NULL);
    }
    troupe_run_free(o->run);
    free_call(o);
}

/* The server stops: the run goes on when it starts again. */
static void leave(struct offer_call *o)
{
    const struct troupe_result r = {.status = RUN_INTERRUPTED};
    struct openai_error e;

    if (o->http) {
        error_of(o, &r, &e);
        v1_fail(&o->who, o->http, &e, troupe_run_uuid(o->run));
    }
    troupe_run_free(o->run);
    free_call(o);
}

/* The run is durable. */
static void on_made(void *ctx, struct troupe_run *run, const struct error *err)
{
    struct offer_call *o = ctx;
    struct error why = ERROR_INIT;

    o->run = run;
    if (!run) {
        refuse(o, err);
        return;
    }
    if (o->s->stopping) {
        leave(o);
        return;
    }
    if (troupe_run_start(run, &why)) {
        refuse(o, &why);
        return;
    }
    if (o->http && o->q.stream && !v1_stream(&o->who, o->http, troupe_run_uuid(run)))
        o->http = NULL;
    if (!o->http)
        troupe_run_cancel(run);
}

static enum status make_run(struct offer_call *o, struct error *err)
{
    struct json *more = jv_object();
    struct troupe_run_spec spec = {
        .kind = "run",
        .plan = o->offer->plan,
        .inputs = o->inputs,
        .seed = (o->q.has_seed ? o->q.seed : v1_random(o->s)) & INT64_MAX,
        .more = more,
    };
    enum status st;

    jv_set_string(more, "asked_by", "v1");
    serve_put_trace(o->s, o->http, more);
    o->options = *o->s->o.run;
    o->options.models_are_defaults = true;
    o->options.stay = RUNNER_STAY_WAITS;
    o->options.listener = (struct troupe_listener){.ctx = o, .on_end = on_end};
    st = troupe_run_new_later(o->s->troupe, &spec, &o->options, on_made, o, err);
    jv_unref(more);
    return st;
}

void v1_offer_call(const struct v1_client *who, struct http_call *c, struct openai_request *adopt_q,
                   const struct serve_offer *offer)
{
    struct offer_call *o = xcalloc(1, sizeof(*o));
    struct serve *s = who->s;
    struct openai_error e;
    struct error err = ERROR_INIT;

    o->s = s;
    o->who = *who;
    o->http = c;
    o->offer = offer;
    o->began_us = seams_mono_us(s->o.seams);
    o->q = *adopt_q;
    v1_head(s, &o->q, NULL, &o->head);
    s->n_v1++;
    s->n_calls++;
    if (!check_request(&o->q, &e)) {
        v1_fail(who, c, &e, NULL);
        free_call(o);
        return;
    }
    o->inputs = inputs_of(offer, o->q.messages);
    if (make_run(o, &err))
        refuse(o, &err);
    else
        http_call_on_gone(c, on_gone, o);
}
