/* test_chat_template.c - the same text as jinja2 as transformers configures it, the assistant's
 * spans, and hostile templates.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/chat_template.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "tests/support/check.h"

static struct json *load_vectors(void)
{
    char path[512];
    struct json *doc = NULL;

    assert_ok(jv_parse_file(fixture_path(path, "tests/fixtures/chat/vectors.json"), (size_t)1 << 24,
                            &doc, why));
    return doc;
}

static enum status render_text(const char *template, const struct chat_input *in, struct str *out,
                               struct chat_spans *spans, struct error *err)
{
    struct chat_template *t = NULL;
    enum status st = chat_template_new(template, strlen(template), "t.jinja", &t, err);

    if (st == STATUS_OK)
        st = spans ? chat_render_spans(t, in, out, spans, err) : chat_render(t, in, out, err);
    chat_template_free(t);
    return st;
}

/* Compares with "output", or expects an error where the reference has "error". */
static int differs(const char *what, const struct json *c, const char *template,
                   const struct chat_input *in, bool with_spans)
{
    const char *want = jv_get_string(jv_get(c, "output"), NULL);
    const struct json *want_spans = jv_get(c, "spans");
    struct str out = STR_INIT;
    struct chat_spans spans = {0};
    struct error err = ERROR_INIT;
    const enum status st = render_text(template, in, &out, with_spans ? &spans : NULL, &err);
    int bad = 0;

    if (want && (st || strcmp(str_cstr(&out), want) != 0))
        bad = 1;
    if (!want && (st == STATUS_OK || strstr(err.where, "t.jinja") == NULL || out.len))
        bad = 1;
    if (want && with_spans && spans.n != jv_size(want_spans))
        bad = 1;
    for (size_t i = 0; !bad && with_spans && i < spans.n; i++) {
        const struct json *s = jv_at(want_spans, i);

        bad = (int64_t)spans.span[i].from != jv_get_int(jv_at(s, 0), -1) ||
              (int64_t)spans.span[i].to != jv_get_int(jv_at(s, 1), -1);
    }
    if (bad)
        print_error("%s:\n  got  %s [%s] %s \"%s\" (%zu spans)\n  want \"%s\" %s\n", what,
                    status_name(st), err.where, err.message, str_cstr(&out), spans.n,
                    want ? want : "", want ? "" : jv_get_string(jv_get(c, "error"), ""));
    str_deinit(&out);
    chat_spans_deinit(&spans);
    return bad;
}

static void test_small_templates_as_jinja2(void **state)
{
    struct json *doc = load_vectors(), *none = jv_array();
    const struct json *cases = jv_get(doc, "small");
    struct chat_input in = {.messages = none,
                            .extra = jv_get(doc, "variables"),
                            .now_ms = jv_get_int(jv_get(doc, "now_ms"), 0)};
    int bad = 0;

    (void)state;
    assert_true(jv_size(cases) > 200);
    for (size_t i = 0; i < jv_size(cases); i++) {
        const struct json *c = jv_at(cases, i);
        const char *template = jv_get_string(jv_get(c, "template"), "");

        bad += differs(template, c, template, &in, false);
    }
    assert_int_equal(bad, 0);
    jv_unref(none);
    jv_unref(doc);
}

static void test_families_as_jinja2(void **state)
{
    struct json *doc = load_vectors();
    const struct json *cases = jv_get(doc, "renderings");
    int bad = 0;

    (void)state;
    assert_true(jv_size(cases) >= 90);
    for (size_t i = 0; i < jv_size(cases); i++) {
        const struct json *c = jv_at(cases, i);
        const char *name = jv_get_string(jv_get(c, "template"), "");
        const char *template = jv_get_string(jv_get(jv_get(doc, "templates"), name), "");
        const size_t chat = (size_t)jv_get_int(jv_get(c, "chat"), 0);
        const struct chat_input in = {
            .messages = jv_at(jv_get(doc, "chats"), chat),
            .tools = jv_get_bool(jv_get(c, "tools"), false) ? jv_get(doc, "tools") : NULL,
            .extra = jv_get(c, "extra"),
            .add_generation_prompt = jv_get_bool(jv_get(c, "prompt"), false),
            .bos_token = "<s>",
            .eos_token = "<|im_end|>",
            .now_ms = jv_get_int(jv_get(doc, "now_ms"), 0)};
        char what[64];

        snprintf(what, sizeof(what), "%s, chat %zu, case %zu", name, chat, i);
        bad += differs(what, c, template, &in, strcmp(name, "xml") == 0);
    }
    assert_int_equal(bad, 0);
    jv_unref(doc);
}

static void test_arguments_as_text_become_objects(void **state)
{
    struct json *messages = fixture_json(
        "[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":"
        "\"{\\\"a\\\": [1, 2]}\"}},{\"function\":{\"name\":\"g\",\"arguments\":\"[]\"}},"
        "{\"name\":\"h\",\"arguments\":\"no json\"}]}]");
    const struct chat_input in = {.messages = messages};
    struct str out = STR_INIT;

    (void)state;
    assert_ok(render_text("{% for c in messages[0].tool_calls %}{% set f = c.function or c %}"
                          "{{ f.arguments | tojson }};{% endfor %}",
                          &in, &out, NULL, why));
    assert_string_equal(str_cstr(&out), "{\"a\": [1, 2]};\"[]\";\"no json\";");
    jv_unref(messages);
    str_deinit(&out);
}

static void check_span(const struct str *out, const struct chat_span *s, const char *want)
{
    assert_true(s->from <= s->to && s->to <= out->len);
    if (s->to - s->from != strlen(want) || memcmp(out->data + s->from, want, strlen(want)) != 0)
        fail_msg("span \"%.*s\", want \"%s\"", (int)(s->to - s->from), out->data + s->from, want);
}

/* Templates without generation blocks: by prefixes. The Qwen-like one drops the thoughts of earlier
 * turns, so only the start of those turns is a prefix. */
static void test_spans_by_prefix(void **state)
{
    struct json *doc = load_vectors();
    struct json *messages = fixture_json(
        "[{\"role\":\"user\",\"content\":\"a\"},"
        "{\"role\":\"assistant\",\"content\":\"<think>\\nx\\n</think>\\n\\none\"},"
        "{\"role\":\"user\",\"content\":\"b\"},{\"role\":\"assistant\",\"content\":\"two\"}]");
    const char *qwen = jv_get_string(jv_get(jv_get(doc, "templates"), "qwen"), "");
    struct chat_input in = {.messages = messages, .eos_token = "<|im_end|>"};
    struct chat_spans spans = {0};
    struct str out = STR_INIT;
    struct error err = ERROR_INIT;

    (void)state;
    str_puts(&out, "before ");
    if (render_text(qwen, &in, &out, &spans, &err))
        fail_msg("%s", err.message);
    assert_int_equal(spans.n, 2);
    check_span(&out, &spans.span[0], "one<|im_end|>");
    check_span(&out, &spans.span[1], "<think>\n\n</think>\n\ntwo<|im_end|>");
    spans.n = 0;
    str_clear(&out);
    assert_int_equal(render_text("{% for m in messages %}[{{ messages|length }}{{ m.content }}]"
                                 "{% endfor %}",
                                 &in, &out, &spans, &err),
                     STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "messages[1]"));
    assert_int_equal(spans.n, 0);
    chat_spans_deinit(&spans);
    str_deinit(&out);
    jv_unref(messages);
    jv_unref(doc);
}

static void test_the_default_template(void **state)
{
    struct json *doc = load_vectors();
    struct json *messages = fixture_json(
        "[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"hi\"},"
        "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\","
        "\"arguments\":{\"a\":1}}},{\"function\":{\"name\":\"g\",\"arguments\":{}}}]},"
        "{\"role\":\"tool\",\"content\":\"r1\"},{\"role\":\"tool\",\"content\":\"r2\"},"
        "{\"role\":\"assistant\",\"content\":\"done\"}]");
    struct chat_input in = {.messages = messages, .add_generation_prompt = true};
    struct chat_spans spans = {0};
    struct str out = STR_INIT;
    struct error err = ERROR_INIT;

    (void)state;
    if (render_text(chat_template_default(), &in, &out, &spans, &err))
        fail_msg("%s %s", err.where, err.message);
    assert_string_equal(
        str_cstr(&out),
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
        "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>\n"
        "<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call><|im_end|>\n"
        "<|im_start|>user\n<tool_response>\nr1\n</tool_response>\n<tool_response>\nr2\n"
        "</tool_response><|im_end|>\n<|im_start|>assistant\ndone<|im_end|>\n"
        "<|im_start|>assistant\n");
    assert_int_equal(spans.n, 2);
    check_span(&out, &spans.span[1], "done<|im_end|>");
    str_clear(&out);
    in.tools = jv_get(doc, "tools");
    assert_int_equal(render_text(chat_template_default(), &in, &out, NULL, &err), STATUS_OK);
    assert_non_null(strstr(str_cstr(&out), "S\n\n# Tools"));
    assert_non_null(strstr(str_cstr(&out), "\"minimum\": 0, \"maximum\": 99"));
    chat_spans_deinit(&spans);
    str_deinit(&out);
    jv_unref(messages);
    jv_unref(doc);
}

static char *repeat(const char *unit, size_t n, const char *middle, const char *end_unit)
{
    struct str s = STR_INIT;

    for (size_t i = 0; i < n; i++)
        str_puts(&s, unit);
    str_puts(&s, middle);
    for (size_t i = 0; i < n; i++)
        str_puts(&s, end_unit);
    return str_take(&s);
}

static void test_limits_are_errors(void **state)
{
    static const struct {
        const char *unit;
        size_t n;
        const char *middle, *end;
        enum status status;
    } cases[] = {
        {"{{ ", 1, "", "", STATUS_INVALID},
        {"(", 6000, "", "", STATUS_OK}, /* text, no tag */
        {"{% if 1 %}", 6000, "", "{% endif %}", STATUS_LIMIT},
        {"{% for a in b %}", 100, "", "{% endfor %}", STATUS_OK},
        {"", 1, "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
         "", STATUS_LIMIT},
        {"", 1, "{{ range(100001) }}", "", STATUS_LIMIT},
        {"", 1, "{{ 'x' * 999999999999 }}", "", STATUS_LIMIT},
        {"", 1, "{{ 'xxxxxxxxxx' * 9223372036854775807 }}", "", STATUS_LIMIT},
        {"", 1,
         "{% set n = namespace(s='xxxxxxxxxxxxxxxx') %}{% for i in range(60) %}"
         "{% set n.s = n.s + n.s %}{% endfor %}",
         "", STATUS_LIMIT},
        {"", 1, "{% for i in range(100000) %}{{ 'x' * 1000 }}{% endfor %}", "", STATUS_LIMIT},
        {"", 1, "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "", STATUS_LIMIT},
        {"", 1, "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}", "", STATUS_LIMIT},
        {"", 1,
         "{% set n = namespace(l=[]) %}{% for i in range(5000) %}{% set n.l = [n.l] %}{% endfor %}"
         "{{ n.l == n.l }}{{ (n.l | string)[:3] }}{{ n.l | tojson }}",
         "", STATUS_INVALID},
        {"", 1, "{% set n = namespace(a=1) %}{% set n.n = n %}{{ (n | string)[:5] }}", "",
         STATUS_OK},
        {"", 1, "{{ 9223372036854775807 + 1 }}", "", STATUS_LIMIT},
        {"", 1, "{{ 9223372036854775808 }}", "", STATUS_INVALID},
        {"", 1, "{{ 2 ** 63 }}", "", STATUS_LIMIT},
        {"", 1, "{{ (-9223372036854775807 - 1) // -1 }}", "", STATUS_LIMIT},
        {"", 1, "{{ (-9223372036854775807 - 1) % -1 }}", "", STATUS_LIMIT},
        {"", 1, "{{ -(-9223372036854775807 - 1) }}", "", STATUS_INVALID},
        {"", 1, "{{ 1 ** 9223372036854775807 }}{{ (-1) ** 9223372036854775807 }}", "", STATUS_OK},
        {"", 1, "{{ [1,2,3][-9223372036854775807:9223372036854775807] }}", "", STATUS_OK},
        {"", 1, "{{ [1,2,3][::9223372036854775807] }}", "", STATUS_INVALID},
        {"", 1, "{{ 'abc'[9223372036854775807] }}", "", STATUS_OK},
        {"", 1, "{{ (range(0, 2147483647, 100000) | list | length) }}", "", STATUS_OK},
        {"", 1, "{{ 'x' | indent(9223372036854775807, true) }}", "", STATUS_LIMIT},
        {"", 1, "{{ strftime_now('%c' * 100) }}", "", STATUS_INVALID},
        {"", 1, "{{ [1]|tojson(indent=9223372036854775807) }}", "", STATUS_OK},
        {"", 1, "{% include 'x' %}", "", STATUS_UNSUPPORTED},
        {"", 1, "{% import 'x' as y %}", "", STATUS_UNSUPPORTED},
        {"", 1, "{{ ''.__class__ }}", "", STATUS_OK}, /* undefined: these do not exist */
        {"", 1, "{{ ''.__class__.__mro__ }}", "", STATUS_INVALID},
    };
    struct json *none = jv_array();
    const struct chat_input in = {.messages = none};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = repeat(cases[i].unit, cases[i].n, cases[i].middle, cases[i].end);
        struct str out = STR_INIT;
        struct error err = ERROR_INIT;
        const int64_t before = seams_mono_us(seams_real());
        const enum status st = render_text(text, &in, &out, NULL, &err);

        if (st != cases[i].status && !(i == 3 && st == STATUS_LIMIT))
            fail_msg("case %zu, \"%.60s\": %s, \"%s\"", i, text, status_name(st), err.message);
        assert_true(seams_mono_us(seams_real()) - before < 20000000);
        str_deinit(&out);
        free(text);
    }
    jv_unref(none);
}

static void test_deep_expressions_are_errors(void **state)
{
    static const char *const units[][3] = {
        {"(", "1", ")"},     {"[", "1", "]"},           {"-", "1", ""},   {"not ", "1", ""},
        {"{'a':", "1", "}"}, {"1 if 1 else ", "1", ""}, {"a[", "1", "]"}, {"range(", "1", ")"}};
    static const char *const chains[] = {"1+", "1~", "a.", "1 and ", "1|", "a(1)(1)"};
    struct json *none = jv_array();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(units) + ARRAY_LEN(chains); i++) {
        const bool nested = i < ARRAY_LEN(units);
        char *inner = nested ? repeat(units[i][0], 6000, units[i][1], units[i][2])
                             : repeat(chains[i - ARRAY_LEN(units)], 6000, "a", "");
        struct str text = STR_INIT;
        struct chat_template *t = NULL;
        struct error err = ERROR_INIT;
        enum status st;

        str_printf(&text, "{{ %s }}", inner);
        st = chat_template_new(text.data, text.len, "t", &t, &err);
        assert_true(st == STATUS_LIMIT || st == STATUS_INVALID);
        if (nested)
            assert_int_equal(st, STATUS_LIMIT);
        str_deinit(&text);
        free(inner);
    }
    jv_unref(none);
}

static void test_sources_that_are_refused(void **state)
{
    struct chat_template *t = NULL;
    struct error err = ERROR_INIT;
    char *large = calloc(1, CHAT_MAX_SOURCE + 2);

    (void)state;
    memset(large, 'x', CHAT_MAX_SOURCE + 1);
    assert_int_equal(chat_template_new(large, CHAT_MAX_SOURCE + 1, "t", &t, &err), STATUS_LIMIT);
    assert_int_equal(chat_template_new("a\0b", 3, "t", &t, &err), STATUS_INVALID);
    assert_int_equal(chat_template_new("\xff", 1, "t", &t, &err), STATUS_INVALID);
    assert_int_equal(chat_template_new("a\n\n{{ (", 7, "t", &t, &err), STATUS_INVALID);
    assert_string_equal(err.where, "t:3");
    free(large);
}

static void test_no_memory_is_an_error(void **state)
{
    struct json *messages = fixture_json("[{\"role\":\"user\",\"content\":\"hi\"}]");
    const struct chat_input in = {.messages = messages, .add_generation_prompt = true};
    int failures = 0;

    (void)state;
    for (uint64_t nth = 1; nth < 200; nth++) {
        struct str out = STR_INIT;
        struct error err = ERROR_INIT;
        enum status st;

        mem_fail_after(nth);
        st = render_text(chat_template_default(), &in, &out, NULL, &err);
        mem_fail_after(0);
        str_deinit(&out);
        if (st == STATUS_OK)
            break;
        assert_true(st == STATUS_NO_MEMORY || st == STATUS_LIMIT);
        failures++;
    }
    assert_true(failures > 3 && failures < 199);
    jv_unref(messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_templates_as_jinja2),
        cmocka_unit_test(test_families_as_jinja2),
        cmocka_unit_test(test_arguments_as_text_become_objects),
        cmocka_unit_test(test_spans_by_prefix),
        cmocka_unit_test(test_the_default_template),
        cmocka_unit_test(test_limits_are_errors),
        cmocka_unit_test(test_deep_expressions_are_errors),
        cmocka_unit_test(test_sources_that_are_refused),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
