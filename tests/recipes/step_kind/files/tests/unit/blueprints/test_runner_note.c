/* test_runner_note.c - a step `note` keeps its text, with its expressions evaluated.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/check.h"
#include "tests/unit/blueprints/run_bench.h"

static void a_note_is_kept(void **state)
{
    struct run_bench b;

    (void)state;
    memset(&b, 0, sizeof(b));
    run_bench_open(&b);
    run_bench_run(&b,
                  "schema: blueprint/v1\n"
                  "steps: {a: {value: 2}, b: {note: \"there are ${a}\"}}\n"
                  "output: \"${b.note}\"\n",
                  NULL);
    assert_string_equal(b.status, "ok");
    assert_string_equal(b.output, "\"there are 2\"");
    run_bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_note_is_kept)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
