/* test_tokenizer_tables.c - tokenizers from the tables of GGUF files: what is wrong with them, and
 * what a text begins with. The ids are compared in test_tokenizer.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer_tables.h"
#include "runtime/base/seams.h"
#include "tests/support/check.h"
#include "tests/support/tokenizer_file.h"

static struct json *read_tables(const char *name)
{
    char file[128], path[512];
    struct json *root = NULL;

    snprintf(file, sizeof(file), "tests/fixtures/tokenizer/%s.json", name);
    assert_ok(jv_parse_file(fixture_path(path, file), (size_t)1 << 24, &root, why));
    return root;
}

/* A change to good tables: the value of a key, or of an element of its list; NULL removes the
 * key. */
struct change {
    const char *file, *key;
    int at; /* -1: the key itself */
    const char *value;
    enum status status;
    const char *says;
};

static const struct change CHANGES[] = {
    {"tables_qwen2", "pre", -1, "\"qwen3\"", STATUS_UNSUPPORTED, "pre \"qwen3\" is not known"},
    {"tables_qwen2", "pre", -1, "\"default\"", STATUS_UNSUPPORTED, "pre \"default\" is not known"},
    {"tables_qwen2", "pre", -1, NULL, STATUS_UNSUPPORTED, "pre is missing"},
    {"tables_qwen2", "model", -1, "\"bert\"", STATUS_UNSUPPORTED, "\"bert\" is not supported"},
    {"tables_qwen2", "tokens", -1, "[]", STATUS_LIMIT, "0 tokens"},
    {"tables_qwen2", "tokens", 5, "\"\"", STATUS_LIMIT, "is empty"},
    {"tables_qwen2", "tokens", 5, "\"!\"", STATUS_INVALID, "\"!\": is given twice"},
    {"tables_qwen2", "types", 5, "7", STATUS_INVALID, "token 5 has the type 7"},
    {"tables_qwen2", "types", 5, "-1", STATUS_INVALID, "token 5 has the type -1"},
    {"tables_qwen2", "bos", -1, "380000", STATUS_INVALID, "the bos token 380000"},
    {"tables_qwen2", "eos", -1, "-2", STATUS_INVALID, "the eos token -2"},
    {"tables_qwen2", "merges", 0, "\"ab\"", STATUS_INVALID, "merges[0]: is not a pair"},
    {"tables_qwen2", "merges", 0, "\"a b c\"", STATUS_INVALID, "merges[0]: is not a pair"},
    {"tables_qwen2", "merges", 0, "\"a qqq\"", STATUS_INVALID, "\"qqq\" is not in the vocabulary"},
    {"tables_qwen2", "merges", 0, "\" a\"", STATUS_INVALID, "merges[0]"},
    {"tables_llama", "scores", -1, NULL, STATUS_INVALID, "scores is missing"},
    {"tables_llama", "scores", 300, "1e39", STATUS_INVALID, "score of token 300"},
    {"tables_llama", "unk", -1, "560", STATUS_INVALID, "the unknown token 560"},
    {"tables_llama", "types", 300, "6", STATUS_INVALID, "token 300 is of type byte"},
    {"tables_llama", "tokens", 7, "\"<0x00>\"", STATUS_INVALID, "each once"},
    {"tables_llama", "tokens", 7, "\"<0xG0>\"", STATUS_INVALID, "token 7 is of type byte"},
};

static void change(struct json *tables, const struct change *c)
{
    struct json *value = c->value ? fixture_json(c->value) : NULL;
    struct json *list, *changed;

    if (!value) {
        jv_remove(tables, c->key);
        return;
    }
    if (c->at >= 0) {
        list = jv_get(tables, c->key);
        changed = jv_array();
        for (size_t i = 0; i < jv_size(list); i++)
            jv_append_adopt(changed, (int)i == c->at ? jv_ref(value) : jv_ref(jv_at(list, i)));
        jv_unref(value);
        value = changed;
    }
    jv_set_adopt(tables, c->key, value);
}

static void wrong_tables_are_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CHANGES); i++) {
        struct json *root = read_tables(CHANGES[i].file), *tables = jv_get(root, "tables");
        struct tokenizer *t = NULL;
        struct error err = ERROR_INIT;
        enum status got;

        change(tables, &CHANGES[i]);
        got = tokenizer_file_tables(tables, "m.gguf", &t, &err);
        if (got != CHANGES[i].status || !strstr(err.message, CHANGES[i].says) ||
            !strstr(err.message, "m.gguf"))
            fail_msg("case %zu: %s, \"%s\"", i, status_name(got), err.message);
        assert_null(t);
        jv_unref(root);
    }
}

static void an_unknown_pre_has_a_suggestion(void **state)
{
    struct json *root = read_tables("tables_qwen2");
    struct tokenizer *t = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    jv_set_string(jv_get(root, "tables"), "pre", "qwen");
    assert_int_equal(tokenizer_file_tables(jv_get(root, "tables"), "m", &t, &err),
                     STATUS_UNSUPPORTED);
    assert_string_equal(err.hint, "did you mean qwen2?");
    jv_unref(root);
}

/* Strings of GGUF have a length: they may hold anything, and be of any size. */
static void tokens_of_any_bytes(void **state)
{
    static char giant[1 << 20];
    static const char nul[] = "a\0b", broken[] = "\xe2\x82";
    const struct {
        struct table_text token;
        enum status status;
        const char *says;
    } cases[] = {
        {{giant, sizeof(giant)}, STATUS_LIMIT, "is too long"},
        {{giant, TOKENIZER_MAX_TOKEN_BYTES + 1}, STATUS_LIMIT, "is too long"},
        {{giant, TOKENIZER_MAX_TOKEN_BYTES}, STATUS_OK, ""},
        {{nul, 3}, STATUS_OK, ""},
        {{broken, 2}, STATUS_INVALID, "is not UTF-8"},
        {{giant, SIZE_MAX}, STATUS_LIMIT, "MiB"},
    };
    const float score[] = {0, -1};
    const int32_t type[] = {TABLE_CONTROL, TABLE_NORMAL};

    (void)state;
    memset(giant, 'a', sizeof(giant));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct table_text token[] = {{"<s>", 3}, cases[i].token};
        const struct tokenizer_tables tables = {.name = "m",
                                                .model = "llama",
                                                .token = token,
                                                .score = score,
                                                .type = type,
                                                .n_tokens = 2,
                                                .bos_id = 0,
                                                .eos_id = -1,
                                                .unk_id = -1};
        struct tokenizer *t = NULL;
        struct error err = ERROR_INIT;
        const enum status got = tokenizer_from_tables(&tables, &t, &err);

        if (got != cases[i].status || !strstr(err.message, cases[i].says))
            fail_msg("case %zu: %s, \"%s\"", i, status_name(got), err.message);
        tokenizer_free(t);
    }
}

/* No bytes and no unknown token: what is not known is dropped. */
static void what_nothing_covers_is_dropped(void **state)
{
    const struct table_text token[] = {{"a", 1}, {"b", 1}, {"ab", 2}};
    const float score[] = {-1, -2, -3};
    const struct tokenizer_tables tables = {.name = "m",
                                            .model = "llama",
                                            .token = token,
                                            .score = score,
                                            .n_tokens = 3,
                                            .bos_id = -1,
                                            .eos_id = -1,
                                            .unk_id = -1};
    struct tokenizer_scratch *scratch = tokenizer_scratch_new();
    struct tokenizer *t = NULL;
    struct token_ids ids = TOKEN_IDS_INIT;

    (void)state;
    assert_ok(tokenizer_from_tables(&tables, &t, why));
    assert_ok(tokenizer_encode(t, scratch,
                               "ab\xc3\xa9 b\xff"
                               "a",
                               8, true, &ids, why));
    assert_int_equal(ids.n, 3);
    assert_int_equal(ids.id[0], 2);
    assert_int_equal(ids.id[1], 1);
    assert_int_equal(ids.id[2], 0);
    token_ids_deinit(&ids);
    tokenizer_scratch_free(scratch);
    tokenizer_free(t);
}

static void what_is_around_a_text(void **state)
{
    static const struct {
        const char *name;
        size_t n_before, n_after;
        const char *before, *after;
    } cases[] = {
        {"sentencepiece", 1, 1, "<s>", "</s>"},
        {"tables_qwen2", 1, 1, "<|im_start|>", "<|im_end|>"},
        {"tables_llama", 1, 0, "<s>", NULL},
        {"qwen", 0, 0, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char file[128], path[512];
        struct tokenizer *t = NULL;
        size_t n_before, n_after;
        const int32_t *before, *after;

        snprintf(file, sizeof(file), "tests/fixtures/tokenizer/%s.json", cases[i].name);
        assert_ok(tokenizer_file_read(fixture_path(path, file), &t, why));
        before = tokenizer_before(t, &n_before);
        after = tokenizer_after(t, &n_after);
        assert_int_equal(n_before, cases[i].n_before);
        assert_int_equal(n_after, cases[i].n_after);
        if (n_before)
            assert_int_equal(before[0], tokenizer_id_of(t, cases[i].before));
        if (n_after)
            assert_int_equal(after[0], tokenizer_id_of(t, cases[i].after));
        tokenizer_free(t);
    }
}

static void tables_have_a_hash_of_all(void **state)
{
    struct json *root = read_tables("tables_llama"), *tables = jv_get(root, "tables");
    struct sha256 seen[3];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
        struct tokenizer *t = NULL;

        if (i == 1)
            jv_set_bool(tables, "add_space_prefix", false);
        if (i == 2)
            change(tables, &(struct change){.key = "scores", .at = 400, .value = "-1.5"});
        assert_ok(tokenizer_file_tables(tables, "m", &t, why));
        seen[i] = tokenizer_hash(t);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(&seen[k], &seen[i], sizeof(seen[i]));
        tokenizer_free(t);
    }
    jv_unref(root);
}

static void no_memory_is_an_error(void **state)
{
    struct json *root = read_tables("tables_llama");
    int failures = 0;

    (void)state;
    for (uint64_t nth = 1; nth < 60; nth++) {
        struct tokenizer *t = NULL;
        enum status st;

        mem_fail_after(nth);
        st = tokenizer_file_tables(jv_get(root, "tables"), "m", &t, NULL);
        mem_fail_after(0);
        tokenizer_free(t);
        assert_true(st == STATUS_OK || st == STATUS_NO_MEMORY);
        failures += st != STATUS_OK;
    }
    assert_true(failures >= 8);
    jv_unref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_tables_are_refused_by_name),
        cmocka_unit_test(an_unknown_pre_has_a_suggestion),
        cmocka_unit_test(tokens_of_any_bytes),
        cmocka_unit_test(what_nothing_covers_is_dropped),
        cmocka_unit_test(what_is_around_a_text),
        cmocka_unit_test(tables_have_a_hash_of_all),
        cmocka_unit_test(no_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
