/* bench_v1_load.c - clients of /v1 over loopback: requests on kept connections, and streams.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "bench_client.h"
#include "bench_v1.h"

int v1_load(int port, const char *path, const char *body_file, double seconds, int at_once)
{
    struct bench_client clients[BENCH_CLIENTS_MAX];
    size_t n;
    char *body = v1_read_file(body_file, &n);
    int ep = epoll_create1(EPOLL_CLOEXEC);
    long done = 0;
    double end;

    for (int i = 0; i < at_once && i < BENCH_CLIENTS_MAX; i++) {
        bench_client_open(&clients[i], port, ep);
        bench_client_post(&clients[i], port, path, "", body);
    }
    for (end = bench_now_s() + seconds; bench_now_s() < end;) {
        struct epoll_event got[BENCH_CLIENTS_MAX];
        int k = epoll_wait(ep, got, BENCH_CLIENTS_MAX, 10000);

        if (k <= 0)
            bench_die("no answer");
        for (int i = 0; i < k; i++) {
            struct bench_client *c = got[i].data.ptr;

            bench_client_receive(c);
            if (!bench_client_is_whole(c))
                continue;
            done++;
            c->n = 0;
            bench_client_post(c, port, path, "", body);
        }
    }
    printf("{\"requests\": %ld}\n", done);
    return 0;
}

/* ---- streams */

struct stream {
    struct bench_client client; /* first: events give it */
    int done;
};

static void begin_stream(const struct bench_client *c, int port, int i, int tokens)
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
    bench_client_post(c, port, "/v1/completions", "", body);
}

/* Tokens of a stream that has ended, by its usage; -1: it goes on. */
static long tokens_of(const struct bench_client *c)
{
    static const char key[] = "\"completion_tokens\":";
    const char *at = strstr(c->got, "data: [DONE]\n\n");

    if (!at)
        return -1;
    at = strstr(c->got, key);
    if (!at)
        bench_die("a stream without usage");
    return strtol(at + sizeof(key) - 1, NULL, 10);
}

int v1_streams(int port, int at_once, int rounds, int tokens)
{
    struct stream *streams = calloc((size_t)at_once, sizeof(*streams));
    int ep = epoll_create1(EPOLL_CLOEXEC), left = at_once;
    long sum = 0;
    double began;

    for (int i = 0; i < at_once; i++)
        bench_client_open(&streams[i].client, port, ep);
    began = bench_now_s();
    for (int i = 0; i < at_once; i++)
        begin_stream(&streams[i].client, port, i, tokens);
    while (left > 0) {
        struct epoll_event got[BENCH_CLIENTS_MAX];
        int k = epoll_wait(ep, got, BENCH_CLIENTS_MAX, 60000);

        if (k <= 0)
            bench_die("no answer");
        for (int i = 0; i < k; i++) {
            struct stream *s = got[i].data.ptr;
            struct bench_client *c = &s->client;
            size_t before = c->n;
            long n;

            bench_client_receive(c);
            if (!strstr(c->got + (before > 16 ? before - 16 : 0), "[DONE]"))
                continue;
            n = tokens_of(c);
            if (n < 0)
                continue;
            sum += n;
            c->n = 0;
            if (++s->done < rounds)
                begin_stream(c, port, (int)(s - streams) + s->done * at_once, tokens);
            else
                left--;
        }
    }
    printf("{\"tokens\": %ld, \"wall_s\": %.6f}\n", sum, bench_now_s() - began);
    return 0;
}
