/* bench_v1.h - the parts of bench_v1: each is a process of v1_baseline.py.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_BENCH_V1_H
#define TROUPE_TESTS_BENCH_V1_H

#include <stdint.h>
#include <stdio.h>

/* Of the embedded model, for /v1 and in process: the ids of prompt i, and how many. */
#define V1_PROMPT 16
void v1_prompt(int i, int32_t out[V1_PROMPT]);

/* bench_v1_load.c: clients over loopback, which print what was done as JSON. */
int v1_load(int port, const char *path, const char *body_file, double seconds, int at_once);
int v1_streams(int port, int at_once, int rounds, int tokens);
/* bench_v1_calls.c: model calls in this process. */
int v1_remote(const char *url, int calls, int at_once, int stream);
int v1_engine(int at_once, int rounds, int tokens);
/* bench_v1_canned.c: servers that print their port and serve until they are killed. */
int v1_canned(const char *reply_file);
int v1_bare(const char *reply_file);

char *v1_read_file(const char *path, size_t *n); /* NUL at the end; ends the process on an error */

#endif
