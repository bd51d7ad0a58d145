/* http_server_internal.h - struct http_server, for http_server.c, http_listen.c and http_wire.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_SERVER_INTERNAL_H
#define TROUPE_RUNTIME_HTTP_HTTP_SERVER_INTERNAL_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "runtime/base/map.h"
#include "runtime/http/http_conn.h"
#include "runtime/loop/loop.h"

struct lws;
struct lws_context;

/* Certificate and key as they were when they were read; a reload makes a new one. */
struct http_vhost {
    struct http_vhost *next; /* of server->retired */
    struct lws_vhost *vhost;
    int64_t n_wires;
    char name[32];
};

/* The connections of one address off loopback. */
struct http_peer {
    int32_t n;
    char name[INET6_ADDRSTRLEN];
};

/* One connection: a socket that libwebsockets owns, and its state machine. */
struct http_wire {
    struct http_server *server;
    struct lws *wsi;
    struct http_conn *conn; /* NULL: lingers */
    struct http_vhost *vhost;
    struct http_peer *peer; /* NULL: loopback */
    struct http_wire *prev_dirty, *next_dirty;
    int32_t index;    /* in server->wires */
    size_t in_lws;    /* bytes given to libwebsockets, which could not send them all yet */
    bool is_dirty;    /* in server->dirty */
    bool is_inside;   /* in a callback that ends with a flush */
    bool is_closing;  /* conn asked for it */
    bool is_paused;   /* by conn */
    bool has_started; /* bytes have come */
    enum http_close how;
    char name[INET6_ADDRSTRLEN]; /* the address of the client */
};

struct http_server {
    struct loop *loop;
    struct http_server_options o;
    struct http_limits limits;
    struct http_shared *shared;
    int32_t port;
    /* http_listen.c */
    int listen_fd; /* -1: drained */
    struct loop_fd *listen_watch;
    struct loop_timer *accept_pause; /* until more is accepted */
    struct map *peers;               /* address -> struct http_peer */
    int32_t max_fd;                  /* no descriptor of a connection may be as large */
    int64_t full_logged_ms;
    /* http_wire.c */
    struct lws_context *lws;
    struct http_vhost *vhost;   /* for new connections */
    struct http_vhost *retired; /* those that still have connections */
    struct http_vhost *reaped;  /* those that libwebsockets has freed, or will soon */
    int64_t n_vhosts;           /* made so far; their names must differ */
    struct http_wire **wires;   /* (n_wires) */
    int64_t *due;               /* (n_wires) when to look at each again */
    int32_t n_wires, cap_wires;
    struct http_wire *dirty; /* to be flushed or closed in this turn */
    struct loop_tick *tick;
    struct loop_timer *sweep;
    struct http_wire *adopting;
    unsigned char *scratch; /* what libwebsockets sends next, with room before it */
    void (*stopped)(struct http_server *s);
};

/* ---- http_listen.c */
MUST_CHECK enum status http_listen_start(struct http_server *s, struct error *err);
MUST_CHECK enum status http_listen_go(struct http_server *s, struct error *err); /* accepts */
void http_listen_stop(struct http_server *s); /* closes the listener; also a half-built one */
void http_listen_leave(struct http_server *s, struct http_peer *p); /* a connection has ended */

/* ---- http_wire.c */
MUST_CHECK enum status http_wire_start(struct http_server *s, struct error *err);
/* Closes all connections; `stopped` is called when libwebsockets is gone. */
void http_wire_stop(struct http_server *s, void (*stopped)(struct http_server *s));
MUST_CHECK enum status http_wire_reload(struct http_server *s, struct error *err);
/* Takes over fd and peer. */
void http_wire_adopt(struct http_server *s, int fd, const char *name, struct http_peer *peer);

#endif
