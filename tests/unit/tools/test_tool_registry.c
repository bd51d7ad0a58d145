/* test_tool_registry.c - tools by name, calls that are checked before they start, and built-ins.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/schema.h"
#include "tests/support/check.h"
#include "tools/registry.h"

static struct tool_registry *new_registry(const char *root)
{
    const struct tool_registry_options o = {.root = root, .seams = seams_real()};
    struct tool_registry *r = NULL;

    assert_ok(tool_registry_new(&o, &r, why));
    return r;
}

/* Calls and returns the result as text, malloc'd. */
static char *call(struct tool_registry *r, const char *name, const char *arguments,
                  enum tool_outcome *outcome)
{
    struct json *args = NULL;
    struct tool_call *c;
    char *text;

    assert_non_null(tool_registry_find(r, name));
    if (arguments)
        assert_ok(jv_parse(arguments, strlen(arguments), "a", &args, why));
    c = tool_call_new(
        &(struct tool_call_spec){.tool = tool_registry_find(r, name), .arguments = args});
    tool_call_start(c);
    *outcome = c->outcome;
    text = jv_dump(c->result.value);
    tool_call_free(c);
    jv_unref(args);
    return text;
}

static void assert_call(struct tool_registry *r, const char *name, const char *arguments,
                        enum tool_outcome want_outcome, const char *want)
{
    enum tool_outcome outcome;
    char *text = call(r, name, arguments, &outcome);

    assert_string_equal(text, want);
    assert_int_equal(outcome, want_outcome);
    free(text);
}

static void built_in_tools_are_there(void **state)
{
    struct tool_registry *r = new_registry(NULL);

    (void)state;
    assert_non_null(tool_registry_find(r, "calculator"));
    assert_non_null(tool_registry_find(r, "echo"));
    assert_null(tool_registry_find(r, "read_file")); /* without a root there are no files */
    assert_int_equal(tool_registry_size(r), 2);
    assert_null(tool_registry_at(r, 2));
    assert_string_equal(tool_registry_nearest(r, "calculater"), "calculator");
    assert_null(tool_registry_nearest(r, "zzzzzz"));
    tool_registry_free(r);
    r = new_registry("/");
    assert_int_equal(tool_registry_size(r), 5);
    assert_int_equal(tool_registry_find(r, "write_file")->effect, EFFECT_IDEMPOTENT);
    assert_int_equal(tool_registry_find(r, "read_file")->effect, EFFECT_READ);
    for (size_t i = 0; i < tool_registry_size(r); i++) {
        struct tool *t = tool_registry_at(r, i);

        assert_string_equal(t->source, "built-in");
        assert_ok(schema_supported(t->input_schema, why));
        assert_ok(schema_supported(t->output_schema, why));
    }
    tool_registry_free(r);
    tool_registry_free(NULL);
}

static void a_missing_root_is_an_error(void **state)
{
    const struct tool_registry_options o = {.root = "/no/such/folder"};
    struct error err = ERROR_INIT;
    struct tool_registry *r = NULL;

    (void)state;
    assert_int_equal(tool_registry_new(&o, &r, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.message, "/no/such/folder"));
    assert_null(r);
}

static void arguments_are_checked_first(void **state)
{
    struct tool_registry *r = new_registry(NULL);

    (void)state;
    assert_call(r, "echo", "{\"text\":\"hi\"}", TOOL_OK, "{\"text\":\"hi\"}");
    assert_call(r, "echo", "{\"text\":5}", TOOL_ERROR,
                "{\"error\":\"arguments.text: expected string, got integer 5\"}");
    assert_call(r, "echo", NULL, TOOL_ERROR,
                "{\"error\":\"arguments: missing required field \\\"text\\\" (string)\"}");
    assert_call(r, "echo", "{\"texts\":\"x\",\"text\":\"x\"}", TOOL_ERROR,
                "{\"error\":\"arguments: unknown field \\\"texts\\\"; did you mean "
                "\\\"text\\\"?\"}");
    assert_call(r, "calculator", "{\"expression\":\"(59 + 7) % 100\"}", TOOL_OK, "{\"value\":66}");
    assert_call(r, "calculator", "{\"expression\":\"1 / 4\"}", TOOL_OK, "{\"value\":0.25}");
    assert_call(r, "calculator", "{\"expression\":\"1 / 0\"}", TOOL_ERROR,
                "{\"error\":\"column 3: division by zero\"}");
    tool_registry_free(r);
}

static void a_tool_shows_itself_to_a_chat_template(void **state)
{
    struct tool_registry *r = new_registry(NULL);
    struct json *v = tool_json(tool_registry_find(r, "echo"));
    char *text = jv_dump(v);

    (void)state;
    assert_string_equal(
        text, "{\"type\":\"function\",\"function\":{\"name\":\"echo\",\"description\":\"Gives back "
              "the text that it is given. Does nothing else.\",\"parameters\":{\"type\":\"object\","
              "\"properties\":{\"text\":{\"type\":\"string\"}},\"required\":[\"text\"],"
              "\"additionalProperties\":false}}}");
    free(text);
    jv_unref(v);
    tool_registry_free(r);
}

/* A tool that finishes later, from outside, and counts what happened to it. */
struct slow {
    struct tool_call *waiting;
    int freed, cancelled, done;
};

static void slow_start(struct tool *t, struct tool_call *c)
{
    struct slow *s = t->ctx;

    s->waiting = c;
}

static void slow_cancel(struct tool *t, struct tool_call *c)
{
    struct slow *s = t->ctx;

    s->cancelled++;
    tool_call_finish(c, TOOL_CANCELLED, NULL);
}

static void slow_free(struct tool *t)
{
    struct slow *s = t->ctx;

    s->freed++;
    tool_release(t);
}

static void slow_done(struct tool_call *c)
{
    struct slow *s = c->caller;

    s->done++;
}

static const struct tool_ops slow_ops = {
    .start = slow_start, .cancel = slow_cancel, .free = slow_free};

static enum status adopt_slow(struct tool_registry *r, struct slow *s, const char *name,
                              const char *schema, struct error *err)
{
    struct tool_declaration d = {
        .name = name, .description = "waits", .source = "test", .input_schema = schema};
    struct tool *t = NULL;
    enum status st = tool_new(&d, &slow_ops, s, &t, err);

    return st ? st : tool_registry_adopt(r, t, err);
}

static struct tool_call *slow_call(struct tool_registry *r, struct slow *s)
{
    return tool_call_new(&(struct tool_call_spec){
        .tool = tool_registry_find(r, "slow"), .done = slow_done, .caller = s});
}

static void calls_finish_when_they_like(void **state)
{
    struct tool_registry *r = new_registry(NULL);
    struct slow s = {0};
    struct tool_call *c;

    (void)state;
    assert_ok(adopt_slow(r, &s, "slow", "{}", why));
    c = slow_call(r, &s);
    tool_call_start(c);
    assert_int_equal(s.done, 0);
    assert_ptr_equal(s.waiting, c);
    tool_call_finish(c, TOOL_OK, jv_int(7));
    assert_int_equal(s.done, 1);
    assert_int_equal(jv_get_int(c->result.value, 0), 7);
    tool_call_free(c);
    c = slow_call(r, &s);
    tool_call_start(c);
    tool_call_cancel(c);
    assert_int_equal(s.cancelled, 1);
    assert_int_equal(s.done, 2);
    assert_int_equal(c->outcome, TOOL_CANCELLED);
    tool_call_cancel(c); /* it has ended */
    assert_int_equal(s.cancelled, 1);
    tool_call_free(c);
    /* One that nobody waits for goes when the tool finishes it. */
    c = slow_call(r, &s);
    tool_call_start(c);
    tool_call_free(c);
    tool_registry_free(r);
    assert_int_equal(s.freed, 0);
    tool_call_finish(s.waiting, TOOL_OK, jv_int(8));
    assert_int_equal(s.done, 2);
    assert_int_equal(s.freed, 1);
}

/* A name that is taken away: what is in flight ends, what begins is refused, and the tool lives as
 * long as somebody holds it. */
static void a_retired_tool_starts_no_call(void **state)
{
    struct tool_registry *r = new_registry(NULL);
    struct slow s = {0};
    struct tool *t;
    struct tool_call *before, *after;
    uint64_t generation;

    (void)state;
    assert_int_equal(adopt_slow(r, &s, "slow", "{}", NULL), STATUS_OK);
    generation = tool_registry_generation(r);
    t = tool_ref(tool_registry_find(r, "slow")); /* a list's */
    before = slow_call(r, &s);
    after = slow_call(r, &s);
    tool_call_start(before);
    tool_registry_retire(r, t);
    assert_true(tool_registry_generation(r) > generation);
    assert_null(tool_registry_find(r, "slow"));
    assert_int_equal(tool_registry_size(r), 2);
    tool_call_start(after);
    assert_int_equal(after->outcome, TOOL_ERROR);
    assert_true(after->not_retryable);
    assert_string_equal(jv_get_string(jv_get(after->result.value, "error"), ""),
                        "test no longer offers the tool slow");
    tool_call_finish(before, TOOL_OK, NULL);
    assert_int_equal(before->outcome, TOOL_OK);
    tool_call_free(after);
    tool_call_free(before);
    assert_int_equal(s.freed, 0);
    tool_unref(t);
    assert_int_equal(s.freed, 1);
    assert_int_equal(adopt_slow(r, &s, "slow", "{}", NULL), STATUS_OK); /* the name is free */
    tool_registry_free(r);
    assert_int_equal(s.freed, 2);
}

static struct tool *update_slow(struct tool_registry *r, struct slow *s, const char *schema)
{
    struct tool_declaration d = {
        .name = "slow", .description = "waits", .source = "test", .input_schema = schema};
    struct tool *t = NULL, *now = NULL;

    assert_int_equal(tool_new(&d, &slow_ops, s, &t, NULL), STATUS_OK);
    assert_int_equal(tool_registry_update(r, t, &now, NULL), STATUS_OK);
    return now;
}

static void a_list_that_is_heard_again_changes_only_what_changed(void **state)
{
    struct tool_registry *r = new_registry(NULL);
    struct slow s = {0};
    struct tool *first = update_slow(r, &s, "{\"type\":\"object\"}");
    uint64_t generation = tool_registry_generation(r);
    struct tool *now;

    (void)state;
    for (int i = 0; i < 10000; i++)
        assert_ptr_equal(update_slow(r, &s, "{ \"type\" : \"object\" }"), first);
    assert_int_equal(s.freed, 10000);
    assert_int_equal(tool_registry_size(r), 3);
    assert_int_equal(tool_registry_generation(r), generation);
    now = update_slow(r, &s, "{}");
    assert_int_equal(s.freed, 10001); /* nobody held the first */
    assert_ptr_equal(tool_registry_find(r, "slow"), now);
    assert_int_equal(tool_registry_size(r), 3);
    assert_true(tool_registry_generation(r) > generation);
    tool_registry_free(r);
}

/* Schemas that are given parsed, and those of others. */
static void foreign_schemas_do_not_cost_the_tool(void **state)
{
    struct tool_registry *r = new_registry(NULL);
    struct slow s = {0};
    struct error err = ERROR_INIT;
    struct json *schema = NULL, *shown;
    const char *text =
        "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}},"
        "\"patternProperties\":{\"^x\":{}},\"additionalProperties\":false,\"if\":{}}";
    struct tool_declaration d = {.name = "slow", .description = "waits", .source = "test"};
    struct tool *t = NULL;

    (void)state;
    assert_int_equal(jv_parse(text, strlen(text), "s", &schema, &err), STATUS_OK);
    d.input = schema;
    assert_int_equal(tool_new(&d, &slow_ops, &s, &t, &err), STATUS_UNSUPPORTED);
    d.foreign = true;
    assert_int_equal(tool_new(&d, &slow_ops, &s, &t, &err), STATUS_OK);
    assert_int_equal(tool_registry_adopt(r, t, &err), STATUS_OK);
    shown = tool_json(t);
    assert_true(jv_equal(jv_get(jv_get(shown, "function"), "parameters"), schema));
    jv_unref(shown);
    assert_call(r, "slow", "{\"n\":\"one\"}", TOOL_ERROR,
                "{\"error\":\"arguments.n: expected integer, got string \\\"one\\\"\"}");
    {
        struct tool_call *c;
        struct json *args = jv_object();

        jv_set_int(args, "x1", 1);
        c = tool_call_new(&(struct tool_call_spec){.tool = t, .arguments = args});
        tool_call_start(c);
        assert_ptr_equal(s.waiting, c); /* it may know patterns that we do not */
        tool_call_finish(c, TOOL_OK, NULL);
        tool_call_free(c);
        jv_unref(args);
    }
    jv_unref(schema);
    tool_registry_free(r);
}

static void what_a_tool_promises_is_checked(void **state)
{
    static const struct {
        const char *value;
        enum tool_outcome outcome;
        const char *words;
    } cases[] = {
        {"{\"n\":1}", TOOL_OK, NULL},
        {"{\"n\":\"1\"}", TOOL_ERROR,
         "the result of slow does not fit its output schema: result.n: expected integer, got "
         "string "
         "\"1\""},
        {"{}", TOOL_ERROR,
         "the result of slow does not fit its output schema: result: missing required field \"n\" "
         "(integer)"},
    };
    struct slow s = {0};
    struct tool_declaration d = {.name = "slow",
                                 .description = "waits",
                                 .source = "test",
                                 .input_schema = "{}",
                                 .output_schema = "{\"required\":[\"n\"],\"properties\":{\"n\":{"
                                                  "\"type\":\"integer\"}}}"};
    struct tool *t = NULL;

    (void)state;
    assert_int_equal(tool_new(&d, &slow_ops, &s, &t, NULL), STATUS_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tool_call *c = tool_call_new(&(struct tool_call_spec){.tool = t});
        struct json *v = NULL;

        assert_int_equal(jv_parse(cases[i].value, strlen(cases[i].value), "v", &v, NULL),
                         STATUS_OK);
        tool_call_start(c);
        tool_call_finish(c, TOOL_OK, v);
        assert_int_equal(c->outcome, cases[i].outcome);
        if (cases[i].words)
            assert_string_equal(jv_get_string(jv_get(c->result.value, "error"), ""),
                                cases[i].words);
        tool_call_free(c);
    }
    tool_unref(t);
}

static void what_the_registry_refuses_it_frees(void **state)
{
    static const char *const bad_names[] = {
        "",         "a b",
        "a.b",      "calculator",
        "\xc3\xa9", "a23456789012345678901234567890123456789012345678901234567890123456"};
    struct tool_registry *r = new_registry(NULL);
    struct slow s = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++) {
        struct error err = ERROR_INIT;

        assert_int_equal(adopt_slow(r, &s, bad_names[i], "{}", &err), STATUS_INVALID);
        assert_int_equal(s.freed, (int)i + 1);
    }
    {
        struct error err = ERROR_INIT;

        assert_int_equal(adopt_slow(r, &s, "ok", "{\"if\":true}", &err), STATUS_UNSUPPORTED);
        assert_non_null(strstr(err.message, "schema of tool ok"));
        assert_int_equal(adopt_slow(r, &s, "ok", "{", &err), STATUS_INVALID);
        assert_int_equal(s.freed, 8);
    }
    assert_int_equal(tool_registry_size(r), 2);
    tool_registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_in_tools_are_there),
        cmocka_unit_test(a_missing_root_is_an_error),
        cmocka_unit_test(arguments_are_checked_first),
        cmocka_unit_test(a_tool_shows_itself_to_a_chat_template),
        cmocka_unit_test(calls_finish_when_they_like),
        cmocka_unit_test(a_retired_tool_starts_no_call),
        cmocka_unit_test(a_list_that_is_heard_again_changes_only_what_changed),
        cmocka_unit_test(foreign_schemas_do_not_cost_the_tool),
        cmocka_unit_test(what_a_tool_promises_is_checked),
        cmocka_unit_test(what_the_registry_refuses_it_frees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
