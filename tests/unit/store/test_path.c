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

static void test_escapes_come_back(void **state)
{
    struct str escaped = STR_INIT, back = STR_INIT;
    char name[256];

    (void)state;
    for (int i = 1; i < 256; i++)
        name[i - 1] = (char)i;
    name[255] = '\0';
    path_escape(&escaped, name);
    assert_null(strpbrk(str_cstr(&escaped), "/[]@"));
    path_unescape(&back, str_cstr(&escaped), escaped.len);
    assert_string_equal(str_cstr(&back), name);
    str_clear(&back);
    path_unescape(&back, "100%", 4);
    assert_string_equal(str_cstr(&back), "100%");
    str_clear(&back);
    path_unescape(&back, "%zz%4", 5);
    assert_string_equal(str_cstr(&back), "%zz%4");
    str_deinit(&escaped);
    str_deinit(&back);
}

static void test_under_and_child(void **state)
{
    static const struct {
        const char *path, *ancestor;
        bool under, child;
    } cases[] = {
        {"a", NULL, true, true},        {"a/b", "", true, false},
        {"a", "a", true, false},        {"a/b", "a", true, true},
        {"a/b/c", "a", true, false},    {"ab", "a", false, false},
        {"a[1]", "a", true, false},     {"a@1/b", "a", true, false},
        {"a@1/b", "a@1", true, true},   {"a[1]/turn:0", "a[1]", true, true},
        {"a[12]", "a[1", false, false}, {"b", "a", false, false},
        {"a/b[2]", "a", true, true},    {"a", "a/b", false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(path_is_under(cases[i].path, cases[i].ancestor), cases[i].under);
        assert_int_equal(path_is_child(cases[i].path, cases[i].ancestor), cases[i].child);
    }
    assert_int_equal(path_parent_len("a/b/c"), 3);
    assert_int_equal(path_parent_len("a"), 0);
    assert_string_equal(path_last("a/b/c"), "c");
    assert_string_equal(path_last("a"), "a");
    assert_int_equal(path_depth("a/b/c"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built),
        cmocka_unit_test(test_escapes_come_back),
        cmocka_unit_test(test_under_and_child),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
