/* conn_world.c - the handler, the link and the clock of a connection in memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conn_world.h"

/* ---- the clock, the link and the handler */

static int64_t mono_us(void *ctx)
{
    return ((struct world *)ctx)->now_ms * 1000;
}

static int64_t wall_ms(void *ctx)
{
    (void)ctx;
    return 784111777000; /* Sun, 06 Nov 1994 08:49:37 GMT */
}

static void want_write(void *ctx)
{
    ((struct world *)ctx)->wants_write = true;
}

static void on_pause(void *ctx, bool yes)
{
    struct world *w = ctx;

    assert_int_equal(w->paused, !yes);
    w->paused = yes;
}

static void on_close(void *ctx, enum http_close how)
{
    struct world *w = ctx;

    assert_false(w->closed);
    w->closed = true;
    w->how = how;
}

static struct http_route route(void *ctx, const struct http_request *q)
{
    (void)ctx;
    if (strcmp(q->path, "/open") == 0 || strcmp(q->path, "/abort") == 0 ||
        strcmp(q->path, "/burst") == 0)
        return (struct http_route){.is_open = true, .max_body = 100};
    if (strcmp(q->path, "/echo") == 0 && q->method != HTTP_POST && q->method != HTTP_HEAD)
        return (struct http_route){.reject = 405, .message = "POST it", .allow = "POST, HEAD"};
    if (strcmp(q->path, "/echo") == 0)
        return (struct http_route){.max_body = 1000000, .id = 7};
    if (strcmp(q->path, "/later") == 0 || strcmp(q->path, "/stream") == 0 ||
        strcmp(q->path, "/raw") == 0)
        return (struct http_route){.max_body = 10};
    return (struct http_route){.reject = 404, .message = "there is nothing"};
}

static void gone(void *ctx)
{
    struct world *w = ctx;

    w->n_gone++;
    w->call = NULL;
}

static void drained(void *ctx)
{
    ((struct world *)ctx)->n_drained++;
}

static void serve(void *ctx, struct http_call *c)
{
    struct world *w = ctx;
    const struct http_request *q = http_call_request(c);

    w->n_served++;
    http_call_note(c, w);
    (void)snprintf(w->subject, sizeof(w->subject), "%s", q->subject);
    assert_non_null(q->body);
    assert_int_equal(q->body[q->body_bytes], '\0');
    if (strcmp(q->path, "/abort") == 0) {
        http_call_abort(c);
    } else if (strcmp(q->path, "/burst") == 0) {
        if (http_call_stream(c, &(struct http_reply){.code = 200}) && http_call_write(c, "all", 3))
            http_call_end(c);
    } else if (strcmp(q->path, "/later") == 0) {
        w->call = c;
        http_call_on_gone(c, gone, w);
    } else if (strcmp(q->path, "/stream") == 0 || strcmp(q->path, "/raw") == 0) {
        struct http_reply r = {.code = 200,
                               .type = q->path[1] == 's' ? "text/event-stream" : "text/plain"};

        http_call_on_gone(c, gone, w);
        w->stream_refused = !http_call_stream(c, &r);
        if (w->stream_refused)
            return;
        w->call = c;
        http_call_on_drain(c, drained, w);
    } else {
        http_call_reply(c, &(struct http_reply){.code = 200,
                                                .type = "text/plain",
                                                .body = q->body,
                                                .body_bytes = (size_t)q->body_bytes});
    }
}

static void ended(void *ctx, const struct http_ended *e)
{
    struct world *w = ctx;

    w->n_ended++;
    w->ended = *e;
    (void)snprintf(w->ended_path, sizeof(w->ended_path), "%s", e->path);
    (void)snprintf(w->ended_subject, sizeof(w->ended_subject), "%s", e->subject);
    assert_true(e->took_us >= 0 && e->bytes >= 0);
}

bool world_token(void *ctx, const char *token, size_t n, const char **subject)
{
    (void)ctx;
    *subject = "ann";
    return n == 6 && memcmp(token, "secret", 6) == 0;
}

/* ---- the world */

void world_open(struct world *w)
{
    struct http_link link = {w, want_write, on_pause, on_close};

    w->conn = http_conn_new(w->shared, &link, "192.0.2.7");
    w->window = SIZE_MAX;
    w->paused = w->closed = w->wants_write = false;
    str_clear(&w->sent);
}

int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    w->now_ms = 1000000;
    w->seams = *seams_real();
    w->seams.clock = (struct clock_seam){w, wall_ms, mono_us};
    w->o.address = "127.0.0.1";
    w->o.seams = &w->seams;
    w->o.handler = (struct http_handler){.ctx = w, .route = route, .serve = serve, .ended = ended};
    w->o.limits.max_streams_per_subject = 2;
    w->shared = http_shared_new(&w->o, 80);
    str_init(&w->sent, (size_t)64 << 20);
    world_open(w);
    *state = w;
    return 0;
}

void world_reopen(struct world *w)
{
    http_conn_free(w->conn);
    http_shared_free(w->shared);
    w->shared = http_shared_new(&w->o, 80);
    w->n_ended = 0;
    world_open(w);
}

int world_teardown(void **state)
{
    struct world *w = *state;
    struct http_counts *n;

    http_conn_free(w->conn);
    n = http_shared_counts(w->shared);
    assert_int_equal(n->connections, 0);
    assert_int_equal(n->requests, 0);
    assert_int_equal(n->streams, 0);
    assert_int_equal(n->bodies_bytes, 0);
    assert_int_equal(n->total, w->n_ended);
    http_shared_free(w->shared);
    str_deinit(&w->sent);
    free(w);
    return 0;
}

/* Sends as far as the client reads. */
void world_pump(struct world *w)
{
    const char *bytes;
    size_t n;

    while (!w->closed && w->window > 0 && (n = http_conn_unsent(w->conn, &bytes)) > 0) {
        if (n > w->window)
            n = w->window;
        w->window -= n;
        str_append(&w->sent, bytes, n);
        http_conn_sent(w->conn, n);
    }
    w->wants_write = false;
}

void world_feed(struct world *w, const char *bytes, size_t n)
{
    if (w->closed)
        return;
    http_conn_feed(w->conn, bytes, n);
    world_pump(w);
}

void world_feeds(struct world *w, const char *text)
{
    world_feed(w, text, strlen(text));
}

int world_count(const struct world *w, const char *what)
{
    int n = 0;

    for (const char *p = str_cstr(&w->sent); (p = strstr(p, what)); p++)
        n++;
    return n;
}

void world_pass(struct world *w, int64_t ms)
{
    int64_t end = w->now_ms + ms;

    while (!w->closed && http_conn_deadline(w->conn) <= end) {
        int64_t d = http_conn_deadline(w->conn);

        if (d > w->now_ms)
            w->now_ms = d;
        http_conn_due(w->conn);
        world_pump(w);
        if (!w->closed)
            assert_true(http_conn_deadline(w->conn) > w->now_ms);
    }
    w->now_ms = end;
}
