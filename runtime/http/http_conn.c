/* http_conn.c - the state machine of a connection: reads heads and bodies, admits requests, keeps
 * deadlines.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/http/http_conn_internal.h"

/* The next request waits while more than this is unsent, so that a client that sends requests and
 * reads nothing does not fill the memory; and reading stops when more than this waits. */
#define PIPELINE_BYTES ((size_t)16 << 10)
/* What one read can add to that. */
#define INPUT_MAX ((size_t)256 << 10)

struct http_conn *http_conn_new(struct http_shared *s, const struct http_link *link,
                                const char *peer)
{
    struct http_conn *c = mem_alloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->shared = s;
    c->link = *link;
    c->peer = peer;
    c->is_first = true;
    c->since_ms = http_now_ms(s);
    str_init(&c->in, INPUT_MAX);
    str_init(&c->more, INPUT_MAX);
    str_init(&c->body, INPUT_MAX);
    str_init(&c->out, SIZE_MAX / 2);
    s->counts.connections++;
    http_wait_begin(c);
    return c;
}

/* ---- the end of calls and connections */

void http_conn_end_call(struct http_conn *c)
{
    if (!c->call_open)
        return;
    c->call_open = false;
    c->call = (struct http_call){0};
    c->write_refused = false;
    c->shared->counts.requests--;
    http_subject_give(c->shared, c->subject);
    c->subject = NULL;
}

/* The head of a request is complete. */
static void begin_count(struct http_conn *c)
{
    c->shared->counts.total++;
    c->is_counted = c->shared->o.handler.ended != NULL;
    c->route = 0;
    c->method = HTTP_OTHER;
    c->code = 0;
    c->reply_bytes = 0;
    c->note = NULL;
    if (c->is_counted)
        c->began_us = http_now_us(c->shared);
}

void http_conn_ended(struct http_conn *c, bool aborted)
{
    const struct http_handler *h = &c->shared->o.handler;

    if (!c->is_counted)
        return;
    c->is_counted = false;
    h->ended(h->ctx, &(struct http_ended){.method = c->method,
                                          .route = c->route,
                                          .code = c->code,
                                          .aborted = aborted,
                                          .took_us = http_now_us(c->shared) - c->began_us,
                                          .bytes = c->reply_bytes,
                                          .path = c->q && c->q->path ? c->q->path : "",
                                          .subject = c->q && c->q->subject ? c->q->subject : "",
                                          .note = c->note});
}

static void free_request(struct http_conn *c)
{
    free(c->q);
    c->q = NULL;
    str_deinit(&c->body);
    c->shared->counts.bodies_bytes -= c->body_held;
    c->body_held = 0;
}

static void free_buffers(struct http_conn *c)
{
    free_request(c);
    str_deinit(&c->in);
    str_deinit(&c->more);
    str_deinit(&c->out);
    c->in_off = c->out_off = 0;
}

void http_conn_free(struct http_conn *c)
{
    void (*on_gone)(void *ctx);
    void *ctx;

    if (!c)
        return;
    http_wait_end(c);
    on_gone = c->call.on_gone;
    ctx = c->call.gone_ctx;
    if (c->call_open) {
        c->shared->counts.aborted++;
        http_conn_end_call(c);
        if (on_gone)
            on_gone(ctx);
    }
    http_conn_ended(c, true);
    c->shared->counts.connections--;
    free_buffers(c);
    free(c);
}

void http_conn_cut(struct http_conn *c, enum http_close how)
{
    if (c->state == CONN_DONE)
        return;
    c->state = CONN_DONE;
    http_wait_end(c);
    if (!c->call_open)
        http_conn_ended(c, true);
    /* The handler may still look at the request of an open call. */
    if (c->call_open && c->q)
        str_deinit(&c->out);
    else
        free_buffers(c);
    c->out_off = 0;
    c->link.close(c->link.ctx, how);
}

bool http_conn_has_more(const struct http_conn *c)
{
    return c->in.len > c->in_off || c->more.len > 0 || c->skip > 0;
}

void http_conn_drop_request(struct http_conn *c)
{
    size_t rest = c->in.len - c->in_off;

    free_request(c);
    if (rest == 0) {
        str_deinit(&c->in);
        c->in = c->more;
        str_init(&c->more, INPUT_MAX);
        c->in_off = 0;
    } else if (c->more.len > 0) {
        memmove(c->in.data, c->in.data + c->in_off, rest);
        c->in.len = rest;
        c->in_off = 0;
        str_append(&c->in, c->more.data, c->more.len);
        str_deinit(&c->more);
        if (!str_ok(&c->in))
            http_conn_cut(c, HTTP_CLOSE_RESET);
    }
}

void http_conn_wrote(struct http_conn *c, bool was_empty)
{
    if (!str_ok(&c->out)) {
        http_conn_cut(c, HTTP_CLOSE_RESET);
        return;
    }
    if (was_empty)
        c->wrote_ms = http_now_ms(c->shared);
    c->link.want_write(c->link.ctx);
}

void http_conn_replied(struct http_conn *c)
{
    http_conn_ended(c, c->state == CONN_DONE);
    http_conn_end_call(c);
    if (c->state == CONN_DONE)
        return;
    c->is_head = false;
    if (!c->keep_alive || c->shared->is_draining) {
        if (http_conn_has_more(c))
            c->how = HTTP_CLOSE_LINGER;
        c->state = CONN_FLUSH;
        http_wait_end(c);
        http_conn_drop_request(c);
        str_deinit(&c->in);
        c->in_off = 0;
        if (http_unsent_bytes(c) == 0) /* no http_conn_sent will come */
            http_conn_cut(c, c->how);
        return;
    }
    c->state = CONN_HEAD;
    c->since_ms = http_now_ms(c->shared);
    http_conn_drop_request(c);
    if (http_unsent_bytes(c) == 0)
        http_wait_begin(c);
}

/* ---- a request */

static void serve(struct http_conn *c)
{
    struct http_shared *s = c->shared;

    c->state = CONN_CALL;
    c->call_open = true;
    s->counts.requests++;
    s->o.handler.serve(s->o.handler.ctx, &c->call);
}

/* Moves the bytes of the body out of `in`. false: more must come. */
static bool take_body(struct http_conn *c)
{
    size_t need = (size_t)c->q->body_bytes - c->body.len;
    size_t have = c->in.len - c->in_off, n = have < need ? have : need;

    if (c->body.len == 0 && have == need &&
        c->more.len == 0) { /* the usual case: nothing to copy */
        c->q->body = c->in.data + c->in_off;
        c->in_off += n;
        return true;
    }
    str_append(&c->body, c->in.data + c->in_off, n);
    c->in_off += n;
    if (!str_ok(&c->body)) {
        c->keep_alive = false;
        http_reply_error(c, 503, "out of memory", NULL, NULL);
        return false;
    }
    c->q->body = str_cstr(&c->body);
    return c->body.len == (size_t)c->q->body_bytes;
}

static void begin_body(struct http_conn *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    bool was_empty = http_unsent_bytes(c) == 0;

    if (c->q->body_bytes == 0) {
        c->q->body = "";
        serve(c);
        return;
    }
    c->state = CONN_BODY;
    c->since_ms = http_now_ms(c->shared);
    c->body_held = c->q->body_bytes;
    c->shared->counts.bodies_bytes += c->body_held;
    str_init(&c->body, (size_t)c->q->body_bytes);
    if (c->q->expects_100 && !c->q->is_1_0 && !http_conn_has_more(c)) {
        str_append(&c->out, go_on, sizeof(go_on) - 1);
        http_conn_wrote(c, was_empty);
    }
}

static bool is_preflight(const struct http_conn *c)
{
    return c->method == HTTP_OPTIONS && http_gate_listed_origin(&c->shared->gate, c->q) &&
           http_field_value(c->q->fields, c->q->n_fields, "access-control-request-method");
}

/* Everything that can refuse a request before its body is read. */
static void admit(struct http_conn *c)
{
    struct http_shared *s = c->shared;
    const char *why = NULL, *challenge = NULL;
    struct http_route r;
    int code = s->is_draining ? 503 : http_gate_names(&s->gate, c->q, &why);

    if (code) {
        http_reply_error(c, code, code == 503 ? "the server is shutting down" : why, NULL, NULL);
        return;
    }
    if (is_preflight(c)) {
        http_reply_preflight(c);
        return;
    }
    r = s->o.handler.route(s->o.handler.ctx, c->q);
    c->route = r.id;
    if (!r.is_open && http_gate_token(&s->gate, c->q, &why, &challenge))
        http_reply_error(c, 401, why, challenge, NULL);
    else if (r.reject)
        http_reply_error(c, r.reject, r.message, NULL, r.allow);
    else if (c->q->body_bytes > r.max_body)
        http_reply_error(c, 413, "the body is longer than this route allows", NULL, NULL);
    else if (c->q->body_bytes > s->limits.bodies_bytes - s->counts.bodies_bytes &&
             c->q->body_bytes > 0)
        http_reply_error(c, 503, "the bodies of other requests fill the memory for them; try again",
                         NULL, NULL);
    else
        begin_body(c);
}

/* false: the head is not complete yet. */
static bool take_head(struct http_conn *c)
{
    struct http_request q;
    const char *why = NULL;
    int64_t n = http_head_parse(c->in.data + c->in_off, c->in.len - c->in_off, &q, &why);

    if (n == 0)
        return false;
    http_wait_end(c);
    c->is_first = false;
    c->is_head = false;
    begin_count(c);
    if (n < 0) {
        c->keep_alive = false;
        http_reply_error(c, (int)-n, why, NULL, NULL);
        return true;
    }
    c->in_off += (size_t)n;
    c->q = mem_alloc(1, sizeof(q));
    if (!c->q) {
        http_conn_cut(c, HTTP_CLOSE_RESET);
        return true;
    }
    q.peer = c->peer;
    memcpy(c->q, &q,
           offsetof(struct http_request, fields) + (size_t)q.n_fields * sizeof(q.fields[0]));
    c->keep_alive = q.keep_alive && !c->shared->is_draining;
    c->is_head = q.method == HTTP_HEAD;
    c->method = q.method;
    admit(c);
    return true;
}

/* ---- input */

static void update_pause(struct http_conn *c)
{
    bool blocked =
        c->state == CONN_CALL || (c->state == CONN_HEAD && http_unsent_bytes(c) > PIPELINE_BYTES);
    bool pause = blocked && c->in.len - c->in_off + c->more.len > PIPELINE_BYTES;

    if (pause == c->is_paused || c->state == CONN_DONE)
        return;
    c->is_paused = pause;
    c->link.pause(c->link.ctx, pause);
}

static void drop_skipped(struct http_conn *c)
{
    size_t have = c->in.len - c->in_off;
    size_t n = (uint64_t)c->skip < have ? (size_t)c->skip : have;

    c->in_off += n;
    c->skip -= (int64_t)n;
}

/* Goes on as far as the input allows. */
static void advance(struct http_conn *c)
{
    for (;;) {
        if (c->state == CONN_HEAD && c->skip > 0)
            drop_skipped(c);
        if (c->state == CONN_BODY) {
            if (!take_body(c))
                break;
            serve(c);
        } else if (c->state != CONN_HEAD || c->in.len == c->in_off ||
                   http_unsent_bytes(c) > PIPELINE_BYTES || !take_head(c)) {
            break;
        }
    }
    if (c->state == CONN_HEAD && http_unsent_bytes(c) == 0)
        http_wait_begin(c);
    if (c->state == CONN_HEAD && c->in.len == c->in_off) { /* an idle connection has no buffer */
        str_deinit(&c->in);
        c->in_off = 0;
    }
    update_pause(c);
}

static void feed_head(struct http_conn *c, const char *bytes, size_t n)
{
    size_t rest = c->in.len - c->in_off;

    if (c->in_off > 0) {
        memmove(c->in.data, c->in.data + c->in_off, rest);
        c->in.len = rest;
        c->in_off = 0;
    }
    if (rest == 0 && !c->is_first)
        c->since_ms = http_now_ms(c->shared);
    str_append(&c->in, bytes, n);
}

static void feed_body(struct http_conn *c, const char *bytes, size_t n)
{
    size_t need = (size_t)c->q->body_bytes - c->body.len, k = n < need ? n : need;

    str_append(&c->body, bytes, k);
    str_append(&c->more, bytes + k, n - k);
}

void http_conn_feed(struct http_conn *c, const char *bytes, size_t n)
{
    c->shared->counts.bytes_in += (int64_t)n;
    switch (c->state) {
    case CONN_HEAD:
        feed_head(c, bytes, n);
        break;
    case CONN_BODY:
        feed_body(c, bytes, n);
        break;
    case CONN_CALL:
        str_append(&c->more, bytes, n);
        break;
    case CONN_STREAM:
        c->keep_alive = false;
        c->how = HTTP_CLOSE_LINGER;
        return;
    case CONN_FLUSH:
    case CONN_DONE:
        return;
    }
    if (!str_ok(&c->in) || !str_ok(&c->more)) {
        http_conn_cut(c, HTTP_CLOSE_RESET);
        return;
    }
    advance(c);
}

/* ---- output */

size_t http_conn_unsent(struct http_conn *c, const char **bytes)
{
    if (c->state == CONN_DONE)
        return 0;
    *bytes = str_cstr(&c->out) + c->out_off;
    return http_unsent_bytes(c);
}

static void forget_sent(struct http_conn *c)
{
    size_t rest = http_unsent_bytes(c);

    if (rest == 0) {
        str_deinit(&c->out);
        c->out_off = 0;
    } else if (c->out_off > rest) {
        memmove(c->out.data, c->out.data + c->out_off, rest);
        c->out.len = rest;
        c->out_off = 0;
    }
}

void http_conn_sent(struct http_conn *c, size_t n)
{
    if (c->state == CONN_DONE)
        return;
    c->shared->counts.bytes_out += (int64_t)n;
    c->out_off += n;
    c->wrote_ms = http_now_ms(c->shared);
    forget_sent(c);
    if (c->state == CONN_FLUSH && http_unsent_bytes(c) == 0) {
        http_conn_cut(c, c->how);
        return;
    }
    if (c->state == CONN_STREAM && c->write_refused &&
        (int64_t)http_unsent_bytes(c) <= c->shared->limits.backlog_bytes / 2) {
        c->write_refused = false;
        if (c->call.on_drain)
            c->call.on_drain(c->call.drain_ctx);
    }
    advance(c);
}

/* ---- deadlines */

/* Of the state, without that of sending. */
static int64_t state_deadline(const struct http_conn *c)
{
    const struct http_limits *l = &c->shared->limits;
    bool idle = http_unsent_bytes(c) == 0;

    if (c->state == CONN_HEAD && idle)
        return c->since_ms + (c->is_first || http_conn_has_more(c) ? l->head_ms : l->idle_ms);
    if (c->state == CONN_BODY)
        return c->since_ms + l->body_ms + (int64_t)(c->body.len / 1024) * 1000;
    if (c->state == CONN_STREAM && c->is_events && idle)
        return c->wrote_ms + l->keep_alive_ms;
    return INT64_MAX;
}

int64_t http_conn_deadline(const struct http_conn *c)
{
    int64_t state = state_deadline(c), stall = c->wrote_ms + c->shared->limits.stall_ms;

    if (c->state == CONN_DONE)
        return INT64_MAX;
    return http_unsent_bytes(c) > 0 && stall < state ? stall : state;
}

void http_conn_due(struct http_conn *c)
{
    int64_t now = http_now_ms(c->shared);

    if (c->state == CONN_DONE)
        return;
    if (http_unsent_bytes(c) > 0 && now >= c->wrote_ms + c->shared->limits.stall_ms) {
        http_conn_cut(c, HTTP_CLOSE_RESET);
        return;
    }
    if (now < state_deadline(c))
        return;
    if (c->state == CONN_STREAM) {
        (void)http_call_write(&c->call, ":\n\n", 3);
    } else if (c->state == CONN_BODY || http_conn_has_more(c)) {
        c->keep_alive = false;
        http_reply_error(c, 408, "the request did not come in time", NULL, NULL);
    } else {
        http_conn_cut(c, HTTP_CLOSE);
    }
}
