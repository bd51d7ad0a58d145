/* http_shared.c - what the connections of a server share: options, counts, the streams of each
 * subject, the list of those that wait.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/memory.h"
#include "runtime/http/http_conn_internal.h"

static void set_default(int64_t *value, int64_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void set_default_i32(int32_t *value, int32_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

struct http_limits http_limits_filled(const struct http_limits *l)
{
    struct http_limits out = *l;

    set_default_i32(&out.max_connections, 10000);
    set_default_i32(&out.max_connections_per_peer, 256);
    set_default_i32(&out.max_streams_per_subject, 1000);
    set_default(&out.head_ms, 10000);
    set_default(&out.body_ms, 30000);
    set_default(&out.stall_ms, 30000);
    set_default(&out.idle_ms, 75000);
    set_default(&out.keep_alive_ms, 15000);
    set_default(&out.linger_ms, 2000);
    set_default(&out.backlog_bytes, (int64_t)256 << 10);
    set_default(&out.bodies_bytes, (int64_t)256 << 20);
    return out;
}

struct http_shared *http_shared_new(const struct http_server_options *o, int32_t port)
{
    struct http_shared *s = xcalloc(1, sizeof(*s));

    s->o = *o;
    s->limits = http_limits_filled(&o->limits);
    http_gate_init(&s->gate, o, port);
    s->subjects = map_new();
    s->date_s = -1;
    return s;
}

void http_shared_free(struct http_shared *s)
{
    if (!s)
        return;
    map_free(s->subjects, NULL);
    free(s);
}

struct http_counts *http_shared_counts(struct http_shared *s)
{
    return &s->counts;
}

bool http_shared_evict(struct http_shared *s)
{
    if (!s->first)
        return false;
    http_conn_cut(s->first, HTTP_CLOSE);
    return true;
}

void http_shared_drain(struct http_shared *s)
{
    struct http_conn *next;

    s->is_draining = true;
    for (struct http_conn *c = s->first; c; c = next) {
        next = c->next;
        if (!http_conn_has_more(c) && http_unsent_bytes(c) == 0)
            http_conn_cut(c, HTTP_CLOSE);
    }
}

int64_t http_now_us(const struct http_shared *s)
{
    return seams_mono_us(s->o.seams);
}

int64_t http_now_ms(const struct http_shared *s)
{
    return http_now_us(s) / 1000;
}

/* RFC 9110, 5.6.7; formatted once a second. */
const char *http_date(struct http_shared *s)
{
    int64_t now = seams_wall_ms(s->o.seams) / 1000;
    time_t t = (time_t)now;
    struct tm tm;

    if (now != s->date_s && gmtime_r(&t, &tm)) {
        static const char days[] = "SunMonTueWedThuFriSat";
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        struct str text;

        str_init(&text, sizeof(s->date) - 1);
        str_printf(&text, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * tm.tm_wday,
                   tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                   tm.tm_sec);
        memcpy(s->date, str_cstr(&text), text.len + 1);
        str_deinit(&text);
        s->date_s = now;
    }
    return s->date;
}

void http_wait_begin(struct http_conn *c)
{
    struct http_shared *s = c->shared;

    if (c->is_waiting)
        return;
    c->is_waiting = true;
    c->prev = s->last;
    c->next = NULL;
    if (s->last)
        s->last->next = c;
    else
        s->first = c;
    s->last = c;
}

void http_wait_end(struct http_conn *c)
{
    struct http_shared *s = c->shared;

    if (!c->is_waiting)
        return;
    c->is_waiting = false;
    if (c->prev)
        c->prev->next = c->next;
    else
        s->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    else
        s->last = c->prev;
}

struct http_subject *http_subject_take(struct http_shared *s, const char *name)
{
    struct http_subject *u = map_get(s->subjects, name);

    if (!u) {
        u = xcalloc(1, sizeof(*u));
        u->name = xstrdup(name);
        map_put(s->subjects, name, u);
    }
    if (u->streams >= s->limits.max_streams_per_subject)
        return NULL;
    u->streams++;
    s->counts.streams++;
    return u;
}

void http_subject_give(struct http_shared *s, struct http_subject *u)
{
    if (!u)
        return;
    s->counts.streams--;
    if (--u->streams > 0)
        return;
    map_remove(s->subjects, u->name);
    free(u->name);
    free(u);
}
