/* test_mcp_stdio.c - both eras over two pipes: order, cancellation, long lines, the end of the
 * input, a client that does not read.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <signal.h>

#include "endpoint_world.h"
#include "mcp/server/server_stdio.h"

struct pipes {
    struct world *w;
    struct mcp_stdio *io;
    int to, from; /* of the client */
    int in, out;  /* of the server */
    struct str heard;
    int n_ended;
};

static void on_ended(void *ctx)
{
    ((struct pipes *)ctx)->n_ended++;
}

static void open_pipes(struct pipes *p, struct world *w)
{
    int a[2], b[2];
    struct mcp_stdio_options o = {.ended = on_ended, .ctx = p};

    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    *p = (struct pipes){.w = w, .in = a[0], .to = a[1], .from = b[0], .out = b[1]};
    p->heard = STR_INIT;
    (void)fcntl(p->from, F_SETFL, O_NONBLOCK);
    o.in = p->in;
    o.out = p->out;
    assert_ok(mcp_stdio_new(w->server, &o, &p->io, why));
}

static void close_pipes(struct pipes *p)
{
    mcp_stdio_free(p->io);
    close(p->in);
    close(p->out);
    if (p->to >= 0)
        close(p->to);
    if (p->from >= 0)
        close(p->from);
    str_deinit(&p->heard);
}

static void say(struct pipes *p, const char *text)
{
    size_t n = strlen(text);

    while (n > 0) {
        ssize_t k = write(p->to, text, n < 32768 ? n : 32768);

        assert_true(k > 0);
        text += k;
        n -= (size_t)k;
        world_turn(p->w, 1);
    }
}

static void read_all(struct pipes *p)
{
    char bytes[65536];
    ssize_t n;

    while ((n = read(p->from, bytes, sizeof(bytes))) > 0)
        str_append(&p->heard, bytes, (size_t)n);
}

/* What the server says within some turns of the loop. */
static const char *hear(struct pipes *p)
{
    str_clear(&p->heard);
    for (int i = 0; i < 5; i++) {
        world_turn(p->w, 3);
        read_all(p);
    }
    return str_cstr(&p->heard);
}

#define INITIALIZE                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"     \
    "\"2025-11-25\",\"capabilities\":{\"elicitation\":{},\"roots\":{}}}}\n"
#define INITIALIZED                                                                                \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-11-25\","                \
    "\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"world\",\"version\":\"1\"}}}\n"
#define PING "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n"
#define PONG "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"result\":{}}\n"

static void each_request_says_its_era(void **state)
{
    struct pipes p;

    open_pipes(&p, *state);
    say(&p, CALL("1", "echo", "") "\n");
    assert_string_equal(hear(&p),
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\","
                        "\"text\":\"null\"}],\"resultType\":\"complete\"," INFO "}}\n");
    say(&p, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}\n");
    assert_non_null(strstr(hear(&p), "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32602,"));
    say(&p, INITIALIZE);
    assert_string_equal(hear(&p), INITIALIZED);
    say(&p, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}\r\n\n" PING);
    assert_string_equal(
        hear(&p),
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"tools\":[{\"name\":\"echo\"}]}}\n" PONG);
    say(&p, CALL("3", "echo", "") "\n" INITIALIZE);
    assert_non_null(strstr(hear(&p), "\"id\":3,\"result\":{\"content\":"));
    assert_non_null(strstr(str_cstr(&p.heard), "the session has begun already"));
    close_pipes(&p);
    assert_int_equal(p.w->n_gone, 2);
}

static void faults_of_lines_are_answered_and_the_next_line_is_read(void **state)
{
    static const struct {
        const char *line, *reply;
    } rows[] = {
        {"{", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"},
        {"[]", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"batches"},
        {"{\"jsonrpc\":\"1.0\",\"id\":4}",
         "{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32600,"},
        {"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"x\",\"params\":{" META("") "}}",
         "{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":-32601,"},
        {"{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}", ""},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}", ""},
        {"   ", ""},
    };
    struct pipes p;

    open_pipes(&p, *state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        say(&p, rows[i].line);
        say(&p, "\n");
        assert_memory_equal(hear(&p), rows[i].reply, strlen(rows[i].reply));
        assert_true(rows[i].reply[0] || p.heard.len == 0);
    }
    say(&p, INITIALIZE);
    assert_string_equal(hear(&p), INITIALIZED);
    close_pipes(&p);
}

static void a_line_that_is_too_long_costs_no_memory(void **state)
{
    struct world *w = *state;
    struct str blanks = STR_INIT;
    struct pipes p;

    w->o.limits.message_bytes = 100000;
    world_restart(w);
    open_pipes(&p, w);
    for (int i = 0; i < 1000; i++)
        str_puts(&blanks, "          ");
    for (int i = 0; i < 100; i++)
        say(&p, str_cstr(&blanks)); /* 1 MB */
    assert_string_equal(hear(&p),
                        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":"
                        "\"this line is longer than a message may be\"}}\n");
    say(&p, "\n" INITIALIZE);
    assert_string_equal(hear(&p), INITIALIZED);
    close_pipes(&p);
    str_deinit(&blanks);
}

#define CANCEL(id)                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":" id    \
    "}}\n"

static void requests_are_cancelled_by_their_id(void **state)
{
    struct world *w = *state;
    struct pipes p;

    open_pipes(&p, w);
    say(&p, CALL("1", "hold", "") "\n" CALL("\"1\"", "hold", "") "\n" CALL("1", "echo", "") "\n");
    assert_non_null(strstr(hear(&p), "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600,"));
    assert_int_equal(w->n_open, 2);
    say(&p, CANCEL("1"));
    assert_string_equal(hear(&p), ""); /* a cancelled request has no answer */
    assert_int_equal(w->n_cancelled, 1);
    world_finish(w->open[0], "{}");
    assert_non_null(strstr(hear(&p), "\"id\":\"1\",\"result\":"));
    close_pipes(&p);
}

#define LISTEN                                                                                     \
    "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"subscriptions/listen\",\"params\":{"               \
    "\"notifications\":{\"toolsListChanged\":true}," META("") "}}\n"

static void a_subscription_is_tagged_and_ends_with_the_input(void **state)
{
    struct world *w = *state;
    struct pipes p;

    open_pipes(&p, w);
    say(&p, LISTEN);
    assert_non_null(strstr(hear(&p), "\"io.modelcontextprotocol/subscriptionId\":8"));
    world_note(w->open[0], MCP_TOOLS_CHANGED, NULL);
    assert_string_equal(hear(&p),
                        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\","
                        "\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":8}}}\n");
    close(p.to);
    p.to = -1;
    (void)hear(&p);
    assert_int_equal(p.n_ended, 1);
    assert_int_equal(w->n_open, 0);
    close_pipes(&p);
}

static void calls_may_end_after_the_input(void **state)
{
    struct world *w = *state;
    struct pipes p;

    w->o.limits.drain_ms = 500;
    world_restart(w);
    open_pipes(&p, w);
    say(&p, CALL("1", "hold", "") "\n" CALL("2", "hold", "") "\n" CALL("3", "echo", ""));
    close(p.to); /* the last line has no end */
    p.to = -1;
    assert_non_null(strstr(hear(&p), "\"id\":3,\"result\""));
    assert_int_equal(p.n_ended, 0);
    world_finish(w->open[0], "{}");
    assert_non_null(strstr(hear(&p), "\"id\":1,\"result\""));
    for (int i = 0; i < 100 && p.n_ended == 0; i++)
        world_turn(w, 20);
    assert_string_equal(hear(&p), ""); /* 2 was cancelled */
    assert_int_equal(w->n_cancelled, 1);
    assert_int_equal(p.n_ended, 1);
    close_pipes(&p);
}

static void a_legacy_client_is_asked_and_told(void **state)
{
    struct world *w = *state;
    struct pipes p;

    open_pipes(&p, w);
    say(&p, INITIALIZE "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
    (void)hear(&p);
    assert_int_equal(w->n_open, 1); /* it listens */
    world_note(w->open[0], MCP_PROMPTS_CHANGED, NULL);
    assert_string_equal(
        hear(&p), "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/prompts/list_changed\"}\n");
    say(&p,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"ask\"}}\n");
    assert_string_equal(
        hear(&p), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\",\"params\":"
                  "{\"message\":\"A?\"}}\n"
                  "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"roots/list\"}\n");
    say(&p, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"roots\":[]}}\n"
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"cancel\"}}\n");
    assert_non_null(strstr(hear(&p), "\"id\":1,\"result\":{\"content\""));
    close_pipes(&p);
}

/* The pipe is full: requests wait in the client until it reads. */
static void a_client_that_does_not_read_is_not_read_from(void **state)
{
    struct world *w = *state;
    struct str request = STR_INIT;
    struct pipes p;
    int n_sent = 0, n_heard = 0;

    open_pipes(&p, w);
    str_puts(&request,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
             "\"echo\"," META("") ",\"arguments\":{\"x\":\"");
    for (int i = 0; i < 3000; i++)
        str_puts(&request, "0123456789");
    str_puts(&request, "\"}}}\n");
    (void)fcntl(p.to, F_SETFL, O_NONBLOCK);
    for (; n_sent < 1000; n_sent++) { /* 30 MB, as far as they are taken: whole lines only */
        size_t at = 0;

        for (int tries = 0; at < request.len && tries < 50; tries++) {
            ssize_t k = write(p.to, str_cstr(&request) + at, request.len - at);

            at += k > 0 ? (size_t)k : 0;
            if (k <= 0)
                world_turn(w, 1);
        }
        if (at < request.len)
            break;
    }
    assert_in_range(n_sent, 30, 200);
    for (int i = 0; i < 20; i++)
        (void)hear(&p), n_heard += p.heard.len > 0;
    assert_true(n_heard > 0);
    assert_true(w->n_started >= n_sent); /* all that was sent was served then */
    close_pipes(&p);
    str_deinit(&request);
}

/* Some answers always wait for it: what it has read already takes no memory. */
static void a_client_that_reads_slowly_is_served_on(void **state)
{
    struct world *w = *state;
    struct str request = STR_INIT;
    struct pipes p;
    size_t sent = 0, heard = 0;
    char bytes[32768];

    open_pipes(&p, w);
    str_puts(&request,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
             "\"echo\"," META("") ",\"arguments\":{\"x\":\"");
    for (int i = 0; i < 30000; i++)
        str_puts(&request, "0123456789");
    str_puts(&request, "\"}}}\n");
    while (heard < STR_MAX_DEFAULT + ((size_t)16 << 20)) { /* more than a queue holds at a time */
        ssize_t n = read(p.from, bytes, sizeof(bytes));

        heard += n > 0 ? (size_t)n : 0;
        if (sent < heard + 2 * request.len) {
            say(&p, str_cstr(&request));
            sent += request.len;
        }
        world_turn(w, 1);
        if (p.n_ended > 0)
            break;
    }
    assert_int_equal(p.n_ended, 0);
    close_pipes(&p);
    str_deinit(&request);
}

static void a_client_that_is_gone_ends_it(void **state)
{
    struct world *w = *state;
    struct pipes p;

    open_pipes(&p, w);
    say(&p, CALL("1", "hold", "") "\n");
    world_turn(w, 3);
    close(p.from);
    p.from = -1;
    say(&p, CALL("2", "echo", "") "\n");
    world_turn(w, 10);
    assert_int_equal(w->n_cancelled, 1);
    assert_int_equal(p.n_ended, 1);
    close_pipes(&p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_request_says_its_era),
        TEST(faults_of_lines_are_answered_and_the_next_line_is_read),
        TEST(a_line_that_is_too_long_costs_no_memory),
        TEST(requests_are_cancelled_by_their_id),
        TEST(a_subscription_is_tagged_and_ends_with_the_input),
        TEST(calls_may_end_after_the_input),
        TEST(a_legacy_client_is_asked_and_told),
        TEST(a_client_that_does_not_read_is_not_read_from),
        TEST(a_client_that_reads_slowly_is_served_on),
        TEST(a_client_that_is_gone_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
