/* http_memory.c - an HTTP server in memory.
 *
 * An exchange is one request and its answer: a timer leads it from step to step.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/http_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/http/http_fields.h"
#include "runtime/loop/loop.h"

#define PUBLIC_ADDRESS "93.184.215.14"
#define NO_HOST        ((void *)(uintptr_t)1)

enum step { CONNECT, HEAD, BODY };

struct exchange {
    struct http_memory *memory;
    const struct http_hop *hop;
    struct http_memory_reply reply;
    struct http_fields fields;
    struct str body;
    struct loop_timer *timer;
    enum step step;
    uint32_t number, n_pieces;
    size_t sent;
    bool paused, in_callback, cancelled;
};

struct look_up {
    struct http_memory *memory;
    char host[256];
    name_found found;
    void *arg;
    struct loop_timer *timer;
};

struct scripted {
    struct http_memory_reply reply;
    int used;
};

struct recorded {
    struct http_memory_request shown;
    struct http_fields fields;
    struct str url, body;
    char address[LOOKUP_TEXT];
};

struct http_memory {
    struct loop *loop;
    struct http_fetch_ops ops;
    struct scripted *replies;
    struct recorded **requests;
    int32_t n_replies, n_requests;
    struct map *hosts;
    struct http_memory_chaos chaos;
    void (*serve)(void *ctx, const struct http_memory_request *q, struct http_memory_reply *out);
    void *serve_ctx;
};

/* ---- which reply */

static bool fits(const struct scripted *s, const struct http_memory_request *q)
{
    const struct http_memory_reply *r = &s->reply;

    if (r->times >= 0 && s->used >= (r->times ? r->times : 1))
        return false;
    return (!r->method || strcmp(r->method, q->method) == 0) &&
           (!r->url || strncmp(r->url, q->url, strlen(r->url)) == 0) &&
           (!r->body_contains || strstr(q->body, r->body_contains));
}

static struct http_memory_reply choose(struct http_memory *m, const struct http_memory_request *q)
{
    struct http_memory_reply r = {.code = 404, .body = "http_memory: no reply fits this request"};

    for (int32_t i = 0; i < m->n_replies; i++) {
        if (fits(&m->replies[i], q)) {
            m->replies[i].used++;
            return m->replies[i].reply;
        }
    }
    if (m->serve) {
        r = (struct http_memory_reply){.code = 0};
        m->serve(m->serve_ctx, q, &r);
    }
    return r;
}

static uint32_t random_below(const struct exchange *x, uint32_t what, uint32_t i, uint32_t n)
{
    return rng_below(rng_philox(x->memory->chaos.seed, x->number, what, i, 0).word[0], n);
}

static bool happens(const struct exchange *x, uint32_t what, int32_t percent)
{
    return percent > 0 && random_below(x, what, 0, 100) < (uint32_t)percent;
}

static void add_faults(struct exchange *x)
{
    const struct http_memory_chaos *c = &x->memory->chaos;
    struct http_memory_reply *r = &x->reply;

    if (r->fault != HTTP_MEMORY_WHOLE)
        return;
    if (happens(x, 1, c->refuse_percent)) {
        r->fault = HTTP_MEMORY_REFUSE;
    } else if (happens(x, 2, c->drop_percent)) {
        r->fault = HTTP_MEMORY_DROP;
    } else if (happens(x, 3, c->cut_percent)) {
        r->fault = HTTP_MEMORY_CUT;
        r->at = random_below(x, 4, 0, (uint32_t)x->body.len + 1);
    }
}

/* ---- an exchange */

static void free_exchange(struct exchange *x)
{
    loop_timer_free(x->timer);
    http_fields_deinit(&x->fields);
    str_deinit(&x->body);
    free(x);
}

static void go_on(void *ctx);

static void wait(struct exchange *x, int64_t ms)
{
    if (x->step == BODY && x->memory->chaos.wait_ms > 0)
        ms += random_below(x, 5, x->n_pieces, (uint32_t)x->memory->chaos.wait_ms + 1);
    x->timer = loop_timer_new(x->memory->loop, ms, go_on, x);
}

static void finish(struct exchange *x, enum status st, const char *message)
{
    const struct http_hop *hop = x->hop;
    struct error err = ERROR_INIT;

    if (st)
        (void)error_set(&err, st, "%s (%s): %s", hop->url->origin, hop->address, message);
    free_exchange(x);
    hop->on_end(hop->ctx, st, &err);
}

static void send_piece(struct exchange *x, size_t end)
{
    size_t n = end - x->sent, piece = x->reply.piece_bytes;
    size_t from = x->sent;

    if (piece > 0 && piece < n)
        n = piece;
    if (x->memory->chaos.split_bytes > 0) {
        size_t some = 1 + random_below(x, 6, x->n_pieces, (uint32_t)x->memory->chaos.split_bytes);

        n = some < n ? some : n;
    }
    x->n_pieces++;
    x->sent += n;
    x->hop->on_body(x->hop->ctx, str_cstr(&x->body) + from, n);
}

/* What is done, and whether the exchange goes on by itself. */
static bool do_step(struct exchange *x)
{
    const struct http_hop *hop = x->hop;
    bool ends_early = x->reply.fault >= HTTP_MEMORY_CUT && x->reply.at < x->body.len;
    size_t end = ends_early ? x->reply.at : x->body.len;

    if (x->step == CONNECT) {
        if (x->reply.fault == HTTP_MEMORY_HANG)
            return false;
        hop->on_sent(hop->ctx);
        x->step = HEAD;
        return x->reply.fault != HTTP_MEMORY_NO_ANSWER;
    }
    if (x->step == HEAD) {
        x->step = BODY;
        hop->on_head(hop->ctx, x->reply.code, http_fields_list(&x->fields), x->fields.n);
        return true;
    }
    if (x->sent < end)
        send_piece(x, end);
    return x->sent < end || x->reply.fault != HTTP_MEMORY_STALL;
}

static bool has_ended(const struct exchange *x)
{
    size_t end =
        x->reply.fault >= HTTP_MEMORY_CUT && x->reply.at < x->body.len ? x->reply.at : x->body.len;

    return x->step == BODY && x->sent >= end && x->reply.fault != HTTP_MEMORY_STALL;
}

static void go_on(void *ctx)
{
    struct exchange *x = ctx;
    bool goes_on;

    loop_timer_free(x->timer);
    x->timer = NULL;
    if (x->step == CONNECT && x->reply.fault == HTTP_MEMORY_REFUSE) {
        finish(x, STATUS_IO, "connection refused");
        return;
    }
    if (x->step == HEAD && x->reply.fault == HTTP_MEMORY_DROP) {
        finish(x, STATUS_IO, "closed without an answer");
        return;
    }
    if (has_ended(x)) {
        bool whole = x->reply.fault != HTTP_MEMORY_CUT;

        finish(x, whole ? STATUS_OK : STATUS_IO, "closed before the end of the answer");
        return;
    }
    x->in_callback = true;
    goes_on = do_step(x);
    x->in_callback = false;
    if (x->cancelled)
        free_exchange(x);
    else if (goes_on && !(x->paused && x->step == BODY))
        wait(x, x->step == HEAD ? x->reply.head_ms : has_ended(x) ? 0 : x->reply.piece_ms);
}

/* ---- the ops */

static const struct http_memory_request *record(struct http_memory *m, const struct http_hop *hop)
{
    struct recorded *r = xcalloc(1, sizeof(*r));

    http_fields_init(&r->fields);
    r->url = r->body = STR_INIT;
    for (int32_t i = 0; i < hop->n_fields; i++)
        (void)!http_fields_add(&r->fields, hop->fields[i].name, strlen(hop->fields[i].name),
                               hop->fields[i].value, strlen(hop->fields[i].value), NULL);
    str_printf(&r->url, "%s%s", hop->url->origin, hop->url->target);
    if (hop->body_bytes > 0)
        str_append(&r->body, hop->body, hop->body_bytes);
    (void)snprintf(r->address, sizeof(r->address), "%s", hop->address);
    r->shown = (struct http_memory_request){
        .method = http_method_name(hop->method),
        .url = str_cstr(&r->url),
        .address = r->address,
        .fields = http_fields_list(&r->fields),
        .n_fields = r->fields.n,
        .body = str_cstr(&r->body),
        .body_bytes = r->body.len,
    };
    m->requests = xrealloc(m->requests, (size_t)(m->n_requests + 1) * sizeof(*m->requests));
    m->requests[m->n_requests++] = r;
    return &r->shown;
}

static enum status start(void *ctx, const struct http_hop *hop, void **out, struct error *err)
{
    struct http_memory *m = ctx;
    const struct http_memory_request *q = record(m, hop);
    struct exchange *x = xcalloc(1, sizeof(*x));
    struct http_memory_reply *r = &x->reply;

    (void)err;
    x->memory = m;
    x->hop = hop;
    x->number = (uint32_t)m->n_requests;
    *r = choose(m, q);
    r->code = r->code ? r->code : 200;
    http_fields_init(&x->fields);
    if (r->type)
        (void)!http_fields_add(&x->fields, "content-type", 12, r->type, strlen(r->type), NULL);
    for (int32_t i = 0; i < r->n_fields; i++)
        (void)!http_fields_add(&x->fields, r->fields[i].name, strlen(r->fields[i].name),
                               r->fields[i].value, strlen(r->fields[i].value), NULL);
    x->body = STR_INIT;
    if (r->body && hop->method != HTTP_HEAD)
        str_append(&x->body, r->body, r->body_bytes ? r->body_bytes : strlen(r->body));
    add_faults(x);
    wait(x, 0);
    *out = x;
    return STATUS_OK;
}

static void cancel(void *ctx, void *started)
{
    struct exchange *x = started;

    (void)ctx;
    if (x->in_callback)
        x->cancelled = true;
    else
        free_exchange(x);
}

static void set_paused(void *ctx, void *started, bool yes)
{
    struct exchange *x = started;
    bool waits = x->paused && x->step == BODY && !x->timer && !x->in_callback;

    (void)ctx;
    x->paused = yes;
    if (!yes && waits)
        wait(x, 0);
    if (yes && x->step == BODY) {
        loop_timer_free(x->timer);
        x->timer = NULL;
    }
}

static void found_now(void *ctx)
{
    struct look_up *l = ctx, copy = *l;
    const char *text = map_get(l->memory->hosts, l->host);
    char address[LOOKUP_ADDRESSES_MAX][LOOKUP_TEXT];
    struct error err = ERROR_INIT;
    int32_t n = 0;

    loop_timer_free(l->timer);
    free(l);
    if (text == NO_HOST) {
        enum status st = error_set(&err, STATUS_NOT_FOUND, "there is no host %s", copy.host);

        copy.found(copy.arg, st, address, 0, &err);
        return;
    }
    for (text = text ? text : PUBLIC_ADDRESS; *text && n < LOOKUP_ADDRESSES_MAX; n++) {
        size_t bytes = strcspn(text, " ");

        (void)snprintf(address[n], LOOKUP_TEXT, "%.*s", (int)bytes, text);
        text += bytes + strspn(text + bytes, " ");
    }
    copy.found(copy.arg, STATUS_OK, address, n, &err);
}

static void *look_up(void *ctx, const char *host, name_found found, void *arg)
{
    struct http_memory *m = ctx;
    struct look_up *l = xcalloc(1, sizeof(*l));

    l->memory = m;
    (void)snprintf(l->host, sizeof(l->host), "%s", host);
    l->found = found;
    l->arg = arg;
    l->timer = loop_timer_new(m->loop, 0, found_now, l);
    return l;
}

static void stop_look_up(void *ctx, void *started)
{
    struct look_up *l = started;

    (void)ctx;
    loop_timer_free(l->timer);
    free(l);
}

/* ---- for tests */

struct http_memory *http_memory_new(struct loop *l)
{
    struct http_memory *m = xcalloc(1, sizeof(*m));

    m->loop = l;
    m->hosts = map_new();
    m->ops = (struct http_fetch_ops){
        .ctx = m,
        .start = start,
        .cancel = cancel,
        .pause = set_paused,
        .look_up = look_up,
        .stop_look_up = stop_look_up,
    };
    return m;
}

void http_memory_free(struct http_memory *m)
{
    if (!m)
        return;
    for (int32_t i = 0; i < m->n_requests; i++) {
        http_fields_deinit(&m->requests[i]->fields);
        str_deinit(&m->requests[i]->url);
        str_deinit(&m->requests[i]->body);
        free(m->requests[i]);
    }
    free(m->requests);
    free(m->replies);
    map_free(m->hosts, NULL);
    free(m);
}

const struct http_fetch_ops *http_memory_ops(struct http_memory *m)
{
    return &m->ops;
}

void http_memory_reply(struct http_memory *m, const struct http_memory_reply *r)
{
    m->replies = xrealloc(m->replies, (size_t)(m->n_replies + 1) * sizeof(*m->replies));
    m->replies[m->n_replies++] = (struct scripted){.reply = *r};
}

int32_t http_memory_n_requests(const struct http_memory *m)
{
    return m->n_requests;
}

const struct http_memory_request *http_memory_request(const struct http_memory *m, int32_t i)
{
    return i >= 0 && i < m->n_requests ? &m->requests[i]->shown : NULL;
}

void http_memory_serve(struct http_memory *m,
                       void (*serve)(void *ctx, const struct http_memory_request *q,
                                     struct http_memory_reply *out),
                       void *ctx)
{
    m->serve = serve;
    m->serve_ctx = ctx;
}

void http_memory_chaos(struct http_memory *m, const struct http_memory_chaos *chaos)
{
    m->chaos = *chaos;
}

void http_memory_host(struct http_memory *m, const char *host, const char *addresses)
{
    (void)map_put(m->hosts, host, addresses ? (void *)(uintptr_t)addresses : NO_HOST);
}
