/* test_json_view.c - JSON text read in place.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/json_view.h"
#include "tests/support/check.h"

static struct json_view open_text(const char *text)
{
    struct json_view v = JSON_VIEW_NONE;
    struct error err = ERROR_INIT;

    if (json_view_open(text, strlen(text), JSON_MAX_BYTES, "test", &v, &err))
        fail_msg("%s: %s %s", text, err.where, err.message);
    return v;
}

static void what_is_not_json_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *where, *message;
    } cases[] = {
        {"", "", "test is empty: expected JSON"},
        {" ", "test:1:2", "the JSON text ends too early"},
        {"{", "test:1:2", "the JSON text ends too early"},
        {"[1,]", "test:1:4", "expected a JSON value"},
        {"{\"a\" 1}", "test:1:6", "expected a colon after the key of a JSON object"},
        {"{a:1}", "test:1:2", "expected a string as the key of a JSON object"},
        {"{\"a\":1\n \"b\":2}", "test:2:2", "expected a comma or } in a JSON object"},
        {"[1 2]", "test:1:4", "expected a comma or ] in a JSON array"},
        {"01", "test:1:1", "not a valid JSON number"},
        {"nul", "test:1:1", "expected a JSON value"},
        {"\"\\x\"", "test:1:2", "not a valid escape in a JSON string"},
        {"\"\\ud800\"", "test:1:2", "not a valid escape in a JSON string"},
        {"\"\\u0000\"", "test:1:2", "not a valid escape in a JSON string"},
        {"\"a\tb\"", "test:1:3", "a control character must be escaped in a JSON string"},
        {"1 2", "test:1:3", "there is text behind the JSON value"},
        {"{\"a\":1,\"a\":2}", "test:1:8", "the JSON object has this key twice"},
        {"{\"method\":1,\"\\u006dethod\":2}", "test:1:13", "the JSON object has this key twice"},
        {"{\"\xc3\xa4\":1,\"\\u00e4\":2}", "test:1:8", "the JSON object has this key twice"},
        {"[{\"x\":{\"b\":1,\"c\":1,\"b\":1}}]", "test:1:20", "the JSON object has this key twice"},
        {"\"\xff\"", "test:1:2", "JSON must be valid UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum status want = strstr(cases[i].message, "twice") ? STATUS_REJECTED : STATUS_INVALID;
        struct json_view v;
        struct error err = ERROR_INIT;

        assert_int_equal(
            json_view_open(cases[i].text, strlen(cases[i].text), JSON_MAX_BYTES, "test", &v, &err),
            want);
        assert_string_equal(err.message, cases[i].message);
        assert_string_equal(err.where, cases[i].where);
    }
}

static void keys_of_a_large_object_are_compared_too(void **state)
{
    struct str text = STR_INIT;
    struct json_view v;

    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        str_clear(&text);
        str_putc(&text, '{');
        for (int i = 0; i < 1000; i++)
            str_printf(&text, "%s\"k%d\":{\"k%d\":0}", i ? "," : "", i, i);
        str_puts(&text, twice ? ",\"k\\u0037\":1}" : "}");
        assert_int_equal(json_view_open(str_cstr(&text), text.len, JSON_MAX_BYTES, "t", &v, NULL),
                         twice ? STATUS_REJECTED : STATUS_OK);
    }
    str_deinit(&text);
}

static void size_and_depth_are_limited(void **state)
{
    char deep[2 * JSON_MAX_DEPTH + 3];
    struct json_view v;

    (void)state;
    for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
        memset(deep, '[', (size_t)depth);
        memset(deep + depth, ']', (size_t)depth);
        assert_int_equal(json_view_open(deep, 2 * (size_t)depth, JSON_MAX_BYTES, "t", &v, NULL),
                         depth > JSON_MAX_DEPTH ? STATUS_LIMIT : STATUS_OK);
    }
    for (int n = JSON_MAX_KEYS; n <= JSON_MAX_KEYS + 1; n++) {
        struct str many = STR_INIT;
        struct error err = ERROR_INIT;
        struct json *doc = NULL;

        str_puts(&many, "{\"a\":{\"b\":1},\"c\":[{");
        for (int i = 0; i < n; i++)
            str_printf(&many, "%s\"%d:{\":0", i ? "," : "", i);
        str_puts(&many, "}]}");
        assert_int_equal(json_view_open(str_cstr(&many), many.len, JSON_MAX_BYTES, "t", &v, &err),
                         n > JSON_MAX_KEYS ? STATUS_LIMIT : STATUS_OK);
        assert_int_equal(jv_parse(str_cstr(&many), many.len, "t", &doc, NULL),
                         n > JSON_MAX_KEYS ? STATUS_LIMIT : STATUS_OK);
        assert_true(n <= JSON_MAX_KEYS || strstr(err.message, "more than 10000 keys"));
        jv_unref(doc);
        str_deinit(&many);
    }
    assert_int_equal(json_view_open("[12]", 4, 4, "t", &v, NULL), STATUS_OK);
    assert_int_equal(json_view_open("[12]", 4, 3, "t", &v, NULL), STATUS_LIMIT);
}

static void members_are_found_by_their_decoded_key(void **state)
{
    struct json_view v = open_text(" { \"a\" : [ 1 , {\"x\":\"]}\"} ] , "
                                   "\"m\\u00e4\":\"q\\\"\\n\",\"n\":-12,\"e\":{},\"t\":true} ");
    struct str text = STR_INIT;
    struct json_walk w;

    (void)state;
    assert_int_equal(json_view_size(v), 5);
    assert_int_equal(json_view_kind(json_view_get(v, "a")), JV_ARRAY);
    assert_int_equal(json_view_size(json_view_get(v, "a")), 2);
    assert_false(json_view_text(JSON_VIEW_NONE, &text));
    assert_true(json_view_text(json_view_get(v, "m\xc3\xa4"), &text));
    assert_string_equal(str_cstr(&text), "q\"\n");
    assert_true(json_view_is(json_view_get(v, "m\xc3\xa4"), "q\"\n"));
    assert_false(json_view_is(json_view_get(v, "m\xc3\xa4"), "q\""));
    assert_int_equal(json_view_int(json_view_get(v, "n"), 0), -12);
    assert_int_equal(json_view_int(json_view_get(v, "t"), 7), 7);
    assert_true(json_view_bool(json_view_get(v, "t"), false));
    assert_int_equal(json_view_size(json_view_get(v, "e")), 0);
    assert_null(json_view_get(v, "A").at);
    assert_false(json_view_text(json_view_get(v, "A"), &text));
    assert_null(json_view_get(json_view_get(v, "a"), "x").at);
    w = json_walk(json_view_get(v, "a"));
    assert_true(json_walk_next(&w));
    assert_int_equal(json_view_int(w.value, 0), 1);
    assert_true(json_walk_next(&w));
    assert_true(json_view_is(json_view_get(w.value, "x"), "]}"));
    assert_false(json_walk_next(&w));
    assert_false(json_view_text(JSON_VIEW_NONE, &text));
    str_deinit(&text);
}

static void a_value_is_put_on_one_line(void **state)
{
    static const struct {
        const char *text, *line;
    } cases[] = {
        {"{}", "{}"},
        {"[1,\r\n 2,\n\n\"a\\nb\"\n]", "[1,   2,  \"a\\nb\" ]"},
        {"{\"a\"\n:\r1}", "{\"a\" : 1}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str out = STR_INIT;

        str_puts(&out, "before\n");
        json_view_put_line(&out, open_text(cases[i].text));
        assert_memory_equal(str_cstr(&out), "before\n", 7);
        assert_string_equal(str_cstr(&out) + 7, cases[i].line);
        str_deinit(&out);
    }
}

static void several_members_are_found_in_one_pass(void **state)
{
    static const char *const keys[] = {"id", "none", "params", "method"};
    const struct json_view v = open_text("{\"params\":{\"id\":1},\"other\":[{}],\"\\u0069d\":7}");
    struct json_view got[4];

    (void)state;
    json_view_pick(v, keys, ARRAY_LEN(keys), got);
    assert_int_equal(json_view_int(got[0], 0), 7);
    assert_null(got[1].at);
    assert_int_equal(json_view_int(json_view_get(got[2], "id"), 0), 1);
    assert_null(got[3].at);
    json_view_pick(open_text("[1]"), keys, ARRAY_LEN(keys), got);
    assert_null(got[0].at);
    json_view_pick(JSON_VIEW_NONE, keys, ARRAY_LEN(keys), got);
    assert_null(got[0].at);
}

/* A run of a string is looked at in blocks: each place of a block ends it. */
static void strings_end_where_they_end_at_any_length(void **state)
{
    static const char *const ends[] = {"\"", "\\\"\"", "\\\\\"", "\\n\""};

    (void)state;
    for (size_t n = 0; n < 70; n++) {
        for (size_t k = 0; k < ARRAY_LEN(ends); k++) {
            struct str text = STR_INIT;
            struct json_view v;

            str_puts(&text, "[{\"k\":\"");
            for (size_t i = 0; i < n; i++)
                str_putc(&text, i % 9 == 8 ? '}' : (char)('a' + i % 9));
            str_puts(&text, ends[k]);
            str_puts(&text, ",\"z\":[5]}]");
            v = open_text(str_cstr(&text));
            assert_int_equal(json_view_size(v), 1);
            for (struct json_walk w = json_walk(v); json_walk_next(&w);)
                assert_int_equal(json_view_size(json_view_get(w.value, "z")), 1);
            /* A control character within is found at each place too. */
            text.data[7 + n] = '\n';
            if (n > 0) {
                struct error err = ERROR_INIT;

                assert_int_equal(
                    json_view_open(str_cstr(&text), text.len, JSON_MAX_BYTES, "test", &v, &err),
                    STATUS_INVALID);
            }
            str_deinit(&text);
        }
    }
}

static void numbers_that_do_not_fit_are_passed_on(void **state)
{
    struct json_view v =
        open_text("[123456789012345678901234567890,1.5,1e999,9223372036854775807]");
    struct json_walk w = json_walk(v);
    struct str out = STR_INIT;

    (void)state;
    assert_true(json_walk_next(&w));
    assert_int_equal(json_view_kind(w.value), JV_INT);
    assert_int_equal(json_view_int(w.value, -1), -1);
    assert_true(json_walk_next(&w));
    assert_int_equal(json_view_kind(w.value), JV_REAL);
    assert_true(json_view_number(w.value, 0) == 1.5);
    assert_true(json_walk_next(&w));
    assert_null(json_view_value(w.value));
    assert_true(json_walk_next(&w));
    assert_true(json_view_int(w.value, 0) == INT64_MAX);
    json_view_put(&out, v);
    assert_string_equal(str_cstr(&out), v.at);
    str_deinit(&out);
}

static void members_are_replaced_added_and_removed(void **state)
{
    static const struct {
        const char *object, *want;
    } cases[] = {
        {"{\"a\":1,\"b\":[1, 2],\"c\":3}", "{\"b\":[1, 2],\"a\":true,\"d\":\"x\"}"},
        {"{ \"\\u0063\" : 1 }", "{\"a\":true,\"d\":\"x\"}"},
        {"{}", "{\"a\":true,\"d\":\"x\"}"},
    };
    struct json_change changes[] = {
        {"a", open_text("true")}, {"c", JSON_VIEW_NONE}, {"d", open_text("\"x\"")}};
    struct str out = STR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str_clear(&out);
        json_view_put_changed(&out, open_text(cases[i].object), changes, ARRAY_LEN(changes));
        assert_string_equal(str_cstr(&out), cases[i].want);
    }
    str_clear(&out);
    json_view_put_changed(&out, JSON_VIEW_NONE, changes, 2);
    assert_string_equal(str_cstr(&out), "{\"a\":true}");
    str_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_json_is_refused_with_its_place),
        cmocka_unit_test(keys_of_a_large_object_are_compared_too),
        cmocka_unit_test(size_and_depth_are_limited),
        cmocka_unit_test(members_are_found_by_their_decoded_key),
        cmocka_unit_test(a_value_is_put_on_one_line),
        cmocka_unit_test(several_members_are_found_in_one_pass),
        cmocka_unit_test(strings_end_where_they_end_at_any_length),
        cmocka_unit_test(numbers_that_do_not_fit_are_passed_on),
        cmocka_unit_test(members_are_replaced_added_and_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
