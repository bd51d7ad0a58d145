/* fuzz_tokenizer_tables.c - tables cut out of any bytes; a tokenizer that they make must encode and
 * decode any text.
 *
 * The first bytes choose the model and its options; the rest are tokens, each a length, a type, a
 * score and that many bytes, and after a length of 255 merges, each a length and that many bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>

#include "models/formats/tokenizer_tables.h"

#define MOST 512

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct tables {
    struct table_text token[MOST], merge[MOST];
    float score[MOST];
    int32_t type[MOST];
    int32_t n_tokens;
    size_t n_merges;
};

static void cut(struct tables *t, const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 3 && *at != 255 && t->n_tokens < MOST) {
        const size_t n = *at % 16u < (size_t)(end - at - 3) ? *at % 16u : (size_t)(end - at - 3);

        t->type[t->n_tokens] = at[1] % 8;
        t->score[t->n_tokens] = (float)-at[2];
        t->token[t->n_tokens++] = (struct table_text){(const char *)at + 3, n};
        at += 3 + n;
    }
    while (end - at >= 2 && t->n_merges < MOST) {
        const size_t n =
            at[1] % 32u < (size_t)(end - at - 2) ? at[1] % 32u : (size_t)(end - at - 2);

        t->merge[t->n_merges++] = (struct table_text){(const char *)at + 2, n};
        at += 2 + n;
    }
}

static void use(const struct tokenizer *t, const char *text, size_t n)
{
    struct tokenizer_scratch *scratch = tokenizer_scratch_new();
    struct token_ids ids = TOKEN_IDS_INIT;
    struct token_stream stream = TOKEN_STREAM_INIT;
    struct str out = STR_INIT;

    if (tokenizer_encode(t, scratch, text, n, true, &ids, NULL) == STATUS_OK)
        for (size_t i = 0; i < ids.n; i++) {
            if (ids.id[i] < 0 || ids.id[i] >= tokenizer_size(t))
                __builtin_trap();
            token_stream_push(&stream, t, ids.id[i], false, &out);
        }
    token_stream_finish(&stream, &out);
    tokenizer_decode(t, ids.id, ids.n, true, &out);
    token_ids_deinit(&ids);
    tokenizer_scratch_free(scratch);
    str_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const pres[] = {"qwen2", "llama-bpe", "tekken", "smollm", "?"};
    struct tables *t = calloc(1, sizeof(*t));
    struct tokenizer *made = NULL;

    if (n < 4 || !t) {
        free(t);
        return 0;
    }
    cut(t, bytes + 4, bytes + n);
    {
        const struct tokenizer_tables in = {.name = "fuzz",
                                            .model = bytes[0] & 1 ? "llama" : "gpt2",
                                            .pre = pres[(bytes[0] >> 1) % 5],
                                            .token = t->token,
                                            .score = bytes[1] & 1 ? t->score : NULL,
                                            .type = bytes[1] & 2 ? t->type : NULL,
                                            .n_tokens = t->n_tokens,
                                            .merge = t->merge,
                                            .n_merges = t->n_merges,
                                            .bos_id = bytes[2] % 16 - 1,
                                            .eos_id = -1,
                                            .unk_id = bytes[3] % 16 - 1,
                                            .add_bos = bytes[1] & 4,
                                            .add_space_prefix = bytes[1] & 8};

        if (tokenizer_from_tables(&in, &made, NULL) == STATUS_OK) {
            use(made, "It's a\xe2\x96\x81 <s>b\xff  \xf0\x9f\x98\x80 12\n\n", 27);
            use(made, (const char *)bytes, n < 4096 ? n : 4096);
        }
    }
    tokenizer_free(made);
    free(t);
    return 0;
}
