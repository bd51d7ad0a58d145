/* test_tool_search.c - tools found by words: which, in what order, with what scores.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "mcp/hub/tool_search.h"
#include "tests/support/check.h"

static const struct {
    const char *name, *title, *description, *schema;
} tools[] = {
    {"git__log", NULL, "Shows the commits of a branch.", "{\"properties\":{\"branch\":{}}}"},
    {"git__push", NULL, "Sends commits to a remote.", "{\"properties\":{\"remote\":{}}}"},
    {"tracker__create_issue", "New issue", "Opens a ticket.", "{\"properties\":{\"title\":{}}}"},
    {"tracker__listIssues", NULL, "All tickets of a project.", NULL},
    {"files__read_text_file", NULL, "Reads a file as text.", "{\"properties\":{\"path\":{}}}"},
    {"files__read", NULL, NULL, "{\"properties\":\"bad\"}"},
    {"web__fetchHTMLPage", NULL, "Gets a page; follows links to commits and issues and files.",
     NULL},
};

struct fixture {
    struct tool_search_doc doc[ARRAY_LEN(tools)];
    struct json *schema[ARRAY_LEN(tools)];
    struct tool_search *search;
};

static void fixture_init(struct fixture *f)
{
    for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
        f->schema[i] = tools[i].schema ? fixture_json(tools[i].schema) : NULL;
        f->doc[i] = (struct tool_search_doc){tools[i].name, tools[i].title, tools[i].description,
                                             f->schema[i]};
    }
    assert_ok(tool_search_new(f->doc, ARRAY_LEN(tools), &f->search, why));
}

static void fixture_deinit(struct fixture *f)
{
    for (size_t i = 0; i < ARRAY_LEN(tools); i++)
        jv_unref(f->schema[i]);
    tool_search_free(f->search);
}

static void test_what_is_found_first(void **state)
{
    static const struct {
        const char *query;
        size_t limit;
        const char *expected;
    } cases[] = {
        {"commits", 9, "git__push git__log web__fetchHTMLPage"},
        {"COMMIT", 1, "git__push"},           /* the shorter text of the two */
        {"branch", 9, "git__log"},            /* description and parameter */
        {"path", 9, "files__read_text_file"}, /* a parameter alone */
        {"issue", 9, "tracker__create_issue tracker__listIssues web__fetchHTMLPage"},
        {"list issues", 1, "tracker__listIssues"},
        {"html", 9, "web__fetchHTMLPage"},
        {"read", 9, "files__read files__read_text_file"},
        {"files__read", 1, "files__read"},
        {"read_text_file", 1, "files__read_text_file"},
        {"please use git__push for this commit of a branch", 1, "git__push"},
        {"ticket", 9, "tracker__listIssues tracker__create_issue"},
        {"nothing here matches: zzz", 9, ""},
        {"", 9, ""},
        {"--- ...", 9, ""},
        {"commits", 0, ""},
    };
    struct fixture f;

    (void)state;
    fixture_init(&f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tool_search_hit hit[9];
        struct str out = STR_INIT;
        size_t n = 0;

        assert_ok(tool_search_query(f.search, cases[i].query, cases[i].limit, hit, &n, why));
        assert_true(n <= cases[i].limit);
        for (size_t k = 0; k < n; k++)
            str_printf(&out, "%s%s", k ? " " : "", tools[hit[k].doc].name);
        if (strcmp(str_cstr(&out), cases[i].expected) != 0)
            fail_msg("%s: %s", cases[i].query, str_cstr(&out));
        for (size_t k = 1; k < n; k++)
            assert_true(hit[k].score <= hit[k - 1].score);
        str_deinit(&out);
    }
    fixture_deinit(&f);
}

/* Two documents, by hand: lengths 3 (a) and 3 + 4 (b, c x 4), mean 5. For "c": IDF is
 * ln(1 + (2 - 1 + 0.5) / (1 + 0.5)) = ln 2; tf 4, length 7: 4 * 2.2 / (4 + 1.2 (0.25 + 0.75 7/5)).
 */
static void test_scores_are_those_of_bm25(void **state)
{
    static const struct tool_search_doc docs[] = {{"a", NULL, NULL, NULL},
                                                  {"b", NULL, "c c C c", NULL}};
    struct tool_search *s = NULL;
    struct tool_search_hit hit[2];
    size_t n = 0;

    (void)state;
    assert_ok(tool_search_new(docs, 2, &s, why));
    assert_ok(tool_search_query(s, "c c", 2, hit, &n, why)); /* a word counts once */
    assert_int_equal(n, 1);
    assert_int_equal(hit[0].doc, 1);
    assert_true(fabs(hit[0].score - 0.693147180559945 * 8.8 / 5.56) < 1e-12);
    tool_search_free(s);
    assert_ok(tool_search_new(NULL, 0, &s, why));
    assert_ok(tool_search_query(s, "c", 2, hit, &n, why));
    assert_int_equal(n, 0);
    tool_search_free(s);
}

static void test_no_memory_is_an_error(void **state)
{
    struct fixture f;
    struct tool_search *s = NULL;
    struct tool_search_hit hit[2];
    struct error err = ERROR_INIT;
    uint64_t fails = 0;
    size_t n;

    (void)state;
    fixture_init(&f);
    for (uint64_t at = 1;; at++) {
        enum status st;

        mem_fail_after(at);
        st = tool_search_new(f.doc, ARRAY_LEN(tools), &s, &err);
        mem_fail_after(0);
        if (!st)
            break;
        assert_int_equal(st, STATUS_NO_MEMORY);
        fails++;
    }
    assert_true(fails > 10);
    mem_fail_after(1);
    assert_int_equal(tool_search_query(s, "commits", 2, hit, &n, &err), STATUS_NO_MEMORY);
    mem_fail_after(0);
    tool_search_free(s);
    fixture_deinit(&f);
}

static void test_the_estimate_of_tokens(void **state)
{
    struct json *schema = fixture_json("{\"type\": \"object\"}"); /* 17 bytes in one line */
    struct tool_search_doc doc = {"name", NULL, "0123456789", schema};

    (void)state;
    assert_int_equal(tool_search_tokens(&doc), (60 + 4 + 10 + 17 + 3) / 4);
    jv_unref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_found_first),
        cmocka_unit_test(test_scores_are_those_of_bm25),
        cmocka_unit_test(test_no_memory_is_an_error),
        cmocka_unit_test(test_the_estimate_of_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
