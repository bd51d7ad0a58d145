/* bench_tokenizer.c - time to load a tokenizer, and bytes a second that it encodes.
 *
 *     bench_tokenizer TOKENIZER [TEXT [ROUNDS]]
 *     bench_tokenizer --ids TOKENIZER TEXTS
 *
 * TOKENIZER is a tokenizer.json, or tables as tests/support/tokenizer_file.h has them; without one,
 * the fixture of the unit tests. Times are CPU time, the best of ROUNDS (default 5); each load
 * begins with the file read again. TEXT is encoded in one piece.
 *
 * --ids prints for tests/interop: TEXTS has texts, each behind its length (4 bytes, little endian).
 * For each text: its ids, its ids with special tokens as text, and what the first decode to, in
 * hex.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/formats/tokenizer.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "tests/bench/bench_run.h"
#include "tests/support/tokenizer_file.h"

#define MAX_TEXT ((size_t)256 << 20)

static void print_ids(const struct tokenizer *t, struct tokenizer_scratch *scratch,
                      const char *text, size_t n, bool special, struct token_ids *ids)
{
    struct error err = ERROR_INIT;

    token_ids_clear(ids);
    must(tokenizer_encode(t, scratch, text, n, special, ids, &err), &err);
    for (size_t i = 0; i < ids->n; i++)
        printf(i ? " %d" : "%d", (int)ids->id[i]);
    printf("\n");
}

static void print_all(const struct tokenizer *t, const char *texts, size_t n)
{
    struct tokenizer_scratch *scratch = tokenizer_scratch_new();
    struct token_ids ids = TOKEN_IDS_INIT, plain = TOKEN_IDS_INIT;
    struct str out = STR_INIT;
    uint32_t len;

    for (size_t i = 0; i + sizeof(len) <= n; i += len) {
        memcpy(&len, texts + i, sizeof(len));
        i += sizeof(len);
        if (len > n - i)
            break;
        print_ids(t, scratch, texts + i, len, true, &ids);
        print_ids(t, scratch, texts + i, len, false, &plain);
        str_clear(&out);
        tokenizer_decode(t, ids.id, ids.n, false, &out);
        for (size_t k = 0; k < out.len; k++)
            printf("%02x", (unsigned char)out.data[k]);
        printf("\n");
    }
    token_ids_deinit(&ids);
    token_ids_deinit(&plain);
    str_deinit(&out);
    tokenizer_scratch_free(scratch);
}

static struct tokenizer *load(const char *path, int rounds, double *best)
{
    struct tokenizer *t = NULL;
    struct error err = ERROR_INIT;

    for (int i = 0; i < rounds; i++) {
        const double from = cpu_seconds();
        double took;

        tokenizer_free(t);
        must(tokenizer_file_read(path, &t, &err), &err);
        took = cpu_seconds() - from;
        *best = i == 0 || took < *best ? took : *best;
    }
    return t;
}

static void encode(const struct tokenizer *t, const char *path, int rounds)
{
    struct token_ids ids;
    struct error err = ERROR_INIT;
    double best = 0;
    char *text = NULL;
    size_t n = 0;

    must(file_read(path, MAX_TEXT, &text, &n, &err), &err);
    token_ids_init(&ids, MAX_TEXT);
    for (int i = 0; i < rounds; i++) {
        struct tokenizer_scratch *scratch = tokenizer_scratch_new(); /* with an empty cache */
        const double from = cpu_seconds();
        double took;

        token_ids_clear(&ids);
        must(tokenizer_encode(t, scratch, text, n, true, &ids, &err), &err);
        took = cpu_seconds() - from;
        best = i == 0 || took < best ? took : best;
        tokenizer_scratch_free(scratch);
    }
    printf("encode %.6f s, %zu bytes, %zu ids, %.1f MB/s\n", best, n, ids.n,
           (double)n / best / 1e6);
    token_ids_deinit(&ids);
    free(text);
}

int main(int argc, char **argv)
{
    const bool ids = argc == 4 && strcmp(argv[1], "--ids") == 0;
    const char *path = ids ? argv[2] : argc > 1 ? argv[1] : "tests/fixtures/tokenizer/qwen.json";
    const int rounds = ids ? 1 : argc > 3 ? atoi(argv[3]) : 5;
    struct error err = ERROR_INIT;
    double best = 0;
    struct tokenizer *t = load(path, rounds > 0 ? rounds : 1, &best);
    char *text = NULL;
    size_t n = 0;

    if (ids) {
        must(file_read(argv[3], MAX_TEXT, &text, &n, &err), &err);
        print_all(t, text, n);
        free(text);
    } else {
        printf("load %.6f s, %d ids\n", best, (int)tokenizer_size(t));
        if (argc > 2)
            encode(t, argv[2], rounds > 0 ? rounds : 1);
    }
    tokenizer_free(t);
    return 0;
}
