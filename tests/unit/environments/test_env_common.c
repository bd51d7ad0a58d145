/* test_env_common.c - the list of environments, their declarations, the vocabulary, and words for
 * wrong calls.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/ledger_play.h"

#include "runtime/base/schema.h"
#include "tools/environments/env_tools.h"

static void environments_are_listed(void **state)
{
    (void)state;
    assert_ptr_equal(env_at(0), env_find("ledger"));
    assert_null(env_at(-1));
    assert_null(env_at(1000));
    assert_null(env_find("casino"));
}

static void declarations_are_sound(void **state)
{
    (void)state;
    for (int32_t i = 0; env_at(i); i++) {
        const struct env_ops *ops = env_at(i);

        for (int32_t t = 0; t < ops->n_tools; t++) {
            const char *texts[] = {ops->tools[t].input_schema, ops->tools[t].output_schema};

            assert_int_equal(ops->tools[t].effect, EFFECT_NONE);
            for (int s = 0; s < 2; s++) {
                struct json *schema = NULL;

                assert_ok(jv_parse(texts[s], strlen(texts[s]), ops->tools[t].name, &schema, why));
                assert_ok(schema_supported(schema, why));
                if (s == 0)
                    assert_int_equal(jv_size(jv_get(schema, "properties")), ops->tools[t].n_args);
                for (int32_t a = 0; s == 0 && a < ops->tools[t].n_args; a++)
                    assert_non_null(jv_get(jv_get(schema, "properties"), ops->tools[t].arg[a]));
                jv_unref(schema);
            }
        }
    }
}

/* Every answer of the JSON codec fits the tool's declared output. */
static void answers_fit_their_schemas(void **state)
{
    struct env *e = play_new(
        ledger(),
        (struct env_params){.horizon = 200, .noise = 0.3, .profile = ENV_HARD, .task_seed = 9});
    struct env_effect fx = {0};
    struct env_call call;

    (void)state;
    for (int i = 0; !fx.done; i++) {
        struct json *schema = NULL, *reply;
        const char *text;

        ledger()->expert(e, "check", &call);
        if (call.tool == 1 && i % 3 == 0) { /* some looks as checks */
            call.tool = 4;
            call.arg[1].number = 50;
        }
        text = ledger()->tools[call.tool].output_schema;
        reply = ledger()->call(e, &call, &fx);
        assert_ok(jv_parse(text, strlen(text), "schema", &schema, why));
        assert_ok(schema_check(schema, reply, "result", why));
        jv_unref(schema);
        jv_unref(reply);
    }
    ledger()->free(e);
}

static void the_vocabulary_keeps_its_ids(void **state)
{
    static const char *const first[] = {"<|pad|>", "<|bos|>", "<|end|>", "ORD",  "GET",
                                        "SET",     "UNDO",    "NEXT",    "DONE", "OK",
                                        "ERR",     "CHECK",   "YES",     "NO",   "NULL"};
    int32_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
        assert_string_equal(env_vocabulary_word((int32_t)i), first[i]);
    for (; env_vocabulary_word(n); n++) {
        for (int32_t j = 0; j < n; j++)
            assert_string_not_equal(env_vocabulary_word(n), env_vocabulary_word(j));
        assert_true(strlen(env_vocabulary_word(n)) > 1);
    }
    assert_in_range(n, 15, 64);
    assert_null(env_vocabulary_word(-1));
}

static void wrong_calls_are_named(void **state)
{
    static const struct {
        const char *tool, *arguments, *where, *message;
    } cases[] = {
        {"gett", "{}", "", "unknown tool \"gett\"; did you mean \"get\"?"},
        {"transfer", "{}", "",
         "unknown tool \"transfer\"; the tools are: next, get, set, undo, "
         "check"},
        {"get", "{}", "arguments", "missing required field \"key\" (string)"},
        {"get", "{\"key\":5}", "arguments.key", "expected string, got integer 5"},
        {"get", "{\"key\":\"z\"}", "arguments.key",
         "expected one of \"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\", got string "
         "\"z\""},
        {"set", "{\"key\":\"a\",\"value\":100}", "arguments.value",
         "expected at most 99, got integer 100"},
        {"set", "{\"key\":\"a\",\"value\":\"5\"}", "arguments.value",
         "expected integer, got string \"5\""},
        {"set", "{\"key\":\"a\",\"value\":5.5}", "arguments.value",
         "expected integer, got number 5.5"},
        {"set", "{\"key\":\"a\",\"vlaue\":5}", "arguments",
         "missing required field \"value\" (integer)"},
        {"set", "{\"key\":\"a\",\"value\":5,\"values\":5}", "arguments",
         "unknown field \"values\"; did you mean \"value\"?"},
        {"next", "{\"n\":1}", "arguments", "unknown field \"n\"; no fields are expected"},
        {"next", "[]", "arguments", "expected object, got array of 0 items"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = ERROR_INIT;
        struct json *args = NULL;
        struct env_call c;

        assert_int_equal(jv_parse(cases[i].arguments, strlen(cases[i].arguments), "a", &args, &err),
                         STATUS_OK);
        assert_int_equal(env_call_from_json(ledger(), cases[i].tool, args, &c, &err),
                         STATUS_INVALID);
        assert_string_equal(err.where, cases[i].where);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(c.tool, -1);
        jv_unref(args);
    }
}

static void a_real_with_no_fraction_is_an_integer(void **state)
{
    struct json *args = NULL;
    const char *text = "{\"key\":\"a\",\"value\":66.0}";
    struct env_call c;

    (void)state;
    assert_ok(jv_parse(text, strlen(text), "a", &args, why));
    assert_ok(env_call_from_json(ledger(), "set", args, &c, why));
    assert_int_equal(c.arg[1].number, 66);
    jv_unref(args);
}

static void tools_are_in_the_registry(void **state)
{
    const struct tool_registry_options o = {.root = NULL};
    struct tool_registry *r = NULL;
    struct tool *t;
    struct json *args;
    struct tool_call *call;
    char *text;

    (void)state;
    assert_ok(tool_registry_new(&o, &r, why));
    assert_ok(env_register_tools(r, why));
    t = tool_registry_find(r, "ledger_get");
    assert_non_null(t);
    assert_string_equal(t->source, "ledger");
    assert_int_equal(t->effect, EFFECT_NONE);
    args = jv_object();
    jv_set_string(args, "key", "a");
    call = tool_call_new(&(struct tool_call_spec){.tool = t, .arguments = args});
    tool_call_start(call);
    assert_int_equal(call->outcome, TOOL_ERROR);
    text = jv_dump(call->result.value);
    assert_non_null(strstr(text, "episode of the environment ledger"));
    free(text);
    tool_call_free(call);
    jv_unref(args);
    tool_registry_free(r);
}

/* Stores keep verdicts in this form: a counter's name and place stay. */
static void a_verdict_keeps_its_form(void **state)
{
    const struct env_verdict v = {.success = true,
                                  .steps = 1,
                                  .steps_right = 2,
                                  .calls = 3,
                                  .faults = 4,
                                  .own_slips = 5,
                                  .at_risk = 6,
                                  .recovered = 7,
                                  .mismatch_shown = 8,
                                  .repaired = 9,
                                  .match_shown = 10,
                                  .false_alarms = 11,
                                  .over_budget = true};
    struct json *o = env_verdict_json(&v);
    char *text = jv_dump(o);

    (void)state;
    assert_string_equal(
        text, "{\"success\":true,\"steps\":1,\"steps_right\":2,\"calls\":3,\"faults\":4,\"own_"
              "slips\":5,\"at_risk\":6,\"recovered\":7,\"mismatch_shown\":8,\"repaired\":9,\"match_"
              "shown\":10,\"false_alarms\":11,\"capped\":false,\"over_budget\":true}");
    free(text);
    jv_unref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environments_are_listed),
        cmocka_unit_test(declarations_are_sound),
        cmocka_unit_test(answers_fit_their_schemas),
        cmocka_unit_test(the_vocabulary_keeps_its_ids),
        cmocka_unit_test(wrong_calls_are_named),
        cmocka_unit_test(a_real_with_no_fraction_is_an_integer),
        cmocka_unit_test(tools_are_in_the_registry),
        cmocka_unit_test(a_verdict_keeps_its_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
