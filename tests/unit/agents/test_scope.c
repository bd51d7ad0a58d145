/* test_scope.c - budgets: limits here and in parents, reservations, deadlines.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/scope.h"
#include "tests/support/check.h"

static void test_no_limits_never_end(void **state)
{
    struct budget b = {.tokens = INT64_MAX / 2, .steps = 1000000, .calls = 1000000};

    (void)state;
    assert_ok(budget_fits(NULL, 0, 1, 1, 1, why));
    assert_ok(budget_fits(&b, INT64_MAX, 1, 1, 1, why));
    assert_int_equal(budget_tokens_left(&b), INT64_MAX);
    assert_int_equal(budget_tokens_left(NULL), INT64_MAX);
    assert_int_equal(budget_deadline_ms(&b), 0);
}

static void test_each_limit_by_name_at_its_edge(void **state)
{
    static const struct {
        struct budget b;
        enum status st;
        const char *word;
    } cases[] = {
        {{.tokens = 9, .tokens_limit = 10}, STATUS_OK, NULL},
        {{.tokens = 10, .tokens_limit = 10}, STATUS_BUDGET, "10 tokens"},
        {{.steps = 4, .steps_limit = 5}, STATUS_OK, NULL},
        {{.steps = 5, .steps_limit = 5}, STATUS_BUDGET, "5 steps"},
        {{.calls = 1, .calls_limit = 1}, STATUS_BUDGET, "1 tool call is used up"},
        {{.started_ms = 100, .wall_ms_limit = 51}, STATUS_OK, NULL},
        {{.started_ms = 100, .wall_ms_limit = 50}, STATUS_TIMEOUT, "50 ms"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct budget child = {.parent = NULL};
        struct budget own = cases[i].b;
        struct error err = ERROR_INIT;

        assert_int_equal(budget_fits(&own, 150, 1, 1, 1, &err), cases[i].st);
        child.parent = &own;
        assert_int_equal(budget_fits(&child, 150, 1, 1, 1, &err), cases[i].st);
        if (cases[i].word)
            assert_non_null(strstr(err.message, cases[i].word));
    }
}

static void test_fits_asks_only_for_what_is_wanted(void **state)
{
    struct budget b = {.calls = 3, .calls_limit = 3, .tokens = 4, .tokens_limit = 10};
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(budget_fits(&b, 0, 6, 1, 0, &err), STATUS_OK);
    assert_int_equal(budget_fits(&b, 0, 7, 0, 0, &err), STATUS_BUDGET);
    assert_int_equal(budget_fits(&b, 0, 0, 0, 1, &err), STATUS_BUDGET);
    assert_int_equal(budget_fits(&b, 0, INT64_MAX, 0, 0, &err), STATUS_BUDGET);
}

static void test_spending_counts_in_all_parents(void **state)
{
    struct budget run = {.tokens_limit = 100, .started_ms = 10, .wall_ms_limit = 90};
    struct budget step = {.parent = &run, .tokens_limit = 40};
    struct budget agent = {.parent = &step, .started_ms = 20, .wall_ms_limit = 30};

    (void)state;
    budget_spend(&agent, 30, 1, 2);
    budget_spend(&step, 5, 0, 0);
    budget_spend(&agent, -10, 0, 0);
    assert_int_equal(agent.tokens, 20);
    assert_int_equal(step.tokens, 25);
    assert_int_equal(run.tokens, 25);
    assert_int_equal(run.calls, 2);
    assert_int_equal(budget_tokens_left(&agent), 15);
    assert_int_equal(budget_deadline_ms(&agent), 50);
    assert_int_equal(budget_deadline_ms(&step), 100);
    budget_spend(&step, 100, 0, 0);
    assert_int_equal(budget_tokens_left(&agent), 0);
}

static void test_cost_counts_in_all_parents(void **state)
{
    struct budget run = {.cost_nano_limit = 1000}, free_of_limit = {.parent = &run};
    struct budget step = {.parent = &free_of_limit, .cost_nano_limit = 400};
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(budget_cost_left(NULL), INT64_MAX);
    assert_int_equal(budget_cost_left(&free_of_limit), 1000);
    assert_int_equal(budget_cost_left(&step), 400);
    assert_int_equal(budget_cost_fits(&step, 400, &err), STATUS_OK);
    assert_int_equal(budget_cost_fits(&step, 401, &err), STATUS_BUDGET);
    assert_int_equal(budget_cost_fits(&step, INT64_MAX, &err), STATUS_BUDGET);
    budget_spend_cost(&step, 300);
    budget_spend_cost(&step, -100);
    assert_int_equal(run.cost_nano, 200);
    assert_int_equal(budget_cost_left(&step), 200);
    budget_spend_cost(&free_of_limit, 900); /* more than was set aside */
    assert_int_equal(budget_cost_left(&step), 0);
    assert_int_equal(budget_cost_fits(&step, 1, &err), STATUS_BUDGET);
    assert_int_equal(budget_cost_fits(&step, 0, &err), STATUS_OK); /* a model that is free */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cost_counts_in_all_parents),
        cmocka_unit_test(test_no_limits_never_end),
        cmocka_unit_test(test_each_limit_by_name_at_its_edge),
        cmocka_unit_test(test_fits_asks_only_for_what_is_wanted),
        cmocka_unit_test(test_spending_counts_in_all_parents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
