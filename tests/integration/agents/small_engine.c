/* small_engine.c - see small_engine.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/integration/agents/small_engine.h"

#include "kernels/cpu/cpu_backend.h"
#include "models/formats/tokenizer_write.h"
#include "tests/support/small_qwen3.h"
#include "tests/unit/store/store_fixture.h"
#include "tools/environments/environment.h"

/* The engine asks for files by index; there are none. */
static const struct embedded_file *no_files(int32_t i)
{
    (void)i;
    return NULL;
}

struct weights *small_weights(float initializer_range)
{
    struct model_config c = small_qwen3(SMALL_VOCAB);
    struct weights *w = NULL;

    c.hidden_size = 32;
    c.intermediate_size = 48;
    c.initializer_range = initializer_range;
    (void)snprintf(c.codec, sizeof(c.codec), "compact");
    assert_ok(weights_init(cpu_backend(cpu_isa_best()), arch_find(c.architecture), &c, 5, &w, why));
    return w;
}

void small_folder(char path[64])
{
    struct added_token added[SMALL_VOCAB - 256];
    struct str text = STR_INIT;
    int32_t n = 0;

    for (; n < SMALL_VOCAB - 256 && env_vocabulary_word(n); n++)
        added[n] = (struct added_token){.content = env_vocabulary_word(n),
                                        .special = env_vocabulary_word(n)[0] == '<'};
    assert_ok(tokenizer_write_bytes(added, n, &text, why));
    temp_dir(path);
    temp_dir_put(path, "tokenizer.json", text.data, text.len);
    str_deinit(&text);
}

struct engine *small_engine(struct weights *w, const char *folder, int32_t n_threads)
{
    struct engine_options o = ENGINE_OPTIONS_DEFAULT;
    struct engine *e = NULL;

    o.weights = w;
    o.backend = weights_backend(w);
    o.model = folder;
    o.embedded = no_files;
    o.n_threads = n_threads;
    o.context = SMALL_CONTEXT;
    o.max_sessions = 64;
    assert_ok(engine_open(&o, &e, why));
    return e;
}
