/* test_tool_registry.c - tools by name, calls that are checked before they start, and built-ins.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tools/registry.h"
#include "tools/schema.h"

static struct tool_registry *new_registry(const char *root)
{
    const struct tool_registry_options o = {.root = root, .seams = seams_real()};
    struct error err = ERROR_INIT;
    struct tool_registry *r = NULL;

    assert_int_equal(tool_registry_new(&o, &r, &err), STATUS_OK);
    return r;
}

/* Calls and returns the result as text, malloc'd. */
static char *call(struct tool_registry *r, const char *name, const char *arguments,
                  enum tool_outcome *outcome)
{
    struct error err = ERROR_INIT;
    struct json *args = NULL;
    struct tool_call c = {.tool = tool_registry_find(r, name)};
    char *text;

    assert_non_null(c.tool);
    if (arguments)
        assert_int_equal(jv_parse(arguments, strlen(arguments), "a", &args, &err), STATUS_OK);
    c.arguments = args;
    tool_call_start(&c);
    *outcome = c.outcome;
    text = jv_dump(c.result);
    tool_call_deinit(&c);
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
        struct error err = ERROR_INIT;

        assert_string_equal(t->source, "built-in");
        assert_int_equal(schema_supported(t->input_schema, &err), STATUS_OK);
        assert_int_equal(schema_supported(t->output_schema, &err), STATUS_OK);
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

static void calls_finish_when_they_like(void **state)
{
    struct tool_registry *r = new_registry(NULL);
    struct error err = ERROR_INIT;
    struct slow s = {0};
    struct tool_call c;

    (void)state;
    assert_int_equal(adopt_slow(r, &s, "slow", "{}", &err), STATUS_OK);
    c = (struct tool_call){.tool = tool_registry_find(r, "slow"), .done = slow_done, .caller = &s};
    tool_call_start(&c);
    assert_int_equal(s.done, 0);
    assert_ptr_equal(s.waiting, &c);
    tool_call_finish(&c, TOOL_OK, jv_int(7));
    assert_int_equal(s.done, 1);
    assert_int_equal(jv_get_int(c.result, 0), 7);
    tool_call_deinit(&c);
    tool_call_start(&c);
    tool_call_cancel(&c);
    assert_int_equal(s.cancelled, 1);
    assert_int_equal(s.done, 2);
    assert_int_equal(c.outcome, TOOL_CANCELLED);
    tool_call_deinit(&c);
    /* A tool without a cancel is left alone. */
    c = (struct tool_call){.tool = tool_registry_find(r, "echo")};
    tool_call_cancel(&c);
    tool_registry_free(r);
    assert_int_equal(s.freed, 1);
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
        cmocka_unit_test(what_the_registry_refuses_it_frees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
