/* test_turn_limits.c - what ends an agent that would go on, what a cut reply is, and what text
 * models say of themselves.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/memory.h"
#include "tests/unit/agents/agent_fixture.h"
#include "tools/registry.h"

static struct tool_registry *tools;

static int open_tools(void **state)
{
    struct tool_registry_options o = {.seams = seams_real()};

    (void)state;
    assert_ok(tool_registry_new(&o, &tools, why));
    return 0;
}

static int close_tools(void **state)
{
    (void)state;
    tool_registry_free(tools);
    return 0;
}

/* An agent with the tool echo, on a text model. */
static void open_scene(struct scene *s, fake_talk talk)
{
    scene_text(s, talk);
    scene_ask(s, "ask", "Go.");
    scene_tool(s, tool_registry_find(tools, "echo"));
}

static struct json *always_calls(struct fake_model *m, const struct model_call *c)
{
    (void)m;
    (void)c;
    return fixture_json(
        "{\"tool_calls\":[{\"name\":\"echo\",\"arguments\":{\"text\":\"again\"}}]}");
}

static void a_model_that_always_calls_is_stopped(void **state)
{
    static const int32_t limits[] = {1, 3, AGENT_MAX_MODEL_CALLS};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct scene s;
        char words[64];

        open_scene(&s, always_calls);
        s.t.max_model_calls = limits[i];
        scene_play(&s);
        assert_int_equal(s.p.result.state, STEP_BUDGET);
        assert_int_equal(s.m.n_calls, limits[i]);
        (void)snprintf(words, sizeof(words), "the limit of %d model call%s", (int)limits[i],
                       limits[i] == 1 ? " is" : "s");
        assert_non_null(strstr(s.p.result.err.message, words));
        scene_close(&s);
    }
}

/* 4 bytes are a token, rounded up: "Go." and the tool's declaration, then what came since. */
static void text_models_spend_tokens(void **state)
{
    struct budget b = {.tokens_limit = 500};
    struct scene s;

    (void)state;
    open_scene(&s, always_calls);
    s.t.scope.budget = &b;
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_BUDGET);
    assert_string_equal(s.p.result.err.message, "the budget of 500 tokens is used up");
    assert_int_equal(b.tokens, s.p.result.tok_in + s.p.result.tok_out);
    assert_in_range(b.tokens, 250, 500);
    assert_in_range(s.m.n_calls, 2, 10);
    scene_close(&s);
}

static void estimates_follow_their_rule(void **state)
{
    struct json *messages = fixture_json("[{\"role\":\"user\",\"content\":\"12345\"},"
                                         "{\"role\":\"tool\",\"content\":\"123\"}]");
    struct json *calls = fixture_json("[1]");
    struct model_usage u = model_usage_estimate(messages, NULL, "12345678", calls);

    (void)state;
    assert_int_equal(u.prompt, 2);     /* 8 bytes */
    assert_int_equal(u.completion, 3); /* 8 and 3 */
    assert_true(u.estimated);
    u = model_usage_estimate(NULL, NULL, NULL, NULL);
    assert_int_equal(u.prompt + u.completion, 0);
    jv_unref(messages);
    jv_unref(calls);
}

static struct json *half_an_answer(struct fake_model *m, const struct model_call *c)
{
    (void)m;
    (void)c;
    return fixture_json("{\"content\":\"The answer is\",\"finish\":\"length\"}");
}

static void a_cut_answer_is_none_unless_the_task_says_so(void **state)
{
    struct budget b = {.tokens_limit = 100};
    struct scene s;

    (void)state;
    open_scene(&s, half_an_answer);
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_ERROR);
    assert_non_null(strstr(s.p.result.err.message, "length: the reply was cut after 4 tokens"));
    scene_close(&s);

    open_scene(&s, half_an_answer);
    s.t.may_be_cut = true;
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_OK);
    assert_int_equal(s.p.result.cut_at, 4);
    assert_string_equal(jv_get_string(s.p.result.output, ""), "The answer is");
    scene_close(&s);

    /* What cut it is the budget, and that is how it ends, whatever the task says. */
    open_scene(&s, half_an_answer);
    s.t.may_be_cut = true;
    s.role.n_tools = 0;
    b.tokens_limit = 5; /* "Go." is one, the reply four */
    s.t.scope.budget = &b;
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_BUDGET);
    scene_close(&s);
}

/* ---- the first prompt */

static struct json *look_for_schema(struct fake_model *m, const struct model_call *c)
{
    const char *user = jv_get_string(jv_get(jv_at(c->messages, 0), "content"), "");

    m->fail_at = strstr(user, "\"required\":[\"n\"]") ? -1 : -2;
    return fixture_json("{\"content\":\"{\\\"n\\\":1}\"}");
}

static void the_schema_is_in_the_first_prompt(void **state)
{
    (void)state;
    for (int32_t format = 0; format <= 1; format++) {
        struct json *schema = fixture_json("{\"required\":[\"n\"]}");
        struct scene s;

        open_scene(&s, look_for_schema);
        s.t.schema = schema;
        s.t.scope.prompt_format = format;
        scene_play(&s);
        assert_int_equal(s.p.result.state, STEP_OK);
        assert_int_equal(s.m.n_calls, 1);
        /* Runs that release 0.1 began are asked as it asked them. */
        assert_int_equal(s.m.fail_at, format == 1 ? -2 : -1);
        jv_unref(schema);
        scene_close(&s);
    }
}

/* ---- what a text model says beside its text */

static struct json *thinks_and_numbers(struct fake_model *m, const struct model_call *c)
{
    const struct json *said = jv_at(c->messages, 1), *tool = jv_at(c->messages, 2);

    if (m->n_calls == 1)
        return fixture_json("{\"reasoning\":\"First echo.\",\"tool_calls\":[{\"id\":\"toolu_7\","
                            "\"name\":\"echo\",\"arguments\":{\"text\":\"x\"}}]}");
    assert_string_equal(jv_get_string(jv_get(said, "reasoning_content"), ""), "First echo.");
    assert_string_equal(jv_get_string(jv_get(jv_at(jv_get(said, "tool_calls"), 0), "id"), ""),
                        "toolu_7");
    assert_string_equal(jv_get_string(jv_get(tool, "tool_call_id"), ""), "toolu_7");
    return fixture_json("{\"content\":\"done\"}");
}

/* Also when the first call comes from the journal. */
static void thoughts_and_ids_of_calls_are_kept(void **state)
{
    struct store_fixture *f = *state;
    struct run *run = fixture_run(fixture_open(f));
    char uuid[37];

    (void)snprintf(uuid, sizeof(uuid), "%s", run_uuid(run));
    for (int32_t polls = 2; polls >= 0; polls -= 2) {
        struct scene s;

        open_scene(&s, thinks_and_numbers);
        s.m.hold = polls ? 2 : 0; /* the first time the second call is never answered */
        s.m.n_calls = polls ? 0 : 1;
        scene_journal(&s, run);
        s.p.max_polls = polls ? 3 : 0;
        scene_play(&s);
        if (polls) {
            assert_non_null(s.m.held);
            agent_interrupt(s.p.agent);
            s.p.max_polls = 0;
            while (!s.p.over)
                agent_host_poll(s.p.host, 10);
            assert_int_equal(s.p.result.state, STEP_STARTED);
            run_close(run);
            fixture_close(f);
            assert_ok(run_take(fixture_open(f), uuid, &run, why));
        } else {
            assert_int_equal(s.p.result.state, STEP_OK);
            assert_string_equal(jv_get_string(s.p.result.output, ""), "done");
        }
        scene_close(&s);
    }
    run_close(run);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_model_that_always_calls_is_stopped),
        cmocka_unit_test(text_models_spend_tokens),
        cmocka_unit_test(estimates_follow_their_rule),
        cmocka_unit_test(a_cut_answer_is_none_unless_the_task_says_so),
        cmocka_unit_test(the_schema_is_in_the_first_prompt),
        STORE_TEST(thoughts_and_ids_of_calls_are_kept),
    };

    return cmocka_run_group_tests(cases, open_tools, close_tools);
}
