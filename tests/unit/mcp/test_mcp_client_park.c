/* test_mcp_client_park.c - a legacy server asks for input in the course of a call, and a modern
 * client answers it by sending the call again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client_world.h"
#include "mcp/rpc/rpc.h"

#define CALL   "{\"name\":\"ask\"}"
#define ELICIT "{\"message\":\"your name?\",\"requestedSchema\":{\"type\":\"object\"}}"

/* The server remembers the last request, and asks when the test says so. */
static void serve(struct world *w, const struct rpc_message *m)
{
    if (m->method.at && m->id.at)
        *(int64_t *)w->ctx = json_view_int(m->id, -1);
}

struct scene {
    struct world w;
    int64_t id; /* of the last request that the server got */
};

static void open_scene(struct scene *s)
{
    world_init(&s->w, false);
    s->id = 0;
    s->w.serve = serve;
    s->w.ctx = &s->id;
    world_start(&s->w);
    mcp_client_start(s->w.client);
    world_until_int(s->w.loop, (const int *)&s->w.state, MCP_CLIENT_READY);
}

static void call_as(struct scene *s, struct asked *a, struct mcp_caller *caller, const char *params)
{
    world_ask_spec(&s->w, a,
                   (struct mcp_exchange_spec){
                       .method = MCP_TOOLS_CALL, .caller = caller, .wants_progress = true},
                   params, NULL);
    world_wait(s->w.loop, 3);
}

static void server_asks(struct scene *s, const char *id, const char *method, const char *params)
{
    world_say(&s->w, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"%s\",\"params\":%s}", id, method,
              params);
    world_wait(s->w.loop, 3);
}

static void progress(struct scene *s, int n)
{
    world_say(&s->w,
              "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
              "\"progressToken\":%d,\"progress\":%d}}",
              (int)s->id, n);
}

static void server_answers(struct scene *s, int64_t id, const char *result)
{
    world_say(&s->w, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%s}", (int)id, result);
}

/* The requestState of an answer, as it is in JSON. */
static const char *state_of(const struct asked *a, char out[128])
{
    struct json_view v = json_view_get(json_view_str(&a->result), "requestState");

    (void)snprintf(out, 128, "%.*s", (int)v.n, v.at);
    return out;
}

static void retry(struct scene *s, struct asked *a, struct mcp_caller *caller,
                  const struct asked *before, const char *responses)
{
    char params[1024], state[128];

    (void)snprintf(params, sizeof(params),
                   "{\"name\":\"ask\",\"requestState\":%s,\"inputResponses\":%s}",
                   state_of(before, state), responses);
    call_as(s, a, caller, params);
}

#define YES "{\"input-1\":{\"action\":\"accept\",\"content\":{\"name\":\"x\"}}}"

static void input_goes_round_and_progress_is_kept_meanwhile(void **state)
{
    struct scene s;
    struct asked a, b;

    (void)state;
    open_scene(&s);
    call_as(&s, &a, NULL, CALL);
    progress(&s, 1);
    server_asks(&s, "\"e1\"", "elicitation/create", ELICIT);
    assert_int_equal(a.kind, MCP_INPUT_REQUIRED);
    assert_int_equal(a.n_notes, 1);
    assert_non_null(strstr(str_cstr(&a.result),
                           "\"inputRequests\":{\"input-1\":{\"method\":\"elicitation/create\","
                           "\"params\":" ELICIT "}}"));
    assert_int_equal(mcp_client_counts(s.w.client).parked, 1);
    progress(&s, 2);
    progress(&s, 3);
    retry(&s, &b, NULL, &a, YES);
    assert_non_null(world_sent(&s.w, "{\"jsonrpc\":\"2.0\",\"id\":\"e1\",\"result\":{\"action\":"
                                     "\"accept\",\"content\":{\"name\":\"x\"}}}"));
    assert_int_equal(mcp_client_counts(s.w.client).parked, 0);
    progress(&s, 4);
    assert_string_equal(str_cstr(&b.notes),
                        "{\"progress\":2}\n{\"progress\":3}\n{\"progress\":4}\n");
    server_answers(&s, s.id, "{\"content\":[]}");
    assert_int_equal(b.kind, MCP_COMPLETE);
    assert_string_equal(str_cstr(&b.result), "{\"content\":[]}");
    assert_int_equal(world_count(&s.w.sent, "tools/call"), 1);
    asked_deinit(&a);
    asked_deinit(&b);
    world_deinit(&s.w);
}

static void a_completed_url_is_a_note_of_the_call_that_asked(void **state)
{
    static const char note[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/elicitation/"
                               "complete\",\"params\":{\"elicitationId\":\"u1\"}}";
    struct scene s;
    struct asked a, b, other;

    (void)state;
    open_scene(&s);
    world_say(&s.w, "%s", note); /* of no call */
    call_as(&s, &a, NULL, CALL);
    server_asks(
        &s, "\"e1\"", "elicitation/create",
        "{\"mode\":\"url\",\"message\":\"Go\",\"url\":\"https://a/\",\"elicitationId\":\"u1\"}");
    assert_int_equal(a.kind, MCP_INPUT_REQUIRED);
    call_as(&s, &other, NULL, CALL);
    retry(&s, &b, NULL, &a, "{\"input-1\":{\"action\":\"accept\"}}");
    world_say(&s.w, "%s", note);
    world_say(&s.w, "%s", note); /* once */
    assert_string_equal(str_cstr(&b.notes), "{\"elicitationId\":\"u1\"}\n");
    assert_int_equal(b.last_note, MCP_ELICIT_COMPLETE);
    assert_int_equal(other.n_notes, 0);
    assert_int_equal(mcp_client_counts(s.w.client).unknown, 2); /* the first and the last */
    mcp_client_stop(s.w.client);
    asked_deinit(&a);
    asked_deinit(&b);
    asked_deinit(&other);
    world_deinit(&s.w);
}

static void a_retry_sent_twice_gets_one_answer(void **state)
{
    struct scene s;
    struct asked a, b, c, d;

    (void)state;
    open_scene(&s);
    call_as(&s, &a, NULL, CALL);
    server_asks(&s, "1", "elicitation/create", ELICIT);
    retry(&s, &b, NULL, &a, YES);
    retry(&s, &c, NULL, &a, YES); /* while it is open */
    assert_int_equal(world_count(&s.w.sent, "\"action\":\"accept\""), 1);
    server_answers(&s, s.id, "{\"n\":1}");
    assert_string_equal(str_cstr(&b.result), "{\"n\":1}");
    assert_string_equal(str_cstr(&c.result), "{\"n\":1}");
    retry(&s, &d, NULL, &a, YES); /* after it */
    assert_true(d.is_done);
    assert_string_equal(str_cstr(&d.result), "{\"n\":1}");
    assert_int_equal(world_count(&s.w.sent, "tools/call"), 1);
    assert_int_equal(world_count(&s.w.sent, "\"action\":\"accept\""), 1);
    asked_deinit(&a);
    asked_deinit(&b);
    asked_deinit(&c);
    asked_deinit(&d);
    world_deinit(&s.w);
}

static void one_of_two_retries_can_be_cancelled(void **state)
{
    struct scene s;
    struct asked a, b, c;

    (void)state;
    open_scene(&s);
    call_as(&s, &a, NULL, CALL);
    server_asks(&s, "1", "elicitation/create", ELICIT);
    retry(&s, &b, NULL, &a, YES);
    retry(&s, &c, NULL, &a, YES);
    mcp_exchange_cancel(b.x);
    assert_true(b.is_cancelled);
    assert_null(world_sent(&s.w, "notifications/cancelled"));
    mcp_exchange_cancel(c.x);
    assert_true(c.is_cancelled);
    assert_non_null(world_sent(&s.w, "notifications/cancelled"));
    assert_int_equal(mcp_client_counts(s.w.client).open, 0);
    asked_deinit(&a);
    asked_deinit(&b);
    asked_deinit(&c);
    world_deinit(&s.w);
}

static void a_second_request_makes_a_new_round(void **state)
{
    struct scene s;
    struct asked a, b, c, again;
    char first[128], second[128];

    (void)state;
    open_scene(&s);
    call_as(&s, &a, NULL, CALL);
    server_asks(&s, "1", "elicitation/create", ELICIT);
    retry(&s, &b, NULL, &a, YES);
    server_asks(&s, "2", "sampling/createMessage", "{\"messages\":[]}");
    assert_int_equal(b.kind, MCP_INPUT_REQUIRED);
    assert_non_null(
        strstr(str_cstr(&b.result), "{\"input-2\":{\"method\":\"sampling/createMessage\""));
    assert_string_not_equal(state_of(&a, first), state_of(&b, second));
    retry(&s, &again, NULL, &a, YES); /* the first round once more: what it led to */
    assert_string_equal(str_cstr(&again.result), str_cstr(&b.result));
    retry(&s, &c, NULL, &b, "{\"input-2\":{\"role\":\"assistant\"}}");
    assert_non_null(world_sent(&s.w, "\"id\":2,\"result\":{\"role\":\"assistant\"}}"));
    server_answers(&s, s.id, "{}");
    assert_int_equal(c.kind, MCP_COMPLETE);
    asked_deinit(&a);
    asked_deinit(&b);
    asked_deinit(&c);
    asked_deinit(&again);
    world_deinit(&s.w);
}

static void requests_of_one_turn_are_one_round_and_what_is_missing_is_asked_again(void **state)
{
    struct scene s;
    struct asked a, b, c, d;

    (void)state;
    open_scene(&s);
    call_as(&s, &a, NULL, CALL);
    world_say(&s.w, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}");
    world_say(&s.w,
              "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"elicitation/create\",\"params\":{}}");
    assert_false(a.is_done);
    world_wait(s.w.loop, 3);
    assert_non_null(strstr(str_cstr(&a.result), "\"inputRequests\":{\"input-1\":{\"method\":"
                                                "\"roots/list\"},\"input-2\":"));
    retry(&s, &b, NULL, &a, "{\"other\":{}}"); /* none of them */
    assert_int_equal(b.kind, MCP_INPUT_REQUIRED);
    assert_null(world_sent(&s.w, "\"id\":1,\"result\""));
    retry(&s, &c, NULL, &b, "{\"input-1\":{\"roots\":[]}}"); /* one of them */
    assert_non_null(world_sent(&s.w, "\"id\":1,\"result\":{\"roots\":[]}}"));
    assert_int_equal(c.kind, MCP_INPUT_REQUIRED);
    assert_non_null(strstr(str_cstr(&c.result), "{\"input-2\":"));
    assert_null(strstr(str_cstr(&c.result), "input-1"));
    world_ask_spec(&s.w, &d, (struct mcp_exchange_spec){.method = MCP_TOOLS_CALL}, "{}", NULL);
    asked_deinit(&d);
    {
        char params[512], text[128];

        (void)snprintf(params, sizeof(params), "{\"requestState\":%s}", state_of(&c, text));
        world_ask_spec(&s.w, &d, (struct mcp_exchange_spec){.method = MCP_TOOLS_CALL}, params,
                       "{\"input-2\":{\"code\":-1,\"message\":\"user rejected\"}}");
    }
    assert_non_null(
        world_sent(&s.w, "\"id\":2,\"error\":{\"code\":-1,\"message\":\"user rejected\"}}"));
    assert_false(d.is_done);
    asked_deinit(&a);
    asked_deinit(&b);
    asked_deinit(&c);
    asked_deinit(&d);
    world_deinit(&s.w);
}

static void a_malformed_or_foreign_retry_is_an_error_and_changes_nothing(void **state)
{
    struct scene s;
    struct asked a, b;
    struct mcp_caller *bob = world_caller("bob", "", ALL_CAPABILITIES);

    (void)state;
    open_scene(&s);
    call_as(&s, &a, NULL, CALL);
    server_asks(&s, "1", "elicitation/create", ELICIT);
    retry(&s, &b, NULL, &a, "[]");
    assert_int_equal(b.code, RPC_INVALID_PARAMS);
    asked_deinit(&b);
    retry(&s, &b, NULL, &a, "{\"input-1\":7}");
    assert_int_equal(b.code, RPC_INVALID_PARAMS);
    asked_deinit(&b);
    retry(&s, &b, bob, &a, YES); /* another user */
    assert_int_equal(b.code, RPC_INVALID_PARAMS);
    asked_deinit(&b);
    call_as(&s, &b, NULL, "{\"name\":\"ask\",\"requestState\":\"park:1:00\"}");
    assert_int_equal(b.code, RPC_INVALID_PARAMS);
    assert_non_null(strstr(str_cstr(&b.message), "is gone"));
    asked_deinit(&b);
    assert_null(world_sent(&s.w, "\"id\":1,\"result\""));
    retry(&s, &b, NULL, &a, YES);
    assert_non_null(world_sent(&s.w, "\"id\":1,\"result\""));
    assert_int_equal(world_count(&s.w.sent, "tools/call"), 1);
    asked_deinit(&b);
    asked_deinit(&a);
    mcp_caller_unref(bob);
    world_deinit(&s.w);
}

static void after_a_restart_the_retry_is_an_error_and_no_second_call(void **state)
{
    struct scene s;
    struct asked a, b;

    (void)state;
    open_scene(&s);
    call_as(&s, &a, NULL, CALL);
    server_asks(&s, "1", "elicitation/create", ELICIT);
    world_link_dies(&s.w, "gone");
    mcp_client_start(s.w.client);
    retry(&s, &b, NULL, &a, YES); /* it was on its way while starting */
    world_answer(&s.w, &b);
    assert_int_equal(b.kind, MCP_ERROR);
    assert_int_equal(world_count(&s.w.sent, "tools/call"), 1);
    asked_deinit(&a);
    asked_deinit(&b);
    world_deinit(&s.w);
}

static void a_call_that_ends_while_it_waits_keeps_its_answer(void **state)
{
    struct scene s;
    struct asked a, b;

    (void)state;
    open_scene(&s);
    call_as(&s, &a, NULL, CALL);
    server_asks(&s, "1", "elicitation/create", ELICIT);
    server_answers(&s, s.id, "{\"gave\":\"up\"}");
    retry(&s, &b, NULL, &a, YES);
    assert_string_equal(str_cstr(&b.result), "{\"gave\":\"up\"}");
    asked_deinit(&a);
    asked_deinit(&b);
    world_deinit(&s.w);
}

static void nobody_comes_back_and_the_call_is_given_up(void **state)
{
    struct scene s;
    struct asked a, b;

    (void)state;
    world_init(&s.w, false);
    s.w.spec.limits.park_ms = 20;
    s.w.serve = serve;
    s.w.ctx = &s.id;
    world_start(&s.w);
    mcp_client_start(s.w.client);
    world_until_int(s.w.loop, (const int *)&s.w.state, MCP_CLIENT_READY);
    call_as(&s, &a, NULL, CALL);
    server_asks(&s, "1", "elicitation/create", ELICIT);
    assert_int_equal(a.kind, MCP_INPUT_REQUIRED);
    world_wait(s.w.loop, 60);
    assert_non_null(world_sent(&s.w, "\"id\":1,\"error\""));
    assert_non_null(world_sent(&s.w, "notifications/cancelled"));
    assert_int_equal(mcp_client_counts(s.w.client).open, 0);
    retry(&s, &b, NULL, &a, YES);
    assert_int_equal(b.code, RPC_INVALID_PARAMS);
    asked_deinit(&a);
    asked_deinit(&b);
    world_deinit(&s.w);
}

static void a_kept_answer_goes_after_its_time(void **state)
{
    struct scene s;
    struct asked a, b, c;

    (void)state;
    world_init(&s.w, false);
    s.w.spec.limits.kept_ms = 30;
    s.w.serve = serve;
    s.w.ctx = &s.id;
    world_start(&s.w);
    mcp_client_start(s.w.client);
    world_until_int(s.w.loop, (const int *)&s.w.state, MCP_CLIENT_READY);
    call_as(&s, &a, NULL, CALL);
    server_asks(&s, "1", "elicitation/create", ELICIT);
    retry(&s, &b, NULL, &a, YES);
    server_answers(&s, s.id, "{}");
    world_wait(s.w.loop, 60);
    retry(&s, &c, NULL, &a, YES);
    assert_int_equal(c.code, RPC_INVALID_PARAMS);
    asked_deinit(&a);
    asked_deinit(&b);
    asked_deinit(&c);
    world_deinit(&s.w);
}

/* ---- whose request it is */

static void a_request_belongs_to_the_last_call_of_the_only_user(void **state)
{
    struct scene s;
    struct asked a, b, c;
    struct mcp_caller *bob = world_caller("bob", "", ALL_CAPABILITIES);

    (void)state;
    open_scene(&s);
    call_as(&s, &a, NULL, CALL);
    call_as(&s, &b, NULL, CALL);
    server_asks(&s, "1", "elicitation/create", ELICIT);
    assert_false(a.is_done);
    assert_int_equal(b.kind, MCP_INPUT_REQUIRED);
    server_asks(&s, "2", "elicitation/create", ELICIT); /* b is parked: of a, then */
    assert_int_equal(a.kind, MCP_INPUT_REQUIRED);
    call_as(&s, &c, bob, CALL);
    server_asks(&s, "3", "elicitation/create", ELICIT); /* of alice or of bob? */
    assert_false(c.is_done);
    assert_non_null(world_sent(&s.w, "\"id\":3,\"error\":{\"code\":-32600,\"message\":\"calls of "
                                     "several users are open"));
    asked_deinit(&a);
    asked_deinit(&b);
    asked_deinit(&c);
    mcp_caller_unref(bob);
    world_deinit(&s.w);
}

static void what_the_caller_does_not_offer_is_refused(void **state)
{
    struct scene s;
    struct asked a;
    struct mcp_caller *plain = world_caller("carol", "", "{\"elicitation\":{}}");

    (void)state;
    open_scene(&s);
    call_as(&s, &a, plain, CALL);
    server_asks(&s, "1", "sampling/createMessage", "{}");
    assert_non_null(world_sent(&s.w, "\"id\":1,\"error\":{\"code\":-32601"));
    server_asks(&s, "2", "elicitation/create", "{\"mode\":\"url\"}");
    assert_non_null(world_sent(&s.w, "\"id\":2,\"error\":{\"code\":-32601"));
    assert_false(a.is_done);
    server_asks(&s, "3", "elicitation/create", ELICIT);
    assert_int_equal(a.kind, MCP_INPUT_REQUIRED);
    asked_deinit(&a);
    mcp_caller_unref(plain);
    world_deinit(&s.w);
}

static void parked_calls_of_a_user_have_a_cap(void **state)
{
    struct scene s;
    struct asked a, b;

    (void)state;
    world_init(&s.w, false);
    s.w.spec.limits.parks = 1;
    s.w.serve = serve;
    s.w.ctx = &s.id;
    world_start(&s.w);
    mcp_client_start(s.w.client);
    world_until_int(s.w.loop, (const int *)&s.w.state, MCP_CLIENT_READY);
    call_as(&s, &a, NULL, CALL);
    server_asks(&s, "1", "elicitation/create", ELICIT);
    call_as(&s, &b, NULL, CALL);
    server_asks(&s, "2", "elicitation/create", ELICIT);
    assert_true(a.is_done);
    assert_false(b.is_done);
    assert_non_null(world_sent(&s.w, "\"id\":2,\"error\""));
    asked_deinit(&a);
    asked_deinit(&b);
    world_deinit(&s.w);
}

static void a_session_that_ends_takes_its_parked_calls_along(void **state)
{
    struct scene s;
    struct asked a, b;
    struct mcp_caller *one = world_caller("dave", "s1", ALL_CAPABILITIES);
    struct mcp_caller *two = world_caller("dave", "s2", ALL_CAPABILITIES);

    (void)state;
    open_scene(&s);
    call_as(&s, &a, one, CALL);
    server_asks(&s, "1", "elicitation/create", ELICIT);
    call_as(&s, &b, two, CALL);
    server_asks(&s, "2", "elicitation/create", ELICIT);
    assert_int_equal(mcp_client_counts(s.w.client).parked, 2);
    mcp_client_handler(s.w.client)->caller_gone(s.w.client, one);
    assert_int_equal(mcp_client_counts(s.w.client).parked, 1);
    asked_deinit(&a);
    asked_deinit(&b);
    mcp_caller_unref(one);
    mcp_caller_unref(two);
    world_deinit(&s.w);
}

static void a_request_that_is_taken_back_needs_no_answer(void **state)
{
    struct scene s;
    struct asked a, b;

    (void)state;
    open_scene(&s);
    call_as(&s, &a, NULL, CALL);
    server_asks(&s, "\"q\"", "elicitation/create", ELICIT);
    world_say(&s.w, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                    "\"requestId\":\"q\"}}");
    retry(&s, &b, NULL, &a, YES);
    assert_null(world_sent(&s.w, "\"id\":\"q\""));
    assert_false(b.is_done);
    server_answers(&s, s.id, "{}");
    assert_int_equal(b.kind, MCP_COMPLETE);
    asked_deinit(&a);
    asked_deinit(&b);
    world_deinit(&s.w);
}

static void notes_of_a_parked_call_are_kept_within_bounds(void **state)
{
    struct scene s;
    struct asked a, b;

    (void)state;
    open_scene(&s);
    call_as(&s, &a, NULL, CALL);
    server_asks(&s, "1", "elicitation/create", ELICIT);
    for (int i = 0; i < 20000; i++)
        progress(&s, i);
    retry(&s, &b, NULL, &a, YES);
    assert_in_range(b.n_notes, 100, 2000);
    assert_non_null(strstr(str_cstr(&b.notes), "{\"progress\":19999}\n"));
    assert_null(strstr(str_cstr(&b.notes), "{\"progress\":0}\n"));
    asked_deinit(&a);
    asked_deinit(&b);
    world_deinit(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_goes_round_and_progress_is_kept_meanwhile),
        cmocka_unit_test(a_completed_url_is_a_note_of_the_call_that_asked),
        cmocka_unit_test(a_retry_sent_twice_gets_one_answer),
        cmocka_unit_test(one_of_two_retries_can_be_cancelled),
        cmocka_unit_test(a_second_request_makes_a_new_round),
        cmocka_unit_test(requests_of_one_turn_are_one_round_and_what_is_missing_is_asked_again),
        cmocka_unit_test(a_malformed_or_foreign_retry_is_an_error_and_changes_nothing),
        cmocka_unit_test(after_a_restart_the_retry_is_an_error_and_no_second_call),
        cmocka_unit_test(a_call_that_ends_while_it_waits_keeps_its_answer),
        cmocka_unit_test(nobody_comes_back_and_the_call_is_given_up),
        cmocka_unit_test(a_kept_answer_goes_after_its_time),
        cmocka_unit_test(a_request_belongs_to_the_last_call_of_the_only_user),
        cmocka_unit_test(what_the_caller_does_not_offer_is_refused),
        cmocka_unit_test(parked_calls_of_a_user_have_a_cap),
        cmocka_unit_test(a_session_that_ends_takes_its_parked_calls_along),
        cmocka_unit_test(a_request_that_is_taken_back_needs_no_answer),
        cmocka_unit_test(notes_of_a_parked_call_are_kept_within_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
