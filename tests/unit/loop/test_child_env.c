/* test_child_env.c - what a child gets of our environment, and what not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/loop/child_env.h"
#include "tests/support/check.h"

static const char *value_of(char **env, const char *name)
{
    const char *found = NULL;

    for (size_t i = 0; env[i]; i++)
        if (strncmp(env[i], name, strlen(name)) == 0 && env[i][strlen(name)] == '=') {
            assert_null(found); /* one of each name */
            found = env[i] + strlen(name) + 1;
        }
    return found;
}

static void test_kept_and_named(void **state)
{
    static const char *const named[] = {"TOKEN=a=b", "TMPDIR=/theirs", "EMPTY=", "TOKEN=last",
                                        NULL};
    char **env = NULL;

    (void)state;
    assert_int_equal(setenv("HOME", "/home/me", 1), 0);
    assert_int_equal(setenv("TMPDIR", "/ours", 1), 0);
    assert_int_equal(setenv("LANG", "() { :; }; echo", 1), 0);
    assert_int_equal(unsetenv("TZ"), 0);
    assert_int_equal(setenv("OPENAI_API_KEY", "secret", 1), 0);
    assert_int_equal(setenv("HTTPS_PROXY", "http://u:secret@proxy", 1), 0);
    assert_int_equal(setenv("LD_LIBRARY_PATH", "/secret", 1), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", "/secret", 1), 0);
    assert_int_equal(setenv("SSH_AUTH_SOCK", "/secret", 1), 0);
    assert_ok(child_env_new(named, &env, why));
    assert_string_equal(value_of(env, "HOME"), "/home/me");
    assert_string_equal(value_of(env, "PATH"), getenv("PATH"));
    assert_string_equal(value_of(env, "TMPDIR"), "/theirs");
    assert_string_equal(value_of(env, "TOKEN"), "last");
    assert_string_equal(value_of(env, "EMPTY"), "");
    assert_null(value_of(env, "LANG")); /* a shell would run it */
    assert_null(value_of(env, "TZ"));
    for (size_t i = 0; env[i]; i++)
        assert_null(strstr(env[i], "secret"));
    child_env_free(env);
}

static void test_nothing_named(void **state)
{
    char **env = NULL;

    (void)state;
    assert_int_equal(setenv("HOME", "/home/me", 1), 0);
    assert_ok(child_env_new(NULL, &env, why));
    assert_string_equal(value_of(env, "HOME"), "/home/me");
    child_env_free(env);
    child_env_free(NULL);
}

static void test_what_is_no_variable(void **state)
{
    static const char *const bad[] = {"NAME", "=value", ""};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *named[] = {"GOOD=1", bad[i], NULL};
        char **env = NULL;
        struct error err = ERROR_INIT;

        assert_int_equal(child_env_new(named, &env, &err), STATUS_INVALID);
        assert_non_null(strstr(err.message, "number 2"));
        assert_null(env);
    }
}

static void test_no_memory(void **state)
{
    static const char *const named[] = {"A=1", NULL};
    int n_failures = 0;

    (void)state;
    for (uint64_t i = 1; i < 100; i++) {
        char **env = NULL;
        enum status st;

        mem_fail_after(i);
        st = child_env_new(named, &env, NULL);
        mem_fail_after(0);
        if (st) {
            assert_int_equal(st, STATUS_NO_MEMORY);
            assert_null(env);
            n_failures++;
        }
        child_env_free(env);
    }
    assert_in_range(n_failures, 3, 98);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_and_named),
        cmocka_unit_test(test_nothing_named),
        cmocka_unit_test(test_what_is_no_variable),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
