/* test_token_record.c - token records come back exactly, and damaged ones are refused.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/store/store_fixture.h"

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

#define MANY 1000

struct arrays {
    int32_t ids[MANY];
    float logp[MANY];
};

static void fill(struct arrays *a)
{
    for (int32_t i = 0; i < MANY; i++) {
        struct rng_block b = rng_philox(5, (uint32_t)i, 0, 0, 0);

        a->ids[i] = (int32_t)(b.word[0] >> (b.word[1] % 31 + 1));
        memcpy(&a->logp[i], &b.word[2], sizeof(float)); /* any bits, NaN too */
    }
    a->ids[0] = 0;
    a->ids[1] = INT32_MAX;
}

static struct token_record record(const struct arrays *a, int32_t n_delta, int32_t n_ids)
{
    return (struct token_record){
        .path = "plan/turn:1/model:0",
        .attempt = 2,
        .parent = "plan/turn:0/model:0",
        .prefix_len = 512,
        .delta = a->ids,
        .n_delta = n_delta,
        .ids = a->ids,
        .n_ids = n_ids,
        .logp = a->logp,
        .logp_sampled = a->logp + 1,
        .policy_version = 3,
        .seed = UINT64_MAX,
        .call_id = 0x8000000000000001u,
        .temperature = 0.7f,
        .top_p = 0.95f,
        .min_p = 0.05f,
        .repetition_penalty = 1.1f,
        .top_k = 40,
        .finish = 2,
        .backend = "cpu",
    };
}

static void same_floats(const float *a, const float *b, int32_t n)
{
    if (!a || !b)
        assert_ptr_equal(a, b);
    else
        assert_memory_equal(a, b, (size_t)n * sizeof(*a));
}

static void same_text(const char *a, const char *b)
{
    if (!a || !b)
        assert_ptr_equal(a, b);
    else
        assert_string_equal(a, b);
}

static void same(const struct token_record *a, const struct token_record *b)
{
    same_text(a->path, b->path);
    same_text(a->parent, b->parent);
    same_text(a->backend, b->backend);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->prefix_len, b->prefix_len);
    assert_int_equal(a->n_delta, b->n_delta);
    assert_int_equal(a->n_ids, b->n_ids);
    assert_memory_equal(a->delta, b->delta, (size_t)a->n_delta * sizeof(int32_t));
    assert_memory_equal(a->ids, b->ids, (size_t)a->n_ids * sizeof(int32_t));
    same_floats(a->logp, b->logp, a->n_ids);
    same_floats(a->logp_sampled, b->logp_sampled, a->n_ids);
    assert_true(a->policy_version == b->policy_version);
    assert_true(a->seed == b->seed && a->call_id == b->call_id);
    assert_true(a->temperature == b->temperature && a->top_p == b->top_p && a->min_p == b->min_p);
    assert_true(a->repetition_penalty == b->repetition_penalty);
    assert_int_equal(a->top_k, b->top_k);
    assert_int_equal(a->finish, b->finish);
}

static void test_packs_exactly(void **state)
{
    static const int32_t counts[][2] = {{0, 0}, {1, 0}, {0, 1}, {24, 200}, {MANY, MANY - 1}};
    struct arrays a;
    struct arena *arena = arena_new(1024);

    (void)state;
    fill(&a);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        for (int variant = 0; variant < 2; variant++) {
            struct token_record t = record(&a, counts[i][0], counts[i][1]), back;
            struct str packed = STR_INIT;

            if (variant) {
                t.parent = t.backend = NULL;
                t.logp_sampled = NULL;
                t.policy_version = -1;
            }
            token_record_pack(&t, &packed);
            assert_ok(token_record_unpack(packed.data, packed.len, arena, &back, why));
            same(&t, &back);
            str_deinit(&packed);
        }
    }
    arena_free(arena);
}

static void test_damaged_is_refused(void **state)
{
    struct arrays a;
    struct token_record t, back;
    struct arena *arena = arena_new(1024);
    struct str packed = STR_INIT;
    struct error err;

    (void)state;
    fill(&a);
    t = record(&a, 24, 30);
    token_record_pack(&t, &packed);
    for (size_t n = 0; n < packed.len; n++) {
        char *cut = malloc(n ? n : 1); /* its own block, so that a read past it is seen */

        memcpy(cut, packed.data, n);
        assert_int_equal(token_record_unpack(cut, n, arena, &back, &err), STATUS_CORRUPT);
        free(cut);
    }
    /* Any single byte may change: never a crash, and never more than was given. */
    for (size_t i = 0; i < packed.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            packed.data[i] = (char)(packed.data[i] ^ (1 << bit));
            if (token_record_unpack(packed.data, packed.len, arena, &back, &err) == STATUS_OK)
                assert_true(back.n_ids >= 0 && (size_t)back.n_ids <= packed.len);
            packed.data[i] = (char)(packed.data[i] ^ (1 << bit));
        }
        arena_reset(arena);
    }
    str_deinit(&packed);
    arena_free(arena);
}

/* Short records stand in their row, long ones in pieces; both come back after a restart. */
static void test_stored(void **state)
{
    static const int32_t lengths[] = {1, 50, 100, 200, MANY - 1};
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f));
    struct arena *arena = arena_new(1024);
    struct token_record t, back;
    struct arrays a;
    char path[64], uuid[37];
    bool found;

    fill(&a);
    memcpy(uuid, run_uuid(r), sizeof(uuid));
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        (void)snprintf(path, sizeof(path), "plan/turn:%zu/model:0", i);
        t = record(&a, 24, lengths[i]);
        t.path = path;
        journal_tokens(r, &t);
        journal_flush(r);
    }
    journal_tokens(r, &t); /* the same call again replaces */
    assert_ok(journal_find_tokens(r, "nowhere", 0, arena, &found, &back, why));
    assert_false(found);
    for (int restarted = 0; restarted < 2; restarted++) {
        for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
            (void)snprintf(path, sizeof(path), "plan/turn:%zu/model:0", i);
            t = record(&a, 24, lengths[i]);
            t.path = path;
            assert_ok(journal_find_tokens(r, path, 2, arena, &found, &back, why));
            assert_true(found);
            same(&t, &back);
        }
        run_close(r);
        fixture_close(f);
        assert_ok(run_take(fixture_open(f), uuid, &r, why));
    }
    run_close(r);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packs_exactly),
        cmocka_unit_test(test_damaged_is_refused),
        STORE_TEST(test_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
