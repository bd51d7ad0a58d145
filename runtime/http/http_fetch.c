/* http_fetch.c - the state machine of a request: finds the address, connects, reads the answer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/http_fetch.h"

#include <string.h>

#include "runtime/base/text.h"
#include "runtime/base/time_text.h"
#include "runtime/http/http_fetch_check.h"
#include "runtime/http/http_redirect.h"
#include "runtime/loop/loop.h"

#define NEVER INT64_MAX

/* ---- deadlines */

int64_t fetch_now_us(const struct http_fetch *f)
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

void fetch_set_timer(struct http_fetch *f)
{
    int64_t phase = phase_due(f), total = total_due(f), due = phase < total ? phase : total;
    int64_t now;

    if (f->phase == ENDED || due == NEVER || (f->timer && f->timer_us <= due))
        return; /* one that fires too early sets itself again */
    fetch_stop_timer(f);
    now = fetch_now_us(f);
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
    fetch_end(f, STATUS_TIMEOUT);
}

static void on_timer(void *ctx)
{
    struct http_fetch *f = ctx;
    int64_t now = fetch_now_us(f);

    fetch_stop_timer(f);
    if (now >= total_due(f)) {
        timed_out(f, "the request was not complete after", f->spec.deadline_ms);
    } else if (now < phase_due(f)) {
        fetch_set_timer(f);
    } else if (f->phase == CONNECTING && f->next_address < f->n_addresses) {
        fetch_stop_below(f);
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
    fetch_set_timer(f);
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
        fetch_end(f, st);
        return;
    }
    fetch_stop_below(f);
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
        fetch_end(f, st);
        return;
    }
    fetch_wait_again(f);
}

static bool is_too_long(struct http_fetch *f, int64_t bytes)
{
    if (bytes <= f->spec.max_body)
        return false;
    fetch_end(f, error_set(&f->err, STATUS_LIMIT, "%s: the answer is longer than %lld bytes",
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
    f->byte_us = fetch_now_us(f);
    fetch_set_timer(f);
    if (!f->spec.on_head)
        return;
    f->in_callback = true;
    f->spec.on_head(f->spec.ctx, code, fields, n);
    (void)fetch_survived(f);
}

static void on_body(void *ctx, const char *bytes, size_t n)
{
    struct http_fetch *f = ctx;
    bool go_on;

    f->byte_us = fetch_now_us(f);
    f->body_bytes += (int64_t)n;
    if (is_too_long(f, f->body_bytes) || !f->spec.on_body)
        return;
    f->in_callback = true;
    go_on = f->spec.on_body(f->spec.ctx, bytes, n);
    if (fetch_survived(f) && !go_on)
        fetch_end(f, error_set(&f->err, STATUS_CANCELLED, "%s: the reader of the answer stopped",
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
    fetch_end(f, st);
}

/* ---- the connection */

static void connect_next(struct http_fetch *f)
{
    const struct http_fetch_ops *ops = &f->client->ops;
    enum status st;

    f->try_us = fetch_now_us(f);
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
        fetch_end(f, st);
        return;
    }
    if (f->paused)
        ops->pause(ops->ctx, f->started, true);
    fetch_set_timer(f);
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
        fetch_end(f, st);
    } else {
        connect_next(f);
    }
}

void fetch_begin(struct http_fetch *f)
{
    const struct http_fetch_ops *ops = &f->client->ops;

    f->phase = CONNECTING;
    f->hop_us = f->try_us = fetch_now_us(f);
    f->hop_sent = false;
    f->n_addresses = f->next_address = 0;
    if (f->url.host_is_address) {
        memcpy(f->address[0], f->url.host, LOOKUP_TEXT); /* an address is shorter */
        f->n_addresses = 1;
        connect_next(f);
        return;
    }
    f->look_up = ops->look_up(ops->ctx, f->url.host, on_found, f);
    fetch_set_timer(f);
}
