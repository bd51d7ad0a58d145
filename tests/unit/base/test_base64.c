/* test_base64.c - the vectors of RFC 4648, and that a text has one reading.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/base64.h"
#include "tests/support/check.h"

static const struct {
    const char *bytes, *plain, *url;
} vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+", "-__-"},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct str plain = STR_INIT, url = STR_INIT, back = STR_INIT;
        size_t n = strlen(vectors[i].bytes);

        base64_put(&plain, vectors[i].bytes, n);
        base64url_put(&url, vectors[i].bytes, n);
        assert_string_equal(str_cstr(&plain), vectors[i].plain);
        assert_string_equal(str_cstr(&url), vectors[i].url);
        assert_int_equal(url.len, BASE64URL_LEN(n));
        assert_true(base64url_decode(vectors[i].url, strlen(vectors[i].url), &back));
        assert_string_equal(str_cstr(&back), vectors[i].bytes);
        str_clear(&back);
        assert_true(base64_decode(vectors[i].plain, strlen(vectors[i].plain), &back));
        assert_string_equal(str_cstr(&back), vectors[i].bytes);
        str_deinit(&plain);
        str_deinit(&url);
        str_deinit(&back);
    }
}

static void test_other_texts_are_refused_and_leave_no_trace(void **state)
{
    static const char *const bad[] = {
        "Z", "Zh", "Zm9", "Zg==", "Zg=", "Z g", "+//+", "Zm9v\n", "Zm9v!"};
    static const char *const bad_plain[] = {
        "Zg", "Zg=", "Zh==", "Z===", "====", "Zm9-", "Z=g=", "Zg==Zg=="};
    struct str out = STR_INIT;

    (void)state;
    str_puts(&out, "before");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (base64url_decode(bad[i], strlen(bad[i]), &out))
            fail_msg("\"%s\" was accepted", bad[i]);
        assert_string_equal(str_cstr(&out), "before");
    }
    assert_false(base64url_decode("Zm\0v", 4, &out));
    for (size_t i = 0; i < ARRAY_LEN(bad_plain); i++) {
        if (base64_decode(bad_plain[i], strlen(bad_plain[i]), &out))
            fail_msg("\"%s\" was accepted", bad_plain[i]);
        assert_string_equal(str_cstr(&out), "before");
    }
    str_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_other_texts_are_refused_and_leave_no_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
