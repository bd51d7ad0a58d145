/* bench_mcp.h - the parts of bench_mcp: each is a process of mcp_baseline.py.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_BENCH_MCP_H
#define TROUPE_TESTS_BENCH_MCP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MCP_LOAD_PIDS 16

struct mcp_load_options {
    int port;
    const char *path, *tool, *argument;
    double seconds, rate; /* calls a second; 0: the next when an answer came */
    int at_once;
    bool is_modern;
    pid_t pids[MCP_LOAD_PIDS]; /* (n_pids) whose CPU time is read */
    int n_pids;
};

/* bench_mcp_load.c: calls over HTTP; prints {calls, errors, cpu_s, p50_ms, ...}. */
int mcp_load(const struct mcp_load_options *o);
/* bench_mcp_pipe.c: the same calls of a stdio server that it starts. */
int mcp_pipe(const struct mcp_load_options *o, char **argv);
/* bench_mcp_echo.c: a server over HTTP (prints its port) or stdio, until it is ended. */
int mcp_echo(bool is_http);

/* ---- bench_mcp_calls.c: what a call is, and what is kept of it */
struct mcp_calls {
    double *ms; /* (n) of each answer, in any order */
    int64_t n, cap, errors;
    double began, cpu_began;
    const struct mcp_load_options *o;
};
void mcp_calls_begin(struct mcp_calls *m, const struct mcp_load_options *o);
/* The message of call `number`. */
void mcp_calls_write(const struct mcp_calls *m, int64_t number, char *out, size_t n);
/* Its answer, in whatever is around it; an answer of another call is an error. */
void mcp_calls_take(struct mcp_calls *m, int64_t number, const char *got, double ms);
void mcp_calls_print(struct mcp_calls *m);

#endif
