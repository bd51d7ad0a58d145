/* test_tool_calls.c - replies of models, well formed and malformed: no call is lost, and each error
 * says what to do.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/chat_template.h"
#include "models/chat/tool_calls.h"
#include "runtime/base/memory.h"
#include "tests/support/check.h"

#define TOOLS                                                                                      \
    "[{\"type\":\"function\",\"function\":{\"name\":\"set\",\"parameters\":{\"type\":\"object\","  \
    "\"properties\":{\"key\":{\"type\":\"string\"},\"value\":{\"type\":\"integer\"},"              \
    "\"ratio\":{\"type\":\"number\"},\"on\":{\"type\":\"boolean\"},\"list\":{\"type\":\"array\"}," \
    "\"obj\":{\"type\":\"object\"},\"maybe\":{\"type\":[\"integer\",\"null\"]},"                   \
    "\"any\":{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}}}}}]"

/* One expected call: its JSON {"name", "arguments"} or, for an error, a part of its text. */
struct want {
    const char *name;
    const char *arguments; /* NULL: malformed */
    const char *error;
};

struct sample {
    const char *text;
    const char *content;
    const char *reasoning; /* NULL: none */
    struct want call[3];
    bool in_reasoning;
};

static void check_call(const struct sample *s, size_t at, const struct parsed_call *call,
                       const struct want *want)
{
    char *arguments = call->arguments ? jv_dump(call->arguments) : NULL;

    if (strcmp(call->name, want->name) != 0 ||
        (want->arguments && (!arguments || call->error || strcmp(arguments, want->arguments))) ||
        (!want->arguments && (arguments || !call->error || !strstr(call->error, want->error))) ||
        call->raw[0] == '\0' || strstr(s->text, call->raw) == NULL)
        fail_msg("sample %zu \"%s\": call \"%s\" %s, error \"%s\", raw \"%s\"", at, s->text,
                 call->name, arguments ? arguments : "-", call->error ? call->error : "-",
                 call->raw);
    free(arguments);
}

static void check_reply(enum tool_call_format format, const struct sample *s, bool cut, size_t at)
{
    struct json *tools = NULL;
    struct parsed_reply r;
    struct error err = ERROR_INIT;
    int32_t n = 0;

    assert_int_equal(jv_parse(TOOLS, strlen(TOOLS), "tools", &tools, &err), STATUS_OK);
    while (n < 3 && s->call[n].name)
        n++;
    if (tool_calls_parse(format, s->text, strlen(s->text), s->in_reasoning, cut, tools, &r, &err))
        fail_msg("sample %zu: %s", at, err.message);
    if (strcmp(r.content, s->content) != 0 || r.n_calls != n ||
        (r.reasoning == NULL) != (s->reasoning == NULL) ||
        (r.reasoning && strcmp(r.reasoning, s->reasoning) != 0))
        fail_msg("sample %zu \"%s\": content \"%s\", reasoning \"%s\", %d calls", at, s->text,
                 r.content, r.reasoning ? r.reasoning : "-", r.n_calls);
    for (int32_t i = 0; i < n; i++)
        check_call(s, at, &r.call[i], &s->call[i]);
    parsed_reply_deinit(&r);
    jv_unref(tools);
}

static void check_sample(enum tool_call_format format, const struct sample *s, size_t at)
{
    check_reply(format, s, false, at);
}

static void test_reasoning(void **state)
{
    static const struct sample samples[] = {
        {"", "", NULL, {{0}}, false},
        {"  hi \n", "hi", NULL, {{0}}, false},
        {"<think>\na\n</think>\n\nb", "b", "a", {{0}}, false},
        {"\n<think>a</think>b", "b", "a", {{0}}, false},
        {"a</think>b", "b", "a", {{0}}, true},
        {"a</think>b", "b", "a", {{0}}, false}, /* an end without a start */
        {"<think>never done", "", "never done", {{0}}, false},
        {"never done", "", "never done", {{0}}, true},
        {"<think></think>x", "x", "", {{0}}, false},
        {"<think>a</think>x<think>b</think>y", "xy", "a\nb", {{0}}, false},
        {"a</think>b</think>c", "bc", "a", {{0}}, false},
        {"x<think>open", "x", "open", {{0}}, false},
        {"a < b and <b>", "a < b and <b>", NULL, {{0}}, false},
        {"<think>a<tool_call>{}</tool_call></think>b",
         "b",
         "a<tool_call>{}</tool_call>",
         {{0}},
         false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        check_sample(TOOL_CALLS_NONE, &samples[i], i);
        check_sample(TOOL_CALLS_HERMES, &samples[i], i);
        check_sample(TOOL_CALLS_XML, &samples[i], i);
    }
}

#define CALL(s) "<tool_call>" s "</tool_call>"

static const struct sample HERMES[] = {
    {CALL("{\"name\":\"f\",\"arguments\":{\"a\":1}}"), "", NULL, {{"f", "{\"a\":1}", NULL}}, false},
    {"I call.\n" CALL("\n{\"name\": \"f\", \"arguments\": {}}\n") "\n" CALL(
         "{\"name\":\"g\",\"arguments\":{\"x\":[1,{}]}}"),
     "I call.",
     NULL,
     {{"f", "{}", NULL}, {"g", "{\"x\":[1,{}]}", NULL}},
     false},
    {"<think>t</think>\n" CALL("{\"name\":\"f\",\"arguments\":{}}"),
     "",
     "t",
     {{"f", "{}", NULL}},
     false},
    /* The closing tag is where the model stopped. */
    {"<tool_call>{\"name\":\"f\",\"arguments\":{}}", "", NULL, {{"f", "{}", NULL}}, false},
    {"<tool_call>{\"name\":\"f\",\"arguments\":{}}\n", "", NULL, {{"f", "{}", NULL}}, false},
    /* Tags and brackets in strings belong to the strings. */
    {CALL("{\"name\":\"w\",\"arguments\":{\"t\":\"a</tool_call>}\\\"</think><think>\"}}"),
     "",
     NULL,
     {{"w", "{\"t\":\"a</tool_call>}\\\"</think><think>\"}", NULL}},
     false},
    {CALL("{\"name\":\"f\"}"), "", NULL, {{"f", "{}", NULL}}, false},
    {CALL("{\"name\":\"f\",\"arguments\":null}"), "", NULL, {{"f", "{}", NULL}}, false},
    {CALL("{\"name\":\"f\",\"parameters\":{\"a\":1}}"),
     "",
     NULL,
     {{"f", "{\"a\":1}", NULL}},
     false},
    {CALL("{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}"),
     "",
     NULL,
     {{"f", "{\"a\":1}", NULL}},
     false},
    /* Malformed ones. */
    {CALL(""), "", NULL, {{"", NULL, "not complete JSON"}}, false},
    {"<tool_call>", "", NULL, {{"", NULL, "not complete JSON"}}, false},
    {CALL("f(1)") " ok", "ok", NULL, {{"", NULL, "not complete JSON"}}, false},
    {CALL("{\"name\":\"f\",\"arguments\":{\"a\":1}") " rest",
     "rest",
     NULL,
     {{"", NULL, "not complete JSON"}},
     false},
    {CALL("{\"name\":\"f\",\"arguments\":{\"a\":01}}"),
     "",
     NULL,
     {{"", NULL, "cannot be read"}},
     false},
    {CALL("{'name':'f','arguments':{}}"), "", NULL, {{"", NULL, "cannot be read"}}, false},
    {CALL("{\"name\":\"f\",\"name\":\"g\",\"arguments\":{}}"),
     "",
     NULL,
     {{"", NULL, "cannot be read"}},
     false},
    {CALL("{\"arguments\":{}}"), "", NULL, {{"", NULL, "no \"name\""}}, false},
    {CALL("{\"name\":\"\",\"arguments\":{}}"), "", NULL, {{"", NULL, "no \"name\""}}, false},
    {CALL("{\"name\":7,\"arguments\":{}}"), "", NULL, {{"", NULL, "no \"name\""}}, false},
    {CALL("{\"name\":\"f\",\"arguments\":[1]}"), "", NULL, {{"f", NULL, "type array"}}, false},
    {CALL("{\"name\":\"f\",\"arguments\":\"x\"}"), "", NULL, {{"f", NULL, "type string"}}, false},
    {CALL("[{\"name\":\"f\",\"arguments\":{}}]"), "", NULL, {{"", NULL, "one JSON object"}}, false},
    {CALL("{\"name\":\"f\",\"arguments\":{}} {}"), "", NULL, {{"", NULL, "After the JSON"}}, false},
    {"<tool_call>{\"name\":\"f\"<tool_call>{\"name\":\"g\",\"arguments\":{}}</tool_call>",
     "",
     NULL,
     {{"", NULL, "not complete"}, {"g", "{}", NULL}},
     false},
    {"{\"name\":\"f\",\"arguments\":{}}</tool_call>",
     "{\"name\":\"f\",\"arguments\":{}}",
     NULL,
     {{"", NULL, "without a <tool_call>"}},
     false},
};

static void test_hermes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(HERMES); i++)
        check_sample(TOOL_CALLS_HERMES, &HERMES[i], i);
}

#define FN(name, inside) "<tool_call>\n<function=" name ">\n" inside "</function>\n</tool_call>"
#define ARG(key, value)  "<parameter=" key ">\n" value "\n</parameter>\n"

static const struct sample XML[] = {
    {FN("set", ARG("key", "e") ARG("value", "25")),
     "",
     NULL,
     {{"set", "{\"key\":\"e\",\"value\":25}", NULL}},
     false},
    {"go\n" FN("set", "") "\n" FN("x", ""),
     "go",
     NULL,
     {{"set", "{}", NULL}, {"x", "{}", NULL}},
     false},
    {FN("set", ARG("ratio", "2.5") ARG("on", "True") ARG("list", "[1, \"a\"]")
                   ARG("obj", "{\"a\": null}") ARG("maybe", "null") ARG("any", "7")),
     "",
     NULL,
     {{"set",
       "{\"ratio\":2.5,\"on\":true,\"list\":[1,\"a\"],\"obj\":{\"a\":null},\"maybe\":null,"
       "\"any\":7}",
       NULL}},
     false},
    /* Texts are raw: lines, tags, quotes; one newline at each end is form. */
    {FN("set", ARG("key", "\nif a < b:\n  \"x\"\n")),
     "",
     NULL,
     {{"set", "{\"key\":\"\\nif a < b:\\n  \\\"x\\\"\\n\"}", NULL}},
     false},
    {FN("set", ARG("key", "a</parameter>b</think>")),
     "",
     NULL,
     {{"set", "{\"key\":\"a</parameter>b</think>\"}", NULL}},
     false},
    {FN("set", "<parameter=key></parameter>"), "", NULL, {{"set", "{\"key\":\"\"}", NULL}}, false},
    {FN("set", ARG("key", "12")), "", NULL, {{"set", "{\"key\":\"12\"}", NULL}}, false},
    {FN("set", ARG("other", "12")), "", NULL, {{"set", "{\"other\":\"12\"}", NULL}}, false},
    /* Not its type: stays a text, the check of the arguments says what was expected. */
    {FN("set", ARG("value", "many")), "", NULL, {{"set", "{\"value\":\"many\"}", NULL}}, false},
    {FN("set", ARG("value", "2.5")), "", NULL, {{"set", "{\"value\":\"2.5\"}", NULL}}, false},
    /* Tags that models omit. */
    {"<function=set>" ARG("value", "1") "</function>\n</tool_call>",
     "",
     NULL,
     {{"set", "{\"value\":1}", NULL}},
     false},
    {"<function=set></function> bye", "bye", NULL, {{"set", "{}", NULL}}, false},
    {"<tool_call><function=set></function>", "", NULL, {{"set", "{}", NULL}}, false},
    /* Malformed ones. */
    {"<tool_call>", "", NULL, {{"", NULL, "does not start with"}}, false},
    {CALL("{\"name\":\"f\"}") "x", "x", NULL, {{"", NULL, "does not start with"}}, false},
    {CALL("<function=>\n</function>"), "", NULL, {{"", NULL, "no function name"}}, false},
    {CALL("<function=set") "x", "x", NULL, {{"", NULL, "no function name"}}, false},
    {FN("set", "<parameter=>1</parameter>"), "", NULL, {{"set", NULL, "no name"}}, false},
    {FN("set", "<parameter=key>1") "x", "x", NULL, {{"set", NULL, "not closed"}}, false},
    {"<tool_call><function=set>" ARG("key", "1"), "", NULL, {{"set", NULL, "not closed"}}, false},
    {FN("set", ARG("key", "1") ARG("key", "2")), "", NULL, {{"set", NULL, "twice"}}, false},
    {FN("set", "words"), "", NULL, {{"set", NULL, "not closed"}}, false},
    {CALL("<function=set></function> more"), "", NULL, {{"set", NULL, "After </function>"}}, false},
    {"</tool_call>", "", NULL, {{"", NULL, "without a <tool_call>"}}, false},
    {"<tool_call><function=set><tool_call><function=x></function></tool_call>",
     "",
     NULL,
     {{"set", NULL, "not closed"}, {"x", "{}", NULL}},
     false},
};

static void test_xml(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(XML); i++)
        check_sample(TOOL_CALLS_XML, &XML[i], i);
}

static void test_calls_stay_text_without_a_format(void **state)
{
    static const struct sample s = {"a " CALL("{}") " b", "a " CALL("{}") " b", NULL, {{0}}, false};

    (void)state;
    check_sample(TOOL_CALLS_NONE, &s, 0);
}

#define PUT_JSON "<tool_call>\n{\"name\": \"put\", \"arguments\": {\"n\": 1}}\n</tool_call>"
#define PUT_XML                                                                                    \
    "<tool_call>\n<function=put>\n<parameter=n>\n1\n</parameter>\n</function>\n</tool_call>"
#define PUT                                                                                        \
    {                                                                                              \
        "put", "{\"n\":1}", NULL                                                                   \
    }
#define PUT_TEXT                                                                                   \
    {                                                                                              \
        "put", "{\"n\":\"1\"}", NULL                                                               \
    } /* no tool says that n is a number */

/* Reasoning that is never closed ends where the call begins; with a closing tag the call is a
 * draft. */
static const struct sample HERMES_THOUGHTS[] = {
    {"I should look first.\n" PUT_JSON, "", "I should look first.", {PUT}, true},
    {"<think>I should look first.\n" PUT_JSON, "", "I should look first.", {PUT}, false},
    {"<think>a</think>b<think>c" PUT_JSON "d", "bd", "a\nc", {PUT}, false},
    {PUT_JSON, "", "", {PUT}, true},
    {"one" PUT_JSON "two" PUT_JSON, "two", "one", {PUT, PUT}, true},
    /* drafts */
    {"plan " PUT_JSON "</think>real answer", "real answer", "plan " PUT_JSON, {{0}}, true},
    {"plan " PUT_JSON "</think>" PUT_JSON, "", "plan " PUT_JSON, {PUT}, true},
    {"<think>plan <tool_call>{\"name\":</think>x", "x", "plan <tool_call>{\"name\":", {{0}}, false},
    /* the closing tag is in an argument */
    {"so: <tool_call>{\"name\":\"w\",\"arguments\":{\"t\":\"</think>\"}}</tool_call>",
     "",
     "so:",
     {{"w", "{\"t\":\"</think>\"}", NULL}},
     true},
    {"so: <tool_call>{\"name\":\"w\",\"arguments\":{\"t\":\"</think>\"}}</tool_call></think>x",
     "x",
     "so: <tool_call>{\"name\":\"w\",\"arguments\":{\"t\":\"</think>\"}}</tool_call>",
     {{0}},
     true},
    /* text about calls is not a call; text that starts like one is never dropped */
    {"I may use <tool_call> tags", "", "I may use <tool_call> tags", {{0}}, true},
    {"I may use <tool_call> tags. " PUT_JSON, "", "I may use <tool_call> tags.", {PUT}, true},
    {"so: <tool_call>{\"name\": \"put\", ", "", "so:", {{"", NULL, "not complete"}}, true},
    {"<think>so: <tool_call>\n{'name': 'put'}</tool_call>",
     "",
     "so:",
     {{"", NULL, "cannot be read"}},
     false},
};

static const struct sample XML_THOUGHTS[] = {
    {"I should look first.\n" PUT_XML, "", "I should look first.", {PUT_TEXT}, true},
    {"<think>x\n<function=put><parameter=n>1</parameter></function>",
     "",
     "x",
     {{"put", "{\"n\":\"1\"}", NULL}},
     false},
    {"plan " PUT_XML "</think>real answer", "real answer", "plan " PUT_XML, {{0}}, true},
    {"plan <tool_call><function=put></think>" PUT_XML,
     "",
     "plan <tool_call><function=put>",
     {PUT_TEXT},
     true},
    {"so: <tool_call><function=put><parameter=s>a</think>b</parameter></function></tool_call>",
     "",
     "so:",
     {{"put", "{\"s\":\"a</think>b\"}", NULL}},
     true},
    {"<function=put><parameter=s>a</think>b</parameter></function>",
     "",
     NULL,
     {{"put", "{\"s\":\"a</think>b\"}", NULL}},
     false},
    {"so: <function=put><parameter=n>1", "", "so:", {{"put", NULL, "not closed"}}, true},
    {"so: <tool_call><function=put></function> more</tool_call>",
     "",
     "so:",
     {{"put", NULL, "After </function>"}},
     true},
    {"I write <tool_call> and then", "", "I write <tool_call> and then", {{0}}, true},
};

static void test_calls_in_thoughts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(HERMES_THOUGHTS); i++)
        check_sample(TOOL_CALLS_HERMES, &HERMES_THOUGHTS[i], i);
    for (size_t i = 0; i < ARRAY_LEN(XML_THOUGHTS); i++)
        check_sample(TOOL_CALLS_XML, &XML_THOUGHTS[i], i);
}

/* A reply that ends at a limit: a call in open reasoning is a draft, any other call counts. */
static void test_calls_in_thoughts_that_were_cut(void **state)
{
    static const struct sample samples[] = {
        {"I should look first.\n" PUT_JSON " or",
         "",
         "I should look first.\n" PUT_JSON " or",
         {{0}},
         true},
        {"<think>plan" PUT_JSON, "", "plan" PUT_JSON, {{0}}, false},
        {"<think>a</think>" PUT_JSON "<think>c" PUT_JSON, "", "a\nc" PUT_JSON, {PUT}, false},
        {"<think>a</think>b" PUT_JSON "and then", "band then", "a", {PUT}, false},
        {"so: <tool_call>{\"name\": \"put\", ",
         "",
         "so: <tool_call>{\"name\": \"put\",",
         {{0}},
         true},
        {"<tool_call>{\"name\": \"put\", ", "", NULL, {{"", NULL, "not complete"}}, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        check_reply(TOOL_CALLS_HERMES, &samples[i], true, i);
}

/* Errors that a model can act on: valid JSON is not called invalid, and no flag of a library is
 * named. */
static void test_words_about_arguments(void **state)
{
    static const struct {
        const char *call, *say;
    } cases[] = {
        {"{\"name\":\"put\",\"arguments\":{\"s\":\"a\\u0000b\"}}",
         "must not contain the character NUL"},
        {"{\"name\":\"put\",\"arguments\":{\"a\\u0000b\":1}}",
         "must not contain the character NUL"},
        {"{\"name\":\"put\",\"arguments\":{\"n\":12345678901234567890}}", "limited to 64 bits"},
        {"{\"name\":\"put\",\"arguments\":{\"n\":-12345678901234567890}}", "limited to 64 bits"},
        {"{\"name\":\"put\",\"arguments\":{\"n\":1e999}}", "1.8e308"},
        {"{\"name\":\"put\",\"arguments\":{\"n\":1,\"n\":2}}", "duplicate key, near"},
        {"{\"name\":\"put\",\"arguments\":\"{\\\"n\\\":12345678901234567890}\"}",
         "limited to 64 bits"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct parsed_reply r;
        struct str text = STR_INIT;
        const char *words;

        str_printf(&text, "<tool_call>%s</tool_call>", cases[i].call);
        assert_int_equal(
            tool_calls_parse(TOOL_CALLS_HERMES, text.data, text.len, false, false, NULL, &r, NULL),
            STATUS_OK);
        assert_int_equal(r.n_calls, 1);
        words = r.call[0].error;
        if (!words || !strstr(words, cases[i].say) || strstr(words, "not valid") ||
            strstr(words, "JSON_"))
            fail_msg("%s: \"%s\"", cases[i].call, words ? words : "no error");
        parsed_reply_deinit(&r);
        str_deinit(&text);
    }
}

static void test_too_many_calls(void **state)
{
    struct str text = STR_INIT;
    struct parsed_reply r;

    (void)state;
    for (int i = 0; i < TOOL_CALLS_MAX + 2; i++)
        str_puts(&text, CALL("{\"name\":\"f\",\"arguments\":{}}"));
    assert_int_equal(
        tool_calls_parse(TOOL_CALLS_HERMES, text.data, text.len, false, false, NULL, &r, NULL),
        STATUS_OK);
    assert_int_equal(r.n_calls, TOOL_CALLS_MAX);
    assert_non_null(r.call[0].arguments);
    assert_non_null(strstr(r.call[TOOL_CALLS_MAX - 1].error, "at most"));
    parsed_reply_deinit(&r);
    str_deinit(&text);
}

/* The bytes read in n bytes of one repeated text. */
static size_t visited(enum tool_call_format format, const char *unit, size_t n, bool in_reasoning)
{
    struct str text = STR_INIT;
    struct parsed_reply r;
    size_t bytes;

    while (text.len < n)
        str_puts(&text, unit);
    assert_int_equal(
        tool_calls_parse(format, text.data, text.len, in_reasoning, false, NULL, &r, NULL),
        STATUS_OK);
    bytes = r.visited;
    parsed_reply_deinit(&r);
    str_deinit(&text);
    return bytes;
}

/* A megabyte of tags takes a few passes, not one for each tag. */
static void test_walls_of_tags(void **state)
{
    static const char *const units[] = {
        "<think>",
        "</think>",
        "<tool_call>",
        "</tool_call>",
        "<",
        "<function=",
        "<function=a>",
        "</function>",
        "<tool_call>{",
        "<tool_call>{\"",
        "<tool_call>{\"a\":\"",
        "\"<tool_call>{\"",
        "<think><tool_call>{\"name\":\"",
        "<parameter=",
        "<parameter=a>",
        "<parameter a=",
        "</parameter>",
        "<tool_call><function=a>",
        "<tool_call><function=a><parameter=b>",
        "<tool_call><function=a><parameter=b></parameter>x",
        "<tool_call><function=a><parameter=b></parameter>x</function>",
        "<tool_call><function=a><parameter=b></parameter>x</function>y",
        "<think><function=a><parameter=b>",
        "words and more words, a long answer. ",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        for (int format = TOOL_CALLS_NONE; format <= TOOL_CALLS_XML; format++)
            for (int thinking = 0; thinking < 2; thinking++) {
                const size_t small =
                    visited((enum tool_call_format)format, units[i], 32768, thinking);
                const size_t large =
                    visited((enum tool_call_format)format, units[i], 1048576, thinking);

                if (large > 36 * small || large > 20 * (size_t)1048576)
                    fail_msg("\"%s\", format %d: %zu bytes seen in 32 KiB, %zu in 1 MiB", units[i],
                             format, small, large);
            }
}

static void test_bad_bytes(void **state)
{
    struct parsed_reply r;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(tool_calls_parse(TOOL_CALLS_HERMES, "\xff", 1, false, false, NULL, &r, &err),
                     STATUS_INVALID);
    assert_int_equal(tool_calls_parse(TOOL_CALLS_HERMES, "a\0b", 3, false, false, NULL, &r, &err),
                     STATUS_OK);
    assert_string_equal(r.content, "a\xef\xbf\xbd"
                                   "b");
    parsed_reply_deinit(&r);
}

static void test_format_of_templates(void **state)
{
    (void)state;
    assert_int_equal(tool_calls_format_of(NULL), TOOL_CALLS_HERMES);
    assert_int_equal(tool_calls_format_of(chat_template_default()), TOOL_CALLS_HERMES);
    assert_int_equal(tool_calls_format_of("..<tool_call>\\n<function=' + name"), TOOL_CALLS_XML);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reasoning),
        cmocka_unit_test(test_hermes),
        cmocka_unit_test(test_xml),
        cmocka_unit_test(test_calls_stay_text_without_a_format),
        cmocka_unit_test(test_calls_in_thoughts),
        cmocka_unit_test(test_calls_in_thoughts_that_were_cut),
        cmocka_unit_test(test_words_about_arguments),
        cmocka_unit_test(test_too_many_calls),
        cmocka_unit_test(test_walls_of_tags),
        cmocka_unit_test(test_bad_bytes),
        cmocka_unit_test(test_format_of_templates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
