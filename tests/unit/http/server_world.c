/* server_world.c - the process of the server, and the clients.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "server_world.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "runtime/loop/loop.h"
#include "tests/support/check.h"

#define MAX_CALLS 2048

/* ---- the process */

struct one {
    struct service *service;
    struct http_call *call;
    bool is_stream, floods;
};

struct service {
    struct world *w;
    struct loop *loop;
    struct http_server *server;
    struct loop_fd *watch;
    int ask;
    struct one calls[MAX_CALLS];
    int64_t gone;
    int eaten[4096];
    int n_eaten;
    enum status reload;
};

static struct http_route route(void *ctx, const struct http_request *q)
{
    (void)ctx;
    if (strcmp(q->path, "/echo") == 0)
        return (struct http_route){.max_body = 2000000};
    if (strcmp(q->path, "/missing") == 0)
        return (struct http_route){.reject = 404};
    return (struct http_route){.is_open = strcmp(q->path, "/healthz") == 0, .max_body = 1000};
}

static void on_gone(void *ctx)
{
    struct one *one = ctx;

    one->service->gone++;
    one->call = NULL;
}

static void flood(void *ctx)
{
    static const char block[10000];
    struct one *one = ctx;

    while (http_call_write(one->call, block, sizeof(block)))
        ;
}

static struct one *keep(struct service *s, struct http_call *c)
{
    for (int i = 0; i < MAX_CALLS; i++)
        if (!s->calls[i].call) {
            s->calls[i] = (struct one){s, c, false, false};
            http_call_on_gone(c, on_gone, &s->calls[i]);
            return &s->calls[i];
        }
    abort();
}

static void serve(void *ctx, struct http_call *c)
{
    struct service *s = ctx;
    const struct http_request *q = http_call_request(c);
    struct http_reply r = {.code = 200, .type = "text/event-stream"};
    static char big[5000000];

    if (strcmp(q->path, "/later") == 0) {
        keep(s, c);
    } else if (strcmp(q->path, "/events") == 0 || strcmp(q->path, "/flood") == 0) {
        struct one *one = keep(s, c);

        one->is_stream = true;
        one->floods = q->path[1] == 'f';
        if (!http_call_stream(c, &r)) {
            one->call = NULL;
        } else if (one->floods) {
            http_call_on_drain(c, flood, one);
            flood(one);
        }
    } else if (strcmp(q->path, "/big") == 0) {
        http_call_reply_json(c, 200, big, sizeof(big));
    } else {
        http_call_reply_json(c, 200, q->body_bytes ? q->body : "{}",
                             q->body_bytes ? (size_t)q->body_bytes : 2);
    }
}

static void eat_fds(struct service *s)
{
    int fd;

    while (s->n_eaten < 4096 && (fd = dup(s->ask)) >= 0)
        s->eaten[s->n_eaten++] = fd;
}

static void act(struct service *s, char what)
{
    struct error err = ERROR_INIT;

    for (int i = 0; i < MAX_CALLS; i++) {
        struct one *one = &s->calls[i];

        if (what == WORLD_EVENT && one->call && one->is_stream && !one->floods)
            (void)http_call_write(one->call, "data: now\n\n", 11);
        if (what == WORLD_REPLY && one->call && !one->is_stream) {
            http_call_reply_json(one->call, 200, "\"late\"", 6);
            one->call = NULL;
        }
    }
    if (what == WORLD_DRAIN)
        http_server_drain(s->server);
    if (what == WORLD_RELOAD)
        s->reload = http_server_reload(s->server, &err);
    if (what == WORLD_EAT_FDS)
        eat_fds(s);
    while (what == WORLD_FREE_FDS && s->n_eaten > 0)
        close(s->eaten[--s->n_eaten]);
    if (what == WORLD_STOP)
        loop_stop(s->loop);
}

static int64_t rss_bytes(void)
{
    static char text[4096];
    const char *line;
    FILE *f = fopen("/proc/self/status", "re");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

    text[n] = '\0';
    if (f)
        fclose(f);
    line = strstr(text, "VmRSS:");
    return line ? strtoll(line + 6, NULL, 10) * 1024 : 0;
}

static void on_question(void *ctx, int ready)
{
    struct service *s = ctx;
    struct world_answer a = {0};
    struct rusage use;
    char what = WORLD_STOP;

    (void)ready;
    if (read(s->ask, &what, 1) != 1)
        what = WORLD_STOP;
    act(s, what);
    a.counts = http_server_counts(s->server);
    a.gone = s->gone;
    a.rss_bytes = rss_bytes();
    getrusage(RUSAGE_SELF, &use);
    a.cpu_us = (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000LL + use.ru_utime.tv_usec +
               use.ru_stime.tv_usec;
    a.reload = s->reload;
    if (write(s->ask, &a, sizeof(a)) != (ssize_t)sizeof(a))
        loop_stop(s->loop);
}

static _Noreturn void run(struct world *w, int ask)
{
    static struct service s;
    struct error err = ERROR_INIT;
    struct rlimit limit = {(rlim_t)w->max_fds, (rlim_t)w->max_fds};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (w->max_fds)
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    s.w = w;
    s.ask = ask;
    w->o.seams = seams_real();
    w->o.handler = (struct http_handler){.ctx = &s, .route = route, .serve = serve};
    if (loop_new(seams_real(), &s.loop, &err) || http_server_new(s.loop, &w->o, &s.server, &err) ||
        loop_fd_new(s.loop, ask, on_question, &s, &s.watch, &err)) {
        fprintf(stderr, "%s\n", err.message);
        exit(3);
    }
    loop_fd_want(s.watch, LOOP_READ);
    w->port = http_server_port(s.server);
    if (write(ask, &w->port, sizeof(w->port)) != (ssize_t)sizeof(w->port))
        exit(3);
    loop_run(s.loop);
    loop_fd_free(s.watch);
    http_server_free(s.server);
    loop_free(s.loop);
    exit(0);
}

void world_start(struct world *w)
{
    int pair[2];

    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    fflush(NULL);
    w->pid = fork();
    assert_true(w->pid >= 0);
    if (w->pid == 0) {
        close(pair[0]);
        run(w, pair[1]);
    }
    close(pair[1]);
    w->ask = pair[0];
    assert_int_equal(read(w->ask, &w->port, sizeof(w->port)), sizeof(w->port));
}

struct world_answer world_ask(struct world *w, enum world_question q)
{
    struct world_answer a;
    char what = (char)q;

    assert_int_equal(write(w->ask, &what, 1), 1);
    assert_int_equal(recv(w->ask, &a, sizeof(a), MSG_WAITALL), sizeof(a));
    return a;
}

void world_stop(struct world *w)
{
    int status = -1;

    (void)world_ask(w, WORLD_STOP);
    close(w->ask);
    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    assert_int_equal(status, 0);
}

/* ---- clients */

int64_t client_ms(void)
{
    return seams_mono_us(seams_real()) / 1000;
}

int client_open(const struct world *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)w->port),
                            .sin_addr.s_addr = w->address ? w->address : htonl(INADDR_LOOPBACK)};
    struct timeval limit = {5, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void client_send(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, bytes, n, MSG_NOSIGNAL);

        if (k <= 0)
            return; /* the reply, or its absence, shows it */
        bytes += k;
        n -= (size_t)k;
    }
}

void client_get(const struct world *w, int fd, const char *path)
{
    char text[256];
    int n =
        snprintf(text, sizeof(text),
                 "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer secret\r\n\r\n",
                 path, w->port);

    client_send(fd, text, (size_t)n);
}

int client_reply(int fd, struct str *body)
{
    struct str head = STR_INIT;
    const char *length;
    int code = 0;
    char c;

    while (!strstr(str_cstr(&head), "\r\n\r\n") && recv(fd, &c, 1, 0) == 1)
        str_putc(&head, c);
    if (sscanf(str_cstr(&head), "HTTP/1.1 %d ", &code) != 1)
        code = 0;
    length = strstr(str_cstr(&head), "Content-Length: ");
    if (body)
        str_clear(body);
    for (int64_t left = length ? strtoll(length + 16, NULL, 10) : 0; code && left > 0;) {
        char block[65536];
        ssize_t k = recv(fd, block, left < 65536 ? (size_t)left : 65536, 0);

        if (k <= 0) {
            code = 0;
        } else if (body) {
            str_append(body, block, (size_t)k);
        }
        left -= k;
    }
    str_deinit(&head);
    return code;
}

bool client_wait_for(int fd, const char *text)
{
    struct str got = STR_INIT;
    bool found = false;
    char c;

    while (!found && recv(fd, &c, 1, 0) == 1) {
        str_putc(&got, c);
        found = strstr(str_cstr(&got), text) != NULL;
    }
    str_deinit(&got);
    return found;
}

bool client_is_closed(int fd, int64_t within_ms)
{
    int64_t end = client_ms() + within_ms;
    char block[4096];

    while (client_ms() <= end) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (poll(&p, 1, (int)(end - client_ms() > 0 ? end - client_ms() : 0)) > 0 &&
            recv(fd, block, sizeof(block), 0) <= 0)
            return true;
    }
    return false;
}

int client_healthz(const struct world *w)
{
    int fd = client_open(w), code = 0;

    if (fd < 0)
        return 0;
    client_get(w, fd, "/healthz");
    code = client_reply(fd, NULL);
    close(fd);
    return code;
}
