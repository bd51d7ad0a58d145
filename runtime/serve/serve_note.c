/* serve_note.c - see serve_note.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/serve_note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/serve/serve_metrics.h"
#include "runtime/trace/semconv.h"

struct serve_note {
    struct trace_context context;
    uint8_t parent[8];
    const char *route;
    int64_t start_us; /* 0: not traced */
    char *path, *subject;
};

static void put_u64(uint64_t v, uint8_t out[8])
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        out[i] = (uint8_t)v;
}

void serve_new_span(struct serve *s, uint8_t out[8])
{
    if (s->next_span == 0)
        s->next_span = seams_random_u64(s->o.seams);
    s->next_span += UINT64_C(0x9e3779b97f4a7c15); /* odd: all values come once */
    put_u64(s->next_span ? s->next_span : 1, out);
}

static bool is_traced(const struct serve *s, const struct route *r)
{
    return s->o.tracer && (r->scopes & (TOKEN_V1 | TOKEN_API)) && r->scopes != TOKEN_ALL;
}

static struct trace_context incoming(const struct http_call *c)
{
    const struct http_request *q = http_call_request(c);
    struct trace_context t = {.sampled = false};

    (void)trace_context_parse(http_field_value(q->fields, q->n_fields, "traceparent"), &t);
    return t;
}

void serve_note_begin(struct serve *s, struct http_call *c, const struct route *r)
{
    const struct http_request *q = http_call_request(c);
    bool traced = is_traced(s, r);
    struct serve_note *n;

    if (!traced && !log_shows(s->o.log, LOG_DEBUG))
        return;
    n = xcalloc(1, sizeof(*n));
    if (traced) {
        n->start_us = tracer_now_us(s->o.tracer);
        n->context = incoming(c);
        memcpy(n->parent, n->context.span, sizeof(n->parent));
        if (!trace_context_is_set(&n->context)) {
            n->context.sampled = true;
            put_u64(seams_random_u64(s->o.seams) | 1, n->context.trace);
            put_u64(seams_random_u64(s->o.seams), n->context.trace + 8);
        }
    }
    serve_new_span(s, n->context.span);
    n->route = r->path;
    n->path = xstrdup(q->path);
    n->subject = xstrdup(q->subject ? q->subject : "");
    http_call_note(c, n);
}

void serve_request_id(struct serve *s, const struct http_call *c, char out[SERVE_ID_BYTES])
{
    const struct serve_note *n = http_call_noted(c);
    uint8_t id[8];

    if (n)
        memcpy(id, n->context.span, sizeof(id));
    else
        serve_new_span(s, id);
    trace_hex(id, sizeof(id), out);
}

void serve_error_id(void *serve, const struct http_request *q, int code, const char *message,
                    char out[HTTP_ERROR_ID_BYTES])
{
    struct serve *s = serve;
    const struct log_field field = {.name = "request", .text = out};
    uint8_t id[8];

    (void)q;
    serve_new_span(s, id);
    trace_hex(id, sizeof(id), out);
    log_write_fields(s->o.log, LOG_DEBUG, &field, 1, "request %s: %d %s", out, code, message);
}

struct trace_context serve_trace_of(const struct serve *s, const struct http_call *c)
{
    const struct serve_note *n = http_call_noted(c);

    (void)s;
    return n && trace_context_is_set(&n->context) ? n->context : incoming(c);
}

void serve_put_trace(const struct serve *s, const struct http_call *c, struct json *config)
{
    struct trace_context t = serve_trace_of(s, c);
    char text[TRACEPARENT_BYTES + 1];

    if (!trace_context_is_set(&t))
        return;
    trace_context_write(&t, text);
    jv_set_string(config, "traceparent", text);
}

static void log_access(const struct serve *s, const struct serve_note *n,
                       const struct http_ended *e)
{
    const char *method = http_method_name(e->method);
    const char *path = n ? n->path : e->path, *subject = n ? n->subject : e->subject;
    char request[17] = "-";
    const struct log_field field[] = {
        {.name = "request", .text = request}, {.name = "method", .text = method},
        {.name = "path", .text = path},       {.name = "status", .number = e->code},
        {.name = "us", .number = e->took_us}, {.name = "bytes", .number = e->bytes},
        {.name = "subject", .text = subject},
    };

    if (n)
        trace_hex(n->context.span, sizeof(n->context.span), request);
    log_write_fields(s->o.log, LOG_DEBUG, field, (int32_t)ARRAY_LEN(field),
                     "%s %s %d %.1f ms %lld bytes%s%s%s", *method ? method : "_OTHER",
                     *path ? path : "-", e->code, (double)e->took_us / 1000, (long long)e->bytes,
                     *subject ? " " : "", subject, e->aborted ? " (the client left)" : "");
}

static void send_span(const struct serve *s, const struct serve_note *n, const struct http_ended *e)
{
    const char *method = http_method_name(e->method);
    const struct trace_attribute a[] = {
        {.key = ATTR_HTTP_METHOD, .text = method},
        {.key = ATTR_HTTP_ROUTE, .text = n->route},
        {.key = ATTR_URL_PATH, .text = n->path},
        {.key = ATTR_HTTP_STATUS, .type = TRACE_INT, .number = e->code},
    };
    struct str name = STR_INIT;
    struct trace_span span = {.context = n->context,
                              .kind = TRACE_SERVER,
                              .start_us = n->start_us,
                              .end_us = n->start_us + e->took_us,
                              .failed = e->code >= 500 || e->aborted,
                              .attribute = a,
                              .n_attributes = (int32_t)ARRAY_LEN(a) - (e->code == 0)};

    memcpy(span.parent, n->parent, sizeof(span.parent));
    str_printf(&name, "%s %s", method, n->route);
    span.name = str_cstr(&name);
    tracer_send(s->o.tracer, &span);
    str_deinit(&name);
}

void serve_ended(void *serve, const struct http_ended *e)
{
    struct serve *s = serve;
    struct serve_note *n = e->note;

    serve_metrics_http(s->metrics, e);
    if (log_shows(s->o.log, LOG_DEBUG))
        log_access(s, n, e);
    if (!n)
        return;
    if (n->start_us)
        send_span(s, n, e);
    free(n->path);
    free(n->subject);
    free(n);
}
