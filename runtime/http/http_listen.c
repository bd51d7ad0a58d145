/* http_listen.c - the listening socket: accepts, and keeps the caps.
 *
 * The socket is ours and not libwebsockets', whose listener spins when descriptors are exhausted
 * and knows no caps. At the cap the connection that has waited longest for a request gives way to
 * the new one; a few descriptors are kept for disk and child processes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/http/http_server_internal.h"

#define ACCEPT_BATCH   16 /* a turn of the loop; those that give way close at its end */
#define RESERVED_FDS   64
#define PAUSE_MS       100
#define LOG_EVERY_MS   60000
#define LISTEN_BACKLOG 4096
#define SEND_BUFFER                                                                                \
    (256 << 10) /* of the kernel, so that a stall shows before megabytes are queued */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* ---- start and stop */

static enum status parse_address(const char *text, int32_t port, union address *a, socklen_t *n,
                                 struct error *err)
{
    memset(a, 0, sizeof(*a));
    if (port < 0 || port > 65535)
        return error_set(err, STATUS_CONFIG, "port %d is not between 0 and 65535", port);
    if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
        a->v4.sin_family = AF_INET;
        a->v4.sin_port = htons((uint16_t)port);
        *n = sizeof(a->v4);
        return STATUS_OK;
    }
    if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1) {
        a->v6.sin6_family = AF_INET6;
        a->v6.sin6_port = htons((uint16_t)port);
        *n = sizeof(a->v6);
        return STATUS_OK;
    }
    return error_set(err, STATUS_CONFIG, "%s is not an IP address, such as 127.0.0.1 or ::1", text);
}

static enum status bind_socket(struct http_server *s, union address *a, socklen_t n,
                               struct error *err)
{
    int on = 1, e;

    s->listen_fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->listen_fd < 0)
        return error_errno(err, errno, "a socket");
    (void)setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (a->any.sa_family == AF_INET6)
        (void)setsockopt(s->listen_fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(s->listen_fd, &a->any, n) == 0 && listen(s->listen_fd, LISTEN_BACKLOG) == 0 &&
        getsockname(s->listen_fd, &a->any, &n) == 0)
        return STATUS_OK;
    e = errno;
    if (e == EADDRINUSE) {
        error_set(err, STATUS_FAILED, "another program uses this port");
        error_hint(err, "end that program, or listen on another port; port 0 is a free one");
        return STATUS_FAILED;
    }
    return error_errno(err, e, "the address cannot be used");
}

enum status http_listen_start(struct http_server *s, struct error *err)
{
    union address a;
    socklen_t n = 0;
    enum status st = parse_address(s->o.address, s->o.port, &a, &n, err);

    s->peers = map_new();
    s->full_logged_ms = -LOG_EVERY_MS;
    if (!st)
        st = bind_socket(s, &a, n, err);
    if (!st)
        s->port = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
    return st;
}

void http_listen_stop(struct http_server *s)
{
    loop_timer_free(s->accept_pause);
    loop_fd_free(s->listen_watch);
    s->accept_pause = NULL;
    s->listen_watch = NULL;
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    s->listen_fd = -1;
}

/* ---- caps */

void http_listen_leave(struct http_server *s, struct http_peer *p)
{
    if (!p || --p->n > 0)
        return;
    map_remove(s->peers, p->name);
    free(p);
}

static bool is_loopback(const union address *a)
{
    if (a->any.sa_family == AF_INET)
        return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

/* NULL: this address has as many connections as it may have. */
static struct http_peer *join(struct http_server *s, const char *name)
{
    struct http_peer *p = map_get(s->peers, name);

    if (!p) {
        p = xcalloc(1, sizeof(*p));
        memcpy(p->name, name, strlen(name) + 1);
        map_put(s->peers, name, p);
    }
    if (p->n >= s->limits.max_connections_per_peer)
        return NULL;
    p->n++;
    return p;
}

/* Descriptors from here on are kept for disk and child processes. */
static int fd_limit(const struct http_server *s)
{
    struct rlimit r;
    int limit = s->max_fd;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < (rlim_t)limit)
        limit = (int)r.rlim_cur;
    return limit > 4 * RESERVED_FDS ? limit - RESERVED_FDS : limit - limit / 4;
}

static void log_full(struct http_server *s, const char *what)
{
    int64_t now = seams_mono_us(s->o.seams) / 1000;

    if (!s->o.log || now < s->full_logged_ms + LOG_EVERY_MS)
        return;
    s->full_logged_ms = now;
    log_write(s->o.log, LOG_WARN, "http: %s; connections are refused", what);
}

/* The reply is written as far as the socket takes it at once; over TLS nothing can be said. */
static void refuse(struct http_server *s, int fd)
{
    static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n";

    http_shared_counts(s->shared)->rejected++;
    if (!s->o.tls_cert)
        (void)send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static void take(struct http_server *s, int fd, const union address *a)
{
    char name[INET6_ADDRSTRLEN] = "";
    const void *host = a->any.sa_family == AF_INET ? (const void *)&a->v4.sin_addr
                                                   : (const void *)&a->v6.sin6_addr;
    int on = 1, bytes = SEND_BUFFER, limit = fd_limit(s);
    bool full = s->n_wires >= s->limits.max_connections || fd >= limit;
    struct http_peer *peer = NULL;

    (void)inet_ntop(a->any.sa_family, host, name, sizeof(name));
    if (full && !http_shared_evict(s->shared)) {
        log_full(s, "no connections are left");
        refuse(s, fd);
        return;
    }
    /* Those that gave way close at the end of the turn; until then they count. */
    if (s->n_wires >= s->limits.max_connections + ACCEPT_BATCH || fd >= limit + ACCEPT_BATCH ||
        fd >= s->max_fd) {
        refuse(s, fd);
        return;
    }
    if (!is_loopback(a) && !(peer = join(s, name))) {
        log_full(s, "an address has too many connections");
        refuse(s, fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    http_shared_counts(s->shared)->accepted++;
    http_wire_adopt(s, fd, name, peer);
}

/* ---- accepting */

static void go_on(void *ctx)
{
    struct http_server *s = ctx;

    loop_timer_free(s->accept_pause);
    s->accept_pause = NULL;
    loop_fd_want(s->listen_watch, LOOP_READ);
}

static bool is_of_one_connection(int e)
{
    return e == EINTR || e == ECONNABORTED || e == EPROTO || e == EPERM || e == ENETDOWN ||
           e == ENOPROTOOPT || e == EHOSTDOWN || e == ENONET || e == EHOSTUNREACH ||
           e == EOPNOTSUPP || e == ENETUNREACH;
}

static void on_ready(void *ctx, int ready)
{
    struct http_server *s = ctx;

    (void)ready;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        union address a;
        socklen_t n = sizeof(a);
        int fd = accept4(s->listen_fd, &a.any, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            take(s, fd, &a);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (!is_of_one_connection(errno)) {
            /* The socket stays ready: without a pause the loop would spin. */
            log_full(s, strerror(errno));
            (void)http_shared_evict(s->shared);
            loop_fd_want(s->listen_watch, 0);
            s->accept_pause = loop_timer_new(s->loop, PAUSE_MS, go_on, s);
            return;
        }
    }
}

enum status http_listen_go(struct http_server *s, struct error *err)
{
    enum status st = loop_fd_new(s->loop, s->listen_fd, on_ready, s, &s->listen_watch, err);

    if (!st)
        loop_fd_want(s->listen_watch, LOOP_READ);
    return st;
}
