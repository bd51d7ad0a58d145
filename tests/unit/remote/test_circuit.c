/* The circuit opens after failures in a row, tries once, and closes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "models/remote/circuit.h"

static void fail_times(struct circuit *c, int n, int64_t now)
{
    bool probe;
    int64_t wait;

    for (int i = 0; i < n; i++) {
        assert_true(circuit_allows(c, now, &probe, &wait));
        assert_false(probe);
        circuit_failed(c, probe, now);
    }
}

static void it_opens_after_failures_in_a_row(void **state)
{
    struct circuit c = {0};
    bool probe;
    int64_t wait = 0;

    (void)state;
    fail_times(&c, CIRCUIT_FAILURES - 1, 100);
    assert_true(circuit_allows(&c, 100, &probe, &wait));
    circuit_worked(&c); /* not in a row */
    fail_times(&c, CIRCUIT_FAILURES, 1000);
    assert_false(circuit_allows(&c, 1000, &probe, &wait));
    assert_int_equal(wait, CIRCUIT_MS);
    assert_false(circuit_allows(&c, 1000 + CIRCUIT_MS - 1, &probe, &wait));
    assert_int_equal(wait, 1);
}

static void one_request_tries_and_decides(void **state)
{
    struct circuit c = {0};
    bool probe, other;
    int64_t wait = 0, now = 1000;

    (void)state;
    fail_times(&c, CIRCUIT_FAILURES, now);
    for (int64_t open = CIRCUIT_MS; open < CIRCUIT_MAX_MS; open = 2 * open) {
        now += open;
        assert_true(circuit_allows(&c, now, &probe, &wait));
        assert_true(probe);
        assert_false(circuit_allows(&c, now, &other, &wait));
        assert_true(wait > 0);
        circuit_failed(&c, probe, now);
        assert_false(circuit_allows(&c, now, &other, &wait));
        assert_int_equal(wait, 2 * open < CIRCUIT_MAX_MS ? 2 * open : CIRCUIT_MAX_MS);
    }
    now += CIRCUIT_MAX_MS;
    assert_true(circuit_allows(&c, now, &probe, &wait));
    circuit_dropped(&c, probe); /* nothing is known: the next one tries */
    assert_true(circuit_allows(&c, now, &probe, &wait));
    assert_true(probe);
    circuit_worked(&c);
    assert_true(circuit_allows(&c, now, &probe, &wait));
    assert_false(probe);
}

static void what_was_sent_before_it_opened_changes_nothing(void **state)
{
    struct circuit c = {0};
    bool early, probe;
    int64_t wait = 0;

    (void)state;
    assert_true(circuit_allows(&c, 0, &early, &wait));
    fail_times(&c, CIRCUIT_FAILURES, 0);
    circuit_failed(&c, early, 100); /* late */
    assert_false(circuit_allows(&c, 100, &probe, &wait));
    assert_int_equal(wait, CIRCUIT_MS - 100);
    assert_true(circuit_allows(&c, CIRCUIT_MS, &probe, &wait));
    circuit_dropped(&c, early); /* it was not the one that tries */
    assert_false(circuit_allows(&c, CIRCUIT_MS, &early, &wait));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens_after_failures_in_a_row),
        cmocka_unit_test(one_request_tries_and_decides),
        cmocka_unit_test(what_was_sent_before_it_opened_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
