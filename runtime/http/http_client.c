/* http_client.c - the requests of a client: those that wait, are active, or have ended.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/http_client.h"

#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/http/http_fetch.h"
#include "runtime/http/http_fetch_check.h"
#include "runtime/loop/loop.h"

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

void fetch_stop_below(struct http_fetch *f)
{
    const struct http_fetch_ops *ops = &f->client->ops;
    void *look_up = f->look_up, *started = f->started;

    f->look_up = f->started = NULL;
    if (look_up)
        ops->stop_look_up(ops->ctx, look_up);
    if (started)
        ops->cancel(ops->ctx, started);
}

void fetch_stop_timer(struct http_fetch *f)
{
    loop_timer_free(f->timer);
    f->timer = NULL;
}

void fetch_end(struct http_fetch *f, enum status st)
{
    fetch_stop_below(f);
    fetch_stop_timer(f);
    f->st = st;
    f->phase = ENDED;
    move_to(f, &f->client->ended, false);
    schedule(f->client);
}

void fetch_wait_again(struct http_fetch *f)
{
    f->phase = WAITING;
    move_to(f, &f->client->waiting, true);
    schedule(f->client);
}

static void free_fetch(struct http_fetch *f)
{
    unlink_fetch(f);
    fetch_stop_below(f);
    fetch_stop_timer(f);
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
        fetch_stop_below(f);
        fetch_stop_timer(f);
    } else {
        free_fetch(f);
    }
    schedule(c); /* a connection is free */
}

bool fetch_survived(struct http_fetch *f)
{
    f->in_callback = false;
    if (!f->cancelled)
        return true;
    free_fetch(f);
    return false;
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
    while (c->n_active < c->max_active && (f = c->waiting.first)) {
        move_to(f, &c->active, false);
        fetch_begin(f);
    }
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
    f->start_us = fetch_now_us(f);
    move_to(f, &c->waiting, false);
    fetch_set_timer(f);
    schedule(c);
    *out = f;
    return STATUS_OK;
}

void http_fetch_pause(struct http_fetch *f, bool yes)
{
    if (f->paused == yes)
        return;
    f->paused = yes;
    f->byte_us = fetch_now_us(f);
    if (f->started)
        f->client->ops.pause(f->client->ops.ctx, f->started, yes);
    fetch_set_timer(f);
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
