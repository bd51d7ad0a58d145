/* test_www_authenticate.c - challenges as servers send them, right and wrong.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <strings.h>

#include "mcp/auth/www_authenticate.h"
#include "tests/support/check.h"

static const struct {
    const char *field;
    bool is_bearer;
    const char *place, *scope, *problem, *other;
} right[] = {
    {"Bearer", true, "", "", "", ""},
    {"bearer realm=\"x\"", true, "", "", "", ""},
    {"Bearer resource_metadata=\"https://a.example/p\", scope=\"a b\", error=\"invalid_token\"",
     true, "https://a.example/p", "a b", "invalid_token", ""},
    {"Bearer  scope = \"a\" ,error=invalid_token", true, "", "a", "invalid_token", ""},
    {"Bearer resource_metadata=https://a.example/p?x=1, SCOPE=a", true, "https://a.example/p?x=1",
     "a", "", ""},
    {"Bearer error_description=\"say \\\"hi\\\", scope=\\\"b\\\"\", scope=\"a\"", true, "", "a", "",
     ""},
    {"Basic realm=\"scope=no\", Bearer scope=\"a\", Digest scope=\"b\"", true, "", "a", "",
     "Basic"},
    {"Negotiate abc==, Bearer scope=\"a\"", true, "", "a", "", "Negotiate"},
    {"Bearer scope=\"a\", Bearer scope=\"b\"", true, "", "a", "", ""},
    {"DPoP algs=\"ES256\", scope=\"a\"", false, "", "a", "", ""},
    {"DPoP scope=\"d\", Bearer scope=\"a\"", true, "", "a", "", ""},
    {"DPoP scope=\"d\", Bearer", true, "", "", "", ""},
    {"Bearer, DPoP scope=\"d\"", true, "", "", "", ""},
    {"dpop scope=\"d\", DPoP scope=\"e\"", false, "", "d", "", ""},
    {"Digest scope=\"d\"", false, "", "", "", "Digest"},
    {", ,Bearer ,", true, "", "", "", ""},
    {"", false, "", "", "", ""},
    {"Bearer scope=", true, "", "", "", ""}, /* a token68, as far as the syntax says */
    {"Bearer scope=,", true, "", "", "", ""},
    {"Bearer @", true, "", "", "", ""},
    {"Bearer scope=\"\"", true, "", "", "", ""},
};

static void test_challenges(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(right); i++) {
        const struct http_field field = {"www-authenticate", right[i].field};
        struct bearer_challenge c;
        struct error err = ERROR_INIT;

        if (bearer_challenge_read(&field, 1, &c, &err))
            fail_msg("%s: %s", right[i].field, err.message);
        if (c.is_bearer != right[i].is_bearer ||
            strcmp(str_cstr(&c.resource_metadata), right[i].place) != 0 ||
            strcmp(str_cstr(&c.scope), right[i].scope) != 0 ||
            strcmp(str_cstr(&c.problem), right[i].problem) != 0 ||
            strcmp(c.other, right[i].other) != 0 ||
            c.is_dpop != (!c.is_bearer && strncasecmp(right[i].field, "dpop", 4) == 0))
            fail_msg("%s: place \"%s\", scope \"%s\", error \"%s\", other \"%s\"", right[i].field,
                     str_cstr(&c.resource_metadata), str_cstr(&c.scope), str_cstr(&c.problem),
                     c.other);
        bearer_challenge_deinit(&c);
    }
}

static void test_wrong_challenges(void **state)
{
    static const char *const wrong[] = {
        "scope=\"a\"",
        "Bearer scope=\"a",
        "Bearer scope=\"a\\",
        "Bearer scope=\"a\x01\"",
        "Bearer scope=a\x7f",
        "Bearer scope=\"a\" error=\"b\"",
        "Bearer scope=\"a\", scope=\"b\"",
        "Bearer realm=x, scope=",
        "\"Bearer\"",
        "Bearer scope=\"a\"b",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        const struct http_field field = {"www-authenticate", wrong[i]};
        struct bearer_challenge c;

        if (bearer_challenge_read(&field, 1, &c, NULL) != STATUS_INVALID)
            fail_msg("%s was accepted", wrong[i]);
        bearer_challenge_deinit(&c);
    }
}

static void test_several_fields_and_too_long_ones(void **state)
{
    struct http_field fields[3] = {{"www-authenticate", "Basic realm=\"x\""},
                                   {"content-type", "Bearer scope=\"no\""},
                                   {"www-authenticate", "Bearer scope=\"a\""}};
    struct bearer_challenge c;
    char *huge = xmalloc(WWW_BYTES_MAX + 2);

    (void)state;
    assert_ok(bearer_challenge_read(fields, 3, &c, why));
    assert_string_equal(str_cstr(&c.scope), "a");
    bearer_challenge_deinit(&c);
    memset(huge, ',', WWW_BYTES_MAX + 1);
    huge[WWW_BYTES_MAX + 1] = '\0';
    fields[1] = (struct http_field){"www-authenticate", huge};
    assert_int_equal(bearer_challenge_read(fields, 3, &c, NULL), STATUS_INVALID);
    bearer_challenge_deinit(&c);
    free(huge);
}

static void test_what_is_written_is_read(void **state)
{
    struct str out = STR_INIT;
    struct http_field field;
    struct bearer_challenge c;

    (void)state;
    bearer_challenge_put(&out, "https://a.example/\"p\\", NULL, "a b");
    assert_string_equal(str_cstr(&out),
                        "Bearer resource_metadata=\"https://a.example/\\\"p\\\\\", scope=\"a b\"");
    field = (struct http_field){"www-authenticate", str_cstr(&out)};
    assert_ok(bearer_challenge_read(&field, 1, &c, why));
    assert_string_equal(str_cstr(&c.resource_metadata), "https://a.example/\"p\\");
    bearer_challenge_deinit(&c);
    str_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_challenges),
        cmocka_unit_test(test_wrong_challenges),
        cmocka_unit_test(test_several_fields_and_too_long_ones),
        cmocka_unit_test(test_what_is_written_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
