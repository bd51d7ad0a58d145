/* test_journal.c - a run is created, written, closed, taken again and read back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/store/store_fixture.h"

#include "runtime/base/memory.h"

static void test_round_trip(void **state)
{
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f));
    struct step_record step;
    struct json *messages = NULL, *body = fixture_json("{\"role\":\"user\",\"content\":\"hello\"}");
    char uuid[37];
    bool found = true;

    memcpy(uuid, run_uuid(r), sizeof(uuid));
    assert_false(run_is_resumed(r));
    assert_ok(journal_find(r, "plan", &found, &step, err));
    assert_false(found);
    fixture_intend(r, "plan", 0, EFFECT_NONE, "{\"q\":1}");
    fixture_finish(r, "plan", 0, STEP_OK, "{\"answer\":42}");
    fixture_intend(r, "act", 0, EFFECT_ONCE, NULL);
    journal_message(r, "plan", "user", body);
    assert_ok(journal_sync(r, err));
    assert_ok(journal_find(r, "plan", &found, &step, err));
    assert_true(found);
    assert_int_equal(step.state, STEP_OK);
    assert_int_equal(jv_get_int(jv_get(step.out, "answer"), 0), 42);
    step_record_deinit(&step);
    run_close(r);
    fixture_close(f);

    assert_ok(run_take(fixture_open(f), uuid, &r, err));
    assert_true(run_is_resumed(r));
    assert_int_equal(run_seed(r), 7);
    assert_string_equal(jv_get_string(jv_get(run_config(r), "blueprint"), ""), "ledger");
    assert_ok(journal_find(r, "act", &found, &step, err));
    assert_true(found);
    assert_int_equal(step.state, STEP_STARTED);
    assert_int_equal(step.effect, EFFECT_ONCE);
    assert_int_equal(step.tries, 1);
    step_record_deinit(&step);
    assert_ok(journal_messages(r, "plan", &messages, err));
    assert_int_equal(jv_size(messages), 1);
    assert_true(jv_equal(jv_at(messages, 0), body));
    jv_unref(messages);
    jv_unref(body);
    run_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
