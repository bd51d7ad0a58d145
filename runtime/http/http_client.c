/* http_client.c - the state machine of a request: waits, finds the address, connects, reads.
 *
 * A fetch is in one list: `waiting` until a connection is free, `active`, or `ended` until its
 * on_done was called. What begins or ends is done by pump(), on a turn of its own, so never inside
 * a callback of what moves the bytes. The deadline of a fetch is one timer, which is only moved
 * forward when it fires.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/http_client.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/base/time_text.h"
#include "runtime/http/http_fetch_check.h"
#include "runtime/http/http_fetch_ops.h"
#include "runtime/http/http_redirect.h"
#include "runtime/loop/loop.h"

#define NEVER INT64_MAX

enum phase { WAITING, CONNECTING, EXPECTING_HEAD, READING_BODY, ENDED };

struct http_fetch {
    struct http_fetch *next, *prev;
    struct fetch_list *list;
    struct http_client *client;
    struct http_fetch_spec spec; /* callbacks, body and limits */
    struct http_url url;         /* of this hop */
    struct http_fields fields;
    struct http_hop hop;
    void *look_up, *started;                         /* what is under way below; NULL: nothing */
    char address[LOOKUP_ADDRESSES_MAX][LOOKUP_TEXT]; /* allowed ones */
    int32_t n_addresses, next_address;
    enum phase phase;
    struct loop_timer *timer;
    int64_t timer_us;                          /* when it fires */
    int64_t start_us, hop_us, try_us, byte_us; /* begin of all, of this hop, of this address */
    int64_t body_bytes;
    int32_t n_redirects;
    bool sent, hop_sent, paused;
    bool in_callback, cancelled; /* cancelled inside a callback: freed after it */
    enum status st;
    struct error err;
};

struct fetch_list {
    struct http_fetch *first, *last;
};

struct http_client {
    struct loop *loop;
    const struct seams *seams;
    struct http_fetch_ops ops;
    struct fetch_list waiting, active, ended;
    int32_t n_active, max_active;
    struct loop_timer *pump;
};

static void pump(void *ctx);

/* ---- lists */

static void unlink_fetch(struct http_fetch *f)
{
    struct fetch_list *l = f->list;

    if (!l)
        return;
    *(f->prev ? &f->prev->next : &l->first) = f->next;
    *(f->next ? &f->next->prev : &l->last) = f->prev;
    if (l == &f->client->active)
        f->client->n_active--;
    f->next = f->prev = NULL;
    f->list = NULL;
}

static void move_to(struct http_fetch *f, struct fetch_list *l, bool front)
{
    unlink_fetch(f);
    f->list = l;
    if (front) {
        f->next = l->first;
        *(f->next ? &f->next->prev : &l->last) = f;
        l->first = f;
    } else {
        f->prev = l->last;
        *(f->prev ? &f->prev->next : &l->first) = f;
        l->last = f;
    }
    if (l == &f->client->active)
        f->client->n_active++;
}

static void schedule(struct http_client *c)
{
    if (!c->pump)
        c->pump = loop_timer_new(c->loop, 0, pump, c);
}

/* ---- end */

static void stop_below(struct http_fetch *f)
{
    const struct http_fetch_ops *ops = &f->client->ops;
    void *look_up = f->look_up, *started = f->started;

    f->look_up = f->started = NULL;
    if (look_up)
        ops->stop_look_up(ops->ctx, look_up);
    if (started)
        ops->cancel(ops->ctx, started);
}

static void stop_timer(struct http_fetch *f)
{
    loop_timer_free(f->timer);
    f->timer = NULL;
}

/* f->err says why. */
static void end(struct http_fetch *f, enum status st)
{
    stop_below(f);
    stop_timer(f);
    f->st = st;
    f->phase = ENDED;
    move_to(f, &f->client->ended, false);
    schedule(f->client);
}

static void free_fetch(struct http_fetch *f)
{
    unlink_fetch(f);
    stop_below(f);
    stop_timer(f);
    http_url_deinit(&f->url);
    http_fields_deinit(&f->fields);
    free(f);
}

void http_fetch_cancel(struct http_fetch *f)
{
    struct http_client *c = f->client;

    if (f->in_callback) {
        f->cancelled = true;
        unlink_fetch(f);
        stop_below(f);
        stop_timer(f);
    } else {
        free_fetch(f);
    }
    schedule(c); /* a connection is free */
}

/* After a callback: false when it cancelled the fetch, which is gone. */
static bool survived(struct http_fetch *f)
{
    f->in_callback = false;
    if (!f->cancelled)
        return true;
    free_fetch(f);
    return false;
}

/* ---- deadlines */

static int64_t now_us(const struct http_fetch *f)
{
    return seams_mono_us(f->client->seams);
}

static int64_t after(int64_t from_us, int64_t ms)
{
    int64_t us;

    return __builtin_mul_overflow(ms, 1000, &us) || __builtin_add_overflow(us, from_us, &us) ? NEVER
                                                                                             : us;
}

/* Of this try: what is left of connect_ms is shared by the addresses that are left. */
static int64_t connect_due(const struct http_fetch *f)
{
    int64_t due = after(f->hop_us, f->spec.connect_ms);
    int32_t left = f->n_addresses - f->next_address;

    return left > 0 && due != NEVER ? f->try_us + (due - f->try_us) / (left + 1) : due;
}

static int64_t phase_due(const struct http_fetch *f)
{
    switch (f->phase) {
    case CONNECTING:
        return connect_due(f);
    case EXPECTING_HEAD:
        return after(f->hop_us, f->spec.first_byte_ms);
    case READING_BODY:
        return f->paused ? NEVER : after(f->byte_us, f->spec.idle_ms);
    default:
        return NEVER;
    }
}

static int64_t total_due(const struct http_fetch *f)
{
    return f->spec.deadline_ms > 0 ? after(f->start_us, f->spec.deadline_ms) : NEVER;
}

static void on_timer(void *ctx);

static void set_timer(struct http_fetch *f)
{
    int64_t phase = phase_due(f), total = total_due(f), due = phase < total ? phase : total;
    int64_t now;

    if (f->phase == ENDED || due == NEVER || (f->timer && f->timer_us <= due))
        return; /* one that fires too early sets itself again */
    stop_timer(f);
    now = now_us(f);
    f->timer_us = due;
    f->timer =
        loop_timer_new(f->client->loop, due <= now ? 0 : (due - now + 999) / 1000, on_timer, f);
}

static void connect_next(struct http_fetch *f);

static void timed_out(struct http_fetch *f, const char *what, int64_t ms)
{
    struct str length = STR_INIT;

    duration_put(&length, ms);
    (void)error_set(&f->err, STATUS_TIMEOUT, "%s: %s %s", f->url.origin, what, str_cstr(&length));
    str_deinit(&length);
    end(f, STATUS_TIMEOUT);
}

static void on_timer(void *ctx)
{
    struct http_fetch *f = ctx;
    int64_t now = now_us(f);

    stop_timer(f);
    if (now >= total_due(f)) {
        timed_out(f, "the request was not complete after", f->spec.deadline_ms);
    } else if (now < phase_due(f)) {
        set_timer(f);
    } else if (f->phase == CONNECTING && f->next_address < f->n_addresses) {
        stop_below(f);
        connect_next(f);
    } else if (f->phase == CONNECTING) {
        timed_out(f, f->look_up ? "its address was not found within" : "no connection within",
                  f->spec.connect_ms);
    } else if (f->phase == EXPECTING_HEAD) {
        timed_out(f, "no answer within", f->spec.first_byte_ms);
    } else {
        timed_out(f, "the answer stopped for", f->spec.idle_ms);
    }
}

/* ---- the answer */

static void on_sent(void *ctx)
{
    struct http_fetch *f = ctx;

    f->sent = f->hop_sent = true;
    if (f->phase == CONNECTING)
        f->phase = EXPECTING_HEAD;
    set_timer(f);
}

/* Becomes the request that the redirect asks for, and waits for its turn first. */
static void follow(struct http_fetch *f, int code, const char *location)
{
    struct http_redirect next;
    enum status st = STATUS_OK;

    if (f->n_redirects++ >= f->spec.max_redirects)
        st = error_set(&f->err, STATUS_LIMIT, "%s: more than %d redirects", f->url.origin,
                       (int)f->spec.max_redirects);
    if (st == STATUS_OK)
        st = http_redirect_follow(&f->url, code, f->spec.method, location, &next, &f->err);
    if (st) {
        end(f, st);
        return;
    }
    stop_below(f);
    http_url_deinit(&f->url);
    f->url = next.url;
    f->spec.method = next.method;
    if (!next.same_origin)
        http_fields_clear(&f->fields);
    if (!next.keep_body) {
        f->spec.body_bytes = 0;
        http_fields_drop_content(&f->fields);
    }
    st = http_check_url(f->spec.policy, &f->url, &f->err);
    if (st) {
        error_note(&f->err, "a redirect");
        end(f, st);
        return;
    }
    f->phase = WAITING;
    move_to(f, &f->client->waiting, true);
    schedule(f->client);
}

static bool is_too_long(struct http_fetch *f, int64_t bytes)
{
    if (bytes <= f->spec.max_body)
        return false;
    end(f, error_set(&f->err, STATUS_LIMIT, "%s: the answer is longer than %lld bytes",
                     f->url.origin, (long long)f->spec.max_body));
    return true;
}

static void on_head(void *ctx, int code, const struct http_field *fields, int32_t n)
{
    struct http_fetch *f = ctx;
    const char *location = http_field_value(fields, n, "location");
    const char *length = http_field_value(fields, n, "content-length");
    int64_t bytes;

    if (f->spec.max_redirects > 0 && http_is_redirect(code) && location) {
        follow(f, code, location);
        return;
    }
    if (f->spec.method != HTTP_HEAD && length && text_to_i64(length, &bytes) &&
        is_too_long(f, bytes))
        return;
    f->phase = READING_BODY;
    f->byte_us = now_us(f);
    set_timer(f);
    if (!f->spec.on_head)
        return;
    f->in_callback = true;
    f->spec.on_head(f->spec.ctx, code, fields, n);
    (void)survived(f);
}

static void on_body(void *ctx, const char *bytes, size_t n)
{
    struct http_fetch *f = ctx;
    bool go_on;

    f->byte_us = now_us(f);
    f->body_bytes += (int64_t)n;
    if (is_too_long(f, f->body_bytes) || !f->spec.on_body)
        return;
    f->in_callback = true;
    go_on = f->spec.on_body(f->spec.ctx, bytes, n);
    if (survived(f) && !go_on)
        end(f, error_set(&f->err, STATUS_CANCELLED, "%s: the reader of the answer stopped",
                         f->url.origin));
}

static void on_end(void *ctx, enum status st, const struct error *err)
{
    struct http_fetch *f = ctx;

    f->started = NULL;
    if (st == STATUS_IO && !f->hop_sent && f->next_address < f->n_addresses) {
        connect_next(f);
        return;
    }
    if (st)
        f->err = *err;
    end(f, st);
}

/* ---- the connection */

static void connect_next(struct http_fetch *f)
{
    const struct http_fetch_ops *ops = &f->client->ops;
    enum status st;

    f->try_us = now_us(f);
    f->hop = (struct http_hop){
        .method = f->spec.method,
        .url = &f->url,
        .address = f->address[f->next_address++],
        .fields = http_fields_list(&f->fields),
        .n_fields = f->fields.n,
        .body = f->spec.body,
        .body_bytes = f->spec.body_bytes,
        .ctx = f,
        .on_sent = on_sent,
        .on_head = on_head,
        .on_body = on_body,
        .on_end = on_end,
    };
    st = f->hop.fields ? ops->start(ops->ctx, &f->hop, &f->started, &f->err)
                       : error_set(&f->err, STATUS_NO_MEMORY, "no memory for header fields");
    if (st) {
        end(f, st);
        return;
    }
    if (f->paused)
        ops->pause(ops->ctx, f->started, true);
    set_timer(f);
}

/* Keeps the addresses that are allowed. */
static void on_found(void *ctx, enum status st, char (*address)[LOOKUP_TEXT], int32_t n,
                     const struct error *err)
{
    struct http_fetch *f = ctx;
    struct error refused = ERROR_INIT;

    f->look_up = NULL;
    if (st)
        f->err = *err;
    for (int32_t i = 0; i < n && st == STATUS_OK && f->n_addresses < LOOKUP_ADDRESSES_MAX; i++) {
        enum status allowed = address_check(f->spec.policy, address[i], &refused);

        if (allowed == STATUS_OK)
            memcpy(f->address[f->n_addresses++], address[i], LOOKUP_TEXT);
        else if (allowed != STATUS_REJECTED)
            st = allowed;
    }
    if (f->err.status == STATUS_OK && (st || f->n_addresses == 0)) {
        st = st ? st : STATUS_REJECTED;
        f->err = refused;
    }
    if (st) {
        error_note(&f->err, "%s", f->url.origin);
        end(f, st);
    } else {
        connect_next(f);
    }
}

static void begin(struct http_fetch *f)
{
    const struct http_fetch_ops *ops = &f->client->ops;

    move_to(f, &f->client->active, false);
    f->phase = CONNECTING;
    f->hop_us = f->try_us = now_us(f);
    f->hop_sent = false;
    f->n_addresses = f->next_address = 0;
    if (f->url.host_is_address) {
        memcpy(f->address[0], f->url.host, LOOKUP_TEXT); /* an address is shorter */
        f->n_addresses = 1;
        connect_next(f);
        return;
    }
    f->look_up = ops->look_up(ops->ctx, f->url.host, on_found, f);
    set_timer(f);
}

static void pump(void *ctx)
{
    struct http_client *c = ctx;
    struct http_fetch *f;

    loop_timer_free(c->pump);
    c->pump = NULL;
    while ((f = c->ended.first)) {
        unlink_fetch(f);
        f->in_callback = true;
        f->spec.on_done(f->spec.ctx, f->st, f->sent, &f->err);
        free_fetch(f);
    }
    while (c->n_active < c->max_active && (f = c->waiting.first))
        begin(f);
}

/* ---- what a caller calls */

static int64_t or_default(int64_t v, int64_t without)
{
    return v > 0 ? v : without;
}

enum status http_fetch_start(struct http_client *c, const struct http_fetch_spec *spec,
                             struct http_fetch **out, struct error *err)
{
    struct http_fetch *f = mem_alloc(1, sizeof(*f));
    enum status st;

    if (!f)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a request");
    f->client = c;
    f->spec = *spec;
    f->spec.url = NULL;
    f->spec.fields = NULL;
    http_fields_init(&f->fields);
    st = http_check_spec(spec, &f->url, &f->fields, err);
    if (st) {
        free_fetch(f);
        return st;
    }
    f->spec.connect_ms = or_default(spec->connect_ms, 10000);
    f->spec.first_byte_ms = or_default(spec->first_byte_ms, 600000);
    f->spec.idle_ms = or_default(spec->idle_ms, 60000);
    f->spec.max_body = or_default(spec->max_body, (int64_t)64 << 20);
    f->start_us = now_us(f);
    move_to(f, &c->waiting, false);
    set_timer(f);
    schedule(c);
    *out = f;
    return STATUS_OK;
}

void http_fetch_pause(struct http_fetch *f, bool yes)
{
    if (f->paused == yes)
        return;
    f->paused = yes;
    f->byte_us = now_us(f);
    if (f->started)
        f->client->ops.pause(f->client->ops.ctx, f->started, yes);
    set_timer(f);
}

struct http_client *http_client_with(struct loop *l, const struct http_client_options *o,
                                     const struct http_fetch_ops *ops)
{
    struct http_client *c = xcalloc(1, sizeof(*c));

    c->loop = l;
    c->seams = o && o->seams ? o->seams : seams_real();
    c->max_active = o && o->max_connections > 0 ? o->max_connections : 256;
    c->ops = *ops;
    return c;
}

enum status http_client_new(struct loop *l, const struct http_client_options *o,
                            struct http_client **out, struct error *err)
{
    struct http_fetch_ops ops;
    enum status st = http_client_curl(l, o, &ops, err);

    if (st == STATUS_OK)
        *out = http_client_with(l, o, &ops);
    return st;
}

static void free_all(struct fetch_list *l)
{
    while (l->first)
        free_fetch(l->first);
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    free_all(&c->waiting);
    free_all(&c->active);
    free_all(&c->ended);
    loop_timer_free(c->pump);
    if (c->ops.free)
        c->ops.free(c->ops.ctx);
    free(c);
}
