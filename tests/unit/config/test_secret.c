/* test_secret.c - references to secrets: values and errors.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/stat.h>

#include "runtime/base/memory.h"
#include "runtime/config/secret.h"
#include "tests/support/temp_dir.h"

static char folder[64];

static int make_files(void **state)
{
    static const char text[] = "abc def\nmore\n";
    char path[128];

    (void)state;
    temp_dir(folder);
    for (int open = 0; open < 2; open++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, open ? "open" : "token");
        temp_put(path, text, strlen(text));
        assert_int_equal(chmod(path, open ? 0644 : 0600), 0);
    }
    return setenv("TROUPE_TEST_SECRET", "s3cret", 1) || setenv("TROUPE_TEST_EMPTY", "", 1);
}

static int remove_files(void **state)
{
    (void)state;
    temp_dir_remove(folder);
    return 0;
}

static void test_what_is_resolved(void **state)
{
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"plain", "plain"},
        {"", ""},
        {"${env:TROUPE_TEST_SECRET}", "s3cret"},
        {"Bearer ${env:TROUPE_TEST_SECRET}!", "Bearer s3cret!"},
        {"${file:token}", "abc def"},
        {"${file:token}-${env:TROUPE_TEST_SECRET}", "abc def-s3cret"},
        {"$5 and $$ and $${x}", "$5 and $ and ${x}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str out = STR_INIT;
        struct error err = ERROR_INIT;

        str_puts(&out, "> ");
        if (secret_resolve(cases[i].text, folder, &out, &err))
            fail_msg("%s: %s", cases[i].text, err.message);
        assert_string_equal(str_cstr(&out) + 2, cases[i].value);
        str_deinit(&out);
    }
    assert_true(secret_is_reference("Bearer ${env:X}"));
    assert_false(secret_is_reference("plain $5"));
}

static void test_what_is_refused(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"${env:TROUPE_TEST_NONE}", "not set"},
        {"${env:TROUPE_TEST_EMPTY}", "not set"},
        {"${file:none}", "none"},
        {"${file:open}", "other users can read"},
        {"${vault:x}", "${vault:x}"},
        {"${env:}", "${env:}"},
        {"${}", "${}"},
        {"${env:TROUPE_TEST_SECRET}${", "without a closing `}`"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str out = STR_INIT;
        struct error err = ERROR_INIT;

        str_puts(&out, "as it was");
        assert_int_equal(secret_resolve(cases[i].text, folder, &out, &err), STATUS_CONFIG);
        assert_int_equal(err.status, STATUS_CONFIG);
        if (!strstr(err.message, cases[i].words))
            fail_msg("\"%s\" does not say \"%s\"", err.message, cases[i].words);
        assert_null(strstr(err.message, "s3cret"));
        assert_null(strstr(err.message, "abc"));
        assert_string_equal(str_cstr(&out), "as it was");
        str_deinit(&out);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_resolved),
        cmocka_unit_test(test_what_is_refused),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}
