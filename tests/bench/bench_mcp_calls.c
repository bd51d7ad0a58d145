/* bench_mcp_calls.c - calls of an echo tool: each says something of its own, and its answer must
 * say it too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_client.h"
#include "bench_mcp.h"

#define MESSAGE "The quick brown fox jumps over the lazy dog, %lld times a day, and sleeps."

static double cpu_s(const struct mcp_load_options *o)
{
    double sum = 0;

    for (int i = 0; i < o->n_pids; i++) {
        struct timespec t = {0};
        clockid_t clock;

        if (clock_getcpuclockid(o->pids[i], &clock) || clock_gettime(clock, &t))
            bench_die("the CPU time of a process");
        sum += (double)t.tv_sec + (double)t.tv_nsec / 1e9;
    }
    return sum;
}

void mcp_calls_begin(struct mcp_calls *m, const struct mcp_load_options *o)
{
    *m = (struct mcp_calls){.o = o, .cap = 1 << 16};
    m->ms = malloc((size_t)m->cap * sizeof(*m->ms));
    if (!m->ms)
        bench_die("memory");
    m->began = bench_now_s();
    m->cpu_began = cpu_s(o);
}

void mcp_calls_write(const struct mcp_calls *m, int64_t number, char *out, size_t n)
{
    static const char meta[] =
        ",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
        "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"bench\",\"version\":\"1\"},"
        "\"io.modelcontextprotocol/clientCapabilities\":{}}";
    int k = snprintf(out, n,
                     "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"tools/call\",\"params\":"
                     "{\"name\":\"%s\",\"arguments\":{\"%s\":\"" MESSAGE "\"}%s}}",
                     (long long)number, m->o->tool, m->o->argument, (long long)number,
                     m->o->is_modern ? meta : "");

    if (k < 0 || (size_t)k >= n)
        bench_die("the name of the tool is too long");
}

void mcp_calls_take(struct mcp_calls *m, int64_t number, const char *got, double ms)
{
    char id[64], text[128];

    (void)snprintf(id, sizeof(id), "\"id\":%lld", (long long)number);
    (void)snprintf(text, sizeof(text), MESSAGE "\"", (long long)number);
    if (!strstr(got, id) || !strstr(got, text)) {
        if (m->errors++ == 0)
            (void)fprintf(stderr, "bench_mcp: the answer to call %lld is: %.800s\n",
                          (long long)number, got);
    }
    if (m->n == m->cap) {
        m->cap *= 2;
        m->ms = realloc(m->ms, (size_t)m->cap * sizeof(*m->ms));
        if (!m->ms)
            bench_die("memory");
    }
    m->ms[m->n++] = ms;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double percentile(const struct mcp_calls *m, int64_t in_10000)
{
    return m->n ? m->ms[(m->n - 1) * in_10000 / 10000] : 0;
}

void mcp_calls_print(struct mcp_calls *m)
{
    double wall = bench_now_s() - m->began, cpu = cpu_s(m->o) - m->cpu_began;

    qsort(m->ms, (size_t)m->n, sizeof(*m->ms), by_value);
    printf("{\"calls\": %lld, \"errors\": %lld, \"wall_s\": %.3f, \"cpu_s\": %.6f, \"p50_ms\": "
           "%.4f, \"p99_ms\": %.4f, \"p999_ms\": %.4f, \"max_ms\": %.4f}\n",
           (long long)m->n, (long long)m->errors, wall, cpu, percentile(m, 5000),
           percentile(m, 9900), percentile(m, 9990), percentile(m, 10000));
    free(m->ms);
}
