/* tracer.c - see tracer.h.
 *
 * Either the queue is empty, or a timer runs (a batch fills, or a try follows), or one request is
 * under way. The spans of the batch stay at the front of the queue until it is over.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/trace/tracer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/http/http_retry.h"
#include "runtime/http/http_url.h"
#include "runtime/loop/loop.h"
#include "runtime/trace/tracer_headers.h"

#define MAX_BYTES  ((size_t)8 << 20)  /* of all spans in the queue */
#define MAX_REPLY  ((size_t)64 << 10) /* the message in an answer */
#define MOST_WAITS 30                 /* of retry_ms */
#define PATH       "/v1/traces"

struct queued {
    char *text;
    size_t n;
};

struct tracer {
    struct tracer_options o;
    char *url, *version;
    char origin[288];             /* for messages */
    struct address_policy policy; /* the operator names the collector: any address but link-local */
    struct queued *queue;         /* (max_queue) a ring */
    int32_t first, n;
    size_t bytes;
    struct loop_timer *timer;
    struct tracer_counts counts;
    int64_t anchor_us; /* wall clock at 0 of the clock that never goes back */
    bool has_warned;   /* since the last success */
    /* The batch: the first n_batch of the queue. */
    int32_t n_batch, tries;
    int64_t wait_ms;
    struct http_fetch *fetch;
    struct tracer_headers headers;
    struct str body, reply;
    int code;
    int64_t asked_ms; /* Retry-After */
    /* Flushing. */
    bool flushing;
    struct loop_timer *limit; /* its end */
    void (*flushed)(void *ctx);
    void *flushed_ctx;
};

static int64_t or_else(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

enum status tracer_new(const struct tracer_options *o, struct tracer **out, struct error *err)
{
    struct tracer *t;
    struct http_url url = {.target = NULL};
    struct str whole = STR_INIT;
    size_t n = strlen(o->url);
    enum status st;

    while (n > 0 && o->url[n - 1] == '/')
        n--;
    str_append(&whole, o->url, n);
    str_puts(&whole, PATH);
    st = http_url_parse(str_cstr(&whole), &url, err);
    if (st) {
        str_deinit(&whole);
        return st;
    }
    t = xcalloc(1, sizeof(*t));
    t->o = *o;
    t->o.max_queue = (int32_t)or_else(o->max_queue, 2048);
    t->o.max_batch = (int32_t)or_else(o->max_batch, 512);
    t->o.delay_ms = or_else(o->delay_ms, 1000);
    t->o.retry_ms = or_else(o->retry_ms, 1000);
    t->o.max_tries = (int32_t)or_else(o->max_tries, 5);
    t->o.deadline_ms = or_else(o->deadline_ms, 10000);
    t->url = str_take(&whole);
    t->version = xstrdup(o->version ? o->version : "");
    memcpy(t->origin, url.origin, sizeof(t->origin));
    t->policy =
        (struct address_policy){.allow_http = true, .allow_loopback = true, .allow_private = true};
    t->queue = xcalloc((size_t)t->o.max_queue, sizeof(*t->queue));
    t->body = STR_INIT;
    str_init(&t->reply, MAX_REPLY);
    http_url_deinit(&url);
    *out = t;
    return STATUS_OK;
}

static void drop_timer(struct loop_timer **timer)
{
    loop_timer_free(*timer);
    *timer = NULL;
}

/* The first n spans are sent, or lost. */
static void forget(struct tracer *t, int32_t n)
{
    assert(n <= t->n);
    for (; n > 0; n--) {
        struct queued *q = &t->queue[t->first];

        t->bytes -= q->n;
        free(q->text);
        t->first = (t->first + 1) % t->o.max_queue;
        t->n--;
    }
}

static void end_request(struct tracer *t)
{
    t->fetch = NULL;
    tracer_headers_deinit(&t->headers);
    str_deinit(&t->body);
}

void tracer_free(struct tracer *t)
{
    if (!t)
        return;
    drop_timer(&t->timer);
    drop_timer(&t->limit);
    if (t->fetch)
        http_fetch_cancel(t->fetch);
    end_request(t);
    forget(t, t->n);
    str_deinit(&t->reply);
    free(t->queue);
    free(t->url);
    free(t->version);
    free(t);
}

struct tracer_counts tracer_counts(const struct tracer *t)
{
    struct tracer_counts c = t->counts;

    c.queued = t->n;
    return c;
}

/* ---- the body of a request */

static void put_resource(const struct tracer *t, struct str *out)
{
    const struct trace_attribute name = {.key = "service.name", .text = "troupe"},
                                 version = {.key = "service.version", .text = t->version};

    str_puts(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    trace_attribute_write(&name, out);
    str_putc(out, ',');
    trace_attribute_write(&version, out);
    str_puts(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"troupe\"},\"spans\":[");
}

static void put_batch(const struct tracer *t, struct str *out)
{
    str_init(out, MAX_BYTES + ((size_t)64 << 10));
    put_resource(t, out);
    for (int32_t i = 0; i < t->n_batch; i++) {
        const struct queued *q = &t->queue[(t->first + i) % t->o.max_queue];

        if (i > 0)
            str_putc(out, ',');
        str_append(out, q->text, q->n);
    }
    str_puts(out, "]}]}]}");
}

/* ---- what is next */

static void send_batch(struct tracer *t);
static void on_limit(void *ctx);

static void on_timer(void *ctx)
{
    struct tracer *t = ctx;

    drop_timer(&t->timer);
    send_batch(t);
}

static void set_timer(struct tracer *t, int64_t ms)
{
    drop_timer(&t->timer);
    t->timer = loop_timer_new(t->o.loop, ms, on_timer, t);
}

/* Nothing is under way. */
static void go_on(struct tracer *t)
{
    assert(!t->fetch && !t->timer);
    if (t->n > 0)
        set_timer(t, t->flushing || t->n >= t->o.max_batch ? 0 : t->o.delay_ms);
    else if (t->flushing) {
        drop_timer(&t->limit);
        t->limit = loop_timer_new(t->o.loop, 0, on_limit, t);
    }
}

/* The batch is over; `lost` of its spans were not taken. */
static void end_batch(struct tracer *t, int32_t lost)
{
    t->counts.dropped += lost;
    t->counts.sent += t->n_batch - lost;
    if (lost == 0)
        t->has_warned = false;
    forget(t, t->n_batch);
    t->n_batch = t->tries = 0;
    go_on(t);
}

static void warn(struct tracer *t, const char *why)
{
    if (!t->has_warned)
        log_write(t->o.log, LOG_WARN, "traces cannot be sent to %s: %s", t->origin, why);
    t->has_warned = true;
}

/* passes: the same request may succeed later. */
static void batch_failed(struct tracer *t, bool passes, const char *why)
{
    int64_t most = t->o.retry_ms * MOST_WAITS;

    t->counts.failed++;
    warn(t, why);
    if (!passes || t->tries >= t->o.max_tries) {
        end_batch(t, t->n_batch);
        return;
    }
    t->wait_ms = t->tries == 1 ? t->o.retry_ms : 2 * t->wait_ms;
    t->wait_ms = t->wait_ms < t->asked_ms ? t->asked_ms : t->wait_ms;
    t->wait_ms = t->wait_ms > most ? most : t->wait_ms;
    set_timer(t, t->wait_ms);
}

/* ---- the request */

static void on_head(void *ctx, int code, const struct http_field *fields, int32_t n)
{
    struct tracer *t = ctx;

    t->code = code;
    t->asked_ms = http_retry_after_ms(fields, n, seams_wall_ms(t->o.seams));
}

static bool on_body(void *ctx, const char *bytes, size_t n)
{
    struct tracer *t = ctx;

    str_append(&t->reply, bytes, n); /* what is too long is not read */
    return true;
}

/* A collector that takes a part says how many spans it did not take. */
static int32_t read_rejected(struct tracer *t)
{
    struct json *doc = NULL;
    struct error ignored = ERROR_INIT;
    const struct json *partial, *rejected;
    int64_t n = 0;

    if (!str_ok(&t->reply) || t->reply.len == 0 ||
        jv_parse(str_cstr(&t->reply), t->reply.len, "", &doc, &ignored))
        return 0;
    partial = jv_get(doc, "partialSuccess");
    rejected = jv_get(partial, "rejectedSpans"); /* a number, or its text */
    if (!text_to_i64(jv_get_string(rejected, ""), &n))
        n = jv_get_int(rejected, 0);
    n = n < 0 ? 0 : n > t->n_batch ? t->n_batch : n;
    if (n > 0)
        warn(t, jv_get_string(jv_get(partial, "errorMessage"), "spans were rejected"));
    jv_unref(doc);
    return (int32_t)n;
}

/* OTLP, "Failures": these pass, all others do not. */
static bool code_passes(int code)
{
    return code == 429 || code == 502 || code == 503 || code == 504;
}

static void on_done(void *ctx, enum status st, bool sent, const struct error *err)
{
    struct tracer *t = ctx;
    char words[32];

    (void)sent;
    end_request(t);
    (void)snprintf(words, sizeof(words), "status %d", t->code);
    if (st)
        batch_failed(t, st != STATUS_REJECTED && st != STATUS_INVALID, err ? err->message : "");
    else if (t->code / 100 != 2)
        batch_failed(t, code_passes(t->code), words);
    else
        end_batch(t, read_rejected(t));
}

static enum status make_headers(struct tracer *t, struct error *err)
{
    struct str text = STR_INIT;
    enum status st = t->o.headers ? t->o.headers(t->o.ctx, &text, err) : STATUS_OK;

    if (!st)
        st = tracer_headers_parse(str_cstr(&text), &t->headers, err);
    if (text.data)
        explicit_bzero(text.data, text.len);
    str_deinit(&text);
    return st;
}

static enum status start_request(struct tracer *t, struct error *err)
{
    struct http_fetch_spec f = {.method = HTTP_POST,
                                .url = t->url,
                                .fields = t->headers.field,
                                .n_fields = t->headers.n,
                                .policy = &t->policy,
                                .deadline_ms = t->o.deadline_ms,
                                .ctx = t,
                                .on_head = on_head,
                                .on_body = on_body,
                                .on_done = on_done};

    put_batch(t, &t->body);
    if (!str_ok(&t->body))
        return error_set(err, STATUS_NO_MEMORY, "out of memory");
    f.body = str_cstr(&t->body);
    f.body_bytes = t->body.len;
    return http_fetch_start(t->o.client, &f, &t->fetch, err);
}

/* The first of the queue, or again those that failed. */
static void send_batch(struct tracer *t)
{
    struct error err = ERROR_INIT;
    enum status st = make_headers(t, &err);

    if (t->n_batch == 0)
        t->n_batch = t->n < t->o.max_batch ? t->n : t->o.max_batch;
    t->tries++;
    t->code = 0;
    t->asked_ms = 0;
    str_clear(&t->reply);
    if (!st)
        st = start_request(t, &err);
    if (st) {
        end_request(t);
        batch_failed(t, false, err.message);
    }
}

/* ---- for users */

/* The clock of the wall has milliseconds: steps need more to be in their order. */
int64_t tracer_now_us(struct tracer *t)
{
    int64_t wall = seams_wall_ms(t->o.seams) * 1000, mono = seams_mono_us(t->o.seams);
    int64_t off = t->anchor_us + mono - wall;

    if (off < -1000 || off > 2000)
        t->anchor_us = wall - mono;
    return t->anchor_us + mono;
}

void tracer_send(struct tracer *t, const struct trace_span *s)
{
    struct queued *q;
    struct str text;

    if (!t || !s->context.sampled)
        return;
    str_init(&text, MAX_BYTES);
    trace_span_write(s, &text);
    if (t->n == t->o.max_queue || !str_ok(&text) || t->bytes + text.len > MAX_BYTES) {
        t->counts.dropped++;
        str_deinit(&text);
        return;
    }
    t->bytes += text.len;
    q = &t->queue[(t->first + t->n++) % t->o.max_queue];
    q->n = text.len;
    q->text = str_take(&text);
    if (t->fetch || t->n_batch > 0) /* sent later */
        return;
    if (!t->timer || t->n == t->o.max_batch) {
        drop_timer(&t->timer);
        go_on(t);
    }
}

/* Enough time has passed, or nothing is left. */
static void on_limit(void *ctx)
{
    struct tracer *t = ctx;

    drop_timer(&t->limit);
    drop_timer(&t->timer);
    if (t->fetch)
        http_fetch_cancel(t->fetch);
    end_request(t);
    t->counts.dropped += t->n;
    forget(t, t->n);
    t->n_batch = t->tries = 0;
    t->flushing = false;
    t->flushed(t->flushed_ctx);
}

void tracer_flush(struct tracer *t, int64_t max_ms, void (*done)(void *ctx), void *ctx)
{
    t->flushing = true;
    t->flushed = done;
    t->flushed_ctx = ctx;
    t->limit = loop_timer_new(t->o.loop, max_ms, on_limit, t);
    if (t->fetch)
        return;
    drop_timer(&t->timer);
    go_on(t);
}
