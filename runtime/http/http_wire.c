/* http_wire.c - connections on libwebsockets: raw sockets, with or without TLS.
 *
 * libwebsockets runs on the loop's libuv as a guest, with the role raw-skt: bytes come as they are
 * (its own HTTP parser is not used). Replies to what was just read are sent in the same callback;
 * everything else is sent at the end of the loop's turn, in one write for each connection.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libwebsockets.h>

#include "runtime/base/memory.h"
#include "runtime/http/http_server_internal.h"
#include "runtime/http/http_vhost.h"
#include "runtime/loop/loop_uv.h"

#define WRITE_BYTES                                                                                \
    ((size_t)16 << 10) /* given to libwebsockets at a time; it copies what is left */
#define CLOSE_ROUNDS 3 /* libwebsockets closes its handles in two steps */
#define SWEEP_MAX_MS 500
#define SWEEP_MIN_MS 5

static int64_t now_ms(const struct http_server *s)
{
    return seams_mono_us(s->o.seams) / 1000;
}

/* ---- the list of connections to look at in this turn */

static void make_dirty(struct http_wire *w)
{
    struct http_server *s = w->server;

    if (w->is_dirty || w->is_inside)
        return;
    w->is_dirty = true;
    w->prev_dirty = NULL;
    w->next_dirty = s->dirty;
    if (s->dirty)
        s->dirty->prev_dirty = w;
    s->dirty = w;
}

static void make_clean(struct http_wire *w)
{
    if (!w->is_dirty)
        return;
    w->is_dirty = false;
    if (w->prev_dirty)
        w->prev_dirty->next_dirty = w->next_dirty;
    else
        w->server->dirty = w->next_dirty;
    if (w->next_dirty)
        w->next_dirty->prev_dirty = w->prev_dirty;
}

/* ---- what the state machine asks for */

static void on_want_write(void *ctx)
{
    make_dirty(ctx);
}

/* libwebsockets spins if it cannot send while bytes can be read: then nothing is read. */
static void apply_pause(struct http_wire *w)
{
    bool read = !w->is_paused && w->in_lws == 0;

    (void)lws_rx_flow_control(w->wsi, read);
    if (read && w->server->o.tls_cert) /* bytes that TLS has already read make no event */
        (void)lws_callback_on_writable(w->wsi);
}

static void on_pause(void *ctx, bool yes)
{
    struct http_wire *w = ctx;

    w->is_paused = yes;
    apply_pause(w);
}

static void on_close(void *ctx, enum http_close how)
{
    struct http_wire *w = ctx;

    w->is_closing = true;
    w->how = how;
    make_dirty(w);
}

/* ---- sending */

static void flush(struct http_wire *w)
{
    unsigned char *to = w->server->scratch + LWS_PRE;
    const char *bytes;
    size_t n;

    while (w->conn && !w->is_closing && w->in_lws == 0 &&
           (n = http_conn_unsent(w->conn, &bytes)) > 0) {
        if (n > WRITE_BYTES)
            n = WRITE_BYTES;
        memcpy(to, bytes, n);
        if (lws_write(w->wsi, to, n, LWS_WRITE_RAW) < 0) {
            w->is_closing = true;
            w->how = HTTP_CLOSE_RESET;
        } else if (lws_partial_buffered(w->wsi)) {
            w->in_lws = n;
            apply_pause(w);
        } else {
            http_conn_sent(w->conn, n);
        }
    }
}

/* The end of a visit. true: the socket must be closed now. */
static bool settle(struct http_wire *w)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct http_server *s = w->server;

    if (!w->is_closing) {
        if (w->conn)
            s->due[w->index] = http_conn_deadline(w->conn);
        return false;
    }
    if (w->how == HTTP_CLOSE_LINGER) {
        (void)shutdown(lws_get_socket_fd(w->wsi), SHUT_WR);
        http_conn_free(w->conn);
        w->conn = NULL;
        w->is_closing = w->is_paused = false;
        s->due[w->index] = now_ms(s) + s->limits.linger_ms;
        apply_pause(w);
        return false;
    }
    if (w->how == HTTP_CLOSE_RESET)
        (void)setsockopt(lws_get_socket_fd(w->wsi), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    return true;
}

/* Not inside a callback of this socket. */
static void close_now(struct http_wire *w)
{
    lws_set_timeout(w->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

static void flush_dirty(struct http_server *s)
{
    while (s->dirty) {
        struct http_wire *w = s->dirty;

        make_clean(w);
        w->is_inside = true;
        flush(w);
        w->is_inside = false;
        if (settle(w))
            close_now(w);
    }
}

static void on_tick(void *ctx)
{
    struct http_server *s = ctx;

    flush_dirty(s);
    http_vhost_reap(s);
}

/* ---- deadlines */

static void on_sweep(void *ctx)
{
    struct http_server *s = ctx;
    int64_t now = now_ms(s);

    for (int32_t i = 0; i < s->n_wires; i++) {
        struct http_wire *w = s->wires[i];

        if (s->due[i] > now)
            continue;
        if (!w->conn) { /* has lingered long enough */
            w->is_closing = true;
            w->how = HTTP_CLOSE;
        } else {
            http_conn_due(w->conn);
        }
        make_dirty(w); /* also sets the next time */
    }
}

static int64_t sweep_ms(const struct http_limits *l)
{
    const int64_t times[] = {l->head_ms, l->body_ms,       l->stall_ms,
                             l->idle_ms, l->keep_alive_ms, l->linger_ms};
    int64_t ms = SWEEP_MAX_MS;

    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        if (times[i] / 8 < ms)
            ms = times[i] / 8;
    return ms < SWEEP_MIN_MS ? SWEEP_MIN_MS : ms;
}

/* ---- a connection */

static bool add(struct http_server *s, struct http_wire *w)
{
    if (s->n_wires == s->cap_wires) {
        int32_t cap = s->cap_wires ? s->cap_wires * 2 : 64;

        if (!mem_grow((void **)&s->wires, (size_t)cap, sizeof(s->wires[0])) ||
            !mem_grow((void **)&s->due, (size_t)cap, sizeof(s->due[0])))
            return false;
        s->cap_wires = cap;
    }
    w->index = s->n_wires++;
    s->wires[w->index] = w;
    s->due[w->index] = http_conn_deadline(w->conn);
    return true;
}

/* The socket is gone, or was never adopted. */
static void forget(struct http_wire *w)
{
    struct http_server *s = w->server;
    struct http_wire *last = s->wires[s->n_wires - 1];

    make_clean(w);
    s->wires[w->index] = last;
    s->due[w->index] = s->due[s->n_wires - 1];
    last->index = w->index;
    s->n_wires--;
    w->vhost->n_wires--;
    http_listen_leave(s, w->peer);
    w->is_inside = true; /* nothing that on_gone does makes it dirty */
    http_conn_free(w->conn);
    free(w);
}

void http_wire_adopt(struct http_server *s, int fd, const char *name, struct http_peer *peer)
{
    struct http_wire *w = mem_alloc(1, sizeof(*w));
    struct http_link link = {w, on_want_write, on_pause, on_close};
    lws_adopt_desc_t desc = {.vh = s->vhost->vhost,
                             .type = LWS_ADOPT_SOCKET | LWS_ADOPT_ALLOW_SSL,
                             .vh_prot_name = HTTP_PROTOCOL,
                             .opaque = w};

    if (!w)
        goto fail;
    w->server = s;
    w->vhost = s->vhost;
    w->peer = peer;
    memcpy(w->name, name, strlen(name) + 1);
    w->conn = http_conn_new(s->shared, &link, w->name);
    if (!w->conn || !add(s, w))
        goto fail;
    w->vhost->n_wires++;
    desc.fd.sockfd = fd;
    s->adopting = w;
    w = NULL;
    /* It closes fd on failure, before or after LWS_CALLBACK_RAW_CLOSE. */
    if (!lws_adopt_descriptor_vhost_via_info(&desc) && s->adopting)
        forget(s->adopting);
    s->adopting = NULL;
    return;

fail:
    if (w)
        http_conn_free(w->conn);
    free(w);
    http_listen_leave(s, peer);
    close(fd);
}

/* ---- what libwebsockets reports */

static int on_read(struct http_wire *w, const char *bytes, size_t n)
{
    if (!w->has_started) {
        w->has_started = true;
        lws_set_timeout(w->wsi, NO_PENDING_TIMEOUT, 0); /* of the TLS handshake */
    }
    if (!w->conn)
        return 0;
    w->is_inside = true;
    http_conn_feed(w->conn, bytes, n);
    flush(w);
    w->is_inside = false;
    return settle(w) ? -1 : 0;
}

/* libwebsockets has sent what it kept. */
static int on_writable(struct http_wire *w)
{
    size_t n = w->in_lws;

    if (lws_partial_buffered(w->wsi))
        return 0;
    w->is_inside = true;
    if (n > 0) {
        w->in_lws = 0;
        apply_pause(w);
        if (w->conn)
            http_conn_sent(w->conn, n);
    }
    flush(w);
    w->is_inside = false;
    return settle(w) ? -1 : 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t n)
{
    struct http_wire *w = lws_get_opaque_user_data(wsi);

    (void)user;
    switch (reason) {
    case LWS_CALLBACK_RAW_ADOPT:
        w->wsi = wsi;
        return 0;
    case LWS_CALLBACK_RAW_RX:
        w->wsi = wsi;
        return on_read(w, in, n);
    case LWS_CALLBACK_RAW_WRITEABLE:
        return on_writable(w);
    case LWS_CALLBACK_RAW_CLOSE:
        if (w->server->adopting == w)
            w->server->adopting = NULL;
        lws_set_opaque_user_data(wsi, NULL);
        forget(w);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = HTTP_PROTOCOL, .callback = on_event},
    {0},
};

/* ---- start and stop */

enum status http_wire_start(struct http_server *s, struct error *err)
{
    enum status st = http_vhost_start(s, protocols, err);

    if (st)
        return st;
    s->scratch = xmalloc(LWS_PRE + WRITE_BYTES);
    s->tick = loop_tick_new(s->loop, on_tick, s);
    s->sweep = loop_timer_every(s->loop, sweep_ms(&s->limits), on_sweep, s);
    return STATUS_OK;
}

enum status http_wire_reload(struct http_server *s, struct error *err)
{
    return http_vhost_reload(s, protocols, err);
}

static void finish(void *ctx)
{
    struct http_server *s = ctx;

    http_vhost_stop(s); /* the second half */
    free(s->scratch);
    free(s->wires);
    free(s->due);
    s->stopped(s);
}

void http_wire_stop(struct http_server *s, void (*stopped)(struct http_server *s))
{
    s->stopped = stopped;
    loop_tick_free(s->tick);
    loop_timer_free(s->sweep);
    s->tick = NULL;
    s->sweep = NULL;
    if (s->lws) {
        lws_context_destroy(s->lws); /* LWS_CALLBACK_RAW_CLOSE for each connection */
        http_vhost_stop_log(s);
        loop_after_close(s->loop, CLOSE_ROUNDS, finish, s);
    } else {
        finish(s);
    }
}
