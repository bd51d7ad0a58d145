/* test_chat_call_text.c - one chat completion on models that take messages.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/script/script_model.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agents/chat_bench.h"

static struct json *talk_text(struct fake_model *m, const struct model_call *c)
{
    (void)m;
    assert_int_equal(jv_size(c->messages), 1);
    assert_string_equal(c->tool_choice, "required");
    return fixture_json("{\"content\": \"so\", \"reasoning\": \"why\", \"tool_calls\": [{\"name\": "
                        "\"add\", \"arguments\": {\"a\": 1}, \"id\": \"own\"}, {\"name\": \"sub\","
                        "\"arguments\": \"{broken\"}]}");
}

static void a_text_model_gets_messages(void **state)
{
    struct chat_bench b;
    struct fake_model m;
    const struct json *call;

    (void)state;
    chat_bench_init(&b, HELLO, TOOLS);
    fake_text_model_init(&m, talk_text);
    b.t.spec.model = &m.model;
    b.t.spec.tool_choice = "required";
    for (int stream = 0; stream < 2; stream++) {
        talk_run(&b.t, stream);
        assert_int_equal(b.t.r.status, STATUS_OK);
        assert_string_equal(b.t.r.content, "so");
        assert_string_equal(b.t.r.reasoning, "why");
        assert_true(b.t.r.usage.estimated);
        assert_int_equal(jv_size(b.t.r.tool_calls), 2);
        call = jv_at(b.t.r.tool_calls, 0);
        assert_string_equal(jv_get_string(jv_get(call, "id"), ""), "own");
        call = jv_at(b.t.r.tool_calls, 1);
        assert_string_equal(jv_get_string(jv_get(call, "id"), ""), "call_00000000000000ab_1");
        call = jv_get(call, "function");
        assert_string_equal(jv_get_string(jv_get(call, "arguments"), ""), "{broken");
        talk_end(&b.t);
    }
    b.t.spec.wants_logprobs = true;
    talk_run(&b.t, false);
    assert_int_equal(b.t.r.status, STATUS_UNSUPPORTED);
    talk_end(&b.t);
    b.t.spec.wants_logprobs = false;
    b.t.spec.messages = NULL;
    b.t.spec.prompt = "x";
    talk_run(&b.t, false);
    assert_int_equal(b.t.r.status, STATUS_UNSUPPORTED);
    talk_end(&b.t);
    fake_model_deinit(&m);
    chat_bench_deinit(&b);
}

static struct model *script(const char *text)
{
    struct model *m;
    char dir[64], path[128];

    temp_dir(dir);
    (void)snprintf(path, sizeof(path), "%s/script.json", dir);
    temp_put(path, text, strlen(text));
    assert_ok(script_model_open(path, &m, why));
    temp_dir_remove(dir);
    return m;
}

static void a_script_streams(void **state)
{
    const char *stop[] = {" z"};
    struct chat_bench b;
    struct model *m = script("{\"model\": \"script\", \"replies\": [{\"path\": \"v1\", \"text\": "
                             "\"h\u00e9llo \u20ac and more z end\"}, {\"path\": \"slow\", \"text\":"
                             "\"late\", \"delay_ms\": 60000}]}");

    (void)state;
    chat_bench_init(&b, HELLO, NULL);
    b.t.spec.model = m;
    b.t.spec.path = "v1";
    talk_run(&b.t, true);
    assert_string_equal(b.t.r.content, "h\u00e9llo \u20ac and more z end");
    talk_end(&b.t);
    b.t.spec.stop = stop;
    b.t.spec.n_stop = 1;
    talk_run(&b.t, true);
    assert_string_equal(b.t.r.content, "h\u00e9llo \u20ac and more");
    talk_end(&b.t);
    b.t.spec.path = "slow";
    talk_start(&b.t, true);
    agent_host_poll(b.t.host, 0);
    chat_call_cancel(b.t.call);
    talk_wait(&b.t);
    assert_int_equal(b.t.r.status, STATUS_CANCELLED);
    talk_end(&b.t);
    b.t.spec.path = "nothing";
    talk_run(&b.t, true);
    assert_int_equal(b.t.r.status, STATUS_NOT_FOUND);
    talk_end(&b.t);
    chat_bench_deinit(&b);
    m->ops->close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_model_gets_messages),
        cmocka_unit_test(a_script_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
