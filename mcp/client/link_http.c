/* link_http.c - Streamable HTTP of both eras.
 *
 * Each message is a POST; what comes on its answer belongs to it. Legacy besides: a session id, a
 * GET stream for messages outside requests, and streams that break are resumed with Last-Event-ID.
 * Source: MCP 2026-07-28 and 2025-11-25, "Transports"; SEP-1699.
 *
 * A slot is a POST with the streams that continue it, or the GET stream. Inside a slot's own
 * callbacks it is only marked; it is freed when they are over.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/client/client.h"
#include "mcp/client/client_link.h"
#include "mcp/client/link_fetch.h"
#include "mcp/rpc/header_text.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/http/sse.h"
#include "runtime/loop/loop.h"

#define ERROR_BODY_BYTES ((size_t)256 << 10)
#define SESSION_MAX      1024 /* bytes of a session id */
#define EVENT_ID_MAX     4096
#define RETRY_MS         1000 /* without a `retry` of the server */
#define RETRY_MIN_MS     50 /* a server that says 0 and always has an event must not keep us busy */
#define RETRY_MAX_MS     60000
#define RESUMES_MAX      10    /* without an event in between */
#define SUSTAINED_MS     10000 /* a GET stream that lived so long makes its gap small again */

struct link_http;

struct http_slot {
    struct link_http *link;
    struct http_slot *prev, *next;
    int64_t id; /* of the request; 0: none */
    enum mcp_method method;
    bool is_get;     /* the stream outside requests */
    bool is_answer;  /* to a request of the server */
    bool is_awaited; /* before the link is settled */
    bool had_session;
    struct link_fetch *fetch;
    struct loop_timer *timer; /* before it is resumed */
    struct sse_parser *sse;
    struct str body; /* of an answer that is not a stream */
    struct str last_id;
    int64_t retry_ms, started_ms;
    int32_t n_resumes;
    int code;
    bool is_json, is_too_long;
    bool is_busy;    /* in a callback */
    bool is_dropped; /* to be freed after it */
};

struct link_http {
    struct client_link link;
    const struct mcp_client_spec *spec;
    struct http_slot *slots;
    struct map *by_id;     /* those of requests: the id in decimal */
    struct http_slot *get; /* or NULL */
    int32_t n_answers;     /* to requests of the server, of the slots */
    bool is_stopping;
    int32_t n_awaited;           /* of the slots */
    struct loop_timer *settling; /* or NULL: is settled */
    enum mcp_revision revision;
    struct str session;
    struct link_fetch *leave; /* DELETE of the session */
    struct loop_timer *timer; /* of a stop without one */
};

static struct link_http *of(struct client_link *l)
{
    return CONTAINER_OF(l, struct link_http, link);
}

/* ---- slots */

#define ID_BYTES 24

static const char *id_key(int64_t id, char key[ID_BYTES])
{
    (void)snprintf(key, ID_BYTES, "%lld", (long long)id);
    return key;
}

static struct http_slot *new_slot(struct link_http *l, int64_t id, enum mcp_method method)
{
    struct http_slot *s = xcalloc(1, sizeof(*s));
    char key[ID_BYTES];

    if (id)
        (void)map_put(l->by_id, id_key(id, key), s);
    s->link = l;
    s->id = id;
    s->method = method;
    s->retry_ms = -1;
    str_init(&s->body, l->spec->limits.message_bytes);
    str_init(&s->last_id, EVENT_ID_MAX);
    s->next = l->slots;
    if (s->next)
        s->next->prev = s;
    l->slots = s;
    return s;
}

static void on_settled(void *ctx)
{
    struct link_http *l = ctx;

    loop_timer_free(l->settling);
    l->settling = NULL;
    if (!l->is_stopping)
        l->link.events.settled(l->link.events.ctx);
}

/* The server has taken the message, or opened the stream; or it never will. */
static void not_awaited(struct http_slot *s)
{
    struct link_http *l = s->link;

    if (!s->is_awaited)
        return;
    s->is_awaited = false;
    l->n_awaited--;
    if (!l->settling || l->n_awaited > 0)
        return;
    loop_timer_free(l->settling);
    l->settling = loop_timer_new(l->spec->loop, 0, on_settled, l);
}

static void free_slot(struct http_slot *s)
{
    struct link_http *l = s->link;
    char key[ID_BYTES];

    not_awaited(s);
    if (s->id)
        (void)map_remove(l->by_id, id_key(s->id, key));
    *(s->prev ? &s->prev->next : &l->slots) = s->next;
    if (s->next)
        s->next->prev = s->prev;
    if (l->get == s)
        l->get = NULL;
    l->n_answers -= s->is_answer;
    link_fetch_cancel(s->fetch);
    loop_timer_free(s->timer);
    sse_parser_free(s->sse);
    str_deinit(&s->body);
    str_deinit(&s->last_id);
    free(s);
}

static void drop_slot(struct http_slot *s)
{
    if (s->is_busy)
        s->is_dropped = true;
    else
        free_slot(s);
}

static void give(struct http_slot *s, const char *bytes, size_t n)
{
    const struct client_link_events *e = &s->link->link.events;

    if (!s->link->is_stopping)
        e->message(e->ctx, s->id, bytes, n);
}

/* No answer will come. The slot is freed. */
static void end_slot(struct http_slot *s, const struct error *err)
{
    const struct client_link_events *e = &s->link->link.events;
    const struct client_link_end end = {
        .http_code = s->code,
        .session_gone = s->code == 404 && s->had_session,
        .body = str_cstr(&s->body),
        .n = s->code >= 400 ? s->body.len : 0,
        .err = err,
    };

    s->is_busy = true;
    if (s->id && !s->is_dropped && !s->link->is_stopping)
        e->ended(e->ctx, s->id, &end);
    s->is_busy = false;
    free_slot(s);
}

/* ---- answers */

static bool is_visible(const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++) {
        if (text[i] < '!' || text[i] > '~')
            return false;
    }
    return n > 0 && n <= SESSION_MAX;
}

static enum status on_event(void *ctx, const struct sse_event *e, struct error *err)
{
    struct http_slot *s = ctx;

    (void)err;
    if (!s->is_get) /* a GET stream may begin with an event and end at once, again and again */
        s->n_resumes = 0;
    if (e->n > 0 && !s->is_dropped)
        give(s, e->data, e->n);
    return s->is_dropped ? STATUS_CANCELLED : STATUS_OK;
}

static void on_head(void *ctx, int code, const struct http_field *fields, int32_t n)
{
    struct http_slot *s = ctx;
    struct link_http *l = s->link;
    const char *session = http_field_value(fields, n, "mcp-session-id");

    s->code = code;
    not_awaited(s);
    s->is_json = link_fetch_is_type(fields, n, "application/json");
    if (s->method == MCP_INITIALIZE && code < 300 && session && is_visible(session)) {
        str_clear(&l->session);
        str_puts(&l->session, session);
    }
    if (code >= 300)
        s->body.max = ERROR_BODY_BYTES;
    else if ((s->id || s->is_get) && link_fetch_is_type(fields, n, "text/event-stream"))
        s->sse = sse_parser_new(l->spec->limits.message_bytes, on_event, s);
}

static bool on_body(void *ctx, const char *bytes, size_t n)
{
    struct http_slot *s = ctx;
    bool go_on = true;

    /* A notification or an answer has no answer: if messages were taken here, a server could make
     * each of ours cause more of them. */
    if (!s->id && !s->is_get)
        return true;
    s->is_busy = true;
    if (s->sse) {
        enum status st = sse_feed(s->sse, bytes, n, NULL);

        s->is_too_long = st == STATUS_LIMIT;
        go_on = st == STATUS_OK;
    } else {
        str_append(&s->body, bytes, n);
        s->is_too_long = !str_ok(&s->body);
        go_on = !s->is_too_long;
    }
    s->is_busy = false;
    return go_on && !s->is_dropped;
}

/* ---- resuming */

static enum status begin(struct http_slot *s, const struct client_send *m, struct error *err);

static void on_resume(void *ctx)
{
    struct http_slot *s = ctx;
    struct error err = ERROR_INIT;

    loop_timer_free(s->timer);
    s->timer = NULL;
    if (begin(s, NULL, &err))
        end_slot(s, &err);
}

static int64_t mono_ms(const struct link_http *l)
{
    return seams_mono_us(l->spec->seams) / 1000;
}

/* The stream has ended without the answer: can it be continued? */
static bool resumes(struct http_slot *s)
{
    int64_t wait = s->retry_ms >= 0 ? s->retry_ms : RETRY_MS;

    if (mcp_is_modern(s->link->revision) || s->is_too_long || s->link->is_stopping)
        return false;
    if (s->is_get && mono_ms(s->link) - s->started_ms > SUSTAINED_MS)
        s->n_resumes = 0;
    if (!s->is_get && (s->last_id.len == 0 || s->n_resumes >= RESUMES_MAX))
        return false;
    wait = wait > RETRY_MIN_MS ? wait : RETRY_MIN_MS;
    for (int32_t i = 0; s->is_get && i < s->n_resumes && wait < RETRY_MAX_MS; i++)
        wait *= 2;
    s->n_resumes += s->n_resumes < RESUMES_MAX;
    s->timer = loop_timer_new(s->link->spec->loop, wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS,
                              on_resume, s);
    return true;
}

static void stream_over(struct http_slot *s)
{
    if (!s->sse)
        return;
    if (sse_last_id(s->sse)[0]) {
        str_clear(&s->last_id);
        str_puts(&s->last_id, sse_last_id(s->sse));
        if (!str_ok(&s->last_id))
            str_clear(&s->last_id);
    }
    if (sse_retry_ms(s->sse) >= 0)
        s->retry_ms = sse_retry_ms(s->sse);
    sse_parser_free(s->sse);
    s->sse = NULL;
}

static void set_why(struct http_slot *s, enum status st, const struct error *why, struct error *err)
{
    const char *name = s->link->spec->name;

    if (s->is_too_long)
        (void)error_set(err, STATUS_LIMIT, "an answer of %s has more than %zu bytes", name,
                        s->link->spec->limits.message_bytes);
    else if (st)
        *err = *why;
    else if (s->code == 404 && s->had_session)
        (void)error_set(err, STATUS_FAILED,
                        "the server has ended the session; the request was not carried out");
    else if (s->code >= 300)
        (void)error_set(err, STATUS_FAILED, "the server answers with the code %d", s->code);
    else
        (void)error_set(err, STATUS_INVALID, "the server's answer ended without a response");
}

static void on_done(void *ctx, enum status st, const struct error *why)
{
    struct http_slot *s = ctx;
    struct error err = ERROR_INIT;
    bool was_stream = s->sse != NULL;

    s->fetch = NULL;
    stream_over(s);
    if (s->is_dropped) {
        free_slot(s);
        return;
    }
    if (s->is_get) {
        /* No such stream: 405, or any other refusal. It is not asked for again. */
        if ((!st && !was_stream) || !resumes(s))
            free_slot(s);
        return;
    }
    if (!st && s->code < 300 && s->is_json && s->body.len > 0) {
        s->is_busy = true;
        give(s, str_cstr(&s->body), s->body.len);
        s->is_busy = false;
        if (s->is_dropped || s->link->is_stopping) {
            free_slot(s);
            return;
        }
    }
    if (s->id && (was_stream || (st && s->last_id.len > 0)) && resumes(s))
        return;
    set_why(s, st, why, &err);
    end_slot(s, &err);
}

/* ---- requests */

static void add(struct http_fields *to, const char *name, const char *value)
{
    /* A name that is ours and a value that was checked. */
    (void)!http_fields_add(to, name, strlen(name), value, strlen(value), NULL);
}

static void put_message_fields(struct http_slot *s, const struct client_send *m,
                               struct http_fields *f)
{
    struct str value = STR_INIT;

    add(f, "content-type", "application/json");
    if (!mcp_is_modern(s->link->revision) || m->method == MCP_METHOD_N)
        return;
    add(f, "mcp-method", mcp_method_facts(m->method)->name);
    if (m->name) {
        header_text_put(&value, m->name, strlen(m->name));
        add(f, "mcp-name", str_cstr(&value));
    }
    for (int32_t i = 0; i < m->n_fields; i++)
        add(f, m->fields[i].name, m->fields[i].value);
    str_deinit(&value);
}

/* m NULL: GET. */
static void put_fields(struct http_slot *s, const struct client_send *m, struct http_fields *f)
{
    struct link_http *l = s->link;

    add(f, "accept", m ? "application/json, text/event-stream" : "text/event-stream");
    if (m)
        put_message_fields(s, m, f);
    if (s->method != MCP_INITIALIZE && l->revision != MCP_REVISION_N &&
        l->revision != MCP_2024_11_05 && l->revision != MCP_2025_03_26)
        add(f, "mcp-protocol-version", mcp_revision_name(l->revision));
    s->had_session = l->session.len > 0;
    if (s->had_session)
        add(f, "mcp-session-id", str_cstr(&l->session));
    if (!m && s->last_id.len > 0)
        add(f, "last-event-id", str_cstr(&s->last_id));
}

static enum status begin(struct http_slot *s, const struct client_send *m, struct error *err)
{
    struct http_fields fields;
    enum status st;

    http_fields_init(&fields);
    put_fields(s, m, &fields);
    s->code = 0;
    s->is_json = false;
    s->started_ms = mono_ms(s->link);
    st = link_fetch_start(&(struct link_fetch_spec){.client = s->link->spec,
                                                    .method = m ? HTTP_POST : HTTP_GET,
                                                    .url = s->link->spec->url,
                                                    .body = m ? m->text : NULL,
                                                    .body_bytes = m ? m->n : 0,
                                                    .fields = &fields,
                                                    .ctx = s,
                                                    .on_head = on_head,
                                                    .on_body = on_body,
                                                    .on_done = on_done},
                          &s->fetch, err);
    http_fields_deinit(&fields);
    return st;
}

static enum status send(struct client_link *link, const struct client_send *m, struct error *err)
{
    struct link_http *l = of(link);
    struct http_slot *s;
    enum status st;

    if (!m->id && m->method == MCP_METHOD_N && l->n_answers >= CLIENT_ANSWERS_MAX)
        return error_set(err, STATUS_BUSY, "the server asks faster than it takes answers");
    s = new_slot(l, m->id, m->method);
    s->is_answer = !m->id && m->method == MCP_METHOD_N;
    l->n_answers += s->is_answer;
    s->is_awaited = m->method == MCP_INITIALIZED;
    l->n_awaited += s->is_awaited;
    if (m->method == MCP_INITIALIZE) { /* a new session has a stream of its own */
        loop_timer_free(l->settling);
        l->settling = NULL;
        str_clear(&l->session);
        if (l->get)
            drop_slot(l->get);
    }
    st = begin(s, m, err);
    if (st)
        free_slot(s);
    return st;
}

static void drop(struct client_link *link, int64_t id)
{
    char key[ID_BYTES];
    struct http_slot *s = map_get(of(link)->by_id, id_key(id, key));

    if (s)
        drop_slot(s);
}

static void use(struct client_link *link, enum mcp_revision r)
{
    of(link)->revision = r;
}

static bool listen_(struct client_link *link)
{
    struct link_http *l = of(link);
    struct error err = ERROR_INIT;

    assert(!l->get && !l->settling && !mcp_is_modern(l->revision));
    l->settling = loop_timer_new(l->spec->loop, LINK_SETTLE_MS, on_settled, l);
    l->get = new_slot(l, 0, MCP_METHOD_N);
    l->get->is_get = l->get->is_awaited = true;
    l->n_awaited++;
    if (begin(l->get, NULL, &err))
        free_slot(l->get);
    return true;
}

/* ---- the beginning and the end */

static enum status start(struct client_link *link, struct error *err)
{
    (void)link; /* there is no connection to make */
    (void)err;
    return STATUS_OK;
}

static void down(struct link_http *l)
{
    struct error err = ERROR_INIT;

    (void)error_set(&err, STATUS_CANCELLED, "the connection was closed");
    l->link.events.down(l->link.events.ctx, &l->link, &err);
}

static void on_stop_time(void *ctx)
{
    down(ctx);
}

static void ignore_head(void *ctx, int code, const struct http_field *fields, int32_t n)
{
    (void)ctx;
    (void)code;
    (void)fields;
    (void)n;
}

static bool ignore_body(void *ctx, const char *bytes, size_t n)
{
    (void)ctx;
    (void)bytes;
    (void)n;
    return true;
}

static void on_left(void *ctx, enum status st, const struct error *err)
{
    struct link_http *l = ctx;

    (void)st;
    (void)err;
    l->leave = NULL;
    down(l);
}

static void drop_all(struct link_http *l)
{
    struct http_slot *next;

    for (struct http_slot *s = l->slots; s; s = next) {
        next = s->next;
        drop_slot(s);
    }
}

static void stop(struct client_link *link)
{
    struct link_http *l = of(link);
    struct http_fields fields;
    enum status st = STATUS_FAILED;

    l->is_stopping = true;
    drop_all(l);
    http_fields_init(&fields);
    if (l->session.len > 0) {
        add(&fields, "mcp-session-id", str_cstr(&l->session));
        if (l->revision != MCP_REVISION_N)
            add(&fields, "mcp-protocol-version", mcp_revision_name(l->revision));
        st = link_fetch_start(&(struct link_fetch_spec){.client = l->spec,
                                                        .method = HTTP_DELETE,
                                                        .url = l->spec->url,
                                                        .fields = &fields,
                                                        .deadline_ms = l->spec->limits.stop_ms,
                                                        .ctx = l,
                                                        .on_head = ignore_head,
                                                        .on_body = ignore_body,
                                                        .on_done = on_left},
                              &l->leave, NULL);
    }
    http_fields_deinit(&fields);
    if (st)
        l->timer = loop_timer_new(l->spec->loop, 0, on_stop_time, l);
}

static void free_(struct client_link *link)
{
    struct link_http *l = of(link);

    while (l->slots)
        free_slot(l->slots);
    link_fetch_cancel(l->leave);
    loop_timer_free(l->timer);
    loop_timer_free(l->settling);
    str_deinit(&l->session);
    map_free(l->by_id, NULL);
    free(l);
}

struct client_link *link_http_new(const struct mcp_client_spec *spec,
                                  const struct client_link_events *events)
{
    static const struct client_link_ops ops = {.start = start,
                                               .send = send,
                                               .drop = drop,
                                               .use = use,
                                               .listen = listen_,
                                               .stop = stop,
                                               .free = free_};
    struct link_http *l = xcalloc(1, sizeof(*l));

    l->link = (struct client_link){.ops = &ops, .events = *events, .is_http = true};
    l->spec = spec;
    l->revision = MCP_REVISION_N;
    l->session = STR_INIT;
    l->by_id = map_new();
    return &l->link;
}
