/* test_model_config.c - config.json in the spellings of transformers 4 and 5, and every field out
 * of its range.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "models/formats/model_config.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "tests/support/check.h"

#define BASE                                                                                       \
    "\"architectures\":[\"Qwen3ForCausalLM\"],\"model_type\":\"qwen3\",\"hidden_size\":64,"        \
    "\"intermediate_size\":128,\"num_hidden_layers\":2,\"num_attention_heads\":4,"                 \
    "\"num_key_value_heads\":2,\"head_dim\":16,\"vocab_size\":320,"                                \
    "\"max_position_embeddings\":1024,\"rms_norm_eps\":1e-06"

static enum status parse(const char *text, struct model_config *c, struct error *err)
{
    return model_config_parse(text, strlen(text), "config.json", c, err);
}

static void test_old_and_new_spelling(void **state)
{
    static const char old[] =
        "{" BASE ",\"torch_dtype\":\"bfloat16\",\"rope_theta\":1000000,\"rope_scaling\":null,"
        "\"tie_word_embeddings\":true,\"bos_token_id\":1,\"eos_token_id\":[2,3],"
        "\"attention_bias\":false,\"use_sliding_window\":false,\"hidden_act\":\"silu\","
        "\"sliding_window\":null,\"max_window_layers\":2,\"future_field\":{\"x\":1}}";
    static const char new[] =
        "{" BASE ",\"dtype\":\"bfloat16\",\"rope_parameters\":{\"rope_theta\":1000000.0,"
        "\"rope_type\":\"default\"},\"tie_word_embeddings\":true,\"bos_token_id\":1,"
        "\"eos_token_id\":[2,3],\"layer_types\":[\"full_attention\",\"full_attention\"]}";
    struct model_config a, b;

    (void)state;
    assert_ok(parse(old, &a, why));
    assert_ok(parse(new, &b, why));
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(a.dtype, DTYPE_BF16);
    assert_true(a.rope_theta == 1e6 && a.rms_norm_eps == 1e-6f);
    assert_int_equal(a.n_eos, 2);
    assert_int_equal(a.eos_id[1], 3);
    assert_int_equal(a.bos_id, 1);
    assert_int_equal(a.pad_id, -1);
    assert_int_equal(a.head_dim, 16);
    assert_string_equal(a.codec, "");
}

static void test_defaults_of_qwen3(void **state)
{
    struct model_config c;

    (void)state;
    assert_int_equal(parse("{\"model_type\":\"qwen3\",\"hidden_size\":8,\"intermediate_size\":8,"
                           "\"num_hidden_layers\":1,\"num_attention_heads\":1,"
                           "\"num_key_value_heads\":1,\"vocab_size\":10}",
                           &c, NULL),
                     STATUS_OK);
    assert_int_equal(c.head_dim, 128);
    assert_true(c.rope_theta == 10000 && !c.tie_word_embeddings);
    assert_int_equal(c.dtype, DTYPE_F32);
}

static void test_generation_config_wins(void **state)
{
    static const char text[] = "{\"eos_token_id\":[5,6,7],\"pad_token_id\":4,\"temperature\":0.6}";
    static const char bad[] = "{\"eos_token_id\":[5,320]}";
    struct model_config c;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(parse("{" BASE ",\"eos_token_id\":2,\"bos_token_id\":1}", &c, &err), 0);
    assert_int_equal(c.n_eos, 1);
    assert_int_equal(model_config_parse_generation(text, strlen(text), "g", &c, &err), STATUS_OK);
    assert_int_equal(c.n_eos, 3);
    assert_int_equal(c.bos_id, 1);
    assert_int_equal(c.pad_id, 4);
    assert_int_equal(model_config_parse_generation(bad, strlen(bad), "g", &c, &err),
                     STATUS_INVALID);
    assert_int_equal(c.n_eos, 3); /* untouched */
}

static void test_refusals_name_the_field(void **state)
{
    static const struct {
        const char *text;
        enum status status;
        const char *says;
    } cases[] = {
        {"[]", STATUS_INVALID, "not a JSON object"},
        {"{", STATUS_INVALID, "JSON"},
        {"{}", STATUS_INVALID, "model_type"},
        {"{\"model_type\":\"mamba\"}", STATUS_UNSUPPORTED, "mamba"},
        {"{\"model_type\":\"qwen3\"}", STATUS_INVALID, "\"hidden_size\": is missing"},
        {"{" BASE ",\"hidden_size\":1}", STATUS_INVALID, "duplicate"},
        {"{" BASE ",\"attention_bias\":true}", STATUS_UNSUPPORTED, "attention_bias"},
        {"{" BASE ",\"attention_bias\":1}", STATUS_INVALID, "attention_bias"},
        {"{" BASE ",\"use_sliding_window\":true,\"max_window_layers\":1}", STATUS_UNSUPPORTED,
         "max_window_layers"},
        {"{" BASE ",\"hidden_act\":\"gelu\"}", STATUS_UNSUPPORTED, "gelu"},
        {"{" BASE ",\"layer_types\":[\"full_attention\"]}", STATUS_INVALID, "layer_types"},
        {"{" BASE ",\"layer_types\":[\"full_attention\",\"sliding_attention\"]}",
         STATUS_UNSUPPORTED, "layer_types"},
        {"{" BASE ",\"layer_types\":[\"full_attention\",\"linear_attention\"]}", STATUS_UNSUPPORTED,
         "layer_types"},
        {"{" BASE ",\"layer_types\":[\"sliding_attention\",\"full_attention\"]}",
         STATUS_UNSUPPORTED, "need a sliding_window"},
        {"{" BASE ",\"rope_scaling\":{\"rope_type\":\"mrope\",\"factor\":4.0}}", STATUS_UNSUPPORTED,
         "mrope"},
        {"{" BASE ",\"rope_scaling\":{\"type\":\"linear\"}}", STATUS_INVALID, "factor"},
        {"{" BASE ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":-4.0}}", STATUS_INVALID,
         "factor"},
        {"{" BASE ",\"rope_parameters\":{\"rope_type\":\"llama3\",\"factor\":8}}", STATUS_INVALID,
         "low_freq_factor"},
        {"{" BASE ",\"rope_parameters\":{\"rope_type\":\"longrope\"}}", STATUS_INVALID,
         "short_factor"},
        {"{" BASE ",\"rope_parameters\":{\"rope_type\":\"longrope\",\"short_factor\":[1,2],"
         "\"long_factor\":[1,2]}}",
         STATUS_INVALID, "2 divisors, but 8 pairs"},
        {"{" BASE ",\"partial_rotary_factor\":2}", STATUS_INVALID, "partial_rotary_factor"},
        {"{" BASE ",\"rope_parameters\":7}", STATUS_INVALID, "rope_parameters"},
        {"{" BASE ",\"rope_theta\":0}", STATUS_INVALID, "rope_theta"},
        {"{" BASE ",\"rope_theta\":\"1e6\"}", STATUS_INVALID, "rope_theta"},
        {"{" BASE ",\"dtype\":\"int8\"}", STATUS_UNSUPPORTED, "dtype"},
        {"{" BASE ",\"torch_dtype\":3}", STATUS_UNSUPPORTED, "torch_dtype"},
        {"{" BASE ",\"quantization_config\":{}}", STATUS_UNSUPPORTED, "quantization_config"},
        {"{" BASE ",\"eos_token_id\":-1}", STATUS_INVALID, "eos_token_id"},
        {"{" BASE ",\"eos_token_id\":320}", STATUS_INVALID, "eos_token_id"},
        {"{" BASE ",\"eos_token_id\":[1,2,3,4,5,6,7,8,9]}", STATUS_LIMIT, "eos_token_id"},
        {"{" BASE ",\"bos_token_id\":\"x\"}", STATUS_INVALID, "bos_token_id"},
        {"{" BASE ",\"troupe\":1}", STATUS_INVALID, "troupe"},
        {"{" BASE ",\"troupe\":{\"codec\":7}}", STATUS_INVALID, "codec"},
        {"{" BASE ",\"troupe\":{\"codec\":\"0123456789012345678901234567890123\"}}", STATUS_INVALID,
         "codec"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct model_config c;
        struct error err = ERROR_INIT;
        const enum status got = parse(cases[i].text, &c, &err);

        if (got != cases[i].status || strstr(err.message, cases[i].says) == NULL)
            fail_msg("case %zu: status %s, \"%s\"", i, status_name(got), err.message);
    }
}

static void test_every_number_has_a_range(void **state)
{
    static const char *const keys[] = {
        "hidden_size",         "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim",          "vocab_size",        "max_position_embeddings"};
    static const char *const values[] = {
        "0", "-1", "1073741825", "4294967297", "9223372036854775807", "1.5", "\"8\"", "true", "[]"};
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(keys); k++)
        for (size_t v = 0; v < ARRAY_LEN(values); v++) {
            struct json *o = NULL, *value = NULL;
            struct model_config c;
            char *text;
            enum status got;

            assert_int_equal(jv_parse("{" BASE "}", strlen("{" BASE "}"), "t", &o, NULL), 0);
            assert_int_equal(jv_parse(values[v], strlen(values[v]), "t", &value, NULL), 0);
            jv_set_adopt(o, keys[k], value);
            text = jv_dump(o);
            got = parse(text, &c, &err);
            if (got != STATUS_INVALID || strstr(err.message, keys[k]) == NULL)
                fail_msg("%s = %s: %s \"%s\"", keys[k], values[v], status_name(got), err.message);
            jv_unref(o);
            free(text);
        }
}

static void test_shapes_that_disagree(void **state)
{
    struct model_config c, bad;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(parse("{" BASE "}", &c, &err), STATUS_OK);
    bad = c;
    bad.n_kv_heads = 3;
    assert_int_equal(model_config_check(&bad, "c", &err), STATUS_INVALID);
    bad = c;
    bad.head_dim = 15;
    assert_int_equal(model_config_check(&bad, "c", &err), STATUS_INVALID);
    bad = c;
    bad.window = -1;
    assert_int_equal(model_config_check(&bad, "c", &err), STATUS_INVALID);
    bad = c;
    bad.window_rope_theta = -5;
    assert_int_equal(model_config_check(&bad, "c", &err), STATUS_INVALID);
    bad = c;
    bad.attention_scale = NAN;
    assert_int_equal(model_config_check(&bad, "c", &err), STATUS_INVALID);
    bad = c;
    bad.n_kv_heads = 8;
    assert_int_equal(model_config_check(&bad, "c", &err), STATUS_INVALID);
    assert_int_equal(model_config_n_parameters(&c),
                     2 * 320 * 64 + 64 + 2 * (64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 128 + 128 + 32));
}

static void test_what_is_written_reads_back(void **state)
{
    struct model_config a, b;
    struct str text = STR_INIT;
    struct error err = ERROR_INIT;

    (void)state;
    memset(&a, 0, sizeof(a));
    assert_int_equal(parse("{" BASE ",\"dtype\":\"bfloat16\",\"rope_theta\":500000,"
                           "\"eos_token_id\":[257,258],\"pad_token_id\":256,"
                           "\"tie_word_embeddings\":true,\"troupe\":{\"codec\":\"ledger\"}}",
                           &a, &err),
                     STATUS_OK);
    model_config_write(&a, &text);
    assert_true(str_ok(&text));
    assert_non_null(strstr(str_cstr(&text), "1e-06"));
    assert_int_equal(parse(str_cstr(&text), &b, &err), STATUS_OK);
    assert_memory_equal(&a, &b, sizeof(a));
    str_clear(&text);
    model_config_write_generation(&a, &text);
    b.n_eos = 0;
    assert_int_equal(model_config_parse_generation(str_cstr(&text), text.len, "g", &b, &err), 0);
    assert_memory_equal(&a, &b, sizeof(a));
    str_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_and_new_spelling),
        cmocka_unit_test(test_defaults_of_qwen3),
        cmocka_unit_test(test_generation_config_wins),
        cmocka_unit_test(test_refusals_name_the_field),
        cmocka_unit_test(test_every_number_has_a_range),
        cmocka_unit_test(test_shapes_that_disagree),
        cmocka_unit_test(test_what_is_written_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
