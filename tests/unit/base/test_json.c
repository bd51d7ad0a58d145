/* test_json.c - JSON is refused at its limits, and what is written reads back equal.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "tests/support/check.h"

static void assert_dumps(const struct json *v, const char *expected)
{
    char *text = jv_dump(v);

    assert_string_equal(text, expected);
    free(text);
}

static void well_formed_text_is_read_and_written(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"null", "null"},
        {" true ", "true"},
        {"\"s\"", "\"s\""},
        {"-0", "0"},
        {"0.1", "0.1"},
        {"1.0", "1.0"},
        {"1e2", "100.0"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"[]", "[]"},
        {"{}", "{}"},
        {"{\"b\": [1, {\"x\": null}], \"a\": false}", "{\"b\":[1,{\"x\":null}],\"a\":false}"},
        {"\"\\u00e4\\ud83d\\ude00\\n\"", "\"\xc3\xa4\xf0\x9f\x98\x80\\n\""},
        {"\"[[[\\\"{{{\"", "\"[[[\\\"{{{\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json *v = fixture_json(cases[i].in);

        assert_dumps(v, cases[i].out);
        jv_unref(v);
    }
}

static void faults_are_refused_with_their_place(void **state)
{
    static const struct {
        const char *text;
        size_t n; /* 0: strlen */
        enum status status;
        const char *where;
        const char *words;
    } cases[] = {
        {"", 0, STATUS_INVALID, NULL, NULL},
        {"{\"a\":1,\"a\":2}", 0, STATUS_INVALID, "t:1:8", "duplicate"},
        {"[1]x", 0, STATUS_INVALID, "t:1:4", NULL},
        {"{bad", 0, STATUS_INVALID, "t:1:2", "near 'bad'"},
        {"{\"a\": oops}", 0, STATUS_INVALID, "t:1:7", "near 'oops'"},
        {"{\"a\" 1}", 0, STATUS_INVALID, "t:1:6", NULL},
        {"{\"a\": \"\xc3\xa4\" \"much longer than twenty characters\"}", 0, STATUS_INVALID,
         "t:1:11", NULL},
        {"[1,\n 2", 0, STATUS_INVALID, "t:2:3", "end of file"},
        {"[1, \xc3\xa4]", 0, STATUS_INVALID, "t:1:5", NULL},
        {"[\"a\nb\"]", 0, STATUS_INVALID, "t:1:2", NULL},
        {"[1, 01]", 0, STATUS_INVALID, "t:1:5", NULL},
        {"[1] [2]", 0, STATUS_INVALID, NULL, NULL},
        {"1e400", 0, STATUS_INVALID, NULL, "1.8e308"},
        {"-1e400", 0, STATUS_INVALID, NULL, NULL},
        {"9223372036854775808", 0, STATUS_INVALID, NULL, "64 bits"},
        {"-9223372036854775809", 0, STATUS_INVALID, NULL, "64 bits"},
        {"NaN", 0, STATUS_INVALID, NULL, NULL},
        {"01", 0, STATUS_INVALID, NULL, NULL},
        {"\"\\u0000\"", 0, STATUS_INVALID, NULL, "must not contain the character NUL"},
        {"{\"\\u0000\":1}", 0, STATUS_INVALID, NULL, "must not contain the character NUL"},
        {"\"\\ud800\"", 0, STATUS_INVALID, NULL, NULL},
        {"\"a\0b\"", 5, STATUS_INVALID, "t:1:3", "NUL"},
        {"\"abc\"\0", 6, STATUS_INVALID, "t:1:6", "NUL"},
        {"[\n\"\xc3\xa4\xff\"]", 0, STATUS_INVALID, "t:2:3", "UTF-8"},
        {"\"\xed\xa0\x80\"", 0, STATUS_INVALID, "t:1:2", "UTF-8"},
        {"\"\xc0\x80\"", 0, STATUS_INVALID, "t:1:2", "UTF-8"},
        {"\"tab\there\"", 0, STATUS_INVALID, NULL, NULL},
        {"[1,]", 0, STATUS_INVALID, NULL, NULL},
        {"{'a':1}", 0, STATUS_INVALID, NULL, NULL},
        {"[1] // c", 0, STATUS_INVALID, NULL, NULL},
        {"\"open", 0, STATUS_INVALID, NULL, NULL},
        {"\"open\\", 0, STATUS_INVALID, NULL, NULL},
        {"[\n1,\n}\n", 0, STATUS_INVALID, "t:3:1", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json *v = (struct json *)&v;
        size_t n = cases[i].n ? cases[i].n : strlen(cases[i].text);
        struct error err = ERROR_INIT;

        if (jv_parse(cases[i].text, n, "t", &v, &err) != cases[i].status)
            fail_msg("case %zu: %s", i, cases[i].text);
        assert_ptr_equal(v, &v); /* untouched */
        if (cases[i].where && strncmp(err.where, cases[i].where, strlen(cases[i].where)) != 0)
            fail_msg("case %zu is at %s", i, err.where);
        if (cases[i].words && !strstr(err.message, cases[i].words))
            fail_msg("case %zu says %s", i, err.message);
    }
}

/* `depth` times open, something, `depth` times close. */
static char *nested(int depth, const char *open, const char *close)
{
    struct str s = STR_INIT;

    for (int i = 0; i < depth; i++)
        str_puts(&s, open);
    str_puts(&s, "1");
    for (int i = 0; i < depth; i++)
        str_puts(&s, close);
    return str_take(&s);
}

static void depth_ends_at_64(void **state)
{
    static const struct {
        int depth;
        const char *open, *close;
        enum status status;
    } cases[] = {{64, "[", "]", STATUS_OK},        {65, "[", "]", STATUS_LIMIT},
                 {64, "{\"a\":", "}", STATUS_OK},  {65, "{\"a\":", "}", STATUS_LIMIT},
                 {100000, "[", "]", STATUS_LIMIT}, {65, "[\"]\",", "]", STATUS_LIMIT}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = nested(cases[i].depth, cases[i].open, cases[i].close);
        struct json *v = NULL;
        struct error err = ERROR_INIT;

        assert_int_equal(jv_parse(text, strlen(text), "t", &v, &err), cases[i].status);
        if (v) {
            assert_dumps(v, text);
            jv_unref(v);
        }
        free(text);
    }
}

static void size_ends_at_4_mib(void **state)
{
    char *text = xmalloc(JSON_MAX_BYTES + 2);
    struct json *v = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    memset(text, 'x', JSON_MAX_BYTES + 1);
    text[0] = '"';
    text[JSON_MAX_BYTES - 1] = '"';
    assert_int_equal(jv_parse(text, JSON_MAX_BYTES, "t", &v, &err), STATUS_OK);
    assert_int_equal(jv_string_len(v), JSON_MAX_BYTES - 2);
    jv_unref(v);
    v = NULL;
    text[JSON_MAX_BYTES - 1] = 'x';
    text[JSON_MAX_BYTES] = '"';
    assert_int_equal(jv_parse(text, JSON_MAX_BYTES + 1, "t", &v, &err), STATUS_LIMIT);
    assert_null(v);
    assert_int_equal(jv_parse_max(text, JSON_MAX_BYTES + 1, JSON_MAX_BYTES + 1, "t", &v, &err),
                     STATUS_OK);
    jv_unref(v);
    free(text);
}

static void files_are_named_in_errors(void **state)
{
    char path[] = "/tmp/test_json_XXXXXX";
    int fd = mkstemp(path);
    struct json *v = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(write(fd, "{\"a\": 1,}", 9), 9);
    close(fd);
    assert_int_equal(jv_parse_file(path, 100, &v, &err), STATUS_INVALID);
    assert_memory_equal(err.where, path, strlen(path));
    assert_int_equal(jv_parse_file(path, 8, &v, &err), STATUS_LIMIT);
    unlink(path);
    assert_int_equal(jv_parse_file(path, 100, &v, &err), STATUS_NOT_FOUND);
    assert_null(v);
}

static void getters_have_defaults(void **state)
{
    struct json *v =
        fixture_json("{\"i\":7,\"r\":1.5,\"s\":\"x\",\"b\":true,\"n\":null,\"a\":[1,2]}");

    (void)state;
    assert_int_equal(jv_get_int(jv_get(v, "i"), -1), 7);
    assert_int_equal(jv_get_int(jv_get(v, "r"), -1), -1);
    assert_int_equal(jv_get_int(jv_get(v, "none"), -1), -1);
    assert_true(jv_get_number(jv_get(v, "i"), -1) == 7.0);
    assert_true(jv_get_number(jv_get(v, "r"), -1) == 1.5);
    assert_true(jv_get_number(jv_get(v, "s"), -1) == -1.0);
    assert_string_equal(jv_get_string(jv_get(v, "s"), "d"), "x");
    assert_string_equal(jv_get_string(jv_get(v, "i"), "d"), "d");
    assert_null(jv_get_string(NULL, NULL));
    assert_true(jv_get_bool(jv_get(v, "b"), false));
    assert_true(jv_get_bool(jv_get(v, "i"), true));
    assert_false(jv_get_bool(NULL, false));
    assert_int_equal(jv_kind(jv_get(v, "n")), JV_NULL);
    assert_int_equal(jv_kind(NULL), JV_NULL);
    assert_int_equal(jv_size(v), 6);
    assert_int_equal(jv_size(jv_get(v, "a")), 2);
    assert_int_equal(jv_size(jv_get(v, "s")), 0);
    assert_int_equal(jv_size(NULL), 0);
    assert_int_equal(jv_get_int(jv_at(jv_get(v, "a"), 1), 0), 2);
    assert_null(jv_at(jv_get(v, "a"), 2));
    assert_null(jv_at(v, 0));
    assert_null(jv_get(jv_get(v, "a"), "x"));
    assert_null(jv_get(NULL, "x"));
    assert_int_equal(jv_string_len(NULL), 0);
    assert_string_equal(jv_kind_name(jv_kind(v)), "object");
    jv_unref(v);
    jv_unref(NULL);
}

static void objects_keep_their_order(void **state)
{
    static const char *const keys[] = {"z", "a", "m", ""};
    struct json *v = jv_object();
    const char *key;
    struct json *value;
    int64_t i = 0;

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(keys); k++)
        jv_set_int(v, keys[k], (int64_t)k);
    jv_set_int(v, "m", 2);
    for (void *it = NULL; (it = jv_next(v, it, &key, &value));) {
        assert_string_equal(key, keys[i]);
        assert_int_equal(jv_get_int(value, -1), i);
        i++;
    }
    assert_int_equal(i, 4);
    jv_remove(v, "a");
    jv_remove(v, "a");
    assert_dumps(v, "{\"z\":0,\"m\":2,\"\":3}");
    assert_null(jv_next(NULL, NULL, &key, &value));
    jv_unref(v);
}

/* What goes in must come out of our own parser again, whatever a tool printed. */
static void foreign_bytes_are_made_parseable(void **state)
{
    struct json *v = jv_object();
    struct json *again;
    char *text;

    (void)state;
    jv_set_adopt(v, "nul", jv_string_n("a\0b\xff", 4));
    jv_set_string(v, "bad\xff", "x\xc3");
    assert_string_equal(jv_get_string(jv_get(v, "nul"), ""), "a\xef\xbf\xbd"
                                                             "b\xef\xbf\xbd");
    assert_string_equal(jv_get_string(jv_get(v, "bad\xef\xbf\xbd"), ""), "x\xef\xbf\xbd");
    jv_set_adopt(v, "nan", jv_real((double)NAN));
    jv_set_adopt(v, "none", NULL);
    text = jv_dump(v);
    again = fixture_json(text);
    assert_true(jv_equal(v, again));
    jv_unref(again);
    jv_unref(v);
    free(text);
}

static void adopt_takes_over_even_when_it_fails(void **state)
{
    struct json *scalar = jv_int(1);

    (void)state;
    jv_set_adopt(scalar, "k", jv_string("would leak"));
    jv_append_adopt(scalar, jv_string("would leak"));
    assert_dumps(scalar, "1");
    jv_unref(scalar);
}

static void equality_and_copies(void **state)
{
    struct json *a = fixture_json("{\"x\":[1,2.5,\"s\"],\"y\":null}");
    struct json *b = fixture_json("{\"y\":null,\"x\":[1,2.5,\"s\"]}");
    struct json *c = jv_deep_copy(a);

    (void)state;
    assert_true(jv_equal(a, b));
    assert_true(jv_equal(a, c));
    jv_append_adopt(jv_get(c, "x"), jv_null());
    assert_false(jv_equal(a, c));
    assert_int_equal(jv_size(jv_get(a, "x")), 3);
    assert_true(jv_equal(NULL, NULL));
    assert_true(jv_equal(NULL, jv_null()));
    assert_false(jv_equal(a, NULL));
    assert_ptr_equal(jv_ref(a), a);
    jv_unref(a);
    jv_unref(a);
    jv_unref(b);
    jv_unref(c);
}

static void pretty_and_canonical_forms(void **state)
{
    struct json *v = fixture_json("{\"b\":[1,{}],\"a\":{\"z\":[],\"y\":0.5},\"aa\":1}");
    struct str s = STR_INIT;

    (void)state;
    jv_write(v, 2, &s);
    assert_string_equal(str_cstr(&s), "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": {\n    \"z\": "
                                      "[],\n    \"y\": 0.5\n  },\n  \"aa\": 1\n}");
    str_clear(&s);
    jv_write_canonical(v, &s);
    assert_string_equal(str_cstr(&s), "{\"a\":{\"y\":0.5,\"z\":[]},\"aa\":1,\"b\":[1,{}]}");
    str_clear(&s);
    jv_unref(v);
    v = jv_object(); /* more keys than are sorted on the stack */
    for (int i = 999; i >= 0; i--) {
        char key[16];

        snprintf(key, sizeof(key), "%03d", i);
        jv_set_int(v, key, i);
    }
    jv_write_canonical(v, &s);
    assert_memory_equal(s.data, "{\"000\":0,\"001\":1,", 17);
    assert_memory_equal(s.data + s.len - 10, "\"999\":999}", 10);
    str_deinit(&s);
    jv_unref(v);
}

static void a_value_too_deep_to_write_fails_whole(void **state)
{
    struct json *v = jv_array();
    struct str s = STR_INIT;

    (void)state;
    for (int i = 0; i < 600; i++) {
        struct json *outer = jv_array();

        jv_append_adopt(outer, v);
        v = outer;
    }
    jv_write(v, 0, &s);
    assert_false(str_ok(&s));
    str_deinit(&s);
    jv_unref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_text_is_read_and_written),
        cmocka_unit_test(faults_are_refused_with_their_place),
        cmocka_unit_test(depth_ends_at_64),
        cmocka_unit_test(size_ends_at_4_mib),
        cmocka_unit_test(files_are_named_in_errors),
        cmocka_unit_test(getters_have_defaults),
        cmocka_unit_test(objects_keep_their_order),
        cmocka_unit_test(foreign_bytes_are_made_parseable),
        cmocka_unit_test(adopt_takes_over_even_when_it_fails),
        cmocka_unit_test(equality_and_copies),
        cmocka_unit_test(pretty_and_canonical_forms),
        cmocka_unit_test(a_value_too_deep_to_write_fails_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
