/* remote_call.c - see remote_call.h.
 *
 * States: it waits for its turn at the server, its request is under way (fetch), or it waits to try
 * again (timer). The callbacks of a fetch only collect; decisions are made when it is over.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/remote/remote_call.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/remote/chat_answer.h"
#include "models/remote/chat_request.h"
#include "models/remote/remote_headers.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/base/time_text.h"
#include "runtime/http/http_client.h"
#include "runtime/http/http_retry.h"
#include "runtime/http/sse.h"

#define MAX_EVENT      ((size_t)16 << 20)
#define MAX_BODY       ((int64_t)64 << 20)
#define MAX_ERROR_BODY ((size_t)65536)

enum shape { SHAPE_UNKNOWN, SHAPE_EVENTS, SHAPE_BODY };

struct remote_call {
    struct remote_call_spec s;
    struct remote_call **slot;
    struct remote_turn turn;
    struct remote_headers headers;
    struct str url, request;
    bool no_ids, streamed, is_probe;
    int32_t tries;
    int64_t began_us;
    int64_t until_us;         /* of the model's `timeout`; 0: its first turn has not come */
    struct loop_timer *timer; /* before the next try, or lingering */
    /* ---- of the request under way */
    struct http_fetch *fetch;
    struct chat_answer *answer;
    struct sse_parser *sse;
    enum shape shape;
    int code;
    struct str body, location;
    int64_t asked_ms;   /* Retry-After; -1: none */
    enum status status; /* found inside a callback */
    struct error err;
    struct remote_fault fault;
};

static int64_t now_us(const struct remote_call *w)
{
    return seams_mono_us(remote_server_all(w->s.server)->seams);
}

static int64_t wall_ms(const struct remote_call *w)
{
    return seams_wall_ms(remote_server_all(w->s.server)->seams);
}

static int64_t timeout_ms(const struct remote_call *w)
{
    return w->s.spec->timeout_ms > 0 ? w->s.spec->timeout_ms : REMOTE_TIMEOUT_MS;
}

/* Milliseconds until the caller's deadline (INT64_MAX: none), and until the model's. */
static int64_t callers_time_left(const struct remote_call *w)
{
    return w->s.call->deadline_ms > 0 ? w->s.call->deadline_ms - wall_ms(w) : INT64_MAX;
}

static int64_t models_time_left(const struct remote_call *w)
{
    return w->until_us > 0 ? (w->until_us - now_us(w)) / 1000 : timeout_ms(w);
}

/* Milliseconds until the deadline that comes first. */
static int64_t time_left(const struct remote_call *w)
{
    int64_t callers = callers_time_left(w), models = models_time_left(w);

    return callers < models ? callers : models;
}

static void drop_timer(struct remote_call *w)
{
    loop_timer_free(w->timer);
    w->timer = NULL;
}

static void drop_request(struct remote_call *w)
{
    drop_timer(w);
    chat_answer_free(w->answer);
    sse_parser_free(w->sse);
    str_deinit(&w->body);
    str_deinit(&w->location);
    remote_headers_deinit(&w->headers);
    w->fetch = NULL;
    w->answer = NULL;
    w->sse = NULL;
}

/* The call has its answer. */
static void finish(struct remote_call *w)
{
    struct model_call *c = w->s.call;
    void (*done)(void *ctx) = w->s.done;
    void *ctx = w->s.ctx;

    c->done_us = now_us(w) - w->began_us;
    c->requests = w->tries;
    *w->slot = NULL;
    assert(!w->fetch && !w->turn.waits);
    drop_request(w);
    str_deinit(&w->url);
    str_deinit(&w->request);
    free(w);
    done(ctx);
}

/* Records of steps have one text: what to do goes behind what is wrong. */
static void join_hint(struct error *err)
{
    size_t n = strlen(err->message);

    if (err->hint[0])
        (void)snprintf(err->message + n, sizeof(err->message) - n, "; %s", err->hint);
    err->hint[0] = '\0';
}

static void finish_error(struct remote_call *w, enum status st)
{
    struct model_call *c = w->s.call;

    c->finish = st == STATUS_CANCELLED ? FINISH_CANCELLED : FINISH_ERROR;
    c->cancelled = st == STATUS_CANCELLED;
    c->status = st;
    c->err = w->err;
    c->err.status = st;
    c->fault = w->fault.whose;
    join_hint(&c->err);
    c->not_retryable = st != STATUS_CANCELLED && !w->fault.passes;
    c->retry_after_ms = w->fault.retry_after_ms;
    finish(w);
}

/* ---- the answer as it comes */

static void give_news(struct remote_call *w, bool all)
{
    struct model_call *c = w->s.call;
    size_t n = 0;
    const char *text = chat_answer_news(w->answer, all, &n);

    if (n > 0 && c->first_us == 0)
        c->first_us = now_us(w) - w->began_us;
    if (n > 0 && c->on_text) {
        w->streamed = true;
        c->on_text(c, text, n);
    }
}

static enum status on_event(void *ctx, const struct sse_event *e, struct error *err)
{
    struct remote_call *w = ctx;
    enum status st = chat_answer_event(w->answer, e->data, e->n, err);

    if (st) {
        w->fault = *chat_answer_fault(w->answer);
        return st;
    }
    give_news(w, false);
    return STATUS_OK;
}

static void on_head(void *ctx, int code, const struct http_field *fields, int32_t n)
{
    struct remote_call *w = ctx;

    const char *location = http_field_value(fields, n, "location");

    w->code = code;
    w->shape = code == 200 ? SHAPE_UNKNOWN : SHAPE_BODY;
    w->asked_ms = http_retry_after_ms(fields, n, wall_ms(w));
    str_clear(&w->location);
    if (location)
        str_puts(&w->location, location);
}

/* Servers stream where they were not asked to, and the other way round, and label both wrongly. */
static enum shape shape_of(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0xef || c == 0xbb || c == 0xbf)
            continue;
        return c == '{' || c == '[' || c == '<' ? SHAPE_BODY : SHAPE_EVENTS;
    }
    return SHAPE_UNKNOWN;
}

static void on_linger(void *ctx);

static bool on_body(void *ctx, const char *bytes, size_t n)
{
    struct remote_call *w = ctx;

    if (w->shape == SHAPE_UNKNOWN) {
        str_append(&w->body, bytes, n);
        w->shape = shape_of(str_cstr(&w->body), w->body.len);
        bytes = str_cstr(&w->body);
        n = w->shape == SHAPE_EVENTS ? w->body.len : 0;
    }
    if (w->shape == SHAPE_EVENTS && n > 0) {
        w->status = sse_feed(w->sse, bytes, n, &w->err);
        if (!w->status && !w->timer && chat_answer_is_complete(w->answer))
            w->timer = loop_timer_new(remote_server_all(w->s.server)->loop, REMOTE_LINGER_MS,
                                      on_linger, w);
        return w->status == STATUS_OK;
    }
    if (w->code != 200 && n > MAX_ERROR_BODY - w->body.len)
        n = MAX_ERROR_BODY - w->body.len;
    str_append(&w->body, bytes, n);
    if (!str_ok(&w->body))
        w->status = error_set(&w->err, STATUS_NO_MEMORY, "no memory for the server's answer");
    return w->status == STATUS_OK;
}

/* ---- after a request */

static void try_again(struct remote_call *w, int64_t delay_ms);

static int64_t delay_of(const struct remote_call *w)
{
    const struct model_call *c = w->s.call;
    struct rng_block b = rng_philox(c->seed, (uint32_t)c->call_id, (uint32_t)(c->call_id >> 32),
                                    (uint32_t)w->tries, 0);
    double jitter = (double)rng_unit_float(b.word[0]);
    int64_t wait = REMOTE_FIRST_WAIT_MS, asked = w->fault.retry_after_ms;

    for (int32_t i = 1; i < w->tries && wait < REMOTE_LAST_WAIT_MS; i++)
        wait *= 2;
    if (wait > REMOTE_LAST_WAIT_MS)
        wait = REMOTE_LAST_WAIT_MS;
    wait = (int64_t)((double)wait * (0.5 + 0.5 * jitter));
    if (wait >= asked)
        return wait;
    /* Not all at once, when many were asked to wait. */
    return asked + (int64_t)(jitter * (double)(asked < 10000 ? asked : 10000) / 10);
}

static int32_t most_tries(const struct remote_call *w)
{
    return w->s.spec->max_tries > 0 ? w->s.spec->max_tries : REMOTE_MAX_TRIES;
}

static bool may_try_again(const struct remote_call *w, int64_t delay_ms)
{
    return w->fault.passes && !w->streamed && w->tries < most_tries(w) &&
           w->fault.retry_after_ms <= REMOTE_MAX_WAIT_MS && delay_ms < time_left(w);
}

static void log_retry(const struct remote_call *w, int64_t delay_ms)
{
    const char *path = w->s.call->path, *run = w->s.call->run,
               *origin = remote_server_origin(w->s.server);
    const struct log_field fields[] = {{.name = "model", .text = w->s.info->name},
                                       {.name = "server", .text = origin},
                                       {.name = "try", .number = w->tries},
                                       {.name = "wait_ms", .number = delay_ms},
                                       {.name = "path", .text = path},
                                       {.name = "run", .text = run}};

    log_write_fields(remote_server_all(w->s.server)->log, LOG_WARN, fields, path ? run ? 6 : 5 : 4,
                     "%s%smodel %s: try %d of %d at %s failed; the next is in %.1f s: %s",
                     path ? path : "", path ? ": " : "", w->s.info->name, w->tries, most_tries(w),
                     origin, (double)delay_ms / 1000, w->err.message);
}

/* w->status, err and fault say what went wrong. */
static void request_failed(struct remote_call *w)
{
    bool drops_ids = w->fault.refuses_logprobs && !w->no_ids && !w->streamed &&
                     chat_request_wants_ids(w->s.spec, w->s.call);
    enum status st = w->status;
    int64_t delay;

    remote_headers_mask(&w->headers, &w->err);
    drop_request(w);
    if (drops_ids) {
        w->no_ids = *remote_server_no_ids(w->s.server) = true;
        str_clear(&w->request);
        st = chat_request_write(w->s.spec, w->s.call, true, &w->request, &w->err);
        if (!st) {
            w->tries--; /* it was not the server's failure */
            try_again(w, 0);
            return;
        }
    }
    delay = delay_of(w);
    if (!may_try_again(w, delay)) {
        finish_error(w, st);
        return;
    }
    log_retry(w, delay);
    try_again(w, delay);
}

/* A deadline has passed: the caller's, whose words these are, or that of the model, which is one
 * more way for its server to fail. */
static enum status too_late(struct remote_call *w, const char *words)
{
    struct str length = STR_INIT;

    w->fault = (struct remote_fault){.whose = MODEL_FAULT_LATE, .passes = true};
    if (callers_time_left(w) <= 0)
        return error_set(&w->err, STATUS_TIMEOUT, "%s", words);
    duration_put(&length, timeout_ms(w));
    error_set(&w->err, STATUS_IO, "the server's answer was not complete after %s",
              str_cstr(&length));
    error_hint(&w->err, "`timeout` of the model's entry in `models:` is how long one call may "
                        "take, with its tries");
    str_deinit(&length);
    return STATUS_IO;
}

/* What a failure to move bytes means. sent: the request may have reached the server. */
static void network_fault(struct remote_call *w, enum status st, bool sent, const struct error *err)
{
    const char *words = err ? err->message : "";

    w->fault = (struct remote_fault){.whose = !sent                  ? MODEL_FAULT_DOWN
                                              : st == STATUS_TIMEOUT ? MODEL_FAULT_LATE
                                                                     : MODEL_FAULT_ANSWER,
                                     .passes = true,
                                     .is_outage = true};
    if (st == STATUS_TIMEOUT && time_left(w) <= 0) {
        w->status = too_late(w, words);
    } else if (st == STATUS_REJECTED) {
        w->fault = (struct remote_fault){.whose = MODEL_FAULT_SETUP};
        w->status = error_set(&w->err, STATUS_FAILED, "%s", words);
        if (!w->s.spec->allow_local && strstr(words, "not allowed"))
            error_hint(&w->err, "for a server in your own network, set `allow_local: true` in its "
                                "entry of `models:`");
    } else if (strstr(words, "wrong version number")) { /* OpenSSL, for an answer without TLS */
        w->fault = (struct remote_fault){.passes = false};
        w->status = error_set(&w->err, STATUS_IO, "the server does not speak TLS: %s", words);
        error_hint(&w->err, "for a server on this machine or in your own network that speaks plain "
                            "http, write http:// instead of https://");
    } else if (st == STATUS_TIMEOUT || st == STATUS_IO || st == STATUS_NOT_FOUND) {
        w->status = error_set(&w->err, STATUS_IO, "%s", words);
    } else {
        w->fault = (struct remote_fault){
            .whose = st == STATUS_NO_MEMORY ? MODEL_FAULT_NONE : MODEL_FAULT_ANSWER,
            .passes = st == STATUS_NO_MEMORY};
        w->status =
            error_set(&w->err, st == STATUS_LIMIT || st == STATUS_NO_MEMORY ? st : STATUS_FAILED,
                      "%s", words);
    }
}

/* The bytes are all there: an answer, or the server's error. */
static void read_answer(struct remote_call *w)
{
    struct remote_refusal r = {.code = w->code,
                               .body = str_cstr(&w->body),
                               .n = w->body.len,
                               .retry_after_ms = w->asked_ms,
                               .location = w->location.len > 0 ? str_cstr(&w->location) : NULL};

    if (w->code != 200) {
        w->status = remote_error_http(w->s.spec, &r, &w->fault, &w->err);
        return;
    }
    if (w->shape == SHAPE_EVENTS) /* an end without an empty line ends the last event too */
        w->status = sse_feed(w->sse, "\n\n", 2, &w->err);
    else
        w->status = chat_answer_body(w->answer, str_cstr(&w->body), w->body.len, &w->err);
    if (w->status)
        w->fault = *chat_answer_fault(w->answer);
}

/* Checks and takes the answer; false: w->status has the error. */
static bool take_answer(struct remote_call *w)
{
    struct model_call *c = w->s.call;

    if (w->shape == SHAPE_EVENTS)
        give_news(w, true);
    w->status = chat_answer_end(w->answer, c, &w->err);
    if (w->status) {
        w->fault = *chat_answer_fault(w->answer);
        return false;
    }
    c->usage.cost_nano = model_cost_nano(w->s.info, &c->usage);
    return true;
}

/* The request is over and its fetch is gone. */
static void request_over(struct remote_call *w)
{
    struct circuit *circuit = remote_server_circuit(w->s.server);
    struct remote_server *server = w->s.server;
    bool ok = w->status == STATUS_OK && take_answer(w);

    if (!ok && w->fault.whose == MODEL_FAULT_NONE && w->status != STATUS_NO_MEMORY)
        w->fault.whose = MODEL_FAULT_ANSWER; /* found while it was read */
    if (!ok)
        remote_server_counts(server)->failed++;
    if (!ok && w->fault.is_outage)
        circuit_failed(circuit, w->is_probe, remote_server_now_ms(server));
    else
        circuit_worked(circuit);
    if (ok)
        finish(w);
    else
        request_failed(w);
    remote_server_leave(server);
}

static void on_done(void *ctx, enum status st, bool sent, const struct error *err)
{
    struct remote_call *w = ctx;

    w->fetch = NULL;
    if (w->status) {
        /* found by on_body, which stopped the fetch */
    } else if (st && w->shape == SHAPE_EVENTS && chat_answer_is_complete(w->answer)) {
        /* cut after its end: it is complete */
    } else if (st) {
        network_fault(w, st, sent, err);
    } else {
        read_answer(w);
    }
    request_over(w);
}

/* Complete, and the server keeps the stream open. */
static void on_linger(void *ctx)
{
    struct remote_call *w = ctx;

    drop_timer(w);
    http_fetch_cancel(w->fetch);
    w->fetch = NULL;
    request_over(w);
}

/* ---- before a request */

static enum status start_fetch(struct remote_call *w)
{
    const struct remote_spec *spec = w->s.spec;
    int64_t left = time_left(w);
    struct http_fetch_spec f = {.method = HTTP_POST,
                                .url = str_cstr(&w->url),
                                .fields = w->headers.fields,
                                .n_fields = w->headers.n,
                                .body = str_cstr(&w->request),
                                .body_bytes = w->request.len,
                                .policy = w->s.policy,
                                .first_byte_ms = spec->first_byte_ms,
                                .idle_ms = spec->idle_ms,
                                .deadline_ms = left == INT64_MAX ? 0 : left,
                                .max_body = MAX_BODY,
                                .ctx = w,
                                .on_head = on_head,
                                .on_body = on_body,
                                .on_done = on_done};

    w->status = STATUS_OK;
    w->shape = SHAPE_UNKNOWN;
    w->code = 0;
    w->asked_ms = -1;
    w->fault = (struct remote_fault){.passes = false};
    error_clear(&w->err);
    str_init(&w->body, (size_t)MAX_BODY + 1);
    w->answer = chat_answer_new(spec, w->s.call->max_tokens);
    for (int32_t i = 0; i < w->headers.n; i++)
        if (remote_headers_secret(&w->headers, i))
            chat_answer_hide(w->answer, remote_headers_secret(&w->headers, i));
    w->sse = sse_parser_new(MAX_EVENT, on_event, w);
    return http_fetch_start(remote_server_all(w->s.server)->client, &f, &w->fetch, &w->err);
}

/* Its turn has come. */
static void go(struct remote_turn *t)
{
    struct remote_call *w = CONTAINER_OF(t, struct remote_call, turn);
    struct remote_server *server = w->s.server;
    enum status st;
    int64_t wait = 0;

    if (w->until_us == 0)
        w->until_us = now_us(w) + timeout_ms(w) * 1000;
    if (time_left(w) <= 0) {
        finish_error(w, too_late(w, "the deadline passed before the request to the server"));
        remote_server_leave(server);
        return;
    }
    if (!circuit_allows(remote_server_circuit(server), remote_server_now_ms(server), &w->is_probe,
                        &wait)) {
        enum status before = w->tries > 0 ? w->status : STATUS_OK;

        if (!before) {
            before = error_set(&w->err, STATUS_BUSY,
                               "the server has failed several times in a row and is not asked now");
        }
        w->fault = (struct remote_fault){
            .whose = MODEL_FAULT_DOWN, .passes = true, .retry_after_ms = wait};
        finish_error(w, before);
        remote_server_leave(server);
        return;
    }
    w->tries++;
    remote_server_counts(server)->sent++;
    if (w->s.call->queued_us == 0)
        w->s.call->queued_us = now_us(w) - w->began_us;
    w->status = remote_headers_build(w->s.spec, &w->s.call->trace, &w->headers, &w->err);
    if (w->status) {
        circuit_dropped(remote_server_circuit(server), w->is_probe);
        w->fault = (struct remote_fault){.whose = MODEL_FAULT_SETUP};
        request_failed(w);
        remote_server_leave(server);
        return;
    }
    st = start_fetch(w);
    if (st) {
        struct error why = w->err;

        w->fetch = NULL;
        network_fault(w, st, false, &why);
        if (w->fault.whose == MODEL_FAULT_ANSWER) /* nothing was asked */
            w->fault.whose = MODEL_FAULT_SETUP;
        w->fault.is_outage = false;
        request_over(w);
    }
}

static void on_wait_over(void *ctx)
{
    struct remote_call *w = ctx;

    drop_timer(w);
    remote_server_enter(w->s.server, &w->turn);
}

static void try_again(struct remote_call *w, int64_t delay_ms)
{
    w->timer = loop_timer_new(remote_server_all(w->s.server)->loop, delay_ms, on_wait_over, w);
}

void remote_call_start(const struct remote_call_spec *s, struct remote_call **out)
{
    struct remote_call *w = xcalloc(1, sizeof(*w));
    enum status st;

    w->s = *s;
    w->slot = out;
    *out = w;
    w->url = w->request = w->body = w->location = STR_INIT;
    w->turn = (struct remote_turn){.priority = s->call->priority, .go = go};
    w->began_us = now_us(w);
    w->no_ids = *remote_server_no_ids(s->server);
    str_printf(&w->url, "%s/chat/completions", s->spec->url);
    st = chat_request_write(s->spec, s->call, w->no_ids, &w->request, &w->err);
    if (st)
        finish_error(w, st);
    else
        remote_server_enter(s->server, &w->turn);
}

void remote_call_cancel(struct remote_call *w)
{
    struct remote_server *server = w->s.server;
    bool sending = w->fetch != NULL;

    if (w->turn.waits)
        remote_server_forget(server, &w->turn);
    if (sending) {
        http_fetch_cancel(w->fetch);
        w->fetch = NULL;
        circuit_dropped(remote_server_circuit(server), w->is_probe);
    }
    w->fault = (struct remote_fault){.passes = true};
    finish_error(w, error_set(&w->err, STATUS_CANCELLED, "the call was cancelled"));
    if (sending)
        remote_server_leave(server);
}
