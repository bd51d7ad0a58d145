/* test_model_families.c - config.json of every family: in the keys of transformers 4 and 5 the same
 * config, which is written so that it reads back; windows and rotations by their defaults.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "models/formats/model_config.h"
#include "models/formats/model_family.h"
#include "models/formats/rope_scaling.h"
#include "tests/support/check.h"

#define SIZES                                                                                      \
    "\"hidden_size\":64,\"intermediate_size\":128,\"num_hidden_layers\":4,\"vocab_size\":320,"     \
    "\"num_attention_heads\":8,\"num_key_value_heads\":2,\"rms_norm_eps\":1e-05,"

static enum status parse(const char *text, struct model_config *c, struct error *err)
{
    return model_config_parse(text, strlen(text), "config.json", c, err);
}

static const struct {
    const char *before, *now; /* transformers 4 and 5 */
} spellings[] = {
    {"{\"model_type\":\"llama\"," SIZES "\"head_dim\":16,\"rope_theta\":500000.0,\"rope_scaling\":{"
     "\"factor\":32.0,\"high_freq_factor\":4.0,\"low_freq_factor\":1.0,"
     "\"original_max_position_embeddings\":8192,\"rope_type\":\"llama3\"}}",
     "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\"," SIZES
     "\"head_dim\":16,\"rope_parameters\":{\"factor\":32.0,\"high_freq_factor\":4.0,"
     "\"low_freq_factor\":1.0,\"original_max_position_embeddings\":8192,\"rope_type\":\"llama3\","
     "\"rope_theta\":500000.0}}"},
    {"{\"model_type\":\"mistral\"," SIZES "\"sliding_window\":96,\"hidden_act\":\"silu\"}",
     "{\"architectures\":[\"MistralForCausalLM\"],\"model_type\":\"mistral\"," SIZES
     "\"sliding_window\":96,\"head_dim\":8,"
     "\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"default\"}}"},
    {"{\"model_type\":\"qwen2\"," SIZES "\"use_sliding_window\":false,\"sliding_window\":64,"
     "\"max_window_layers\":2,\"rope_theta\":1000000.0,\"rope_scaling\":{\"type\":\"yarn\","
     "\"factor\":4.0,\"original_max_position_embeddings\":32768}}",
     "{\"architectures\":[\"Qwen2ForCausalLM\"],\"model_type\":\"qwen2\"," SIZES
     "\"layer_types\":[\"full_attention\",\"full_attention\",\"full_attention\","
     "\"full_attention\"],\"rope_parameters\":{\"rope_type\":\"yarn\",\"rope_theta\":1000000.0,"
     "\"factor\":4.0,\"original_max_position_embeddings\":32768}}"},
    {"{\"model_type\":\"gemma2\"," SIZES "\"head_dim\":32,\"query_pre_attn_scalar\":8,"
     "\"hidden_act\":\"gelu_pytorch_tanh\",\"hidden_activation\":\"gelu_pytorch_tanh\","
     "\"sliding_window\":64,\"attn_logit_softcapping\":50.0,\"final_logit_softcapping\":30.0}",
     "{\"architectures\":[\"Gemma2ForCausalLM\"],\"model_type\":\"gemma2\"," SIZES
     "\"head_dim\":32,\"query_pre_attn_scalar\":8,\"hidden_activation\":\"gelu_pytorch_tanh\","
     "\"sliding_window\":64,\"layer_types\":[\"sliding_attention\",\"full_attention\","
     "\"sliding_attention\",\"full_attention\"],"
     "\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"default\"}}"},
    {"{\"model_type\":\"gemma3_text\"," SIZES "\"head_dim\":32,\"sliding_window\":64,"
     "\"sliding_window_pattern\":2,\"rope_theta\":1000000,\"rope_local_base_freq\":10000.0,"
     "\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":8.0}}",
     "{\"architectures\":[\"Gemma3ForCausalLM\"],\"model_type\":\"gemma3_text\"," SIZES
     "\"head_dim\":32,\"sliding_window\":64,\"layer_types\":[\"sliding_attention\","
     "\"full_attention\",\"sliding_attention\",\"full_attention\"],\"attn_logit_softcapping\":null,"
     "\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"linear\",\"factor\":8.0,"
     "\"rope_theta\":1000000.0},\"sliding_attention\":{\"rope_type\":\"default\","
     "\"rope_theta\":10000.0}}}"},
    {"{\"model_type\":\"phi3\"," SIZES "\"max_position_embeddings\":512,"
     "\"original_max_position_embeddings\":128,\"partial_rotary_factor\":0.75,"
     "\"sliding_window\":null,\"rope_scaling\":{\"type\":\"su\",\"short_factor\":[1.0,1.5,2.0],"
     "\"long_factor\":[1.0,2.5,7.25]}}",
     "{\"architectures\":[\"Phi3ForCausalLM\"],\"model_type\":\"phi3\"," SIZES
     "\"max_position_embeddings\":512,\"original_max_position_embeddings\":128,"
     "\"rope_parameters\":{\"rope_type\":\"longrope\",\"rope_theta\":10000.0,"
     "\"partial_rotary_factor\":0.75,\"original_max_position_embeddings\":128,"
     "\"short_factor\":[1.0,1.5,2.0],\"long_factor\":[1.0,2.5,7.25]}}"},
};

enum { N_SPELLINGS = sizeof(spellings) / sizeof(spellings[0]) };

static void test_both_spellings_are_one_config(void **state)
{
    (void)state;
    for (int i = 0; i < N_SPELLINGS; i++) {
        struct model_config a, b;

        memset(&a, 0, sizeof(a));
        memset(&b, 0, sizeof(b));
        assert_ok(parse(spellings[i].before, &a, why));
        assert_ok(parse(spellings[i].now, &b, why));
        if (memcmp(&a, &b, sizeof(a)) != 0)
            fail_msg("%s: two configs", a.model_type);
        assert_string_equal(a.architecture, model_family_of_class(a.architecture)->hf_name);
    }
}

static void test_what_is_written_reads_back(void **state)
{
    (void)state;
    for (int i = 0; i < N_SPELLINGS; i++) {
        struct model_config a, b;
        struct str text = STR_INIT;

        memset(&a, 0, sizeof(a));
        memset(&b, 0, sizeof(b));
        assert_ok(parse(spellings[i].now, &a, why));
        model_config_write(&a, &text);
        assert_ok(parse(str_cstr(&text), &b, why));
        if (memcmp(&a, &b, sizeof(a)) != 0)
            fail_msg("%s: reads back as another config: %s", a.model_type, str_cstr(&text));
        str_deinit(&text);
    }
}

static struct model_config parsed(const char *text)
{
    struct model_config c;

    assert_ok(parse(text, &c, why));
    return c;
}

static void test_values_of_each_family(void **state)
{
    struct model_config c = parsed(spellings[1].now);

    (void)state;
    assert_true(c.window == 96 && c.window_pattern == 0 && model_config_has_window(&c, 3));
    c = parsed("{\"model_type\":\"mistral\"," SIZES "\"sliding_window\":null}");
    assert_int_equal(c.window, 0); /* null: none; missing: the family's */
    c = parsed("{\"model_type\":\"mistral\"," SIZES "\"head_dim\":8}");
    assert_int_equal(c.window, 4096);
    c = parsed(spellings[2].now);
    assert_true(c.window == 0 && c.head_dim == 8 && c.rope.factor == 4);
    c = parsed(spellings[3].now);
    assert_true(c.tie_word_embeddings && c.attention_softcap == 50 && c.logit_softcap == 30);
    assert_true(fabsf(c.attention_scale - 0.35355339f) < 1e-7f);
    assert_true(model_config_has_window(&c, 0) && !model_config_has_window(&c, 1));
    c = parsed(spellings[4].now);
    assert_true(c.attention_softcap == 0 && c.window_pattern == 2 && c.window_rope_theta == 10000);
    assert_true(fabsf(c.attention_scale - 0.0625f) < 1e-9f); /* 1 / sqrt(256), not of D 32 */
    c = parsed(spellings[5].now);
    assert_true(c.rotary_dim == 6 && c.rope.original_positions == 128 && c.window == 0);
    assert_true(c.rope.n_divisors == 3 && c.rope.long_divisor[2] == 7.25f);
    /* Windows that begin at a layer: the first, or none. */
    c = parsed("{\"model_type\":\"qwen2\"," SIZES
               "\"use_sliding_window\":true,\"sliding_window\":7,\"max_window_layers\":4}");
    assert_int_equal(c.window, 0);
    c = parsed("{\"model_type\":\"qwen2\"," SIZES
               "\"use_sliding_window\":true,\"sliding_window\":7,\"max_window_layers\":0}");
    assert_true(c.window == 7 && model_config_has_window(&c, 3));
}

static void near(double got, double want, const char *what)
{
    if (!(fabs(got - want) <= 2e-7 * fabs(want)))
        fail_msg("%s: %.12g, not %.12g", what, got, want);
}

/* Closed forms; tests/parity has the tables of transformers. */
static void test_frequencies(void **state)
{
    struct model_config c = parsed(spellings[0].now);
    double f[ROPE_MAX_PAIRS], factor;

    (void)state;
    rope_frequencies(&c, false, f, &factor); /* D 16, theta 5e5 */
    assert_true(factor == 1 && f[0] == 1);
    near(f[3], pow(5e5, -3.0 / 8), "llama3, a short wave");
    near(f[7], pow(5e5, -7.0 / 8) / 32, "llama3, a long wave");
    c = parsed(spellings[2].now); /* yarn: D 8, theta 1e6, pairs 0 .. 3 */
    rope_frequencies(&c, false, f, &factor);
    near(factor, 1 + 0.1 * log(4), "yarn's factor");
    near(f[0], 1, "yarn, kept");
    near(f[3], pow(1e6, -0.75) / 4, "yarn, interpolated");
    c = parsed(spellings[4].now);
    rope_frequencies(&c, false, f, &factor);
    near(f[1], pow(1e6, -1.0 / 16) / 8, "linear");
    rope_frequencies(&c, true, f, &factor);
    near(f[1], pow(1e4, -1.0 / 16), "of layers with a window");
    c = parsed(spellings[5].now);
    rope_frequencies(&c, false, f, &factor);
    near(factor, sqrt(1 + log(4) / log(128)), "longrope's factor");
    near(f[2], pow(1e4, -4.0 / 6) / 7.25, "longrope, long");
    rope_set_context(&c, 129);
    assert_false(c.rope.short_context);
    rope_set_context(&c, 128);
    rope_frequencies(&c, false, f, &factor);
    near(f[2], pow(1e4, -4.0 / 6) / 2, "longrope, short");
}

/* A GGUF has divisors; of numbers that are not known a folder has them as longrope's lists. */
static void test_divisors_without_numbers(void **state)
{
    struct model_config c = parsed("{\"model_type\":\"llama\"," SIZES "\"head_dim\":4}"), back;
    double f[ROPE_MAX_PAIRS], g[ROPE_MAX_PAIRS], factor;
    struct str text = STR_INIT;

    (void)state;
    c.rope.kind = ROPE_LLAMA3;
    c.rope.n_divisors = 2;
    c.rope.divisor[0] = 1;
    c.rope.divisor[1] = 3.5f;
    model_config_write(&c, &text);
    back = parsed(str_cstr(&text));
    assert_int_equal(back.rope.kind, ROPE_LONGROPE);
    rope_frequencies(&c, false, f, &factor);
    rope_frequencies(&back, false, g, &factor);
    assert_true(f[0] == g[0] && f[1] == g[1] && factor == 1);
    str_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_spellings_are_one_config),
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_values_of_each_family),
        cmocka_unit_test(test_frequencies),
        cmocka_unit_test(test_divisors_without_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
