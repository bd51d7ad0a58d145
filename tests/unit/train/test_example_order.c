/* test_example_order.c - which example comes when: epochs, skipped examples, errors, resuming from
 * a position.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/example_order.h"
#include "tests/support/check.h"

#define N 10

struct fake {
    int32_t untrained; /* this index has an empty mask; -1: none; -2: all */
    int32_t bad_id;    /* this index holds an id outside the vocabulary */
};

/* Example i is (i, i, i), all trained. */
static enum status fake_get(void *ctx, uint64_t seed, int64_t index, double progress,
                            struct example *ex, struct error *err)
{
    const struct fake *f = ctx;

    (void)seed;
    (void)progress;
    (void)err;
    ex->n = 3;
    for (int i = 0; i < 3; i++) {
        ex->ids[i] = index == f->bad_id ? 100 : (int32_t)(index % 50);
        ex->train[i] = f->untrained != -2 && index != f->untrained;
    }
    ex->truncated = index == 4;
    return STATUS_OK;
}

static void fill(struct example_order *o, struct sequences *s, int64_t n_rows)
{
    sequences_clear(s);
    assert_ok(example_order_fill(o, n_rows, 0, s, why));
}

static void test_each_epoch_has_all_in_another_order(void **state)
{
    struct fake f = {.untrained = -1, .bad_id = -1};
    const struct example_source source = {.ctx = &f, .n = N, .get = fake_get};
    struct example_order o, from;
    struct sequences s = {0};
    int32_t order[3][N];

    (void)state;
    assert_ok(example_order_init(&o, &source, 5, 8, 50, false, why));
    for (int e = 0; e < 3; e++) {
        int seen[N] = {0};

        fill(&o, &s, 2 * N);
        assert_int_equal(s.n, N);
        for (int i = 0; i < N; i++) {
            order[e][i] = s.ids[s.start[i]];
            seen[order[e][i]]++;
        }
        for (int i = 0; i < N; i++)
            assert_int_equal(seen[i], 1);
    }
    assert_memory_not_equal(order[0], order[1], sizeof(order[0]));
    assert_int_equal(o.n_truncated, 3);
    /* Position 25 is the middle of the third epoch. */
    assert_ok(example_order_init(&from, &source, 5, 8, 50, false, why));
    from.next = 25;
    fill(&from, &s, 2);
    assert_int_equal(s.ids[0], order[2][5]);
    example_order_deinit(&o);
    example_order_deinit(&from);
    sequences_deinit(&s);
}

static void test_untrainable_is_left_out_and_counted(void **state)
{
    struct fake f = {.untrained = 3, .bad_id = -1};
    const struct example_source source = {.ctx = &f, .n = N, .get = fake_get};
    struct example_order o;
    struct sequences s = {0};
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(example_order_init(&o, &source, 5, 8, 50, false, &err), STATUS_OK);
    fill(&o, &s, 4 * N - 5);
    for (int i = 0; i < s.n; i++)
        assert_int_not_equal(s.ids[s.start[i]], 3);
    assert_true(o.n_skipped >= 1);
    f.untrained = -2;
    sequences_clear(&s);
    assert_int_equal(example_order_fill(&o, 2, 0, &s, &err), STATUS_INVALID);
    example_order_deinit(&o);
    sequences_deinit(&s);
}

static void test_bad_ids_are_named(void **state)
{
    struct fake f = {.untrained = -1, .bad_id = 7};
    const struct example_source source = {.ctx = &f, .n = 0, .get = fake_get};
    struct example_order o;
    struct sequences s = {0};
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(example_order_init(&o, &source, 5, 8, 50, false, &err), STATUS_OK);
    assert_int_equal(example_order_fill(&o, 1000, 0, &s, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "example 7"));
    assert_int_equal(o.next, 7);
    example_order_deinit(&o);
    sequences_deinit(&s);
}

static void test_held_out_never_meets_training(void **state)
{
    struct fake f = {.untrained = -1, .bad_id = -1};
    const struct example_source endless = {.ctx = &f, .n = 0, .get = fake_get};
    struct example_order o;
    struct sequences s = {0};

    (void)state;
    assert_ok(example_order_init(&o, &endless, 5, 8, 50, true, why));
    fill(&o, &s, 2);
    assert_int_equal(s.ids[0], HELD_OUT_FIRST % 50);
    example_order_deinit(&o);
    sequences_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_epoch_has_all_in_another_order),
        cmocka_unit_test(test_untrainable_is_left_out_and_counted),
        cmocka_unit_test(test_bad_ids_are_named),
        cmocka_unit_test(test_held_out_never_meets_training),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
