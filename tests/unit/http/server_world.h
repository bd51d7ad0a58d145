/* server_world.h - a server in a process of its own, and clients that block.
 *
 * The process listens on 127.0.0.1 and answers questions of the test through a pair of sockets. It
 * ends with http_server_free while connections may be open; a sanitizer's finding is a failure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_UNIT_HTTP_SERVER_WORLD_H
#define TROUPE_TESTS_UNIT_HTTP_SERVER_WORLD_H

#include <sys/types.h>

#include "runtime/base/str.h"
#include "runtime/http/http_server.h"

struct world {
    struct http_server_options o; /* set before world_start */
    int64_t max_fds;              /* limit of its descriptors; 0: that of the test */
    uint32_t address;             /* where clients connect (network order); 0: 127.0.0.1 */
    pid_t pid;
    int ask;
    int32_t port;
};

/* Paths: /healthz (open), /echo (POST: the body), /later (the reply comes with WORLD_REPLY),
 * /events (an event stream; WORLD_EVENT sends to all), /flood (writes as much as it may), /big (5
 * MB). */
enum world_question {
    WORLD_COUNTS = 'c',
    WORLD_REPLY = 'r', /* to all calls of /later */
    WORLD_EVENT = 'e',
    WORLD_DRAIN = 'd',
    WORLD_RELOAD = 'h',  /* certificates */
    WORLD_EAT_FDS = 'x', /* opens descriptors until none are left */
    WORLD_FREE_FDS = 'y',
    WORLD_STOP = 'q',
};
struct world_answer {
    struct http_counts counts;
    int64_t gone; /* on_gone so far */
    int64_t rss_bytes, cpu_us;
    enum status reload;
};

void world_start(struct world *w);
struct world_answer world_ask(struct world *w, enum world_question q);
void world_stop(struct world *w); /* asserts that it ends well */

/* ---- clients; all reads have a limit of 5 s */
int client_open(const struct world *w); /* a connected socket */
void client_send(int fd, const char *bytes, size_t n);
/* Sends a GET with Host and token. */
void client_get(const struct world *w, int fd, const char *path);
/* Reads one reply with Content-Length, or the head of a stream; the body is in `body`. The code;
 * 0: the connection was closed before a reply. */
int client_reply(int fd, struct str *body);
/* Reads until `text` has come. */
bool client_wait_for(int fd, const char *text);
bool client_is_closed(int fd, int64_t within_ms);
int client_healthz(const struct world *w); /* over a new connection: the code, 0: none */
int64_t client_ms(void);                   /* a clock */
/* Asks until `field` of the counts has this value; fails after 5 s. */
#define world_wait(w, field, value)                                                                \
    do {                                                                                           \
        int64_t end_ = client_ms() + 5000;                                                         \
        while (world_ask(w, WORLD_COUNTS).field != (value) && client_ms() < end_)                  \
            usleep(2000);                                                                          \
        assert_int_equal(world_ask(w, WORLD_COUNTS).field, value);                                 \
    } while (0)

#endif
