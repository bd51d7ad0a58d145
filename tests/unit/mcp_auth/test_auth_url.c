/* test_auth_url.c - well-known places, resources, queries, sets of scopes, registrations.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_client.h"
#include "mcp/auth/auth_scope.h"
#include "mcp/auth/auth_url.h"
#include "tests/support/check.h"

static const struct {
    const char *url, *first, *second;
} resources[] = {
    {"https://a.example/mcp", "https://a.example/.well-known/oauth-protected-resource/mcp",
     "https://a.example/.well-known/oauth-protected-resource"},
    {"https://a.example:8443/p/mcp/",
     "https://a.example:8443/.well-known/"
     "oauth-protected-resource/p/mcp",
     "https://a.example:8443/.well-known/oauth-protected-resource"},
    {"https://a.example", "https://a.example/.well-known/oauth-protected-resource", NULL},
    {"https://a.example/", "https://a.example/.well-known/oauth-protected-resource", NULL},
    {"https://a.example/mcp?key=s3cret",
     "https://a.example/.well-known/oauth-protected-resource/"
     "mcp",
     "https://a.example/.well-known/oauth-protected-resource"},
};

static void test_places_of_resources(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
        struct str out = STR_INIT;

        assert_true(auth_url_resource_metadata(resources[i].url, 0, &out));
        assert_string_equal(str_cstr(&out), resources[i].first);
        str_clear(&out);
        assert_int_equal(auth_url_resource_metadata(resources[i].url, 1, &out),
                         resources[i].second != NULL);
        assert_string_equal(str_cstr(&out), resources[i].second ? resources[i].second : "");
        assert_false(auth_url_resource_metadata(resources[i].url, 2, &out));
        str_deinit(&out);
    }
}

static void test_places_of_authorization_servers(void **state)
{
    static const char *const tenant[] = {
        "https://a.example/.well-known/oauth-authorization-server/t/1",
        "https://a.example/.well-known/openid-configuration/t/1",
        "https://a.example/t/1/.well-known/openid-configuration", NULL};
    static const char *const root[] = {"https://a.example/.well-known/oauth-authorization-server",
                                       "https://a.example/.well-known/openid-configuration", NULL};
    static const struct {
        const char *issuer;
        const char *const *places;
    } row[] = {{"https://a.example/t/1", tenant},
               {"https://a.example/t/1/", tenant},
               {"https://a.example", root},
               {"https://a.example/", root}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(row); i++)
        for (int n = 0;; n++) {
            struct str out = STR_INIT;
            bool more = auth_url_server_metadata(row[i].issuer, n, &out);

            assert_int_equal(more, row[i].places[n] != NULL);
            if (more)
                assert_string_equal(str_cstr(&out), row[i].places[n]);
            str_deinit(&out);
            if (!more)
                break;
        }
}

static void test_which_resource_is_that_of_a_url(void **state)
{
    static const struct {
        const char *resource;
        bool is_of;
    } row[] = {
        {"https://a.example/x/mcp", true},
        {"https://a.example/x/", true},
        {"https://a.example/x", true},
        {"https://a.example", true},
        {"https://a.example/", true},
        {"https://A.example:443/x/mcp", true},
        {"https://a.example/x/mcp/", true},
        {"https://a.example/x/mcp/deeper", false},
        {"https://a.example/x/mc", false},
        {"https://a.example/y", false},
        {"https://a.example/x?y=1", false},
        {"https://a.example/x/mcp#part", false},
        {"http://a.example/x/mcp", false},
        {"https://a.example:8443/x/mcp", false},
        {"https://b.example/x/mcp", false},
        {"https://a.example.b.example", false},
        {"https://a.example@b.example/x/mcp", false},
        {"a.example/x/mcp", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(row); i++)
        if (auth_resource_is_of(row[i].resource, "https://a.example/x/mcp") != row[i].is_of)
            fail_msg("%s", row[i].resource);
}

static void test_queries(void **state)
{
    static const char query[] = "a=1&b=x%20y+z&c&d=%zz&e=1&e=2&%66=3&g=%00";
    struct str out = STR_INIT;

    (void)state;
    assert_ok(auth_query_value(query, "a", &out, why));
    assert_string_equal(str_cstr(&out), "1");
    assert_ok(auth_query_value(query, "b", &out, why));
    assert_string_equal(str_cstr(&out), "x y z");
    assert_ok(auth_query_value(query, "c", &out, why));
    assert_string_equal(str_cstr(&out), "");
    assert_int_equal(auth_query_value(query, "d", &out, NULL), STATUS_INVALID);
    assert_int_equal(auth_query_value(query, "e", &out, NULL), STATUS_INVALID);
    assert_int_equal(auth_query_value(query, "f", &out, NULL), STATUS_INVALID); /* in disguise */
    assert_int_equal(auth_query_value(query, "g", &out, NULL), STATUS_INVALID);
    assert_int_equal(auth_query_value(query, "h", &out, NULL), STATUS_NOT_FOUND);
    str_clear(&out);
    auth_form_put(&out, "k", "a b&=+%/~\xc3\xa4");
    auth_form_put(&out, "l", "");
    assert_string_equal(str_cstr(&out), "k=a%20b%26%3D%2B%25%2F~%C3%A4&l=");
    str_deinit(&out);
}

static void test_sets_of_scopes(void **state)
{
    struct str set = STR_INIT;

    (void)state;
    assert_ok(scope_add(&set, " b  a b ", why));
    assert_ok(scope_add(&set, "c a", why));
    assert_string_equal(str_cstr(&set), "b a c");
    assert_true(scope_covers(str_cstr(&set), "c b"));
    assert_true(scope_covers("", " "));
    assert_false(scope_covers(str_cstr(&set), "a d"));
    assert_false(scope_has("ab", "a"));
    scope_remove(&set, "a");
    assert_string_equal(str_cstr(&set), "b c");
    scope_remove(&set, "x");
    assert_string_equal(str_cstr(&set), "b c");
    assert_int_equal(scope_add(&set, "a\"b", NULL), STATUS_INVALID);
    assert_int_equal(scope_add(&set, "a\\b", NULL), STATUS_INVALID);
    assert_int_equal(scope_add(&set, "a\nb", NULL), STATUS_INVALID);
    for (int i = 0; i < 2 * SCOPE_WORDS_MAX; i++) {
        char word[16];

        snprintf(word, sizeof(word), "w%d", i);
        if (scope_add(&set, word, NULL) == STATUS_LIMIT)
            break;
        assert_true(i < SCOPE_WORDS_MAX);
    }
    str_deinit(&set);
}

static void test_answers_to_a_registration(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"client_id\":\"\"}",
        "{\"client_id\":\"a\\r\\nb\"}",
        "{\"client_id\":7}",
        "{\"client_id\":\"a\",\"client_secret\":\"s\\n\"}",
        "{\"client_id\":\"a\",\"token_endpoint_auth_method\":\"client_secret_basic\"}",
        "{\"client_id\":\"a\",\"token_endpoint_auth_method\":\"tls_client_auth\"}",
    };
    static const char good[] = "{\"client_id\":\"a\",\"client_secret\":\"s\","
                               "\"client_secret_expires_at\":1800000000,"
                               "\"token_endpoint_auth_method\":\"client_secret_post\"}";
    struct auth_client c = {.id = NULL};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (auth_client_registered(bad[i], strlen(bad[i]), "http://localhost:1/callback", &c,
                                   NULL) != STATUS_INVALID)
            fail_msg("%s was accepted", bad[i]);
    assert_ok(auth_client_registered(good, strlen(good), "http://localhost:1/callback", &c, why));
    assert_string_equal(c.id, "a");
    assert_int_equal(c.auth, CLIENT_AUTH_POST);
    assert_int_equal(c.secret_expires_ms, 1800000000000);
    auth_client_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_of_resources),
        cmocka_unit_test(test_places_of_authorization_servers),
        cmocka_unit_test(test_which_resource_is_that_of_a_url),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_sets_of_scopes),
        cmocka_unit_test(test_answers_to_a_registration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
