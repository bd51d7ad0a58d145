/* test_glob.c - patterns of names, against a recursive reference.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/glob.h"
#include "runtime/base/rng.h"
#include "tests/support/check.h"

static bool reference(const char *p, const char *t)
{
    if (!*p)
        return !*t;
    if (*p == '*')
        return reference(p + 1, t) || (*t && reference(p, t + 1));
    return *t && (*p == '?' || *p == *t) && reference(p + 1, t + 1);
}

static void test_what_matches(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "abc", true},
        {"?", "", false},
        {"?", "\xc3\xa9", true},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"git__*", "git__log", true},
        {"git__*", "git_log", false},
        {"*_file", "fs__read_file", true},
        {"*a*b*", "xxaxxbxx", true},
        {"*a*b*", "xxbxxaxx", false},
        {"**a", "ba", true},
        {"a*a", "a", false},
        {"[a]", "a", false},
        {"A", "a", false},
        {"*\xc3\xa9", "b\xc3\xa9", true},
        {"??", "\xc3\xa9", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (glob_match(cases[i].pattern, cases[i].text) != cases[i].matches)
            fail_msg("%s %s", cases[i].pattern, cases[i].text);
    assert_true(glob_is_plain("a.b[c]"));
    assert_false(glob_is_plain("a?"));
    assert_false(glob_is_plain("*"));
}

static void test_it_agrees_with_the_reference(void **state)
{
    static const char in_pattern[] = "ab*?", in_text[] = "ab";

    (void)state;
    for (int i = 0; i < 50000; i++) {
        char p[8] = "", t[10] = "";
        struct rng_block b = rng_philox(7, (uint32_t)i, 0, 0, 0);
        size_t np = rng_below(b.word[0], 7), nt = rng_below(b.word[1], 9);

        for (size_t k = 0; k < np; k++, b.word[2] >>= 2)
            p[k] = in_pattern[b.word[2] % 4];
        for (size_t k = 0; k < nt; k++, b.word[3] >>= 1)
            t[k] = in_text[b.word[3] % 2];
        if (glob_match(p, t) != reference(p, t))
            fail_msg("%s %s", p, t);
    }
}

/* 2^50 steps for a matcher that tries each star at each place. */
static void test_many_stars_end(void **state)
{
    char pattern[128] = "", text[2048] = "";

    (void)state;
    for (int i = 0; i < 50; i++)
        memcpy(pattern + 2 * i, "*a", 2);
    pattern[100] = 'b';
    memset(text, 'a', 2000);
    assert_false(glob_match(pattern, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_matches),
        cmocka_unit_test(test_it_agrees_with_the_reference),
        cmocka_unit_test(test_many_stars_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
