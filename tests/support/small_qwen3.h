/* small_qwen3.h - a small model for tests and benchmarks; they change what they need otherwise.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_SMALL_QWEN3_H
#define TROUPE_TESTS_SMALL_QWEN3_H

#include "models/formats/model_config.h"

static inline struct model_config small_qwen3(int32_t vocab_size)
{
    return (struct model_config){.architecture = "Qwen3ForCausalLM",
                                 .model_type = "qwen3",
                                 .hidden_size = 24,
                                 .intermediate_size = 40,
                                 .n_layers = 2,
                                 .n_heads = 4,
                                 .n_kv_heads = 2,
                                 .head_dim = 8,
                                 .vocab_size = vocab_size,
                                 .max_position_embeddings = 512,
                                 .rms_norm_eps = 1e-6f,
                                 .rope_theta = 10000,
                                 .initializer_range = 0.02,
                                 .tie_word_embeddings = true,
                                 .dtype = DTYPE_F32,
                                 .bos_id = -1,
                                 .pad_id = -1};
}

#endif
