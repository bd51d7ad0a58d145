/* bench_mcp_pipe.c - the calls of bench_mcp_load.c of a server over stdio, without anything
 * between.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_client.h"
#include "bench_mcp.h"

#define LINE_MAX_BYTES ((size_t)1 << 20)

struct piped {
    pid_t pid;
    int in, out; /* of the server */
    char *got;
    size_t n;
};

static void start(struct piped *p, char **argv)
{
    int in[2], out[2];

    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
        bench_die("pipe");
    p->pid = fork();
    if (p->pid == 0) {
        (void)dup2(in[0], 0);
        (void)dup2(out[1], 1);
        (void)execvp(argv[0], argv);
        bench_die(argv[0]);
    }
    close(in[0]);
    close(out[1]);
    p->in = in[1];
    p->out = out[0];
    p->got = malloc(LINE_MAX_BYTES);
    if (p->pid < 0 || !p->got)
        bench_die("fork");
}

static void say(const struct piped *p, const char *line)
{
    size_t n = strlen(line);

    if (write(p->in, line, n) != (ssize_t)n)
        bench_die("write");
}

/* The next line, without its end; lent until the next call of `next_line`. */
static char *next_line(struct piped *p)
{
    char *end = p->n ? memchr(p->got, '\n', p->n) : NULL;

    while (!end) {
        ssize_t k = read(p->out, p->got + p->n, LINE_MAX_BYTES - p->n);

        if (k <= 0)
            bench_die("the server has ended");
        end = memchr(p->got + p->n, '\n', (size_t)k);
        p->n += (size_t)k;
    }
    *end = '\0';
    return end;
}

static void drop_line(struct piped *p, const char *end)
{
    size_t k = (size_t)(end + 1 - p->got);

    p->n -= k;
    memmove(p->got, end + 1, p->n);
}

static void begin_session(struct piped *p)
{
    char *end;

    say(p, "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{"
           "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":"
           "\"bench\",\"version\":\"1\"}}}\n");
    end = next_line(p);
    drop_line(p, end);
    say(p, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
}

static void call(const struct piped *p, const struct mcp_calls *m, int64_t number, double *began)
{
    char body[2048];

    mcp_calls_write(m, number, body, sizeof(body) - 2);
    *began = bench_now_s();
    say(p, strcat(body, "\n"));
}

int mcp_pipe(const struct mcp_load_options *o, char **argv)
{
    struct mcp_load_options with_pid = *o;
    struct piped p = {0};
    struct mcp_calls m;
    double end, *began = calloc((size_t)o->at_once, sizeof(*began));
    int64_t next = 0, busy = 0;

    if (!began)
        bench_die("memory");
    start(&p, argv);
    with_pid.pids[0] = p.pid;
    with_pid.n_pids = 1;
    if (!o->is_modern)
        begin_session(&p);
    mcp_calls_begin(&m, &with_pid);
    end = m.began + o->seconds;
    for (; busy < o->at_once; busy++, next++)
        call(&p, &m, next, &began[next % o->at_once]);
    while (busy > 0) {
        char *line_end = next_line(&p);
        const char *id = strstr(p.got, "\"id\":");
        int64_t number = id ? strtoll(id + 5, NULL, 10) : -1;

        if (number >= 0 && number < next) { /* else a notification */
            double *at = &began[number % o->at_once];

            mcp_calls_take(&m, number, p.got, (bench_now_s() - *at) * 1e3);
            busy--;
            if (bench_now_s() < end) {
                /* The place of the call that has ended is free, whatever its number. */
                while (next % o->at_once != number % o->at_once)
                    next++;
                call(&p, &m, next++, at);
                busy++;
            }
        }
        drop_line(&p, line_end);
    }
    mcp_calls_print(&m);
    close(p.in);
    (void)kill(p.pid, SIGTERM);
    (void)waitpid(p.pid, NULL, 0);
    free(p.got);
    free(began);
    return 0;
}
