/* route_events.c - /api/runs/{run}/events: a run as it goes on, as server-sent events.
 *
 * A stream keeps the number of the newest step that it has sent, and the steps that were open then.
 * Numbers have no gaps and are given when a step begins, so what is new are higher numbers, and
 * other states of the open ones. The id of an event is both numbers, NEWEST-OLDEST OPEN: with it
 * another stream reads again from the oldest open step. It may send a step twice, and misses none.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api/document.h"
#include "runtime/api/run_summary.h"
#include "runtime/api/run_view.h"
#include "runtime/api/troupe_wait.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/http/sse.h"
#include "runtime/loop/loop.h"
#include "runtime/serve/api.h"
#include "runtime/serve/api_events.h"

#define LOOK_MS      500
#define TEXT_LOOK_MS 100
#define LOOKS_BLIND  10 /* then also without a commit: the death of an owner writes nothing */
#define ID_MAX       64
/* What is read at a time; then others have their turn. */
#define QUEUE_MAX (1 << 20)
#define SLICE     32768  /* of one write */
#define END       "-end" /* after the id of the last event */

struct open_step {
    int64_t seq;
    char *path;
    int32_t attempt;
    enum step_state state; /* as sent */
};

/* Text of a reply whose step was not sent yet. */
struct held_text {
    struct held_text *next;
    char *path;
    struct str text;
};

struct stream {
    struct api_events *events;
    struct stream *next;
    struct http_call *http;
    char uuid[37];
    int64_t began; /* the newest step of an earlier stream, -1 without one: its verdict was sent */
    int64_t last;  /* the newest step that was sent; -1: none */
    struct open_step *open; /* (n_open) by seq */
    size_t n_open, cap_open;
    struct held_text *held;
    int64_t looked_us;    /* for the step of a text */
    struct json *verdict; /* the newest, or NULL */
    int64_t verdict_seq;
    int status;       /* enum run_status as sent; -1: none */
    bool asks;        /* a question was opened or closed since then */
    struct str queue; /* events that are not written yet, from `written` on */
    size_t written;
    bool is_full;  /* the queue takes no more: more is read when it is empty */
    bool has_more; /* it is empty now */
    bool has_ended, too_large;
};

struct api_events {
    struct serve *s;
    struct store_reader *q;   /* of its own: query_has_changed says it once; NULL: not opened yet */
    struct loop_timer *timer; /* while there are streams */
    struct loop_timer *soon;  /* when streams have more */
    struct stream *first;
    int n_blind;
};

/* ---- life of a stream */

static void on_look(void *ctx);
static void on_soon(void *ctx);

static void held_free(struct held_text *h)
{
    free(h->path);
    str_deinit(&h->text);
    free(h);
}

static void stream_free(struct stream *e)
{
    struct api_events *a = e->events;
    struct stream **at = &a->first;

    while (*at && *at != e)
        at = &(*at)->next;
    if (*at)
        *at = e->next;
    if (!a->first) {
        loop_timer_free(a->timer);
        loop_timer_free(a->soon);
        a->timer = a->soon = NULL;
    }
    str_deinit(&e->queue);
    for (size_t i = 0; i < e->n_open; i++)
        free(e->open[i].path);
    free(e->open);
    for (struct held_text *h = e->held, *after; h; h = after) {
        after = h->next;
        held_free(h);
    }
    jv_unref(e->verdict);
    free(e);
}

static void on_gone(void *ctx)
{
    stream_free(ctx);
}

static void stream_add(struct api_events *a, struct stream *e)
{
    e->next = a->first;
    a->first = e;
    if (!a->timer)
        a->timer = loop_timer_every(a->s->loop, LOOK_MS, on_look, a);
}

/* ---- writing */

/* `closing`: the index of an open step that counts as ended. */
static void put_id(const struct stream *e, int64_t newest, size_t closing, char id[ID_MAX])
{
    size_t oldest = closing == 0 ? 1 : 0;

    snprintf(id, ID_MAX, "%lld-%lld", (long long)newest,
             (long long)(oldest < e->n_open ? e->open[oldest].seq : newest + 1));
}
#define NONE_CLOSES SIZE_MAX

/* False: not now, since the queue is full. */
static bool put_event(struct stream *e, const char *type, const char *id, struct json *adopt_data)
{
    char *data = jv_dump(adopt_data);
    struct str text = STR_INIT;
    bool fits;

    jv_unref(adopt_data);
    sse_write(&text, type, id, data, strlen(data));
    fits = e->queue.len == 0 || e->queue.len + text.len <= QUEUE_MAX;
    if (fits)
        str_append(&e->queue, str_cstr(&text), text.len);
    e->too_large = e->too_large || !str_ok(&text) || !str_ok(&e->queue);
    str_deinit(&text);
    free(data);
    return fits && !e->too_large;
}

/* Writes what the client takes. When all is written, the stream may be freed in here. */
static void flush(struct stream *e)
{
    while (e->written < e->queue.len) {
        size_t n = e->queue.len - e->written;

        n = n < SLICE ? n : SLICE;
        if (!http_call_write(e->http, str_cstr(&e->queue) + e->written, n))
            return; /* on_drain follows */
        e->written += n;
    }
    str_clear(&e->queue);
    e->written = 0;
    if (e->has_ended) {
        http_call_end(e->http);
        stream_free(e);
    } else if (e->is_full) {
        e->is_full = false;
        e->has_more = true;
        if (!e->events->soon)
            e->events->soon = loop_timer_new(e->events->s->loop, 0, on_soon, e->events);
    }
}

/* ---- provisional text: after the event of its step has begun, before the one of its end */

static struct held_text **held_find(struct stream *e, const char *path)
{
    struct held_text **at = &e->held;

    while (*at && strcmp((*at)->path, path) != 0)
        at = &(*at)->next;
    return at;
}

static bool put_text(struct stream *e, const char *path, const char *text, size_t n)
{
    struct json *doc = jv_object();

    jv_set_string(doc, "type", "text");
    jv_set_string(doc, "path", path);
    jv_set_adopt(doc, "text", jv_string_n(text, n));
    return put_event(e, "text", NULL, doc);
}

static void hold_text(struct stream *e, const char *path, const char *text, size_t n)
{
    struct held_text **at = held_find(e, path);

    if (!*at) {
        *at = xcalloc(1, sizeof(**at));
        (*at)->path = xstrdup(path);
        str_init(&(*at)->text, QUEUE_MAX / 4);
    }
    str_append(&(*at)->text, text, n);
}

/* The event of the step was sent: so is its text, unless the step is over; its output has it. */
static void release_text(struct stream *e, const char *path, bool over)
{
    struct held_text **at = held_find(e, path), *h = *at;

    if (!h)
        return;
    *at = h->next;
    if (!over && str_ok(&h->text))
        (void)put_text(e, path, str_cstr(&h->text), h->text.len); /* provisional: may be left out */
    held_free(h);
}

static bool is_over(enum step_state state)
{
    return state != STEP_STARTED && state != STEP_WAITING;
}

static bool send_step(struct stream *e, const struct step_row *s, const char *id)
{
    struct json *doc = run_step_json(s);
    const struct json *verdict = run_step_verdict(s);

    jv_set_string(doc, "type", "step");
    e->is_full = !put_event(e, "step", id, doc);
    if (e->is_full)
        return false;
    if (verdict && s->seq >= e->verdict_seq) {
        jv_unref(e->verdict);
        e->verdict = jv_deep_copy(verdict);
        e->verdict_seq = s->seq;
    }
    e->asks |= s->state == STEP_WAITING;
    release_text(e, s->path, is_over(s->state));
    return true;
}

/* ---- steps */

static void open_add(struct stream *e, const struct step_row *s)
{
    if (e->n_open == e->cap_open) {
        e->cap_open = e->cap_open ? 2 * e->cap_open : 16;
        e->open = xrealloc(e->open, e->cap_open * sizeof(*e->open));
    }
    e->open[e->n_open++] = (struct open_step){
        .seq = s->seq, .path = xstrdup(s->path), .attempt = s->attempt, .state = s->state};
}

static void open_remove(struct stream *e, size_t i)
{
    free(e->open[i].path);
    memmove(&e->open[i], &e->open[i + 1], (e->n_open - i - 1) * sizeof(*e->open));
    e->n_open--;
}

static bool send_new(void *ctx, const struct step_row *s)
{
    struct stream *e = ctx;
    char id[ID_MAX];

    if (!is_over(s->state))
        open_add(e, s);
    put_id(e, s->seq, NONE_CLOSES, id);
    if (!send_step(e, s, id)) {
        if (!is_over(s->state))
            open_remove(e, e->n_open - 1);
        return false;
    }
    e->last = s->seq;
    return true;
}

struct again {
    struct stream *e;
    size_t i;
};

/* An open step, as it is now. */
static bool send_again(void *ctx, const struct step_row *s)
{
    struct again *again = ctx;
    struct stream *e = again->e;
    struct open_step *o = &e->open[again->i];
    char id[ID_MAX];

    if (s->state == o->state) {
        again->i++;
        return true;
    }
    put_id(e, e->last, is_over(s->state) ? again->i : NONE_CLOSES, id);
    if (!send_step(e, s, id))
        return false;
    e->asks |= o->state == STEP_WAITING;
    o->state = s->state;
    if (is_over(s->state))
        open_remove(e, again->i);
    else
        again->i++;
    return true;
}

static enum status send_steps(struct stream *e, struct store_reader *q, struct error *err)
{
    struct again again = {e, 0};
    enum status st = STATUS_OK;

    while (!st && !e->is_full && again.i < e->n_open)
        st = query_step(q, e->uuid, e->open[again.i].path, e->open[again.i].attempt, send_again,
                        &again, err);
    if (!st && !e->is_full)
        st = query_steps(q, e->uuid, NULL, e->last, false, send_new, e, err);
    return st;
}

/* ---- status and result */

static bool take_status(void *ctx, const struct run_row *r)
{
    *(enum run_status *)ctx = r->status;
    return false;
}

static enum status send_status(struct stream *e, enum run_status status, struct error *err)
{
    struct json *waits = NULL, *doc;
    char id[ID_MAX];
    enum status st;

    if (e->status == (int)status && !e->asks)
        return STATUS_OK;
    st = troupe_waits(e->events->s->troupe, e->uuid, &waits, err);
    if (st)
        return st;
    doc = jv_object();
    jv_set_string(doc, "type", "status");
    jv_set_string(doc, "run", e->uuid);
    jv_set_string(doc, "status", run_status_word(status));
    jv_set_adopt(doc, "waits", waits);
    put_id(e, e->last, NONE_CLOSES, id);
    e->is_full = !put_event(e, "status", id, doc);
    if (!e->is_full) {
        e->status = (int)status;
        e->asks = false;
    }
    return STATUS_OK;
}

static bool find_verdict(void *ctx, const struct step_row *s)
{
    struct stream *e = ctx;
    const struct json *verdict = run_step_verdict(s);

    if (s->seq > e->began)
        return false;
    if (verdict && s->seq >= e->verdict_seq) {
        jv_unref(e->verdict);
        e->verdict = jv_deep_copy(verdict);
        e->verdict_seq = s->seq;
    }
    return true;
}

/* The last event: the document of the run without its steps, as `show --follow --json` ends. */
static enum status send_result(struct stream *e, struct store_reader *q, struct error *err)
{
    struct run_view v = {.tokens = false};
    char id[ID_MAX], last[ID_MAX + sizeof(END)];
    enum status st = STATUS_OK;

    if (e->began >= 0)
        st = query_steps(q, e->uuid, NULL, -1, false, find_verdict, e, err);
    if (!st)
        st = run_view_load(&v, q, e->uuid, NULL, e->last, err);
    if (!st) {
        struct json *head = v.head;

        put_id(e, e->last, NONE_CLOSES, id);
        snprintf(last, sizeof(last), "%s" END, id);
        jv_set_string(head, "type", "result");
        jv_set_string(head, "schema", "troupe.show/1");
        jv_set_adopt(head, "verdict", e->verdict ? jv_ref(e->verdict) : jv_null());
        e->is_full = !put_event(e, "result", last, jv_ref(head));
    }
    run_view_deinit(&v);
    return st;
}

/* The run is gone, or cannot be read. A client that asks again gets the reason as a reply. */
static void fail(struct stream *e, const struct error *err)
{
    if (err->status != STATUS_NOT_FOUND)
        log_write(e->events->s->o.log, LOG_WARN, "events of run %s: %s", e->uuid, err->message);
    http_call_abort(e->http);
    stream_free(e);
}

/* Queues what is new. The status is read first: when it is final, all steps are there. The stream
 * may be freed in here. */
static void send_news(struct stream *e)
{
    struct store_reader *q = e->events->q;
    enum run_status status = RUN_RUNNING;
    struct error err = ERROR_INIT;
    enum status st = query_run_bare(q, e->uuid, take_status, &status, &err);
    bool ends = run_status_is_final(status);

    e->has_more = false;
    if (!st)
        st = send_steps(e, q, &err);
    if (!st && !e->is_full)
        st = send_status(e, status, &err);
    if (!st && !e->is_full && ends)
        st = send_result(e, q, &err);
    if (!st && e->too_large)
        st = error_set(&err, STATUS_LIMIT, "a step is too large for an event");
    e->has_ended = !st && !e->is_full && ends;
    if (st)
        fail(e, &err);
    else
        flush(e);
}

static void on_drain(void *ctx)
{
    flush(ctx);
}

/* ---- all streams */

static void on_look(void *ctx)
{
    struct api_events *a = ctx;
    struct error ignored = ERROR_INIT;
    bool changed = true;

    if (query_has_changed(a->q, &changed, &ignored))
        changed = true; /* each stream finds the error */
    if (!changed && ++a->n_blind < LOOKS_BLIND)
        return;
    a->n_blind = 0;
    for (struct stream *e = a->first, *next; e; e = next) {
        next = e->next;
        if (e->queue.len == 0)
            send_news(e);
        else
            e->is_full = true; /* so that it looks again when that is written */
    }
}

static void on_soon(void *ctx)
{
    struct api_events *a = ctx;

    loop_timer_free(a->soon);
    a->soon = NULL;
    for (struct stream *e = a->first, *next; e; e = next) {
        next = e->next;
        if (e->has_more)
            send_news(e);
    }
}

struct api_events *api_events_new(struct serve *s)
{
    struct api_events *a = xcalloc(1, sizeof(*a));

    a->s = s;
    return a;
}

void api_events_free(struct api_events *a)
{
    if (!a)
        return;
    while (a->first)
        stream_free(a->first);
    store_reader_close(a->q);
    free(a);
}

void api_events_end(struct api_events *a)
{
    while (a->first) {
        struct stream *e = a->first;

        http_call_end(e->http);
        stream_free(e);
    }
}

bool api_events_has(const struct api_events *a, const char *uuid)
{
    for (const struct stream *e = a->first; e; e = e->next)
        if (strcmp(e->uuid, uuid) == 0)
            return true;
    return false;
}

static bool has_begun(const struct stream *e, const char *path)
{
    for (size_t i = 0; i < e->n_open; i++)
        if (strcmp(e->open[i].path, path) == 0)
            return true;
    return false;
}

static bool is_there(const struct api_events *a, const struct stream *e)
{
    const struct stream *at = a->first;

    while (at && at != e)
        at = at->next;
    return at != NULL;
}

/* May the stream look for a step now? Only so often: a look reads all steps of the run. */
static bool may_look(struct stream *e)
{
    int64_t now_us = seams_mono_us(e->events->s->o.seams);

    if (now_us - e->looked_us < TEXT_LOOK_MS * 1000)
        return false;
    e->looked_us = now_us;
    return true;
}

/* The first text of a step makes the stream look for it; while it is not written, text is held. */
void api_events_text(struct api_events *a, const char *uuid, const char *path, const char *text,
                     size_t n)
{
    for (struct stream *e = a->first, *next; e; e = next) {
        next = e->next;
        if (e->queue.len > 0 || e->has_more || strcmp(e->uuid, uuid) != 0)
            continue;
        if (!has_begun(e, path) && !*held_find(e, path)) {
            hold_text(e, path, "", 0);
            if (may_look(e))
                send_news(e);
            if (!is_there(a, e))
                continue;
        }
        if (!has_begun(e, path))
            hold_text(e, path, text, n);
        else if (put_text(e, path, text, n))
            flush(e);
    }
}

/* ---- the route */

/* "NEWEST-OLDEST", or the same with "-end". False: not an id of ours. */
static bool read_id(const char *text, int64_t *newest, int64_t *oldest, bool *ended)
{
    char copy[ID_MAX + sizeof(END)], *dash, *end;

    if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
        return false;
    dash = strchr(*copy == '-' ? copy + 1 : copy, '-');
    end = dash ? strchr(dash + 1, '-') : NULL;
    *ended = end && strcmp(end, END) == 0;
    if (!dash || (end && !*ended))
        return false;
    *dash = 0;
    if (end)
        *end = 0;
    return text_to_i64(copy, newest) && text_to_i64(dash + 1, oldest) && *newest >= -1 &&
           *oldest >= 0 && *oldest - 1 <= *newest;
}

/* Where an earlier stream ended. False: replied. */
static bool resume_at(struct http_call *c, struct stream *e, struct store_reader *q)
{
    const struct http_request *r = http_call_request(c);
    const char *id = http_field_value(r->fields, r->n_fields, "last-event-id");
    const struct http_reply nothing = {.code = 204};
    enum run_status status = RUN_RUNNING;
    struct error err = ERROR_INIT;
    int64_t newest, oldest;
    bool ended;

    e->began = e->last = e->verdict_seq = e->status = -1;
    if (!id || !*id)
        return true;
    if (!read_id(id, &newest, &oldest, &ended)) {
        http_call_fail(c, 400, "Last-Event-ID is not an id of these events");
        return false;
    }
    if (ended && query_run_bare(q, e->uuid, take_status, &status, &err)) {
        serve_fail(c, &err);
        return false;
    }
    if (ended && run_status_is_final(status)) { /* so a browser does not ask again */
        http_call_reply(c, &nothing);
        return false;
    }
    e->began = e->last = oldest - 1;
    return true;
}

static bool open_reader(struct api_events *a, struct http_call *c)
{
    struct error err = ERROR_INIT;
    bool changed;

    if (!a->q && store_reader_open(troupe_store(a->s->troupe), &a->q, &err)) {
        serve_fail(c, &err);
        return false;
    }
    if (!a->first && query_has_changed(a->q, &changed, &err))
        error_clear(&err); /* the stream finds the error */
    return true;
}

void route_run_events(struct serve *s, struct http_call *c, const char *const *part)
{
    const struct http_reply head = {
        .code = 200,
        .type = "text/event-stream",
        .fields =
            (const struct http_field[]){{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}},
        .n_fields = 2,
    };
    struct api_events *a = s->events;
    struct store_reader *q;
    struct stream *e;
    char uuid[37];

    if (!api_query(c, NULL, 0) || !api_run(s, c, part[0], uuid, &q) || !open_reader(a, c))
        return;
    if (http_call_request(c)->method == HTTP_HEAD) {
        http_call_reply(c, &head);
        return;
    }
    e = xcalloc(1, sizeof(*e));
    e->events = a;
    e->queue = STR_INIT;
    memcpy(e->uuid, uuid, sizeof(uuid));
    if (!resume_at(c, e, a->q)) {
        free(e);
        return;
    }
    e->http = c;
    if (!http_call_stream(c, &head)) {
        free(e);
        return;
    }
    stream_add(a, e);
    http_call_on_gone(c, on_gone, e);
    http_call_on_drain(c, on_drain, e);
    send_news(e);
}
