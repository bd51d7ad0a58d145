/* bench_http_bare.h - the yardstick of bench_http: a handler of libwebsockets' own HTTP server that
 * does nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_BENCH_BENCH_HTTP_BARE_H
#define TROUPE_TESTS_BENCH_BENCH_HTTP_BARE_H

#include <stdint.h>

struct loop;

/* Listens on 127.0.0.1: any POST, and GET of /events, which gets `event` at every call of
 * bare_event; any other GET. Returns the port, or -1. */
int32_t bare_start(struct loop *l, const char *reply, const char *event);
void bare_event(void);

#endif
