/* link_sse.c - HTTP+SSE, the transport of 2024-11-05: one stream of events for all that the server
 * sends, whose first event names the URL that messages are posted to.
 *
 * Source: MCP 2024-11-05, "Transports". The URL must be of the server's own origin.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/client/client.h"
#include "mcp/client/client_link.h"
#include "mcp/client/link_fetch.h"
#include "runtime/base/memory.h"
#include "runtime/http/http_url.h"
#include "runtime/http/sse.h"
#include "runtime/loop/loop.h"

struct link_sse;

/* One POST. */
struct sse_post {
    struct link_sse *link;
    struct sse_post *prev, *next;
    int64_t id;
    bool is_answer;  /* to a request of the server */
    struct str text; /* until the URL is known */
    struct link_fetch *fetch;
    struct loop_timer *timer; /* it could not be started */
    int code;
};

struct link_sse {
    struct client_link link;
    const struct mcp_client_spec *spec;
    struct link_fetch *stream;
    struct sse_parser *sse;
    struct sse_post *posts;
    struct str endpoint; /* empty: not known yet */
    struct loop_timer *timer;
    int code;
    bool is_stopping, is_down;
    int32_t n_answers;            /* of the posts */
    struct sse_post *initialized; /* on its way, or NULL */
    struct loop_timer *settling;
};

static struct link_sse *of(struct client_link *l)
{
    return CONTAINER_OF(l, struct link_sse, link);
}

static void on_settled(void *ctx)
{
    struct link_sse *l = ctx;

    loop_timer_free(l->settling);
    l->settling = NULL;
    if (!l->is_stopping && !l->is_down)
        l->link.events.settled(l->link.events.ctx);
}

/* The server has taken the notification, or never will. */
static void initialized_done(struct link_sse *l)
{
    l->initialized = NULL;
    if (!l->settling)
        return;
    loop_timer_free(l->settling);
    l->settling = loop_timer_new(l->spec->loop, 0, on_settled, l);
}

static void free_post(struct sse_post *p)
{
    if (p->link->initialized == p)
        initialized_done(p->link);
    *(p->prev ? &p->prev->next : &p->link->posts) = p->next;
    if (p->next)
        p->next->prev = p->prev;
    p->link->n_answers -= p->is_answer;
    link_fetch_cancel(p->fetch);
    loop_timer_free(p->timer);
    str_deinit(&p->text);
    free(p);
}

/* ---- posts */

static void end_post(struct sse_post *p, const struct error *err)
{
    const struct client_link_events *e = &p->link->link.events;
    int64_t id = p->link->is_stopping ? 0 : p->id;
    int code = p->code;

    free_post(p);
    if (id)
        e->ended(e->ctx, id, &(struct client_link_end){.http_code = code, .err = err});
}

static void on_post_head(void *ctx, int code, const struct http_field *fields, int32_t n)
{
    struct sse_post *p = ctx;

    (void)fields;
    (void)n;
    p->code = code;
}

static bool on_post_body(void *ctx, const char *bytes, size_t n)
{
    (void)ctx; /* the answer comes on the stream */
    (void)bytes;
    (void)n;
    return true;
}

static void on_post_done(void *ctx, enum status st, const struct error *why)
{
    struct sse_post *p = ctx;
    struct error err = ERROR_INIT;

    p->fetch = NULL;
    if (!st && p->code < 300) {
        free_post(p);
        return;
    }
    if (st)
        err = *why;
    else
        (void)error_set(&err, STATUS_FAILED, "the server answers with the code %d", p->code);
    end_post(p, &err);
}

static void on_post_failed(void *ctx)
{
    struct error err = ERROR_INIT;

    (void)error_set(&err, STATUS_FAILED, "a message could not be sent");
    end_post(ctx, &err);
}

static void post(struct sse_post *p)
{
    struct http_fields fields;

    http_fields_init(&fields);
    (void)!http_fields_add(&fields, "content-type", 12, "application/json", 16, NULL);
    if (link_fetch_start(&(struct link_fetch_spec){.client = p->link->spec,
                                                   .method = HTTP_POST,
                                                   .url = str_cstr(&p->link->endpoint),
                                                   .body = str_cstr(&p->text),
                                                   .body_bytes = p->text.len,
                                                   .fields = &fields,
                                                   .ctx = p,
                                                   .on_head = on_post_head,
                                                   .on_body = on_post_body,
                                                   .on_done = on_post_done},
                         &p->fetch, NULL))
        p->timer = loop_timer_new(p->link->spec->loop, 0, on_post_failed, p);
    http_fields_deinit(&fields);
    str_deinit(&p->text);
}

static enum status send(struct client_link *link, const struct client_send *m, struct error *err)
{
    struct link_sse *l = of(link);
    struct sse_post *p;

    if (!m->id && m->method == MCP_METHOD_N && l->n_answers >= CLIENT_ANSWERS_MAX)
        return error_set(err, STATUS_BUSY, "the server asks faster than it takes answers");
    p = xcalloc(1, sizeof(*p));
    p->link = l;
    p->id = m->id;
    p->is_answer = !m->id && m->method == MCP_METHOD_N;
    l->n_answers += p->is_answer;
    str_init(&p->text, m->n + 1);
    str_append(&p->text, m->text, m->n);
    p->next = l->posts;
    if (p->next)
        p->next->prev = p;
    l->posts = p;
    if (m->method == MCP_INITIALIZED)
        l->initialized = p;
    if (!str_ok(&p->text)) {
        free_post(p);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a message of %zu bytes", m->n);
    }
    if (l->endpoint.len > 0)
        post(p);
    return STATUS_OK;
}

/* ---- the stream */

static enum status take_endpoint(struct link_sse *l, const char *text, struct error *err)
{
    struct http_url base = {0}, there = {0};
    struct str url;
    enum status st = http_url_parse(l->spec->url, &base, err);

    str_init(&url, HTTP_URL_MAX);
    if (!st)
        st = http_url_resolve(&base, text, &url, err);
    if (!st && !str_ok(&url))
        st = error_set(err, STATUS_LIMIT, "the URL for messages is too long");
    if (!st)
        st = http_url_parse(str_cstr(&url), &there, err);
    if (!st && strcmp(base.origin, there.origin) != 0)
        st =
            error_set(err, STATUS_REJECTED,
                      "the server wants messages at %s, which is not its own origin", there.origin);
    if (!st)
        str_puts(&l->endpoint, str_cstr(&url));
    str_deinit(&url);
    http_url_deinit(&base);
    http_url_deinit(&there);
    return st;
}

static enum status on_event(void *ctx, const struct sse_event *e, struct error *err)
{
    struct link_sse *l = ctx;
    struct sse_post *next;
    enum status st;

    if (l->is_stopping)
        return STATUS_CANCELLED;
    if (strcmp(e->event, "endpoint") != 0) {
        if (e->n > 0)
            (void)l->link.events.message(l->link.events.ctx, 0, e->data, e->n);
        return l->is_stopping ? STATUS_CANCELLED : STATUS_OK;
    }
    if (l->endpoint.len > 0) /* it has one place alone */
        return STATUS_OK;
    st = take_endpoint(l, e->data, err);
    for (struct sse_post *p = l->posts; p && !st; p = next) {
        next = p->next;
        post(p);
    }
    return st;
}

static void on_head(void *ctx, int code, const struct http_field *fields, int32_t n)
{
    struct link_sse *l = ctx;

    l->code = code;
    if (code == 200 && link_fetch_is_type(fields, n, "text/event-stream"))
        l->sse = sse_parser_new(l->spec->limits.message_bytes, on_event, l);
}

static void down(struct link_sse *l, const struct error *err)
{
    if (l->is_down)
        return;
    l->is_down = true;
    l->link.events.down(l->link.events.ctx, &l->link, err);
}

static bool on_body(void *ctx, const char *bytes, size_t n)
{
    struct link_sse *l = ctx;
    struct error err = ERROR_INIT;

    if (!l->sse)
        return false;
    if (sse_feed(l->sse, bytes, n, &err) == STATUS_OK)
        return true;
    if (!l->is_stopping)
        down(l, &err);
    return false;
}

static void on_done(void *ctx, enum status st, const struct error *why)
{
    struct link_sse *l = ctx;
    struct error err = ERROR_INIT;

    l->stream = NULL;
    if (l->is_stopping)
        return;
    if (!l->sse && l->code)
        (void)error_set(&err, STATUS_FAILED,
                        "the server answers GET with the code %d and no event stream: it speaks "
                        "no transport of MCP that is known",
                        l->code);
    else if (st)
        err = *why;
    else
        (void)error_set(&err, STATUS_IO, "the server has closed the event stream");
    down(l, &err);
}

/* ---- the link */

static enum status start(struct client_link *link, struct error *err)
{
    struct link_sse *l = of(link);
    struct http_fields fields;
    enum status st;

    http_fields_init(&fields);
    (void)!http_fields_add(&fields, "accept", 6, "text/event-stream", 17, NULL);
    st = link_fetch_start(&(struct link_fetch_spec){.client = l->spec,
                                                    .method = HTTP_GET,
                                                    .url = l->spec->url,
                                                    .fields = &fields,
                                                    .ctx = l,
                                                    .on_head = on_head,
                                                    .on_body = on_body,
                                                    .on_done = on_done},
                          &l->stream, err);
    http_fields_deinit(&fields);
    return st;
}

static bool listen_(struct client_link *link)
{
    struct link_sse *l = of(link);

    loop_timer_free(l->settling);
    l->settling = loop_timer_new(l->spec->loop, l->initialized ? LINK_SETTLE_MS : 0, on_settled, l);
    return true;
}

static void on_stop_time(void *ctx)
{
    struct link_sse *l = ctx;
    struct error err = ERROR_INIT;

    (void)error_set(&err, STATUS_CANCELLED, "the connection was closed");
    down(l, &err);
}

static void stop(struct client_link *link)
{
    struct link_sse *l = of(link);

    l->is_stopping = true;
    if (!l->is_down && !l->timer)
        l->timer = loop_timer_new(l->spec->loop, 0, on_stop_time, l);
}

static void free_(struct client_link *link)
{
    struct link_sse *l = of(link);

    while (l->posts)
        free_post(l->posts);
    link_fetch_cancel(l->stream);
    loop_timer_free(l->timer);
    loop_timer_free(l->settling);
    sse_parser_free(l->sse);
    str_deinit(&l->endpoint);
    free(l);
}

struct client_link *link_sse_new(const struct mcp_client_spec *spec,
                                 const struct client_link_events *events)
{
    static const struct client_link_ops ops = {
        .start = start, .send = send, .listen = listen_, .stop = stop, .free = free_};
    struct link_sse *l = xcalloc(1, sizeof(*l));

    l->link = (struct client_link){.ops = &ops, .events = *events};
    l->spec = spec;
    str_init(&l->endpoint, HTTP_URL_MAX);
    return &l->link;
}
