/* test_plan_order.c - which of two steps of a run comes first in the blueprint.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/plan_order.h"
#include "runtime/base/memory.h"
#include "tests/support/check.h"
#include "tests/unit/blueprints/blueprint_dir.h"

static const char sub[] = "schema: blueprint/v1\nsteps: {x: {value: 1}, y: {value: 2}}\n";
static const char text[] =
    "schema: blueprint/v1\n"
    "agents: {w: {prompt: go}}\n"
    "steps:\n"
    "  one: {agent: w}\n"
    "  each: {map: 3, do: {p: {value: 1}, q: {value: 2}}}\n"
    "  choice: {if: {cond: true, then: {a: {value: 1}, b: {value: 2}}, else: {a: {value: 1}, c: "
    "{value: 2}}}}\n"
    "  both: {parallel: {branches: {left: {do: {l: {value: 1}}}, right: {value: 2}}}}\n"
    "  part: {blueprint: file://sub.yaml}\n"
    "  rounds: {loop: {max: 3}, value: 1}\n"
    "  on: {value: 1}\n";

static const struct {
    const char *path, *other;
    enum plan_order order;
} cases[] = {
    {"one", "each", PLAN_BEFORE},
    {"on", "one", PLAN_AFTER},
    {"one", "one", PLAN_WITHIN},
    {"one@2", "one", PLAN_WITHIN},
    {"one", "one@2", PLAN_BEFORE},
    {"one@2", "one@2", PLAN_WITHIN},
    {"one@10", "one@2", PLAN_AFTER},
    {"one/turn:0/model:0", "one", PLAN_WITHIN},
    {"one", "one/turn:3", PLAN_AROUND},
    {"one@1", "one/turn:3", PLAN_AROUND},
    {"one/turn:3/model:0", "one/turn:3", PLAN_WITHIN},
    {"one/turn:3", "one/turn:3/model:0", PLAN_AROUND},
    {"one/turn:10/model:0", "one/turn:3", PLAN_UNORDERED},
    {"one/turn:10/model:0", "both", PLAN_BEFORE},
    {"each[1]", "each[1]", PLAN_WITHIN},
    {"each[1]/p", "each[1]/q", PLAN_BEFORE},
    {"each[2]/p", "each[1]/q", PLAN_AFTER},
    {"each[10]", "each[2]", PLAN_AFTER},
    {"each[0]@3/q", "each[1]@1/p", PLAN_BEFORE},
    {"each@1[0]/q", "each[0]/q", PLAN_WITHIN},
    {"each", "each[1]/p", PLAN_AROUND},
    {"each[1]/p", "each", PLAN_WITHIN},
    {"choice/a", "choice/b", PLAN_BEFORE},
    {"choice/c", "choice/a", PLAN_AFTER},
    {"both/left/l", "both/right", PLAN_BEFORE},
    {"part/y", "part/x", PLAN_AFTER},
    {"part/x", "rounds[0]", PLAN_BEFORE},
    {"rounds[2]", "rounds[1]", PLAN_AFTER},
    {"gone", "one", PLAN_UNORDERED},
    {"gone/x", "gone", PLAN_WITHIN},
    {"on[1]", "on[2]", PLAN_BEFORE},
    {"on[1]", "on[1]/x", PLAN_UNORDERED},
};

static void steps_are_in_the_order_of_the_blueprint(void **state)
{
    struct str path = STR_INIT;
    struct plan *p = NULL;

    (void)state;
    blueprint_dir_write("sub.yaml", sub, strlen(sub));
    blueprint_dir_write("main.yaml", text, strlen(text));
    blueprint_dir_path("main.yaml", &path);
    assert_ok(blueprint_load(str_cstr(&path), &p, why));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum plan_order order = plan_order_of(p, cases[i].path, cases[i].other);

        if (order != cases[i].order)
            print_error("%s, %s: %d\n", cases[i].path, cases[i].other, (int)order);
        assert_int_equal(order, cases[i].order);
    }
    plan_free(p);
    str_deinit(&path);
}

static int open_folder(void **state)
{
    (void)state;
    return blueprint_dir_make() ? 0 : -1;
}

static int close_folder(void **state)
{
    (void)state;
    blueprint_dir_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps_are_in_the_order_of_the_blueprint)};

    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
