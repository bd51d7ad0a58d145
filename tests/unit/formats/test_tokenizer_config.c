/* test_tokenizer_config.c - special tokens and templates, from either file, and files that are
 * wrong. SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer_config.h"
#include "models/formats/tokenizer_write.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "tests/support/temp_dir.h"

static enum status parse(const char *text, struct tokenizer_config *c, struct error *err)
{
    return tokenizer_config_parse(text, strlen(text), "tokenizer_config.json", c, err);
}

static void test_both_forms_of_tokens_and_templates(void **state)
{
    struct tokenizer_config c;

    (void)state;
    assert_int_equal(parse("{\"eos_token\":\"<|im_end|>\",\"bos_token\":null,\"pad_token\":"
                           "{\"content\":\"<pad>\",\"special\":true},\"chat_template\":\"T\"}",
                           &c, NULL),
                     STATUS_OK);
    assert_string_equal(c.eos_token, "<|im_end|>");
    assert_null(c.bos_token);
    assert_string_equal(c.pad_token, "<pad>");
    assert_string_equal(c.chat_template, "T");
    assert_string_equal(c.template_name, "tokenizer_config.json");
    tokenizer_config_deinit(&c);
    assert_int_equal(parse("{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"U\"},"
                           "{\"name\":\"default\",\"template\":\"D\"}]}",
                           &c, NULL),
                     STATUS_OK);
    assert_string_equal(c.chat_template, "D");
    tokenizer_config_deinit(&c);
    assert_int_equal(parse("{}", &c, NULL), STATUS_OK);
    assert_null(c.chat_template);
    tokenizer_config_deinit(&c);
}

static void test_wrong_files(void **state)
{
    static const struct {
        const char *text;
        enum status status;
        const char *says;
    } cases[] = {
        {"[]", STATUS_INVALID, "not a JSON object"},
        {"{\"chat_template\":7}", STATUS_INVALID, "chat_template"},
        {"{\"chat_template\":[{\"name\":\"default\",\"template\":{}}]}", STATUS_INVALID,
         "chat_template"},
        {"{\"a\":1,\"a\":2}", STATUS_INVALID, "duplicate"},
    };
    struct tokenizer_config c;
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(parse(cases[i].text, &c, &err), cases[i].status);
        assert_non_null(strstr(err.message, cases[i].says));
    }
}

static void test_folders(void **state)
{
    const struct tokenizer_config_text text = {NULL, "<|end|>", "<|pad|>", "from config", 100};
    char dir[64];
    struct tokenizer_config c;
    struct str config = STR_INIT;
    struct error err = ERROR_INIT;

    (void)state;
    temp_dir(dir);
    assert_int_equal(tokenizer_config_load_dir(dir, &c, &err), STATUS_OK); /* both may be absent */
    assert_null(c.eos_token);
    assert_null(c.chat_template);
    tokenizer_write_config(&text, &config);
    temp_dir_put(dir, "tokenizer_config.json", config.data, config.len);
    assert_int_equal(tokenizer_config_load_dir(dir, &c, &err), STATUS_OK);
    assert_string_equal(c.eos_token, "<|end|>");
    assert_null(c.bos_token);
    assert_string_equal(c.chat_template, "from config");
    tokenizer_config_deinit(&c);
    temp_dir_put(dir, "chat_template.jinja", "from file\n", 10);
    assert_int_equal(tokenizer_config_load_dir(dir, &c, &err), STATUS_OK);
    assert_string_equal(c.chat_template, "from file\n");
    assert_non_null(strstr(c.template_name, "chat_template.jinja"));
    tokenizer_config_deinit(&c);
    temp_dir_put(dir, "chat_template.jinja", "a\0b", 3);
    assert_int_equal(tokenizer_config_load_dir(dir, &c, &err), STATUS_INVALID);
    temp_dir_put(dir, "tokenizer_config.json", "{", 1);
    assert_int_equal(tokenizer_config_load_dir(dir, &c, &err), STATUS_INVALID);
    temp_dir_remove(dir);
    str_deinit(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_forms_of_tokens_and_templates),
        cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_folders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
