/* client_world.h - an mcp_client whose server is a function, over a stdio link in memory.
 *
 * A program that links client_memory_link.c has no processes: link_stdio_new is the one of that
 * file. Without it the world has real processes, or a server in memory over HTTP.
 * What the client sends reaches `serve` on the loop's next turn; what the server says reaches the
 * client at once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_CLIENT_WORLD_H
#define TROUPE_TESTS_CLIENT_WORLD_H

#include "mcp/client/client.h"
#include "runtime/base/str.h"
#include "runtime/loop/loop.h"
#include "tests/support/check.h"

struct fake_link;
struct rpc_message;

/* What became of an exchange. */
struct asked {
    struct mcp_exchange *x;
    struct loop *loop;
    bool is_done;
    enum mcp_answer_kind kind;
    bool is_cancelled;
    int64_t code;
    struct str result, message, data;
    int n_notes;
    enum mcp_method last_note;
    struct str notes; /* params, a line each */
};

struct world {
    struct loop *loop;
    struct mcp_client *client;
    struct mcp_client_spec spec;
    struct mcp_caller *caller; /* "alice", with all abilities */
    /* The server. */
    bool is_modern;
    const char *about; /* members of its capabilities */
    void (*serve)(struct world *w, const struct rpc_message *m);
    bool serves_all;        /* discover and initialize too; else the world answers them */
    bool is_deaf;           /* what is sent waits */
    struct fake_link *link; /* the newest */
    void *ctx;              /* of serve */
    struct str sent;        /* all messages of the client, a line each */
    int n_sent;
    int n_links;
    /* Over HTTP: a server in memory. */
    struct http_client *http;
    struct http_memory *memory;
    /* Events. */
    enum mcp_client_state state;
    int n_changed;
    struct str lines, messages;
};

void world_init(struct world *w, bool is_modern);
/* Over HTTP instead, at https://mcp.example/mcp. Before world_start. */
void world_over_http(struct world *w);
void world_start(struct world *w); /* makes the client */
void world_deinit(struct world *w);

/* The server says this. */
void world_say(struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
void world_say_bytes(struct world *w, const char *bytes, size_t n);
/* The answer to m: its result. */
void world_reply(struct world *w, const struct rpc_message *m, const char *result);
void world_link_dies(struct world *w, const char *why);

struct mcp_caller *world_caller(const char *principal, const char *session,
                                const char *capabilities);
#define ALL_CAPABILITIES                                                                           \
    "{\"elicitation\":{\"form\":{},\"url\":{}},\"sampling\":{\"tools\":{}},\"roots\":{}}"

void world_ask(struct world *w, struct asked *a, enum mcp_method method, const char *params);
void world_ask_spec(struct world *w, struct asked *a, struct mcp_exchange_spec spec,
                    const char *params, const char *input_errors);
void asked_init(struct asked *a, struct loop *loop);
void asked_deinit(struct asked *a);

/* Runs the loop: until done, which is a failure after 20 s; for some time. */
void world_until(struct loop *loop, const bool *done);
void world_until_int(struct loop *loop, const int *n, int at_least);
void world_wait(struct loop *loop, int64_t ms);
/* Waits for the answer. */
void world_answer(struct world *w, struct asked *a);

/* The last message of the client that contains the text; NULL: none. */
const char *world_sent(struct world *w, const char *text);
int world_count(const struct str *s, const char *text);

#endif
