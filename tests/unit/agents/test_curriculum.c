/* test_curriculum.c - which phase an update is in, what is refused, and what a resumed training
 * must repeat. SPDX-License-Identifier: Apache-2.0
 */
#include "agents/curriculum.h"
#include "tests/support/check.h"

static const struct curriculum two = {.phase = {{.from = 0, .noise = {.1, .2}, .horizon = 3},
                                                {.from = 5, .noise = {.3, -1}, .horizon = 4}},
                                      .n_phases = 2};

static void test_phases_begin_at_their_update(void **state)
{
    static const int32_t horizon[] = {3, 3, 3, 3, 3, 4, 4};

    (void)state;
    for (int64_t u = 0; u < 7; u++)
        assert_int_equal(curriculum_at(&two, u)->horizon, horizon[u]);
}

static void test_wrong_schedules_are_refused(void **state)
{
    struct error err = ERROR_INIT;
    struct curriculum c = two;

    (void)state;
    assert_ok(curriculum_check(&c, why));
    c.n_phases = 0;
    assert_int_equal(curriculum_check(&c, &err), STATUS_USAGE);
    c.n_phases = CURRICULUM_MAX_PHASES + 1;
    assert_int_equal(curriculum_check(&c, &err), STATUS_USAGE);
    c = two;
    c.phase[0].from = 1;
    assert_int_equal(curriculum_check(&c, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "start at update 0"));
    c = two;
    c.phase[1].from = 0;
    assert_int_equal(curriculum_check(&c, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "after the one before"));
    c = two;
    c.phase[1].horizon = 0;
    assert_int_equal(curriculum_check(&c, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "horizon is 0"));
}

/* Checkpoints keep it in this form. */
static void test_a_resumed_training_repeats_it(void **state)
{
    static const char *const want[] = {
        "[{\"from\":0,\"noise\":0.1,\"horizon\":3},{\"from\":5,\"noise\":0.3,\"horizon\":4}]",
        "[{\"from\":0,\"noise\":0.1,\"noise_1\":0.2,\"horizon\":3},"
        "{\"from\":5,\"noise\":0.3,\"noise_1\":-1.0,\"horizon\":4}]"};

    (void)state;
    for (int32_t n = 1; n <= 2; n++) {
        struct fixed_options was, now;
        struct curriculum c = two;
        struct str text = STR_INIT;
        struct error err = ERROR_INIT;

        fixed_init(&was);
        curriculum_fix(&two, n, &was);
        jv_write(jv_get(was.values, "phases"), 0, &text);
        assert_string_equal(str_cstr(&text), want[n - 1]);
        c.phase[1].noise[1] = .4; /* of the second environment, where there is one */
        fixed_init(&now);
        curriculum_fix(&c, n, &now);
        assert_int_equal(fixed_compare(was.values, &now, "out", &err),
                         n == 2 ? STATUS_USAGE : STATUS_OK);
        assert_int_equal(n == 2, strstr(err.message, "curriculum (--noise-schedule, ") != NULL);
        fixed_deinit(&was);
        fixed_deinit(&now);
        str_deinit(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phases_begin_at_their_update),
        cmocka_unit_test(test_wrong_schedules_are_refused),
        cmocka_unit_test(test_a_resumed_training_repeats_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
