/* test_shipped.c - the blueprints that ship are read, checked and run (with pretended agents).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/memory.h"
#include "tests/support/check.h"
#include "tests/unit/blueprints/blueprint_dir.h"
#include "tests/unit/blueprints/run_bench.h"

static void copy_in(const char *name)
{
    struct plan *p = NULL;
    char path[512], *text = NULL;
    size_t n = 0;

    fixture_path(path, name);
    assert_ok(file_read(path, 65536, &text, &n, why));
    assert_ok(blueprint_load(path, &p, why));
    blueprint_dir_write("main.yaml", text, n);
    plan_free(p);
    free(text);
}

static void the_ledger_gives_the_share_of_successes(void **state)
{
    struct run_bench *b = *state;

    copy_in("blueprints/shipped/ledger.yaml");
    run_bench_run(b, NULL, "{\"horizon\":100}");
    assert_string_equal(b->status, "ok");
    assert_string_equal(b->output,
                        "{\"episodes\":1,\"success\":1.0,\"verdicts\":[{\"horizon\":100,\"seed\":7,"
                        "\"noise\":0.01,\"success\":true}]}");
    run_bench_run(b, NULL, "{\"episodes\":3,\"seed\":2097152,\"noise\":0}");
    assert_string_equal(b->status, "ok");
    assert_non_null(strstr(b->output, "{\"episodes\":3,\"success\":1.0,"));
    assert_non_null(strstr(b->output, "\"seed\":2097154"));
    run_bench_run(b, NULL, "{\"episodes\":0}");
    assert_string_equal(b->output, "{\"episodes\":0,\"success\":null,\"verdicts\":[]}");
}

static void a_yes_lets_it_compute(void **state)
{
    struct run_bench *b = *state;

    copy_in("blueprints/shipped/approve.yaml");
    run_bench_run(b, NULL, "{\"expression\":\"2 * (3 + 4)\"}");
    assert_string_equal(b->status, "waiting");
    run_bench_answer(b, "approve", "\"yes\"");
    run_bench_resume(b, false);
    if (strcmp(b->status, "ok") != 0)
        fail_msg("%s", b->error);
    assert_non_null(strstr(b->output, "14"));
    run_bench_run(b, NULL, "{\"expression\":\"1\"}");
    run_bench_answer(b, "approve", "\"no\"");
    run_bench_resume(b, false);
    assert_string_equal(b->status, "rejected");
}

int main(void)
{
#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, run_bench_setup, run_bench_teardown)
    const struct CMUnitTest tests[] = {
        ON_BENCH(the_ledger_gives_the_share_of_successes),
        ON_BENCH(a_yes_lets_it_compute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
