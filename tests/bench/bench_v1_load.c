/* bench_v1_load.c - clients of /v1 over loopback: requests on kept connections, and streams.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench_v1.h"

#define MAX_CLIENTS 256

struct client {
    int fd, done;
    char *got; /* (cap) of one answer */
    size_t n, cap;
};

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void open_client(struct client *c, int port, int ep)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;

    *c = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .cap = 1 << 20};
    c->got = malloc(c->cap);
    if (c->fd < 0 || !c->got || connect(c->fd, (struct sockaddr *)&a, sizeof(a)))
        v1_die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
}

static void send_request(const struct client *c, int port, const char *path, const char *body)
{
    char text[8192];
    int n = snprintf(text, sizeof(text),
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: bench\r\nAccept: "
                     "*/*\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     path, port, strlen(body), body);

    if (n >= (int)sizeof(text) || send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        v1_die("send");
}

static void receive(struct client *c)
{
    ssize_t n = recv(c->fd, c->got + c->n, c->cap - c->n - 1, 0);

    if (n <= 0)
        v1_die("the server closed a connection, or the answer is too long");
    c->n += (size_t)n;
    c->got[c->n] = 0;
}

/* Is the answer complete, by its Content-Length? */
static int is_whole(const struct client *c)
{
    const char *head = strstr(c->got, "\r\n\r\n"), *length = strcasestr(c->got, "content-length:");

    if (!head)
        return 0;
    if (strncmp(c->got, "HTTP/1.1 200", 12) != 0 || !length || length > head) {
        (void)fprintf(stderr, "bench_v1: the server says: %.300s\n", c->got);
        exit(1);
    }
    return (size_t)(head + 4 - c->got) + strtoul(length + 15, NULL, 10) <= c->n;
}

int v1_load(int port, const char *path, const char *body_file, double seconds, int at_once)
{
    struct client clients[MAX_CLIENTS];
    size_t n;
    char *body = v1_read_file(body_file, &n);
    int ep = epoll_create1(EPOLL_CLOEXEC);
    long done = 0;
    double end;

    for (int i = 0; i < at_once && i < MAX_CLIENTS; i++) {
        open_client(&clients[i], port, ep);
        send_request(&clients[i], port, path, body);
    }
    for (end = now_s() + seconds; now_s() < end;) {
        struct epoll_event got[MAX_CLIENTS];
        int k = epoll_wait(ep, got, MAX_CLIENTS, 10000);

        if (k <= 0)
            v1_die("no answer");
        for (int i = 0; i < k; i++) {
            struct client *c = got[i].data.ptr;

            receive(c);
            if (!is_whole(c))
                continue;
            done++;
            c->n = 0;
            send_request(c, port, path, body);
        }
    }
    printf("{\"requests\": %ld}\n", done);
    return 0;
}

/* ---- streams */

static void begin_stream(const struct client *c, int port, int i, int tokens)
{
    char body[1024];
    int32_t id[V1_PROMPT];
    int n = snprintf(body, sizeof(body), "{\"model\":\"embedded\",\"prompt\":[");

    v1_prompt(i, id);
    for (int k = 0; k < V1_PROMPT; k++)
        n += snprintf(body + n, sizeof(body) - (size_t)n, "%s%d", k ? "," : "", id[k]);
    (void)snprintf(body + n, sizeof(body) - (size_t)n,
                   "],\"max_tokens\":%d,\"temperature\":0,\"stream\":true,\"stream_options\":"
                   "{\"include_usage\":true}}",
                   tokens);
    send_request(c, port, "/v1/completions", body);
}

/* Tokens of a stream that has ended, by its usage; -1: it goes on. */
static long tokens_of(const struct client *c)
{
    static const char key[] = "\"completion_tokens\":";
    const char *at = strstr(c->got, "data: [DONE]\n\n");

    if (!at)
        return -1;
    at = strstr(c->got, key);
    if (!at)
        v1_die("a stream without usage");
    return strtol(at + sizeof(key) - 1, NULL, 10);
}

int v1_streams(int port, int at_once, int rounds, int tokens)
{
    struct client *clients = calloc((size_t)at_once, sizeof(*clients));
    int ep = epoll_create1(EPOLL_CLOEXEC), left = at_once;
    long sum = 0;
    double began;

    for (int i = 0; i < at_once; i++)
        open_client(&clients[i], port, ep);
    began = now_s();
    for (int i = 0; i < at_once; i++)
        begin_stream(&clients[i], port, i, tokens);
    while (left > 0) {
        struct epoll_event got[MAX_CLIENTS];
        int k = epoll_wait(ep, got, MAX_CLIENTS, 60000);

        if (k <= 0)
            v1_die("no answer");
        for (int i = 0; i < k; i++) {
            struct client *c = got[i].data.ptr;
            size_t before = c->n;
            long n;

            receive(c);
            if (!strstr(c->got + (before > 16 ? before - 16 : 0), "[DONE]"))
                continue;
            n = tokens_of(c);
            if (n < 0)
                continue;
            sum += n;
            c->n = 0;
            if (++c->done < rounds)
                begin_stream(c, port, (int)(c - clients) + c->done * at_once, tokens);
            else
                left--;
        }
    }
    printf("{\"tokens\": %ld, \"wall_s\": %.6f}\n", sum, now_s() - began);
    return 0;
}
