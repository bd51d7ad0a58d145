/* test_mcp_client_stdio.c - real processes that misbehave (bad_server.c): each costs its own call.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>

#include "client_world.h"
#include "mcp/client/client_lists.h"

#define CALL "{\"name\":\"x\"}"

struct process {
    struct world w;
    char path[512];
    const char *argv[4];
};

static void open_process(struct process *p, const char *mode, const char *number)
{
    const char *build = getenv("TROUPE_BINARY_DIR");

    world_init(&p->w, false);
    (void)snprintf(p->path, sizeof(p->path), "%s/tests/mcp_bad_server",
                   build ? build : "build/default");
    p->argv[0] = p->path;
    p->argv[1] = mode;
    p->argv[2] = number;
    p->argv[3] = NULL;
    p->w.spec.argv = p->argv;
}

static void ready(struct process *p, const char *mode, const char *number)
{
    open_process(p, mode, number);
    world_start(&p->w);
    mcp_client_start(p->w.client);
    world_until_int(p->w.loop, (const int *)&p->w.state, MCP_CLIENT_READY);
    assert_int_equal(p->w.state, MCP_CLIENT_READY);
}

static void the_value_of_a_reference_is_in_no_message(void **state)
{
    static const char *const argv[] = {"/no/hunter2", "hunter2", NULL};
    struct world w;

    (void)state;
    world_init(&w, false);
    w.spec.argv = argv;
    w.spec.program = "/no/${SECRET}";
    world_start(&w);
    mcp_client_start(w.client);
    world_until_int(w.loop, (const int *)&w.state, MCP_CLIENT_DOWN);
    assert_string_equal(mcp_client_facts(w.client).fault,
                        "starting /no/${SECRET}: No such file or directory");
    world_deinit(&w);
}

static void each_way_to_misbehave_costs_its_own_call(void **state)
{
    static const struct {
        const char *mode, *number;
        enum mcp_answer_kind kind;
        const char *message;
        enum mcp_client_state after;
    } cases[] = {
        {"plain", NULL, MCP_COMPLETE, "", MCP_CLIENT_READY},
        {"chatty", NULL, MCP_COMPLETE, "", MCP_CLIENT_READY},
        {"slow-half", NULL, MCP_COMPLETE, "", MCP_CLIENT_READY},
        {"half", NULL, MCP_ERROR, "server: the process of server ended with exit code 3",
         MCP_CLIENT_DOWN},
        {"dies", NULL, MCP_ERROR, "server: the process of server was ended by signal 9 (Killed)",
         MCP_CLIENT_DOWN},
        {"silent", NULL, MCP_ERROR, "server: server gave no answer to tools/call in 300 ms",
         MCP_CLIENT_READY},
        {"twice", NULL, MCP_COMPLETE, "", MCP_CLIENT_READY},
        {"deep", NULL, MCP_ERROR,
         "server: the answer of server is not valid: JSON is nested deeper than 64 levels",
         MCP_CLIENT_READY},
        {"surrogate", NULL, MCP_ERROR,
         "server: the answer of server is not valid: not a valid escape in a JSON string",
         MCP_CLIENT_READY},
        {"sized", "65535", MCP_COMPLETE, "", MCP_CLIENT_READY},
        {"sized", "65536", MCP_COMPLETE, "", MCP_CLIENT_READY},
        {"sized", "65537", MCP_COMPLETE, "", MCP_CLIENT_READY},
        {"sized", "15728640", MCP_COMPLETE, "", MCP_CLIENT_READY},
        {"sized", "17825792", MCP_ERROR, "server: a message of server has more than 16777216 bytes",
         MCP_CLIENT_READY},
        {"sized", "104857600", MCP_ERROR,
         "server: a message of server has more than 16777216 bytes", MCP_CLIENT_READY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct process p;
        struct asked a;

        open_process(&p, cases[i].mode, cases[i].number);
        if (strcmp(cases[i].mode, "silent") == 0)
            p.w.spec.limits.call_ms = 300;
        world_start(&p.w);
        world_ask(&p.w, &a, MCP_TOOLS_CALL, CALL);
        world_answer(&p.w, &a);
        if (a.kind != cases[i].kind)
            fail_msg("%s: %s", cases[i].mode, str_cstr(&a.message));
        if (cases[i].message)
            assert_string_equal(str_cstr(&a.message), cases[i].message);
        if (cases[i].kind == MCP_COMPLETE && cases[i].number)
            assert_in_range(a.result.len, (size_t)atol(cases[i].number),
                            (size_t)atol(cases[i].number) + 20);
        assert_int_equal(p.w.state, cases[i].after);
        asked_deinit(&a);
        if (cases[i].after == MCP_CLIENT_READY && cases[i].kind == MCP_ERROR &&
            strcmp(cases[i].mode, "sized") == 0) { /* it goes on */
            world_ask(&p.w, &a, MCP_TOOLS_LIST, NULL);
            world_answer(&p.w, &a);
            assert_int_equal(a.kind, MCP_ERROR);
            asked_deinit(&a);
        }
        world_deinit(&p.w);
    }
}

static void what_is_no_message_is_counted_and_errors_are_lines(void **state)
{
    struct process p;
    struct asked a;

    (void)state;
    ready(&p, "chatty", NULL);
    world_ask(&p.w, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&p.w, &a);
    assert_int_equal(mcp_client_counts(p.w.client).garbage, 3);
    mcp_client_stop(p.w.client);
    world_wait(p.w.loop, 100);
    assert_non_null(strstr(str_cstr(&p.w.lines), "a line of errors\n"));
    assert_non_null(strstr(str_cstr(&p.w.lines), "and half a line\n"));
    asked_deinit(&a);
    world_deinit(&p.w);
}

static void an_answer_before_its_request_does_not_become_its_answer(void **state)
{
    struct process p;
    struct asked a, b;

    (void)state;
    ready(&p, "twice", NULL);
    world_ask(&p.w, &a, MCP_TOOLS_CALL, CALL);
    world_answer(&p.w, &a);
    assert_string_equal(str_cstr(&a.result), "{\"n\":1}");
    world_wait(p.w.loop, 30);
    assert_int_equal(mcp_client_counts(p.w.client).late, 1);
    assert_int_equal(mcp_client_counts(p.w.client).unknown, 1);
    world_ask(&p.w, &b, MCP_TOOLS_CALL, CALL);
    world_answer(&p.w, &b);
    assert_string_equal(str_cstr(&b.result), "{\"n\":1}");
    asked_deinit(&a);
    asked_deinit(&b);
    world_deinit(&p.w);
}

struct fetched {
    bool is_done;
    size_t n;
};

static void on_fetched(void *ctx, enum status st, struct json_view items, int64_t ttl_ms,
                       bool is_private, const struct error *err)
{
    struct fetched *f = ctx;

    (void)ttl_ms;
    (void)err;
    assert_int_equal(st, STATUS_OK);
    assert_true(is_private);
    f->n = json_view_size(items);
    f->is_done = true;
}

static void five_thousand_tools_come_over_fifty_pages(void **state)
{
    struct process p;
    struct fetched f = {0};

    (void)state;
    ready(&p, "pages", "50");
    (void)client_lists_start(&(struct client_lists_spec){.loop = p.w.loop,
                                                         .handler = mcp_client_handler(p.w.client),
                                                         .caller = p.w.caller,
                                                         .method = MCP_TOOLS_LIST,
                                                         .ctx = &f,
                                                         .done = on_fetched});
    world_until(p.w.loop, &f.is_done);
    assert_int_equal(f.n, 5000);
    world_deinit(&p.w);
}

static void a_thousand_changes_at_once_are_one(void **state)
{
    struct process p;
    struct asked a;

    (void)state;
    ready(&p, "storm", NULL);
    world_ask(&p.w, &a, MCP_TOOLS_CALL, CALL);
    world_until_int(p.w.loop, &p.w.n_changed, 1);
    world_wait(p.w.loop, 200);
    assert_in_range(p.w.n_changed, 1, 2);
    assert_int_equal(mcp_client_counts(p.w.client).changes, 1000);
    asked_deinit(&a);
    world_deinit(&p.w);
}

static bool is_running(int pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

/* 256 messages in 10 ms are taken, and no line is lost. Before there was a limit, all 40,000 came
 * in one burst. */
static void a_server_that_floods_is_read_slowly(void **state)
{
    struct process p;
    struct asked a;
    int64_t begun = seams_mono_us(seams_real());

    (void)state;
    open_process(&p, "flood", "40000");
    p.w.spec.limits.call_ms = 60000;
    world_start(&p.w);
    world_ask_spec(&p.w, &a,
                   (struct mcp_exchange_spec){.method = MCP_TOOLS_CALL, .log_level = MCP_LOG_DEBUG},
                   CALL, NULL);
    world_wait(p.w.loop, 200);
    assert_false(a.is_done);
    assert_in_range(a.n_notes, 256, 10000);
    world_answer(&p.w, &a);
    assert_int_equal(a.kind, MCP_COMPLETE);
    assert_int_equal(a.n_notes, 40000);
    assert_true(seams_mono_us(seams_real()) - begun >= 40000 / 256 * 9000);
    asked_deinit(&a);
    world_deinit(&p.w);
}

/* An end comes after all that was written before it, and a stop does not wait. */
static void a_server_that_floods_can_be_stopped(void **state)
{
    struct process p;
    struct asked a;
    int pid;

    (void)state;
    ready(&p, "flood", "100000000");
    p.w.spec.limits.stop_ms = 100;
    pid = mcp_client_facts(p.w.client).pid;
    world_ask(&p.w, &a, MCP_TOOLS_CALL, CALL);
    world_wait(p.w.loop, 100);
    mcp_client_stop(p.w.client);
    world_wait(p.w.loop, 1000);
    world_deinit(&p.w);
    assert_false(is_running(pid));
    asked_deinit(&a);
}

static void a_process_ends_with_its_input_and_a_deaf_one_by_force(void **state)
{
    (void)state;
    for (int deaf = 0; deaf < 2; deaf++) {
        struct process p;
        int pid;

        open_process(&p, deaf ? "deaf" : "plain", NULL);
        p.w.spec.limits.stop_ms = deaf ? 50 : 10000;
        world_start(&p.w);
        mcp_client_start(p.w.client);
        world_until_int(p.w.loop, (const int *)&p.w.state, MCP_CLIENT_READY);
        pid = mcp_client_facts(p.w.client).pid;
        assert_true(is_running(pid));
        mcp_client_stop(p.w.client);
        assert_int_equal(p.w.state, MCP_CLIENT_DOWN);
        if (!deaf) { /* well before the time for force */
            world_wait(p.w.loop, 1000);
            assert_false(is_running(pid));
        }
        world_deinit(&p.w);
        assert_false(is_running(pid));
    }
}

static void a_program_that_is_not_there_is_an_error_with_its_name(void **state)
{
    struct process p;
    struct asked a;

    (void)state;
    open_process(&p, "plain", NULL);
    p.argv[0] = "no-such-mcp-server";
    world_start(&p.w);
    world_ask(&p.w, &a, MCP_TOOLS_CALL, CALL);
    assert_true(a.is_done);
    assert_non_null(strstr(str_cstr(&a.message), "no-such-mcp-server"));
    asked_deinit(&a);
    world_deinit(&p.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_value_of_a_reference_is_in_no_message),
        cmocka_unit_test(each_way_to_misbehave_costs_its_own_call),
        cmocka_unit_test(what_is_no_message_is_counted_and_errors_are_lines),
        cmocka_unit_test(an_answer_before_its_request_does_not_become_its_answer),
        cmocka_unit_test(five_thousand_tools_come_over_fifty_pages),
        cmocka_unit_test(a_thousand_changes_at_once_are_one),
        cmocka_unit_test(a_server_that_floods_is_read_slowly),
        cmocka_unit_test(a_server_that_floods_can_be_stopped),
        cmocka_unit_test(a_process_ends_with_its_input_and_a_deaf_one_by_force),
        cmocka_unit_test(a_program_that_is_not_there_is_an_error_with_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
