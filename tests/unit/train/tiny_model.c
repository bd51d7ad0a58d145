/* tiny_model.c - see tiny_model.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/train/tiny_model.h"

#include <stdio.h>

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/support/check.h"
#include "tests/support/small_qwen3.h"

struct model_config tiny_config(bool tied)
{
    struct model_config c = small_qwen3(50);

    c.tie_word_embeddings = tied;
    return c;
}

static void set_gemma(struct model_config *c)
{
    c->window = 37;
    c->window_pattern = 2;
    c->attention_scale = 0.3f;
    c->tie_word_embeddings = true;
}

static void set_phi3(struct model_config *c)
{
    c->window = 21;
    c->rotary_dim = 6;
    c->rope = (struct rope_scaling){.kind = ROPE_LONGROPE,
                                    .original_positions = 64,
                                    .n_divisors = 3,
                                    .divisor = {1, 1.5f, 2},
                                    .long_divisor = {1, 2.5f, 7}};
}

struct model_config tiny_family(int i)
{
    static const char *const names[TINY_FAMILIES][2] = {
        {"LlamaForCausalLM", "llama"},   {"MistralForCausalLM", "mistral"},
        {"Qwen2ForCausalLM", "qwen2"},   {"Qwen3ForCausalLM", "qwen3"},
        {"Gemma2ForCausalLM", "gemma2"}, {"Gemma3ForCausalLM", "gemma3_text"},
        {"Phi3ForCausalLM", "phi3"},
    };
    struct model_config c = tiny_config(false);
    const char *type = names[i][1];

    (void)snprintf(c.architecture, sizeof(c.architecture), "%s", names[i][0]);
    (void)snprintf(c.model_type, sizeof(c.model_type), "%s", type);
    if (strcmp(type, "mistral") == 0)
        c.window = 1 + KV_PAGE_TOKENS;
    if (strncmp(type, "gemma", 5) == 0)
        set_gemma(&c);
    if (strcmp(type, "gemma2") == 0) {
        c.attention_softcap = 4;
        c.logit_softcap = 3;
    }
    if (strcmp(type, "gemma3_text") == 0)
        c.window_rope_theta = 100;
    if (strcmp(type, "phi3") == 0)
        set_phi3(&c);
    return c;
}

static float unit(uint64_t seed, uint32_t i, uint32_t stream)
{
    return 2.0f * rng_unit_float(rng_philox(seed, i, 0, stream, 9).word[0]) - 1.0f;
}

struct weights *tiny_weights(const struct model_config *c, const struct backend *b, uint64_t seed)
{
    struct weights *start = NULL, *w = NULL;
    const struct lane alone = {0};
    size_t bytes;
    float *flat, *there;

    assert_ok(weights_init(b, arch_find(c->architecture), c, seed, &start, why));
    bytes = (size_t)weights_n_params(start) * sizeof(float);
    flat = xmalloc(bytes);
    there = b->alloc(b->ctx, bytes);
    for (int32_t i = 0; i < weights_n(start); i++) {
        bool norm = weights_at(start, i)->m.n_out == 1;

        for (int64_t j = weights_flat_offset(start, i); j < weights_flat_offset(start, i + 1); j++)
            flat[j] =
                norm ? 1.0f + 0.3f * unit(seed, (uint32_t)j, 1) : 0.4f * unit(seed, (uint32_t)j, 2);
    }
    b->upload(&alone, there, flat, bytes);
    assert_ok(weights_from_flat(start, there, 1, &w, why));
    b->release(b->ctx, there);
    free(flat);
    weights_unref(start);
    return w;
}

void tiny_batch(struct sequences *s, const struct model_config *c, uint64_t seed, int32_t n,
                int32_t max_len)
{
    int32_t *ids = xcalloc((size_t)max_len, sizeof(*ids));
    uint8_t *train = xcalloc((size_t)max_len, 1);

    for (int32_t i = 0; i < n; i++) {
        int32_t length = 2 + (int32_t)rng_below(rng_philox(seed, (uint32_t)i, 0, 0, 1).word[0],
                                                (uint32_t)(max_len - 1));

        for (int32_t j = 0; j < length; j++) {
            struct rng_block r = rng_philox(seed, (uint32_t)i, (uint32_t)j, 0, 2);

            ids[j] = (int32_t)rng_below(r.word[0], (uint32_t)c->vocab_size);
            train[j] = r.word[1] % 3 != 0 || j == length - 1;
        }
        assert_ok(sequences_add(s, ids, train, length, why));
    }
    free(ids);
    free(train);
}
