/* test_pattern.c - patterns match as Unicode, and a hostile one ends at a limit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/memory.h"
#include "runtime/base/pattern.h"
#include "runtime/base/seams.h"
#include "runtime/base/str.h"
#include "tests/support/check.h"

static struct pattern *compiled(const char *regex)
{
    struct pattern *p = NULL;
    struct error err = ERROR_INIT;

    if (pattern_compile(regex, strlen(regex), &p, &err))
        fail_msg("%s: %s", regex, err.message);
    return p;
}

static void matches_have_bounds_in_bytes(void **state)
{
    static const struct {
        const char *regex;
        const char *text;
        size_t start;
        int from, to; /* -1: no match */
    } cases[] = {
        {"b+", "abbc", 0, 1, 3},
        {"b+", "abbc", 2, 2, 3},
        {"b+", "abbc", 3, -1, -1},
        {"^b", "ab", 1, -1, -1},
        {"", "", 0, 0, 0},
        {"", "ab", 2, 2, 2},
        {"$", "ab", 0, 2, 2},
        {"x", "", 0, -1, -1},
        {"\\p{L}+",
         "1 \xc3\xa4\xce\xbb"
         "2",
         0, 2, 6},
        {"\\w", "\xc3\xa4", 0, 0, 2},
        {".", "\xf0\x9f\x98\x80", 0, 0, 4},
        {"(?<=a)b", "ab", 1, 1, 2},
        {"(a)(b)(c)(d)", "xabcd", 0, 1, 5},
        {"(?i)\xc3\x84", "\xc3\xa4", 0, 0, 2},
        {"\\d{4}-\\d{2}", "on 2024-05-01", 0, 3, 10},
        {"a\\Kb", "ab", 0, 1, 2},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pattern *p = compiled(cases[i].regex);
        size_t from = 99;
        size_t to = 99;
        bool found = false;
        struct error err = ERROR_INIT;

        if (pattern_find(p, NULL, cases[i].text, strlen(cases[i].text), cases[i].start, &found,
                         &from, &to, &err))
            fail_msg("%s: %s", cases[i].regex, err.message);
        if (found != (cases[i].from >= 0))
            fail_msg("%s on %s: %d", cases[i].regex, cases[i].text, found);
        if (found && ((int)from != cases[i].from || (int)to != cases[i].to))
            fail_msg("%s on %s: %zu to %zu", cases[i].regex, cases[i].text, from, to);
        pattern_free(p);
    }
    pattern_free(NULL);
}

static void faulty_patterns_are_refused(void **state)
{
    static const struct {
        const char *regex;
        enum status status;
    } cases[] = {{"(", STATUS_INVALID},        {"[a", STATUS_INVALID},
                 {"a{2,1}", STATUS_INVALID},   {"\\p{Nope}", STATUS_INVALID},
                 {"\xff", STATUS_INVALID},     {"\\C", STATUS_INVALID},
                 {"\\Ga", STATUS_UNSUPPORTED}, {"(?:(?:a{999}){999}){99}", STATUS_INVALID},
                 {"a(?=b\\K)", STATUS_INVALID}};
    struct pattern *p = NULL;
    struct error err = ERROR_INIT;
    char *long_one = xmalloc(20000);
    char deep[2000];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (pattern_compile(cases[i].regex, strlen(cases[i].regex), &p, &err) != cases[i].status)
            fail_msg("%s", cases[i].regex);
        assert_non_null(strstr(err.message, "regular expression"));
    }
    memset(long_one, 'a', 20000);
    assert_int_equal(pattern_compile(long_one, 20000, &p, &err), STATUS_LIMIT);
    memset(deep, '(', 1000);
    memset(deep + 1000, ')', 1000);
    assert_int_equal(pattern_compile(deep, 2000, &p, &err), STATUS_INVALID);
    assert_null(p);
    free(long_one);
    pattern_free(compiled("\\\\G")); /* a backslash, then a G */
}

/* Each would run for years, or take the stack, without limits. */
static void hostile_patterns_end_at_a_limit(void **state)
{
    static const char *const regexes[] = {"(a+)+$",           "(a|aa)+$",           "(a*)*b",
                                          "(?:.*a){20}b",     "((a)|(b)|(c))*z\\1", "^(?:(a+)+)+$",
                                          "(x+x+)+y|(a+a+)+y"};
    size_t n = 1 << 20;
    char *text = xmalloc(n);

    (void)state;
    memset(text, 'a', n);
    text[n - 1] = '!';
    for (size_t i = 0; i < ARRAY_LEN(regexes); i++) {
        struct pattern *p = compiled(regexes[i]);
        int64_t began = seams_mono_us(seams_real());
        size_t from, to;
        bool found;
        struct error err = ERROR_INIT;
        enum status st = pattern_find(p, NULL, text, n, 0, &found, &from, &to, &err);

        if (st != STATUS_LIMIT)
            fail_msg("%s gave %s", regexes[i], status_name(st));
        assert_true(seams_mono_us(seams_real()) - began < 30000000);
        pattern_free(p);
    }
    free(text);
}

/* No single start position is expensive enough for the match limit, but there are
 * very many of them. */
static void quadratic_searches_end_too(void **state)
{
    struct pattern *p = compiled("[ab]{0,60000}c");
    size_t n = 4 << 20;
    char *text = xmalloc(n);
    int64_t began = seams_mono_us(seams_real());
    size_t from, to;
    bool found;
    struct error err = ERROR_INIT;

    (void)state;
    memset(text, 'a', n);
    text[n - 1] = 'c'; /* PCRE2 looks for the last letter first: it must be there */
    text[n - 2] = 'd'; /* out of reach for all but the last start */
    assert_int_equal(pattern_find(p, NULL, text, n, 0, &found, &from, &to, &err), STATUS_LIMIT);
    assert_non_null(strstr(err.message, "too long"));
    assert_true(seams_mono_us(seams_real()) - began < 30000000);
    pattern_free(p);
    free(text);
}

/* Windows of start positions must not show: against a search by memmem. */
static void long_subjects_are_searched_whole(void **state)
{
    struct pattern *word = compiled("(?<=\xc3\xa4)needle");
    struct pattern *end = compiled("\\z");
    struct str s = STR_INIT;
    size_t from = 0;
    size_t to = 0;
    bool found = false;

    (void)state;
    for (int i = 0; i < 100000; i++)
        str_puts(&s, "\xc3\xa4\xe2\x82\xac");
    for (size_t at = 0; at < 3000; at += 5) {
        struct str t = STR_INIT;

        str_append(&t, s.data, at + 2);
        str_puts(&t, "needle");
        str_append(&t, s.data, 1000);
        assert_int_equal(pattern_find(word, NULL, t.data, t.len, 0, &found, &from, &to, NULL),
                         STATUS_OK);
        assert_true(found);
        assert_int_equal(from, at + 2);
        assert_int_equal(to, at + 8);
        str_deinit(&t);
    }
    assert_int_equal(pattern_find(word, NULL, s.data, s.len, 0, &found, &from, &to, NULL),
                     STATUS_OK);
    assert_false(found);
    assert_int_equal(pattern_find(end, NULL, s.data, s.len, 0, &found, &from, &to, NULL),
                     STATUS_OK);
    assert_true(found);
    assert_int_equal(from, s.len);
    str_deinit(&s);
    pattern_free(word);
    pattern_free(end);
}

#define QWEN_SPLIT                                                                                 \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "                          \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* An alternative that reads the run and gives it up takes as many steps as the run is long. */
static void a_run_of_blanks_has_no_limit(void **state)
{
    struct pattern *p = compiled(QWEN_SPLIT);
    const size_t n = (size_t)8 << 20;
    char *text = xmalloc(n);
    size_t from, to;
    bool found;

    (void)state;
    memset(text, ' ', n);
    assert_ok(pattern_find(p, NULL, text, n, 0, &found, &from, &to, why));
    assert_true(found);
    assert_int_equal(to - from, n);
    text[n - 1] = 'x'; /* the last blank belongs to the word */
    assert_ok(pattern_find(p, NULL, text, n, 0, &found, &from, &to, why));
    assert_int_equal(to - from, n - 2);
    pattern_free(p);
    free(text);
}

/* The split of a Qwen tokenizer, walked over a text. */
static void a_tokenizer_pattern_splits(void **state)
{
    static const char *const pieces[] = {"I",  "'ll", " pay", " ", "4", "2", " \xe2\x82\xac!!\n",
                                         "  ", " ok"};
    struct pattern *p = compiled(QWEN_SPLIT);
    struct str s = STR_INIT;
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        str_puts(&s, pieces[i]);
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        size_t from, to;
        bool found;

        assert_int_equal(pattern_find(p, NULL, s.data, s.len, at, &found, &from, &to, NULL),
                         STATUS_OK);
        assert_true(found);
        assert_int_equal(from, at);
        if (to - from != strlen(pieces[i]))
            fail_msg("piece %zu is %.*s", i, (int)(to - from), s.data + from);
        at = to;
    }
    assert_int_equal(at, s.len);
    str_deinit(&s);
    pattern_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_have_bounds_in_bytes),
        cmocka_unit_test(faulty_patterns_are_refused),
        cmocka_unit_test(hostile_patterns_end_at_a_limit),
        cmocka_unit_test(quadratic_searches_end_too),
        cmocka_unit_test(long_subjects_are_searched_whole),
        cmocka_unit_test(a_run_of_blanks_has_no_limit),
        cmocka_unit_test(a_tokenizer_pattern_splits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
