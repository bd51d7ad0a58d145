/* test_tokenizer_shared.c - threads encode with one tokenizer at once, each with its own scratch.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>

#include "models/formats/tokenizer.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "tests/support/check.h"

#define ROUNDS 200

/* Patterns, NFC, merges and added tokens, which all need scratch. */
static const char *const TEXTS[] = {
    "The quick brown fox's na\xc3\xafve cafe\xcc\x81  jumps\n\n 123",
    "<|im_start|>e\xcc\x81 <|im_end|>x", "                              \t\t\t",
    "\xff broken \xe2\x82 bytes"};

struct work {
    const struct tokenizer *t;
    struct token_ids want[ARRAY_LEN(TEXTS)];
    bool wrong;
};

static bool encode_all(const struct tokenizer *t, struct tokenizer_scratch *s,
                       struct token_ids *ids)
{
    bool ok = true;

    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        token_ids_clear(&ids[i]);
        ok = ok && tokenizer_encode(t, s, TEXTS[i], strlen(TEXTS[i]), true, &ids[i], NULL) == 0;
    }
    return ok;
}

static void *encode_often(void *arg)
{
    struct work *w = arg;
    struct tokenizer_scratch *s = tokenizer_scratch_new();
    struct token_ids ids[ARRAY_LEN(TEXTS)];

    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++)
        ids[i] = TOKEN_IDS_INIT;
    for (int round = 0; round < ROUNDS; round++) {
        w->wrong = w->wrong || !encode_all(w->t, s, ids);
        for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++)
            w->wrong = w->wrong || ids[i].n != w->want[i].n ||
                       memcmp(ids[i].id, w->want[i].id, ids[i].n * sizeof(*ids[i].id)) != 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++)
        token_ids_deinit(&ids[i]);
    tokenizer_scratch_free(s);
    return NULL;
}

static void two_threads_encode_with_one_tokenizer(void **state)
{
    struct tokenizer_scratch *s = tokenizer_scratch_new();
    struct tokenizer *t = NULL;
    struct work work[2] = {{.wrong = false}};
    pthread_t thread[ARRAY_LEN(work)];
    char path[512], *text = NULL;
    size_t n;

    (void)state;
    assert_ok(file_read(fixture_path(path, "tests/fixtures/tokenizer/qwen.json"),
                        TOKENIZER_MAX_FILE, &text, &n, why));
    assert_ok(tokenizer_from_json(text, n, path, &t, why));
    free(text);
    for (size_t k = 0; k < ARRAY_LEN(work); k++) {
        work[k].t = t;
        for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++)
            work[k].want[i] = TOKEN_IDS_INIT;
        assert_true(encode_all(t, s, work[k].want));
    }
    for (size_t k = 0; k < ARRAY_LEN(work); k++)
        assert_int_equal(pthread_create(&thread[k], NULL, encode_often, &work[k]), 0);
    for (size_t k = 0; k < ARRAY_LEN(work); k++) {
        pthread_join(thread[k], NULL);
        assert_false(work[k].wrong);
        for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++)
            token_ids_deinit(&work[k].want[i]);
    }
    tokenizer_scratch_free(s);
    tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_threads_encode_with_one_tokenizer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
