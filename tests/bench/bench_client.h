/* bench_client.h - clients of an HTTP server over loopback, for load: kept connections, a request
 * at a time on each, and answers read whole.
 *
 * An answer that a benchmark does not expect ends the process. One thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_BENCH_CLIENT_H
#define TROUPE_TESTS_BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#define BENCH_CLIENTS_MAX 512

struct bench_client {
    int fd;
    char *got; /* (cap) of one answer, with a NUL behind n; lent to the caller until the next one */
    size_t n, cap;
};

double bench_now_s(void);
_Noreturn void bench_die(const char *what); /* with errno */

/* data.ptr of its events is the client. */
void bench_client_open(struct bench_client *c, int port, int epoll);
void bench_client_close(struct bench_client *c);
/* fields: header lines that end in CRLF, or "". */
void bench_client_post(const struct bench_client *c, int port, const char *path, const char *fields,
                       const char *body);
/* Once the descriptor is readable. */
void bench_client_receive(struct bench_client *c);
/* Is an answer of status 200 or 202 complete, by its length or its chunks? If so, set n to 0 before
 * the next one. */
bool bench_client_is_whole(const struct bench_client *c);

#endif
