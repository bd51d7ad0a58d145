/* bench_mcp.c - parts of the measurements of MCP; mcp_baseline.py runs them.
 *
 *   mcp_parts load [OPTION...] PORT PATH      calls over Streamable HTTP
 *   mcp_parts pipe [OPTION...] COMMAND...     the same calls of a stdio server
 *   mcp_parts http                            a server over HTTP with the tool echo; prints its
 * port mcp_parts stdio                           the same over stdio
 *
 * --seconds S [3], --at-once N [1], --rate R (calls a second), --tool NAME [echo], --argument NAME
 * [message], --modern (2026-07-28; otherwise 2025-11-25 with a session for each connection), --pid
 * P (its CPU time is read; can be given several times).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench_mcp.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(void)
{
    (void)fprintf(stderr, "mcp_parts: the modes are in the comment at the top of bench_mcp.c\n");
    return 2;
}

/* Reads options; the place of the first other word. */
static int read_options(int argc, char **argv, struct mcp_load_options *o)
{
    int i = 2;

    *o = (struct mcp_load_options){
        .tool = "echo", .argument = "message", .seconds = 3, .at_once = 1};
    while (i < argc && strncmp(argv[i], "--", 2) == 0) {
        const char *name = argv[i++], *value = i < argc ? argv[i] : "";

        if (strcmp(name, "--modern") == 0) {
            o->is_modern = true;
            continue;
        }
        if (strcmp(name, "--seconds") == 0)
            o->seconds = strtod(value, NULL);
        else if (strcmp(name, "--at-once") == 0)
            o->at_once = (int)strtol(value, NULL, 10);
        else if (strcmp(name, "--rate") == 0)
            o->rate = strtod(value, NULL);
        else if (strcmp(name, "--tool") == 0)
            o->tool = value;
        else if (strcmp(name, "--argument") == 0)
            o->argument = value;
        else if (strcmp(name, "--pid") == 0 && o->n_pids < MCP_LOAD_PIDS)
            o->pids[o->n_pids++] = (pid_t)strtol(value, NULL, 10);
        else
            return argc + 1;
        i++;
    }
    return i;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    struct mcp_load_options o;
    int at = read_options(argc, argv, &o);

    (void)signal(SIGPIPE, SIG_IGN);
    if (strcmp(what, "http") == 0 || strcmp(what, "stdio") == 0)
        return mcp_echo(what[0] == 'h');
    if (strcmp(what, "load") == 0 && at == argc - 2) {
        o.port = (int)strtol(argv[at], NULL, 10);
        o.path = argv[at + 1];
        return mcp_load(&o);
    }
    if (strcmp(what, "pipe") == 0 && at < argc)
        return mcp_pipe(&o, argv + at);
    return usage();
}
