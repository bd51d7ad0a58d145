/* bench_v1_canned.c - two servers with fixed answers: one writes the bytes of a file, one is the
 * shortest handler of libwebsockets (bench_http_bare.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_client.h"
#include "bench_http_bare.h"
#include "bench_v1.h"
#include "runtime/loop/loop.h"

struct canned {
    int fd;
    const char *reply;
    size_t n;
};

/* One request after the other, each answered with the same bytes. */
static void *serve(void *ctx)
{
    struct canned *c = ctx;
    char *got = malloc(1 << 20);
    size_t n = 0;

    for (;;) {
        ssize_t more = recv(c->fd, got + n, (1 << 20) - n - 1, 0);
        const char *head, *length;

        if (more <= 0)
            break;
        n += (size_t)more;
        got[n] = 0;
        head = strstr(got, "\r\n\r\n");
        length = strcasestr(got, "content-length:");
        if (!head || (length && (size_t)(head + 4 - got) + strtoul(length + 15, NULL, 10) > n))
            continue;
        n = 0;
        if (send(c->fd, c->reply, c->n, MSG_NOSIGNAL) != (ssize_t)c->n)
            break;
    }
    close(c->fd);
    free(got);
    free(c);
    return NULL;
}

int v1_canned(const char *reply_file)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    size_t n;
    char *reply = v1_read_file(reply_file, &n);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 128) ||
        getsockname(fd, (struct sockaddr *)&a, &size))
        bench_die("listen");
    printf("%d\n", ntohs(a.sin_port));
    (void)fflush(stdout);
    for (;;) {
        struct canned *c = malloc(sizeof(*c));
        pthread_t thread;

        *c = (struct canned){accept(fd, NULL, NULL), reply, n};
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (c->fd < 0 || pthread_create(&thread, NULL, serve, c))
            bench_die("accept");
        pthread_detach(thread);
    }
}

int v1_bare(const char *reply_file)
{
    struct error err = ERROR_INIT;
    struct loop *l;
    size_t n;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (loop_new(seams_real(), &l, &err))
        bench_die(err.message);
    printf("%d\n", (int)bare_start(l, v1_read_file(reply_file, &n), ""));
    (void)fflush(stdout);
    loop_run(l);
    return 0;
}
