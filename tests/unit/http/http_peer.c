/* http_peer.c - a server on a loopback address for tests, and what came of a request.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "runtime/base/memory.h"
#include "runtime/base/text.h"

#define CONNECTIONS_MAX 512
#define REQUEST_MAX     (1 << 20)

struct peer_conn {
    struct peer *peer;
    pthread_t thread;
    int fd;
    SSL *ssl;
    char *bytes; /* (REQUEST_MAX + 1) read, not used yet */
    size_t n;
};

struct peer {
    int fd, port;
    pthread_t thread;
    SSL_CTX *tls;
    peer_serve serve;
    void *ctx;
    atomic_int n_requests, now, most;
    atomic_bool stopping;
    pthread_mutex_t lock;
    struct peer_conn *conns[CONNECTIONS_MAX];
    atomic_int n_conns;
};

/* ---- bytes */

static ssize_t conn_read(struct peer_conn *c, void *bytes, size_t n)
{
    if (c->ssl) {
        int rc = SSL_read(c->ssl, bytes, (int)n);

        return rc > 0 ? rc : 0;
    }
    return recv(c->fd, bytes, n, 0);
}

bool peer_write(struct peer_conn *c, const char *bytes, size_t n)
{
    while (n > 0 && !atomic_load(&c->peer->stopping)) {
        ssize_t rc = c->ssl ? (ssize_t)SSL_write(c->ssl, bytes, (int)n)
                            : send(c->fd, bytes, n, MSG_NOSIGNAL);

        if (rc <= 0)
            return false;
        bytes += rc;
        n -= (size_t)rc;
    }
    return n == 0;
}

bool peer_puts(struct peer_conn *c, const char *text)
{
    return peer_write(c, text, strlen(text));
}

bool peer_answer(struct peer_conn *c, const char *bytes, size_t n)
{
    char head[128];

    (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
    return peer_puts(c, head) && peer_write(c, bytes, n);
}

void peer_wait_closed(struct peer_conn *c)
{
    char bytes[4096];

    while (recv(c->fd, bytes, sizeof(bytes), 0) > 0)
        ;
}

void peer_sleep(int ms)
{
    (void)usleep((useconds_t)ms * 1000);
}

/* ---- requests */

static size_t body_length(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");

    return at ? strtoul(at + 17, NULL, 10) : 0;
}

/* The next request; false: the client has closed. */
static bool next_request(struct peer_conn *c, struct peer_request *q, size_t *used)
{
    for (;;) {
        const char *end;
        ssize_t n;

        c->bytes[c->n] = '\0';
        end = strstr(c->bytes, "\r\n\r\n");
        if (end) {
            size_t head = (size_t)(end - c->bytes) + 4;

            q->body_bytes = body_length(c->bytes);
            *used = head + q->body_bytes;
            q->text = c->bytes;
            q->body = c->bytes + head;
            if (c->n >= *used)
                return sscanf(c->bytes, "%15s %511s", q->method, q->path) == 2;
        }
        n = conn_read(c, c->bytes + c->n, REQUEST_MAX - c->n);
        if (n <= 0)
            return false;
        c->n += (size_t)n;
    }
}

static void *serve_conn(void *ctx)
{
    struct peer_conn *c = ctx;
    struct peer *p = c->peer;
    struct peer_request q;
    size_t used;
    int now = atomic_fetch_add(&p->now, 1) + 1, most = atomic_load(&p->most);

    while (now > most && !atomic_compare_exchange_weak(&p->most, &most, now))
        ;
    if (!c->ssl || SSL_accept(c->ssl) == 1) {
        while (next_request(c, &q, &used)) {
            atomic_fetch_add(&p->n_requests, 1);
            if (!p->serve(p->ctx, c, &q))
                break;
            memmove(c->bytes, c->bytes + used, c->n - used);
            c->n -= used;
        }
    }
    atomic_fetch_sub(&p->now, 1);
    (void)shutdown(c->fd, SHUT_RDWR);
    return NULL;
}

static void add_conn(struct peer *p, int fd)
{
    struct peer_conn *c = xcalloc(1, sizeof(*c));

    c->peer = p;
    c->fd = fd;
    c->bytes = xmalloc(REQUEST_MAX + 1);
    if (p->tls) {
        c->ssl = SSL_new(p->tls);
        (void)SSL_set_fd(c->ssl, fd);
    }
    pthread_mutex_lock(&p->lock);
    p->conns[atomic_fetch_add(&p->n_conns, 1)] = c;
    pthread_mutex_unlock(&p->lock);
    (void)pthread_create(&c->thread, NULL, serve_conn, c);
}

static void *accept_all(void *ctx)
{
    struct peer *p = ctx;
    int fd;

    while ((fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0 && !atomic_load(&p->stopping) &&
           atomic_load(&p->n_conns) < CONNECTIONS_MAX)
        add_conn(p, fd);
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* ---- the server */

static void listen_on(struct peer *p, const char *address, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t n = sizeof(a);
    int yes = 1;

    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(p->fd >= 0);
    (void)setsockopt(p->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    assert_int_equal(inet_pton(AF_INET, address, &a.sin_addr), 1);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(p->fd, 256), 0);
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)&a, &n), 0);
    p->port = ntohs(a.sin_port);
}

struct peer *peer_new(const char *address, int port, const char *cert_file, const char *key_file,
                      peer_serve serve, void *ctx)
{
    struct peer *p = xcalloc(1, sizeof(*p));

    (void)signal(SIGPIPE, SIG_IGN);
    p->serve = serve;
    p->ctx = ctx;
    pthread_mutex_init(&p->lock, NULL);
    if (cert_file) {
        p->tls = SSL_CTX_new(TLS_server_method());
        assert_int_equal(SSL_CTX_use_certificate_file(p->tls, cert_file, SSL_FILETYPE_PEM), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(p->tls, key_file, SSL_FILETYPE_PEM), 1);
    }
    listen_on(p, address, port);
    assert_int_equal(pthread_create(&p->thread, NULL, accept_all, p), 0);
    return p;
}

void peer_free(struct peer *p)
{
    if (!p)
        return;
    atomic_store(&p->stopping, true);
    (void)shutdown(p->fd, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->fd);
    for (int i = 0; i < atomic_load(&p->n_conns); i++) {
        struct peer_conn *c = p->conns[i];

        (void)shutdown(c->fd, SHUT_RDWR);
        pthread_join(c->thread, NULL);
        SSL_free(c->ssl);
        close(c->fd);
        free(c->bytes);
        free(c);
    }
    SSL_CTX_free(p->tls);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

int peer_port(const struct peer *p)
{
    return p->port;
}

int peer_n_connections(const struct peer *p)
{
    return atomic_load(&p->n_conns);
}

int peer_most_at_once(const struct peer *p)
{
    return atomic_load(&p->most);
}

int peer_n_requests(const struct peer *p)
{
    return atomic_load(&p->n_requests);
}

/* ---- what came of a request */

static void on_head(void *ctx, int code, const struct http_field *fields, int32_t n)
{
    struct got *g = ctx;

    g->n_heads++;
    g->code = code;
    for (int32_t i = 0; i < n; i++)
        str_printf(&g->fields, "%s: %s\n", fields[i].name, fields[i].value);
}

static bool on_body(void *ctx, const char *bytes, size_t n)
{
    struct got *g = ctx;

    g->n_pieces++;
    str_append(&g->body, bytes, n);
    return !g->on_piece || g->on_piece(g);
}

static void on_done(void *ctx, enum status st, bool sent, const struct error *err)
{
    struct got *g = ctx;

    g->n_done++;
    g->st = st;
    g->sent = sent;
    g->err = *err;
    assert_int_equal(err->status, st);
    if (g->left && --*g->left == 0)
        loop_stop(g->loop);
}

void got_deinit(struct got *g)
{
    str_deinit(&g->fields);
    str_deinit(&g->body);
}

void got_start(struct got *g, struct http_client *c, struct http_fetch_spec spec)
{
    struct error err = ERROR_INIT;

    g->fields = STR_INIT;
    g->body = STR_INIT;
    spec.ctx = g;
    spec.on_head = on_head;
    spec.on_body = on_body;
    spec.on_done = on_done;
    if (http_fetch_start(c, &spec, &g->fetch, &err))
        fail_msg("%s: %s", spec.url, err.message);
    assert_int_equal(g->n_done, 0);
}

struct bench *bench_new(const struct http_client_options *o)
{
    struct bench *b = xcalloc(1, sizeof(*b));

    assert_int_equal(loop_new(seams_real(), &b->loop, NULL), STATUS_OK);
    assert_int_equal(http_client_new(b->loop, o, &b->client, NULL), STATUS_OK);
    b->policy.allow_http = b->policy.allow_loopback = true;
    return b;
}

void bench_free(struct bench *b)
{
    http_client_free(b->client);
    loop_free(b->loop);
    free(b);
}

void bench_start(struct bench *b, struct got *g, struct http_fetch_spec spec)
{
    g->loop = b->loop;
    g->left = &b->left;
    if (!spec.policy)
        spec.policy = &b->policy;
    if (spec.deadline_ms == 0)
        spec.deadline_ms = 20000; /* a test that hangs ends */
    b->left++;
    got_start(g, b->client, spec);
}

void bench_run(struct bench *b)
{
    if (b->left > 0)
        loop_run(b->loop);
    assert_int_equal(b->left, 0);
}

void bench_fetch(struct bench *b, struct got *g, struct http_fetch_spec spec)
{
    bench_start(b, g, spec);
    bench_run(b);
}

static void stop(void *ctx)
{
    loop_stop(ctx);
}

void bench_run_ms(struct bench *b, int64_t ms)
{
    struct loop_timer *t = loop_timer_new(b->loop, ms, stop, b->loop);

    loop_run(b->loop);
    loop_timer_free(t);
}

void site_open(struct site *s, peer_serve serve, void *ctx)
{
    s->bench = bench_new(NULL);
    s->peer = peer_new("127.0.0.1", 0, NULL, NULL, serve, ctx);
}

void site_close(struct site *s)
{
    bench_free(s->bench);
    peer_free(s->peer);
}

const char *site_url(const struct site *s, const char *path, char out[256])
{
    (void)snprintf(out, 256, "http://127.0.0.1:%d%s", peer_port(s->peer), path);
    return out;
}
