/* session_stream.c - see session_stream.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/session_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/text.h"

#define ID_MAX 48

struct kept_event {
    struct kept_event *next;
    int64_t stream, number;
    size_t n;
    char text[]; /* (n) as it was sent */
};

/* ---- the log */

static void drop_first(struct event_log *l)
{
    struct kept_event *e = l->first;

    l->first = e->next;
    if (!l->first)
        l->last = NULL;
    l->n--;
    l->bytes -= e->n;
    free(e);
}

void event_log_deinit(struct event_log *l)
{
    while (l->first)
        drop_first(l);
}

static void keep(struct session_stream *s, const struct str *text)
{
    const struct mcp_server_limits *limits = &s->server->limits;
    struct event_log *l = s->log;
    /* What nobody has received may be larger than all that is kept for a second time. */
    size_t max = s->out ? limits->kept_bytes : limits->queue_bytes;
    struct kept_event *e = text->len <= max ? mem_alloc(1, sizeof(*e) + text->len) : NULL;

    if (!e)
        return; /* it cannot be sent again */
    e->stream = s->number;
    e->number = s->n_events;
    e->n = text->len;
    memcpy(e->text, str_cstr(text), text->len);
    if (l->last)
        l->last->next = e;
    else
        l->first = e;
    l->last = e;
    l->n++;
    l->bytes += e->n;
    while (l->n > limits->kept_events || (l->n > 1 && l->bytes > limits->kept_bytes))
        drop_first(l);
}

/* ---- a stream */

static void on_gone(void *ctx)
{
    struct session_stream *s = ctx;

    s->out = NULL; /* a disconnect is not a cancel */
    if (s->on_gone)
        s->on_gone(s->ctx);
}

static void prime(struct session_stream *s)
{
    struct str text = STR_INIT;

    str_printf(&text, "id: %" PRId64 "-%" PRId64 "\nretry: %" PRId64 "\ndata: \n\n", s->number,
               s->n_sent, s->server->limits.retry_ms);
    sse_out_write(s->out, str_cstr(&text), text.len, false);
    str_deinit(&text);
}

static void replay(const struct event_log *l, struct sse_out *out, int64_t number, int64_t after)
{
    for (const struct kept_event *e = l->first; e; e = e->next) {
        if (e->stream == number && e->number > after)
            sse_out_write(out, e->text, e->n, false);
    }
}

bool session_stream_attach(struct session_stream *s, struct http_call *http, int64_t after)
{
    session_stream_detach(s);
    s->out = sse_out_open(s->server, http, on_gone, s);
    if (!s->out)
        return false;
    if (s->has_priming && after < 0)
        prime(s);
    replay(s->log, s->out, s->number, after < 0 ? s->n_sent : after);
    s->n_sent = s->n_events;
    return true;
}

void session_stream_send(struct session_stream *s, struct json_view message, bool may_drop)
{
    struct str text;
    char id[ID_MAX];

    str_init(&text, STR_MAX_DEFAULT);
    s->n_events++;
    (void)snprintf(id, sizeof(id), "%" PRId64 "-%" PRId64, s->number, s->n_events);
    sse_out_put_event(&text, id, message);
    if (str_ok(&text)) {
        keep(s, &text);
        if (s->out) {
            s->n_sent = s->n_events;
            sse_out_write(s->out, str_cstr(&text), text.len, may_drop);
        }
    }
    str_deinit(&text);
}

void session_stream_detach(struct session_stream *s)
{
    sse_out_end(s->out);
    s->out = NULL;
}

static void ignore(void *ctx)
{
    (void)ctx;
}

void session_stream_replay_ended(struct mcp_server *server, struct event_log *log,
                                 struct http_call *http, int64_t number, int64_t after)
{
    struct sse_out *out = sse_out_open(server, http, ignore, NULL);

    if (!out)
        return;
    replay(log, out, number, after);
    sse_out_end(out);
}

bool session_stream_read_id(const char *id, int64_t *stream, int64_t *event)
{
    const char *dash = strchr(id, '-');
    char first[ID_MAX];
    int64_t a, b;

    if (!dash || (size_t)(dash - id) >= sizeof(first))
        return false;
    memcpy(first, id, (size_t)(dash - id));
    first[dash - id] = '\0';
    if (!text_to_i64(first, &a) || !text_to_i64(dash + 1, &b) || a < 0 || b < 0)
        return false;
    *stream = a;
    *event = b;
    return true;
}
