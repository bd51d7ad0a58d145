/* bench_http.c - the HTTP server: CPU time of a request and of an event, memory of idle streams,
 * latency beside many others.
 *
 *     bench_http [--json] [--quick]
 *
 * The server runs in a process of its own; its CPU time is read from outside. The yardstick is
 * libwebsockets' own HTTP server with handlers that do nothing else (bench_http_bare.c), measured
 * in turn with ours; the least of several rounds counts, since other programs only add. Opens up to
 * 10,000 connections on loopback, and lasts about 40 s; --quick: 10 s, with 2,000 connections.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench_http_bare.h"
#include "runtime/base/memory.h"
#include "runtime/http/http_server.h"
#include "runtime/loop/loop.h"

#define REPLY    "{\"status\":\"ok\"}"
#define EVENT    "data: {\"token\":\"hello\",\"index\":123456}\n\n"
#define EVENT_MS 1
#define BUSY     16 /* connections with one request each on the way */

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench_http: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- the servers */

struct ours {
    struct http_call *streams[20000];
    int n;
};

static struct http_route route(void *ctx, const struct http_request *q)
{
    (void)ctx;
    (void)q;
    return (struct http_route){.is_open = true, .max_body = 65536};
}

static void serve(void *ctx, struct http_call *c)
{
    struct ours *o = ctx;
    struct http_reply r = {.code = 200, .type = "text/event-stream"};

    if (strcmp(http_call_request(c)->path, "/events") != 0)
        http_call_reply_json(c, 200, REPLY, sizeof(REPLY) - 1);
    else if (http_call_stream(c, &r))
        o->streams[o->n++] = c;
}

static void on_time_ours(void *ctx)
{
    struct ours *o = ctx;

    for (int i = 0; i < o->n; i++)
        (void)http_call_write(o->streams[i], EVENT, sizeof(EVENT) - 1);
}

static void on_time_bare(void *ctx)
{
    (void)ctx;
    bare_event();
}

static _Noreturn void run_server(bool bare, bool events, int out)
{
    static struct ours o;
    struct http_server_options options = {
        .seams = seams_real(),
        .handler = {.ctx = &o, .route = route, .serve = serve},
        .limits = {.max_connections = 15000, .max_streams_per_subject = 20000},
    };
    struct error err = ERROR_INIT;
    struct http_server *s = NULL;
    struct loop *l = NULL;
    int32_t port;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (loop_new(seams_real(), &l, &err) || (!bare && http_server_new(l, &options, &s, &err))) {
        (void)fprintf(stderr, "bench_http: %s\n", err.message);
        exit(1);
    }
    port = bare ? bare_start(l, REPLY, EVENT) : http_server_port(s);
    if (events)
        (void)loop_timer_every(l, EVENT_MS, bare ? on_time_bare : on_time_ours, &o);
    if (write(out, &port, sizeof(port)) != (ssize_t)sizeof(port))
        exit(1);
    loop_run(l);
    exit(0);
}

struct server {
    pid_t pid;
    int32_t port;
};

static struct server start(bool bare, bool events)
{
    struct server s = {0};
    int pair[2];

    if (pipe(pair))
        die("pipe");
    s.pid = fork();
    if (s.pid == 0) {
        close(pair[0]);
        run_server(bare, events, pair[1]);
    }
    close(pair[1]);
    if (read(pair[0], &s.port, sizeof(s.port)) != (ssize_t)sizeof(s.port) || s.port < 0)
        die("the server does not start");
    close(pair[0]);
    return s;
}

static void stop(struct server *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
}

static double cpu_us(const struct server *s)
{
    struct timespec t = {0};
    clockid_t clock;

    if (clock_getcpuclockid(s->pid, &clock) || clock_gettime(clock, &t))
        die("the CPU time of the server");
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Memory of its own, without pages that it shares with the parent. */
static double anon_bytes(const struct server *s)
{
    char path[64], text[4096];
    const char *line;
    size_t n;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", s->pid);
    f = fopen(path, "re");
    n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    text[n] = '\0';
    if (f)
        fclose(f);
    line = strstr(text, "RssAnon:");
    return line ? strtod(line + 8, NULL) * 1024 : 0;
}

/* ---- clients */

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int open_client(const struct server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)s->port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static void send_all(int fd, const char *text, size_t n)
{
    if (send(fd, text, n, MSG_NOSIGNAL) != (ssize_t)n)
        die("send");
}

static size_t request(const struct server *s, char *text, size_t cap, const char *line,
                      const char *body)
{
    return (size_t)snprintf(
        text, cap,
        "%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: bench\r\nAccept: */*\r\n"
        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
        line, s->port, strlen(body), body);
}

/* us of CPU for a request, over `seconds`. */
static double busy(const struct server *s, const char *line, const char *body, double seconds)
{
    char text[1024], block[4096];
    size_t n = request(s, text, sizeof(text), line, body);
    struct epoll_event e = {.events = EPOLLIN};
    int ep = epoll_create1(EPOLL_CLOEXEC), fds[BUSY];
    double end, cpu = 0;
    int64_t done = 0, warm = 2000;

    for (int i = 0; i < BUSY; i++) {
        fds[i] = open_client(s);
        e.data.fd = fds[i];
        epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e);
        send_all(fds[i], text, n);
    }
    for (end = now_us() + seconds * 1e6; now_us() < end;) {
        struct epoll_event got[BUSY];
        int k = epoll_wait(ep, got, BUSY, 1000);

        if (k <= 0)
            die("no reply");
        for (int i = 0; i < k; i++) {
            if (recv(got[i].data.fd, block, sizeof(block), 0) <= 0)
                die("the server closed a connection");
            send_all(got[i].data.fd, text, n);
        }
        done += k;
        if (warm > 0 && done >= warm) {
            warm = done = 0;
            cpu = cpu_us(s);
        }
    }
    cpu = cpu_us(s) - cpu;
    for (int i = 0; i < BUSY; i++)
        close(fds[i]);
    close(ep);
    return cpu / (double)done;
}

static int open_stream(const struct server *s)
{
    char text[512], block[1024];
    size_t n = request(s, text, sizeof(text), "GET /events", "");
    int fd = open_client(s);

    send_all(fd, text, n);
    if (recv(fd, block, sizeof(block), 0) <= 0)
        die("a stream does not begin");
    return fd;
}

/* us of CPU for an event to one client, over `seconds`. */
static double events(const struct server *s, int clients, double seconds)
{
    struct epoll_event e = {.events = EPOLLIN}, got[64];
    int ep = epoll_create1(EPOLL_CLOEXEC), fds[64];
    double end, cpu;
    int64_t seen = 0;
    char block[65536];

    for (int i = 0; i < clients; i++) {
        fds[i] = e.data.fd = open_stream(s);
        epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e);
    }
    usleep(50000);
    cpu = cpu_us(s);
    for (end = now_us() + seconds * 1e6; now_us() < end;) {
        int k = epoll_wait(ep, got, 64, 100);

        for (int i = 0; i < k; i++) {
            ssize_t n = recv(got[i].data.fd, block, sizeof(block), 0);

            for (const char *p = block; n > 0 && (p = memchr(p, '{', (size_t)(block + n - p))); p++)
                seen++;
        }
    }
    cpu = cpu_us(s) - cpu;
    for (int i = 0; i < clients; i++)
        close(fds[i]);
    close(ep);
    if (seen == 0)
        die("no event came");
    return cpu / (double)seen;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The 99th percentile in ms of a request over a new connection, of n. */
static double p99_of_round(const struct server *s, int n)
{
    double *ms = calloc((size_t)n, sizeof(*ms)), out;
    char text[512], block[4096];
    size_t k = request(s, text, sizeof(text), "GET /healthz", "");

    for (int i = 0; i < n; i++) {
        double t = now_us();
        int fd = open_client(s);

        send_all(fd, text, k);
        if (recv(fd, block, sizeof(block), 0) <= 0)
            die("no reply");
        ms[i] = (now_us() - t) / 1e3;
        close(fd);
    }
    qsort(ms, (size_t)n, sizeof(*ms), by_value);
    out = ms[n * 99 / 100];
    free(ms);
    return out;
}

/* ---- the figures */

struct bench {
    bool json;
    int rounds, streams, samples;
    double seconds;
};

static double least(double a, double b)
{
    return a == 0 || b < a ? b : a;
}

/* The least of several rounds. *cpu: us of CPU for such a request with its connection. */
static double p99_ms(const struct bench *b, const struct server *s, double *cpu)
{
    double ms = 0;

    *cpu = 0;
    for (int i = 0; i < b->rounds; i++) {
        double before = cpu_us(s);

        ms = least(ms, p99_of_round(s, b->samples));
        *cpu = least(*cpu, (cpu_us(s) - before) / b->samples);
    }
    return ms;
}

static void show(const struct bench *b, const char *name, double ours, double bare,
                 const char *unit)
{
    if (b->json && bare > 0)
        printf("{\"case\":\"%s\",\"unit\":\"%s\",\"ours\":%.3f,\"base\":%.3f,\"ratio\":%.3f}\n",
               name, unit, ours, bare, ours / bare);
    else if (b->json)
        printf("{\"case\":\"%s\",\"unit\":\"%s\",\"ours\":%.3f}\n", name, unit, ours);
    else if (bare > 0)
        printf("%-44s %8.2f %-3s base %8.2f  ratio %.2f\n", name, ours, unit, bare, ours / bare);
    else
        printf("%-44s %8.2f %s\n", name, ours, unit);
    (void)fflush(stdout);
}

static void bench_requests(const struct bench *b)
{
    static const char body[] =
        "{\"jsonrpc\":\"2.0\",\"id\":17,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\","
        "\"arguments\":{\"text\":\"The quick brown fox jumps over the lazy dog, twice a day, and "
        "sleeps.\",\"times\":3}}}";
    struct server ours = start(false, false), bare = start(true, false);
    double get[2] = {0, 0}, post[2] = {0, 0};

    for (int i = 0; i < b->rounds; i++) {
        get[0] = least(get[0], busy(&ours, "GET /healthz", "", b->seconds));
        get[1] = least(get[1], busy(&bare, "GET /healthz", "", b->seconds));
        post[0] = least(post[0], busy(&ours, "POST /call", body, b->seconds));
        post[1] = least(post[1], busy(&bare, "POST /call", body, b->seconds));
    }
    show(b, "CPU of GET /healthz", get[0], get[1], "us");
    show(b, "CPU of POST, 190 bytes of JSON", post[0], post[1], "us");
    stop(&ours);
    stop(&bare);
}

static void bench_events(const struct bench *b)
{
    static const int clients[] = {1, 64};

    for (size_t k = 0; k < ARRAY_LEN(clients); k++) {
        double us[2] = {0, 0};
        char name[64];

        for (int i = 0; i < b->rounds; i++)
            for (int bare = 0; bare < 2; bare++) {
                struct server s = start(bare, true);

                us[bare] = least(us[bare], events(&s, clients[k], b->seconds));
                stop(&s);
            }
        (void)snprintf(name, sizeof(name), "CPU of an event to %d client%s", clients[k],
                       clients[k] > 1 ? "s, each" : "");
        show(b, name, us[0], us[1], "us");
    }
}

static void bench_crowd(const struct bench *b)
{
    struct server s = start(false, false);
    int *fds = calloc((size_t)b->streams, sizeof(*fds));
    double alone, before, beside, cpu_alone, cpu;
    char name[64];

    (void)p99_of_round(&s, 200);
    alone = p99_ms(b, &s, &cpu_alone);
    show(b, "p99 of a new request, alone", alone, 0, "ms");
    show(b, "CPU of a new connection with a request", cpu_alone, 0, "us");
    for (int i = 0; i < 500; i++) {
        fds[i] = open_client(&s);
        send_all(fds[i], "GET / HTTP/1.1\r\nX: ", 19);
    }
    beside = p99_ms(b, &s, &cpu);
    show(b, "p99 beside 500 slow clients, over alone", beside, alone, "ms");
    show(b, "CPU beside 500 slow clients, over alone", cpu, cpu_alone, "us");
    for (int i = 0; i < 500; i++)
        close(fds[i]);
    usleep(200000);
    before = anon_bytes(&s);
    for (int i = 0; i < b->streams; i++)
        fds[i] = open_stream(&s);
    usleep(200000);
    (void)snprintf(name, sizeof(name), "memory of %d idle streams", b->streams);
    show(b, name, (anon_bytes(&s) - before) / 1048576, 0, "MiB");
    beside = p99_ms(b, &s, &cpu);
    (void)snprintf(name, sizeof(name), "p99 beside %d idle streams, over alone", b->streams);
    show(b, name, beside, alone, "ms");
    (void)snprintf(name, sizeof(name), "CPU beside %d idle streams, over alone", b->streams);
    show(b, name, cpu, cpu_alone, "us");
    free(fds);
    stop(&s);
}

int main(int argc, char **argv)
{
    struct bench b = {.rounds = 4, .streams = 10000, .samples = 3000, .seconds = 1.5};
    struct rlimit r;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            b.json = true;
        } else if (strcmp(argv[i], "--quick") == 0) {
            b = (struct bench){b.json, 2, 2000, 1000, 0.5};
        } else {
            (void)fprintf(stderr, "usage: bench_http [--json] [--quick]\n");
            return 2;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max < 16384 ? r.rlim_max : 16384;
        (void)setrlimit(RLIMIT_NOFILE, &r);
        if (r.rlim_cur < (rlim_t)b.streams + 200)
            die("too few file descriptors: raise `ulimit -n`");
    }
    bench_requests(&b);
    bench_events(&b);
    bench_crowd(&b);
    return 0;
}
