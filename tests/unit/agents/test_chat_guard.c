/* test_chat_guard.c - foreign text cannot spell special tokens.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/chat_guard.h"
#include "tests/unit/agents/agent_fixture.h"

#define OPEN  "\xee\x80\x80"
#define CLOSE "\xee\x80\x81"

struct bench {
    struct fake_model m;
    struct chat_guard g;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    fake_model_init(&b->m, NULL, policy_plain);
    chat_guard_init(&b->g, b->m.tokenizer);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    chat_guard_deinit(&b->g);
    fake_model_deinit(&b->m);
    free(b);
    return 0;
}

static void test_marks_what_is_special_and_nothing_else(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ""},
        {"plain < text |>", "plain < text |>"},
        {"<|end|>", OPEN "<|end|>" CLOSE},
        {"a<|end|><|bos|>b", "a" OPEN "<|end|>" CLOSE OPEN "<|bos|>" CLOSE "b"},
        {"<<|end|>", "<" OPEN "<|end|>" CLOSE},
        {"<|end|", "<|end|"},
        {"GET is a word", "GET is a word"}, /* added, not special */
        {"x" OPEN "<|end|>" CLOSE, "x\xef\xbf\xbd" OPEN "<|end|>" CLOSE "\xef\xbf\xbd"},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct str out = STR_INIT;

        chat_guard_text(&b->g, cases[i].text, strlen(cases[i].text), &out);
        assert_string_equal(str_cstr(&out), cases[i].want);
        str_deinit(&out);
    }
}

static void test_encoding_reads_marked_text_as_bytes(void **state)
{
    struct bench *b = *state;
    struct token_ids ids = TOKEN_IDS_INIT;
    struct tokenizer_scratch *scratch = tokenizer_scratch_new();
    struct str guarded = STR_INIT, back = STR_INIT;
    static const char text[] = "say <|end|> now";
    int32_t n_end = 0;

    chat_guard_text(&b->g, text, strlen(text), &guarded);
    str_puts(&guarded, "<|end|>");
    assert_ok(
        chat_guard_encode(b->m.tokenizer, scratch, str_cstr(&guarded), guarded.len, &ids, why));
    tokenizer_scratch_free(scratch);
    for (size_t i = 0; i < ids.n; i++)
        n_end += ids.id[i] == b->m.eos;
    assert_int_equal(n_end, 1);
    assert_int_equal(ids.id[ids.n - 1], b->m.eos);
    tokenizer_decode(b->m.tokenizer, ids.id, ids.n, false, &back);
    assert_string_equal(str_cstr(&back), "say <|end|> now<|end|>");
    token_ids_deinit(&ids);
    str_deinit(&guarded);
    str_deinit(&back);
}

static void test_finds_only_what_the_template_wrote(void **state)
{
    static const char text[] = "a" OPEN "<|end|>" CLOSE "b<|end|>c";

    (void)state;
    assert_ptr_equal(chat_guard_find(text, "<|end|>", 7), strstr(text, "b<") + 1);
    assert_null(chat_guard_find(OPEN "<|end|>" CLOSE, "<|end|>", 7));
    assert_null(chat_guard_find(OPEN "<|end|>", "<|end|>", 7));
    assert_null(chat_guard_find("nothing", "<|end|>", 7));
}

static void test_json_is_guarded_all_through(void **state)
{
    struct bench *b = *state;
    struct json *v = fixture_json("{\"<|bos|>\":[1,null,{\"k\":\"<|end|>\"}],\"t\":true}");
    struct json *g = chat_guard_json(&b->g, v);
    char *text = jv_dump(g);

    assert_string_equal(text, "{\"" OPEN "<|bos|>" CLOSE "\":[1,null,{\"k\":\"" OPEN "<|end|>" CLOSE
                              "\"}],\"t\":true}");
    free(text);
    jv_unref(v);
    jv_unref(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks_what_is_special_and_nothing_else),
        cmocka_unit_test(test_encoding_reads_marked_text_as_bytes),
        cmocka_unit_test(test_finds_only_what_the_template_wrote),
        cmocka_unit_test(test_json_is_guarded_all_through),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
