/* test_arch_rows.c - the bits of a row are its own: decoding one token at a time, prefill in
 * chunks, rows of many sequences shuffled together, fewer rows wanted, and the training pass all
 * agree. SPDX-License-Identifier: Apache-2.0
 */
#include "models/arch/arch_linear.h"
#include "models/formats/safetensors.h"
#include "models/train/model_export.h"
#include "models/train/packed_pass.h"
#include "models/train/sft.h"
#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "runtime/base/rng.h"
#include "tests/support/quantised_weights.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/train/tiny_model.h"
#include "tests/unit/train/toy_source.h"

#define N_SEQ   3
#define LEN     300 /* over one softmax block of 256 keys */
#define N_PAGES ((LEN + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS)

/* A pass by hand over pages of its own, as the engine would run it. */
struct hand {
    struct model_config c;
    struct weights *w;
    struct kv_layer kv[2];
    int32_t page[N_SEQ][N_PAGES];
    const int32_t *table[N_SEQ];
    int32_t ids[N_SEQ][LEN];
    struct rope_tables rope;
    void *scratch, *rounded;
    int32_t index[3 * N_SEQ * LEN];
};

/* The same values as in a bf16 checkpoint. */
static struct weights *in_bf16(struct weights *w, enum cpu_isa isa)
{
    struct tensor_file *set = NULL;
    struct weights *half = NULL;
    char dir[64];

    temp_dir(dir);
    assert_ok(model_export(dir, w, DTYPE_BF16, NULL, 0, seams_real(), why));
    assert_ok(safetensors_open_dir(dir, &set, why));
    assert_ok(weights_load(cpu_backend(isa), weights_arch(w), weights_config(w), set, DTYPE_BF16,
                           &half, why));
    temp_dir_remove(dir); /* it stays mapped */
    weights_unref(w);
    return half;
}

static void hand_open(struct hand *h, const struct model_config *c, enum cpu_isa isa,
                      enum dtype dtype, uint64_t seed)
{
    const struct backend *b = cpu_backend(isa);
    size_t n;

    memset(h, 0, sizeof(*h));
    h->c = *c;
    h->w = tiny_weights(&h->c, cpu_backend(isa), seed);
    if (dtype == DTYPE_BF16)
        h->w = in_bf16(h->w, isa);
    else if (dtype != DTYPE_F32)
        h->w = quantised_weights(h->w, dtype, b);
    n = (size_t)(N_SEQ * N_PAGES) *
        b->kv_half_bytes(h->c.n_kv_heads, h->c.head_dim, weights_kv_dtype(h->w));
    for (int l = 0; l < 2; l++) {
        h->kv[l].dtype = weights_kv_dtype(h->w);
        h->kv[l].k = b->alloc(b->ctx, n);
        h->kv[l].v = b->alloc(b->ctx, n);
        memset(h->kv[l].k, 0xff, n); /* NaN: no code may read unwritten values */
        memset(h->kv[l].v, 0xff, n);
    }
    for (int s = 0; s < N_SEQ; s++) {
        h->table[s] = h->page[s];
        for (int i = 0; i < N_PAGES; i++)
            h->page[s][i] =
                (i * N_SEQ + s) * 7 % (N_SEQ * N_PAGES); /* scrambled order; 57 is coprime to 7 */
        for (int i = 0; i < LEN; i++)
            h->ids[s][i] =
                (int32_t)rng_below(rng_philox(seed, (uint32_t)i, (uint32_t)s, 0, 0).word[0],
                                   (uint32_t)h->c.vocab_size);
    }
    assert_ok(rope_tables_init(b, &h->c, LEN, &h->rope, why));
    h->scratch = b->alloc(b->ctx, weights_arch(h->w)->scratch_bytes(&h->c, N_SEQ * LEN));
    h->rounded = b->alloc(b->ctx, linear_rounded_bytes(h->w, N_SEQ * LEN));
}

static void hand_close(struct hand *h)
{
    const struct backend *b = weights_backend(h->w);

    for (int l = 0; l < 2; l++) {
        b->release(b->ctx, h->kv[l].k);
        b->release(b->ctx, h->kv[l].v);
    }
    b->release(b->ctx, h->scratch);
    b->release(b->ctx, h->rounded);
    rope_tables_deinit(&h->rope);
    weights_unref(h->w);
}

/* Hidden states of the wanted rows. */
static void run_rows(struct hand *h, struct pool *pool, int32_t n, const int32_t *seq,
                     const int32_t *pos, const int32_t *want, int32_t n_want, float *hidden)
{
    int32_t *token = xcalloc((size_t)n + 1, sizeof(*token));
    struct arch_pass p = {.weights = h->w,
                          .lane = {.pool = pool},
                          .token = token,
                          .rows = {.n = n, .seq = seq, .pos = pos, .page = h->table},
                          .kv = h->kv,
                          .rope = &h->rope,
                          .scratch = h->scratch,
                          .index = h->index,
                          .rounded = h->rounded,
                          .out_row = want,
                          .n_out = n_want,
                          .hidden = hidden};

    for (int32_t r = 0; r < n; r++)
        token[r] = h->ids[seq[r]][pos[r]];
    weights_arch(h->w)->forward(&p);
    free(token);
}

/* One row a call: the reference of everything else. (N_SEQ, LEN, C) */
static float *decode_all(struct hand *h)
{
    size_t C = (size_t)h->c.hidden_size;
    float *out = xcalloc((size_t)(N_SEQ * LEN) * C, sizeof(float));
    const int32_t zero = 0;

    for (int32_t s = 0; s < N_SEQ; s++)
        for (int32_t i = 0; i < LEN; i++)
            run_rows(h, NULL, 1, &s, &i, &zero, 1, out + (size_t)(s * LEN + i) * C);
    return out;
}

static void assert_same_bits(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof(float)) != 0)
            fail_msg("element %zu: %a and %a", i, (double)a[i], (double)b[i]);
}

/* On each instruction set, in f32, in bf16 and quantised; then each family. */
static void on_each_backend(void (*check)(const struct model_config *c, enum cpu_isa isa,
                                          enum dtype dtype, struct pool *pool))
{
    struct model_config c = tiny_config(true);
    struct pool *pool = NULL;

    assert_ok(pool_new(2, &pool, why));
    for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
        check(&c, (enum cpu_isa)isa, DTYPE_F32, pool);
        check(&c, (enum cpu_isa)isa, DTYPE_BF16, pool);
        for (int t = 0; quantised_types[t] != DTYPE_N; t++) {
            struct model_config wide = quantisable_config(quantised_types[t], 50);

            if (isa == (int)cpu_isa_best() || quantised_types[t] == DTYPE_Q8_0 ||
                quantised_types[t] == DTYPE_Q4_1) /* test_engine_bits has them all */
                check(&wide, (enum cpu_isa)isa, quantised_types[t], pool);
        }
    }
    for (int i = 0; i < TINY_FAMILIES; i++) { /* the ops have the same bits on all sets */
        c = tiny_family(i);
        check(&c, cpu_isa_best(), DTYPE_F32, pool);
    }
    pool_free(pool);
}

static void check_chunks(const struct model_config *c, enum cpu_isa isa, enum dtype dtype,
                         struct pool *pool)
{
    static const int32_t chunk[] = {1, 15, 16, 17, 64, 187};
    int32_t seq[N_SEQ * LEN], pos[N_SEQ * LEN], all[N_SEQ * LEN], done = 0;
    struct hand h;
    float *want, *got;
    size_t C;

    hand_open(&h, c, isa, dtype, 21);
    C = (size_t)h.c.hidden_size;
    want = decode_all(&h);
    got = xcalloc((size_t)(N_SEQ * LEN) * C, sizeof(float));
    for (size_t k = 0; k < ARRAY_LEN(chunk); k++) {
        int32_t n = 0;

        for (int32_t s = 0; s < N_SEQ; s++)
            for (int32_t i = 0; i < chunk[k]; i++, n++) {
                seq[n] = N_SEQ - 1 - s;
                pos[n] = done + i;
                all[n] = n;
            }
        run_rows(&h, k % 2 ? pool : NULL, n, seq, pos, all, n, got);
        for (int32_t r = 0; r < n; r++)
            assert_same_bits(got + (size_t)r * C, want + (size_t)(seq[r] * LEN + pos[r]) * C, C);
        done += chunk[k];
    }
    assert_int_equal(done, LEN);
    free(want);
    free(got);
    hand_close(&h);
}

static void test_chunks_of_many_sequences_equal_decode(void **state)
{
    (void)state;
    on_each_backend(check_chunks);
}

static void check_fewer(const struct model_config *c)
{
    struct hand h;
    float *want, *got;
    int32_t seq[LEN], pos[LEN];
    const int32_t some[] = {0, 7, 16, 255, 256, 299};
    size_t C;

    hand_open(&h, c, cpu_isa_best(), DTYPE_F32, 22);
    C = (size_t)h.c.hidden_size;
    want = decode_all(&h);
    got = xcalloc(LEN * C, sizeof(float));
    for (int32_t i = 0; i < LEN; i++) {
        seq[i] = 1;
        pos[i] = i;
    }
    run_rows(&h, NULL, LEN, seq, pos, some, (int32_t)ARRAY_LEN(some), got);
    for (size_t i = 0; i < ARRAY_LEN(some); i++)
        assert_same_bits(got + i * C, want + (size_t)(LEN + some[i]) * C, C);
    /* No row wanted: the keys are written all the same. */
    run_rows(&h, NULL, LEN - 1, seq, pos, NULL, 0, NULL);
    run_rows(&h, NULL, 1, seq + LEN - 1, pos + LEN - 1, some, 1, got);
    assert_same_bits(got, want + (size_t)(LEN + LEN - 1) * C, C);
    free(want);
    free(got);
    hand_close(&h);
}

/* The log-prob of each next token as a sampler would record it, one row at a time. */
static void record_logp(struct hand *h, const float *hidden, float temperature, float *logp)
{
    const struct backend *b = weights_backend(h->w);
    const int32_t C = h->c.hidden_size;
    const struct lane alone = {0};
    float logits[64], inv = 1.0f / temperature, lse;

    for (int32_t i = 0; i + 1 < LEN; i++) {
        struct linear_input in = {
            .x = hidden + (size_t)i * (size_t)C, .ld = C, .R = 1, .n_in = C, .rounded = h->rounded};

        arch_logits(h->w, &alone, &in, logits, NULL);
        b->logsumexp(&alone, logits, h->c.vocab_size, 1, h->c.vocab_size, &inv, &lse);
        logp[i + 1] = logits[h->ids[2][i + 1]] * inv - lse;
    }
}

static void check_logp(const struct model_config *c, enum cpu_isa isa, enum dtype dtype,
                       struct pool *pool)
{
    const float temperature[] = {1.0f, 0.6f};
    float *hidden, recorded[LEN] = {0}, trained[LEN];
    struct hand h;

    hand_open(&h, c, isa, dtype, 23);
    hidden = decode_all(&h);
    for (size_t k = 0; k < ARRAY_LEN(temperature); k++) {
        record_logp(&h, hidden + (size_t)(2 * LEN) * (size_t)h.c.hidden_size, temperature[k],
                    recorded);
        assert_ok(train_logp(pool, h.w, h.ids[2], LEN, temperature[k], trained, why));
        assert_same_bits(trained, recorded, LEN);
    }
    free(hidden);
    hand_close(&h);
}

static void test_training_logp_equals_recorded(void **state)
{
    (void)state;
    on_each_backend(check_logp);
}

static void test_wanting_fewer_rows_changes_none(void **state)
{
    struct model_config c = tiny_config(true);

    (void)state;
    check_fewer(&c);
    for (int i = 0; i < TINY_FAMILIES; i++) {
        c = tiny_family(i);
        check_fewer(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks_of_many_sequences_equal_decode),
        cmocka_unit_test(test_wanting_fewer_rows_changes_none),
        cmocka_unit_test(test_training_logp_equals_recorded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
