/* http_session.c - see http_session.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/http_session.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"

#define SWEEPS 8 /* looks for idle sessions in the time that one may be idle */

/* A principal that has sessions. */
struct session_owner {
    struct http_session *oldest, *newest; /* by use */
    int32_t n;
    char name[];
};

struct http_session_table {
    struct mcp_server *server;
    struct map *sessions; /* id -> struct http_session */
    struct map *owners;   /* principal -> struct session_owner */
    struct loop_timer *sweep;
    int64_t n_ended;
};

/* ---- the order of use */

static void unlink_session(struct http_session *s)
{
    struct session_owner *o = s->owner;

    if (s->older)
        s->older->newer = s->newer;
    else
        o->oldest = s->newer;
    if (s->newer)
        s->newer->older = s->older;
    else
        o->newest = s->older;
    s->older = s->newer = NULL;
}

static void link_newest(struct http_session *s)
{
    struct session_owner *o = s->owner;

    s->older = o->newest;
    if (o->newest)
        o->newest->newer = s;
    else
        o->oldest = s;
    o->newest = s;
    s->used_us = seams_mono_us(s->table->server->seams);
}

static bool is_busy(const struct http_session *s)
{
    return s->posts || s->get.out || map_size(s->core->calls) > 0;
}

/* ---- idle ones */

/* An owner is gone when its last session is: true. */
static bool expire(struct session_owner *o, int64_t before_us)
{
    struct http_session *s = o->oldest;

    while (s && s->used_us < before_us) {
        struct http_session *next = s->newer;
        bool is_last = o->n == 1;

        if (!is_busy(s)) {
            http_session_end(s);
            if (is_last)
                return true;
        }
        s = next;
    }
    return false;
}

static void on_sweep(void *ctx)
{
    struct http_session_table *t = ctx;
    int64_t before = seams_mono_us(t->server->seams) - t->server->limits.session_idle_ms * 1000;
    void *value;
    size_t i = 0;

    while (map_next(t->owners, &i, NULL, &value))
        (void)expire(value, before); /* a removal leaves the places of the others */
    if (map_size(t->sessions) == 0) {
        loop_timer_free(t->sweep);
        t->sweep = NULL;
    }
}

/* ---- the table */

struct http_session_table *http_session_table_new(struct mcp_server *s)
{
    struct http_session_table *t = xcalloc(1, sizeof(*t));

    t->server = s;
    t->sessions = map_new();
    t->owners = map_new();
    return t;
}

void http_session_table_free(struct http_session_table *t)
{
    void *value;
    size_t i = 0;

    while (map_next(t->sessions, &i, NULL, &value))
        http_session_end(value);
    loop_timer_free(t->sweep);
    map_free(t->sessions, NULL);
    map_free(t->owners, NULL);
    free(t);
}

void http_session_table_drain(struct http_session_table *t)
{
    void *value;
    size_t i = 0;

    while (map_next(t->sessions, &i, NULL, &value))
        session_stream_detach(&((struct http_session *)value)->get);
}

void http_session_table_counts(const struct http_session_table *t, struct mcp_server_counts *out)
{
    out->sessions = (int64_t)map_size(t->sessions);
    out->sessions_ended = t->n_ended;
}

/* ---- sessions */

static void on_push(void *ctx, struct json_view message)
{
    struct http_session *s = ctx;

    session_stream_send(&s->get, message, false);
}

void http_session_touch(struct http_session *s)
{
    unlink_session(s);
    link_newest(s);
}

static void on_get_gone(void *ctx)
{
    struct http_session *s = ctx;

    mcp_session_listen(s->core, false);
    http_session_touch(s);
}

static struct session_owner *owner_of(struct http_session_table *t, const char *principal)
{
    struct session_owner *o = map_get(t->owners, principal);
    size_t n = strlen(principal) + 1;

    if (!o) {
        o = xcalloc(1, sizeof(*o) + n);
        memcpy(o->name, principal, n);
        (void)map_put(t->owners, principal, o);
    }
    return o;
}

static void make_id(const struct seams *seams, char out[33])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[16];

    seams->random.fill(seams->random.ctx, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[32] = '\0';
}

static void end_owner(struct http_session_table *t, struct session_owner *o)
{
    (void)map_remove(t->owners, o->name);
    free(o);
}

/* false: none of them is idle. */
static bool make_room(struct http_session_table *t, struct session_owner *o)
{
    struct http_session *s = o->oldest;

    if (o->n < t->server->limits.sessions)
        return true;
    while (s && is_busy(s))
        s = s->newer;
    if (!s)
        return false;
    o->n++; /* the owner stays, also if this is the last one */
    http_session_end(s);
    o->n--;
    return true;
}

enum status http_session_begin(struct http_session_table *t, const char *principal,
                               const char *view, struct json_view params, struct http_session **out,
                               struct error *err)
{
    struct http_session *s = mem_alloc(1, sizeof(*s));
    struct session_owner *o = owner_of(t, principal);
    struct mcp_session_spec spec = {
        .server = t->server, .principal = principal, .view = view, .push = on_push, .ctx = s};
    enum status st;

    if (!s) {
        if (o->n == 0)
            end_owner(t, o);
        return error_set(err, STATUS_NO_MEMORY, "out of memory");
    }
    spec.id = s->id;
    make_id(t->server->seams, s->id);
    st = mcp_session_new(&spec, params, &s->core, err);
    if (!st && !make_room(t, o)) {
        mcp_session_free(s->core);
        st = error_set(err, STATUS_LIMIT, "all %d sessions of this client are in use", o->n);
    }
    if (st) {
        if (o->n == 0)
            end_owner(t, o);
        free(s);
        return st;
    }
    s->table = t;
    s->owner = o;
    o->n++;
    s->get = (struct session_stream){.server = t->server,
                                     .log = &s->events,
                                     .on_gone = on_get_gone,
                                     .ctx = s,
                                     .has_priming = s->core->caller->revision >= MCP_2025_11_25};
    link_newest(s);
    (void)map_put(t->sessions, s->id, s);
    if (!t->sweep)
        t->sweep = loop_timer_every(t->server->loop, t->server->limits.session_idle_ms / SWEEPS,
                                    on_sweep, t);
    *out = s;
    return STATUS_OK;
}

struct http_session *http_session_find(struct http_session_table *t, const char *id,
                                       const char *principal, const char *view)
{
    struct http_session *s = map_get(t->sessions, id);

    if (!s || strcmp(s->core->caller->principal, principal) != 0 ||
        strcmp(s->core->caller->view, view) != 0)
        return NULL;
    http_session_touch(s);
    return s;
}

void http_session_end(struct http_session *s)
{
    struct http_session_table *t = s->table;

    legacy_post_cut_all(s);
    session_stream_detach(&s->get);
    mcp_session_free(s->core);
    event_log_deinit(&s->events);
    unlink_session(s);
    (void)map_remove(t->sessions, s->id);
    t->n_ended++;
    if (--s->owner->n == 0)
        end_owner(t, s->owner);
    free(s);
}
