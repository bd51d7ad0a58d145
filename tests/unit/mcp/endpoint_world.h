/* endpoint_world.h - the MCP endpoint over connections in memory, with a handler that does what the
 * test says.
 *
 * The handler knows these tools: echo (its arguments as text), hold (stays open until
 * world_finish), note (progress and a log line, then hold), ask (two inputs), url (a URL), again
 * (asks for ever), later (wants to be called a second time), fail (an error), needy (lacks a
 * capability). LISTEN is acknowledged and stays open.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_UNIT_MCP_ENDPOINT_WORLD_H
#define TROUPE_TESTS_UNIT_MCP_ENDPOINT_WORLD_H

#include "mcp/server/server.h"
#include "runtime/http/http_conn.h"
#include "runtime/loop/loop.h"
#include "tests/support/check.h"

#define OPEN_MAX 1024

struct world {
    struct loop *loop;
    struct seams seams;
    int64_t now_ms; /* of the clock, which the test moves; timers of the loop are real */
    struct mcp_handler handler;
    struct mcp_server_options o; /* before world_start */
    struct mcp_server *server;
    struct http_server_options http;
    struct http_shared *shared;
    const char *tools;                   /* the result of tools/list; NULL: it stays open */
    struct mcp_exchange *open[OPEN_MAX]; /* that are not finished */
    int n_open, n_started, n_cancelled, n_gone, n_roots;
    struct str heard; /* params of the last exchange, and its input errors */
    char only[64];    /* of the last tools/list: mcp_exchange.only */
    bool no_listen;   /* LISTEN is not known */
    uint64_t fail_at; /* the allocation of the server that fails, of the next request; 0: none */
};

int world_setup(void **state); /* starts it with small limits */
int world_teardown(void **state);
void world_restart(struct world *w);      /* with changed options */
void world_turn(struct world *w, int ms); /* the loop runs */

/* What the handler does now. */
void world_note(struct mcp_exchange *x, enum mcp_method note, const char *params);
void world_finish(struct mcp_exchange *x, const char *result);

/* ---- clients */
struct client {
    struct world *world;
    struct http_conn *conn;
    struct str sent;       /* what the server sent */
    size_t read;           /* by client_code and client_body */
    bool closed, is_stuck; /* is_stuck: it reads nothing */
    struct str body;
};
struct client *client_new(struct world *w);
void client_free(struct client *c); /* it leaves */
/* fields: "Name: value\r\n..." besides Host and Content-Length. */
void client_send(struct client *c, const char *method, const char *fields, const char *body);
void client_pump(struct client *c); /* reads on */
/* The head and body of the next reply; the body of a stream so far. */
int client_code(struct client *c);
const char *client_body(struct client *c);
/* The value of a field of the last head; NULL: none. */
const char *client_field(struct client *c, const char *name);

#define JSON_FIELDS                                                                                \
    "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
#define META(more)                                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                       \
    "\"io.modelcontextprotocol/clientCapabilities\":{}" more "}"
#define MODERN_FIELDS(method)                                                                      \
    JSON_FIELDS "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: " method "\r\n"
#define CALL_FIELDS(name) MODERN_FIELDS("tools/call") "Mcp-Name: " name "\r\n"
#define CALL(id, name, more)                                                                       \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" name    \
    "\"," more META("") "}}"
#define INFO                                                                                       \
    "\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"world\",\"version\":\"1\"}}"

#endif
