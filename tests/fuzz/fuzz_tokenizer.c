/* fuzz_tokenizer.c - any bytes as tokenizer.json; a tokenizer that loads must encode and decode any
 * text. SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "models/formats/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void use(struct tokenizer *t, const char *text, size_t n, bool special)
{
    struct tokenizer_scratch *scratch = tokenizer_scratch_new();
    struct token_ids ids;
    struct token_stream stream = TOKEN_STREAM_INIT;
    struct str out = STR_INIT;

    token_ids_init(&ids, 1 << 20);
    if (tokenizer_encode(t, scratch, text, n, special, &ids, NULL) == STATUS_OK)
        for (size_t i = 0; i < ids.n; i++) {
            if (ids.id[i] < 0 || ids.id[i] >= tokenizer_size(t))
                __builtin_trap();
            token_stream_push(&stream, t, ids.id[i], special, &out);
        }
    token_stream_finish(&stream, &out);
    tokenizer_decode(t, ids.id, ids.n, special, &out);
    token_ids_deinit(&ids);
    tokenizer_scratch_free(scratch);
    str_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char text[] =
        "It's <|im_end|> na\xc3\xafve  e\xcc\x81\xff\n\n 123 <think>x <s>a\xe2\x96\x81"
        "b>\xe2\x96\x81</ \xf0\x9f\x98\x80,;--\r\n <0x0A> word";
    struct tokenizer *t = NULL;

    if (tokenizer_from_json((const char *)bytes, n, "fuzz", &t, NULL) == STATUS_OK) {
        use(t, text, sizeof(text) - 1, true);
        use(t, text, sizeof(text) - 1, false);
        use(t, (const char *)bytes, n < 4096 ? n : 4096, true);
    }
    tokenizer_free(t);
    return 0;
}
