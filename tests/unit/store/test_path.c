/* test_path.c - paths are built, escaped, compared.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/store/store_fixture.h"

#include "runtime/base/memory.h"
#include "runtime/store/path.h"

enum build { CHILD, INDEX, ATTEMPT, TURN, MODEL, TOOL };

static void test_built(void **state)
{
    static const struct {
        enum build what;
        const char *parent, *name;
        int64_t n;
        const char *expected;
    } cases[] = {
        {CHILD, NULL, "plan", 0, "plan"},
        {CHILD, "", "plan", 0, "plan"},
        {CHILD, "plan", "sub", 0, "plan/sub"},
        {CHILD, "a", "x/y[1]@2%", 0, "a/x%2Fy%5B1%5D%402%25"},
        {CHILD, NULL, "turn:0", 0, "turn%3A0"},
        {CHILD, NULL, "a\nb", 0, "a%0Ab"},
        {CHILD, NULL, "\xc3\xa9t\xc3\xa9", 0, "\xc3\xa9t\xc3\xa9"},
        {INDEX, "research", NULL, 3, "research[3]"},
        {INDEX, NULL, NULL, 0, "[0]"},
        {ATTEMPT, "research[3]", NULL, 0, "research[3]"},
        {ATTEMPT, "research[3]", NULL, 1, "research[3]@1"},
        {TURN, "research[3]@1", NULL, 0, "research[3]@1/turn:0"},
        {TURN, NULL, NULL, 12, "turn:12"},
        {MODEL, "plan/turn:2", NULL, 0, "plan/turn:2/model:0"},
        {TOOL, "plan/turn:2", "search", 0, "plan/turn:2/tool:0:search"},
        {TOOL, "plan", "srv:a/b", 10, "plan/tool:10:srv:a%2Fb"},
    };
    struct str out = STR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *p = cases[i].parent;

        switch (cases[i].what) {
        case CHILD:
            path_child(&out, p, cases[i].name);
            break;
        case INDEX:
            path_index(&out, p, cases[i].n);
            break;
        case ATTEMPT:
            path_attempt(&out, p, cases[i].n);
            break;
        case TURN:
            path_turn(&out, p, cases[i].n);
            break;
        case MODEL:
            path_model(&out, p, cases[i].n);
            break;
        case TOOL:
            path_tool(&out, p, cases[i].n, cases[i].name);
            break;
        }
        assert_string_equal(str_cstr(&out), cases[i].expected);
    }
    str_deinit(&out);
}

static void test_no_name_is_read_as_structure(void **state)
{
    struct str out = STR_INIT, other = STR_INIT;
    char name[256];

    (void)state;
    for (int i = 1; i < 256; i++)
        name[i - 1] = (char)i;
    name[255] = '\0';
    path_child(&out, NULL, name);
    assert_null(strpbrk(str_cstr(&out), "/[]@:\n\x7f"));
    path_child(&out, NULL, "a/b");
    path_child(&other, NULL, "a%2Fb");
    assert_string_not_equal(str_cstr(&out), str_cstr(&other));
    str_deinit(&out);
    str_deinit(&other);
}

static void test_under(void **state)
{
    static const struct {
        const char *path, *ancestor;
        bool under;
    } cases[] = {
        {"a", NULL, true},       {"a/b", "", true},
        {"a", "a", true},        {"a/b", "a", true},
        {"a/b/c", "a", true},    {"ab", "a", false},
        {"a[1]", "a", true},     {"a@1/b", "a", true},
        {"a@1/b", "a@1", true},  {"a[1]/turn:0", "a[1]", true},
        {"a[12]", "a[1", false}, {"b", "a", false},
        {"a/b[2]", "a", true},   {"a", "a/b", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(path_is_under(cases[i].path, cases[i].ancestor), cases[i].under);
    assert_string_equal(path_last("a/b/c"), "c");
    assert_string_equal(path_last("a"), "a");
}

static bool put_prefix(void *ctx, const char *path, size_t n, int64_t attempt)
{
    struct str *out = ctx;

    str_printf(out, "%.*s %lld, ", (int)n, path, (long long)attempt);
    return strncmp(path, "stop", 4) != 0;
}

static void test_each_around(void **state)
{
    static const struct {
        const char *path, *around;
    } cases[] = {
        {"a", ""},
        {"a/b", "a 0, "},
        {"a@12/b", "a 12, a@12 0, "},
        {"a@1[2]@3/b/c", "a 1, a@1 0, a@1[2] 3, a@1[2]@3 0, a@1[2]@3/b 0, "},
        {"", ""},
        {"stop/b/c", "stop 0, "},
    };
    struct str out = STR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool stops = strncmp(cases[i].path, "stop", 4) == 0;

        str_clear(&out);
        assert_int_equal(path_each_around(cases[i].path, put_prefix, &out), !stops);
        assert_string_equal(str_cstr(&out), cases[i].around);
    }
    str_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built),
        cmocka_unit_test(test_no_name_is_read_as_structure),
        cmocka_unit_test(test_under),
        cmocka_unit_test(test_each_around),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
