/* Where replies end: ids, and texts that lie across tokens.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/engine/stop.h"
#include "models/formats/tokenizer.h"
#include "models/formats/tokenizer_write.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/support/check.h"

static struct tokenizer *bytes_and(const char *added)
{
    const struct added_token token = {.content = added, .special = false};
    struct str text = STR_INIT;
    struct tokenizer *t;

    assert_ok(tokenizer_write_bytes(&token, 1, &text, why));
    assert_ok(tokenizer_from_json(str_cstr(&text), text.len, "test", &t, why));
    str_deinit(&text);
    return t;
}

/* Pushes tokens until one ends the reply; how many were taken, or -1. */
static int ends_after(const struct stop_spec *spec, const int32_t *ids, int n)
{
    struct stop_rules *s;
    int at = -1;

    assert_ok(stop_rules_new(spec, &s, why));
    for (int i = 0; i < n && at < 0; i++)
        if (stop_rules_push(s, ids[i]))
            at = i + 1;
    stop_rules_free(s);
    return at;
}

static int text_ends_after(const struct tokenizer *t, const char *const *stops, int32_t n_stops,
                           const char *reply)
{
    struct stop_spec spec = {.text = stops, .n_text = n_stops, .tokenizer = t};
    int32_t ids[256];
    int n = 0;

    for (; reply[n]; n++)
        ids[n] = reply[n] == '$' ? 256 : (int32_t)(unsigned char)reply[n];
    return ends_after(&spec, ids, n);
}

static void texts_across_tokens(void **state)
{
    static const struct {
        const char *stop[3];
        int32_t n;
        const char *reply; /* $ is the added token "<end>" */
        int at;
    } cases[] = {
        {{"abc"}, 1, "xxabcx", 5},
        {{"abc"}, 1, "ababc", 5},
        {{"aab"}, 1, "aaaab", 5},
        {{"abab"}, 1, "abacabab", 8},
        {{"abc"}, 1, "abxc", -1},
        {{"x", "abc"}, 2, "abcx", 3},
        {{"zz", "abc", "bc"}, 3, "abcx", 3},
        {{"<end>"}, 1, "a$b", 2},
        {{"a<"}, 1, "a$b", 2},
        {{">b"}, 1, "a$b", 3},
        {{"nd>\n"}, 1, "a$b$\n", 5},
        {{"q"}, 1, "", -1},
    };
    struct tokenizer *t = bytes_and("<end>");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(text_ends_after(t, cases[i].stop, cases[i].n, cases[i].reply),
                         cases[i].at);
    tokenizer_free(t);
}

/* Words over two letters against a plain search. */
static void as_a_plain_search_finds_them(void **state)
{
    struct tokenizer *t = bytes_and("<end>");

    (void)state;
    for (uint32_t round = 0; round < 2000; round++) {
        struct rng_block r = rng_philox(3, round, 0, 0, 0);
        char stop[8] = {0}, reply[60] = {0};
        const char *stops[] = {stop};
        uint32_t n = 1 + r.word[2] % 6;
        const char *found;

        for (uint32_t i = 0; i < n; i++)
            stop[i] = r.word[0] >> i & 1 ? 'a' : 'b';
        for (uint32_t i = 0; i < 50; i++)
            reply[i] = rng_philox(4, round, i, 0, 0).word[0] & 1 ? 'a' : 'b';
        found = strstr(reply, stop);
        assert_int_equal(text_ends_after(t, stops, 1, reply),
                         found ? (int)(found - reply) + (int)n : -1);
    }
    tokenizer_free(t);
}

static void ids_end_a_reply(void **state)
{
    static const int32_t eos[] = {5, 6}, stop[] = {9}, reply[] = {1, 2, 9, 5};
    struct stop_spec spec = {.eos_id = eos, .n_eos = 2, .stop_id = stop, .n_stop_id = 1};

    (void)state;
    assert_int_equal(ends_after(&spec, reply, 4), 3);
    spec.n_stop_id = 0;
    assert_int_equal(ends_after(&spec, reply, 4), 4);
    spec.n_eos = 0;
    assert_int_equal(ends_after(&spec, reply, 4), -1);
}

static void what_is_shown_ends_before_a_text(void **state)
{
    static const struct {
        const char *reply, *text[2];
        size_t cut, held;
    } cases[] = {
        {"abc;d", {";", NULL}, 3, 0},    {"abc", {";", NULL}, 3, 0},    {"", {";", NULL}, 0, 0},
        {"ab;;", {";;", NULL}, 2, 1},    {"ab", {"bcd", NULL}, 2, 1},   {"abc", {"bcd", "c"}, 2, 2},
        {"xabcd", {"bc", "abcd"}, 1, 0}, {"aaa", {"aaaa", NULL}, 3, 3}, {"b", {"bcd", "bx"}, 1, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const size_t n = strlen(cases[i].reply);
        const int32_t n_text = cases[i].text[1] ? 2 : 1;

        assert_int_equal(stop_text_cut(cases[i].reply, n, cases[i].text, n_text), cases[i].cut);
        assert_int_equal(stop_text_held(cases[i].reply, n, cases[i].text, n_text), cases[i].held);
        assert_int_equal(stop_text_cut(cases[i].reply, n, NULL, 0), n);
        assert_int_equal(stop_text_held(cases[i].reply, n, NULL, 0), 0);
    }
}

static void what_cannot_be_used_is_named(void **state)
{
    char longest[STOP_MAX_TEXT_BYTES + 2];
    const char *texts[] = {"", longest, "x"};
    struct tokenizer *t = bytes_and("<end>");
    struct stop_spec spec = {.text = texts, .n_text = 1, .tokenizer = t};
    struct error err = ERROR_INIT;
    struct stop_rules *s;

    (void)state;
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(stop_rules_new(&spec, &s, &err), STATUS_INVALID);
    spec.text = texts + 1;
    assert_int_equal(stop_rules_new(&spec, &s, &err), STATUS_INVALID);
    longest[STOP_MAX_TEXT_BYTES] = '\0';
    assert_int_equal(stop_rules_new(&spec, &s, &err), STATUS_OK);
    stop_rules_free(s);
    spec.n_text = STOP_MAX_TEXTS + 1;
    assert_int_equal(stop_rules_new(&spec, &s, &err), STATUS_INVALID);
    spec.text = texts + 2;
    spec.n_text = 1;
    spec.tokenizer = NULL;
    assert_int_equal(stop_rules_new(&spec, &s, &err), STATUS_UNSUPPORTED);
    spec.n_text = 0;
    spec.n_stop_id = STOP_MAX_IDS + 1;
    assert_int_equal(stop_rules_new(&spec, &s, &err), STATUS_INVALID);
    tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_across_tokens),
        cmocka_unit_test(as_a_plain_search_finds_them),
        cmocka_unit_test(ids_end_a_reply),
        cmocka_unit_test(what_is_shown_ends_before_a_text),
        cmocka_unit_test(what_cannot_be_used_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
