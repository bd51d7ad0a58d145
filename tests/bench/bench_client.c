/* bench_client.c - see bench_client.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)1 << 20)

double bench_now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

_Noreturn void bench_die(const char *what)
{
    (void)fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
    exit(1);
}

void bench_client_open(struct bench_client *c, int port, int epoll)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;

    *c = (struct bench_client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                               .cap = ANSWER_MAX};
    c->got = malloc(c->cap);
    if (c->fd < 0 || !c->got || connect(c->fd, (struct sockaddr *)&a, sizeof(a)))
        bench_die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e);
}

void bench_client_close(struct bench_client *c)
{
    close(c->fd);
    free(c->got);
}

void bench_client_post(const struct bench_client *c, int port, const char *path, const char *fields,
                       const char *body)
{
    char text[8192];
    int n = snprintf(text, sizeof(text),
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: bench\r\n"
                     "Accept: application/json, text/event-stream\r\n%s"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     path, port, fields, strlen(body), body);

    if (n >= (int)sizeof(text) || send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        bench_die("send");
}

void bench_client_receive(struct bench_client *c)
{
    ssize_t n = recv(c->fd, c->got + c->n, c->cap - c->n - 1, 0);

    if (n <= 0)
        bench_die("the server closed a connection, or the answer is too long");
    c->n += (size_t)n;
    c->got[c->n] = '\0';
}

bool bench_client_is_whole(const struct bench_client *c)
{
    const char *end = strstr(c->got, "\r\n\r\n"), *length = strcasestr(c->got, "content-length:");

    if (!end)
        return false;
    if (strncmp(c->got, "HTTP/1.1 200", 12) != 0 && strncmp(c->got, "HTTP/1.1 202", 12) != 0) {
        (void)fprintf(stderr, "%s: the server says: %.600s\n", program_invocation_short_name,
                      c->got);
        exit(1);
    }
    end += 4;
    if (length && length < end)
        return (size_t)(end - c->got) + strtoul(length + 15, NULL, 10) <= c->n;
    return c->n >= (size_t)(end - c->got) + 5 && memcmp(c->got + c->n - 5, "0\r\n\r\n", 5) == 0;
}
