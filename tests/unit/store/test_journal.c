/* test_journal.c - find, intend, finish; messages, waits, cancellation; attempts and tries.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/store/store_fixture.h"

#include "runtime/base/mailbox.h"
#include "runtime/base/memory.h"
#include "runtime/store/run_row.h"

static struct run *take_again(struct store_fixture *f, struct run *r)
{
    char uuid[37];

    memcpy(uuid, run_uuid(r), sizeof(uuid));
    run_close(r);
    fixture_close(f);
    assert_ok(run_take(fixture_open(f), uuid, &r, why));
    return r;
}

static void expect_step(struct run *r, const char *path, int32_t attempt, int32_t tries,
                        enum step_state s, const char *out)
{
    struct step_record step;
    struct json *expected = out ? fixture_json(out) : NULL;
    bool found;

    assert_ok(journal_find(r, path, &found, &step, why));
    assert_true(found);
    assert_int_equal(step.attempt, attempt);
    assert_int_equal(step.tries, tries);
    assert_int_equal(step.state, s);
    if (expected)
        assert_true(jv_equal(step.out, expected));
    else
        assert_null(step.out);
    step_record_deinit(&step);
    jv_unref(expected);
}

static void test_round_trip(void **state)
{
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f));
    struct step_record step;
    bool found = true;

    assert_false(run_is_resumed(r));
    assert_ok(journal_find(r, "plan", &found, &step, why));
    assert_false(found);
    fixture_intend(r, "plan", 0, EFFECT_NONE, "{\"q\":1}");
    fixture_finish(r, "plan", 0, STEP_OK, "{\"answer\":42}");
    fixture_intend(r, "act", 0, EFFECT_ONCE, NULL);
    expect_step(r, "plan", 0, 1, STEP_OK, "{\"answer\":42}"); /* its own writes, unflushed */
    r = take_again(f, r);
    assert_true(run_is_resumed(r));
    assert_int_equal(run_seed(r), 7);
    assert_string_equal(jv_get_string(jv_get(run_config(r), "blueprint"), ""), "ledger");
    expect_step(r, "act", 0, 1, STEP_STARTED, NULL);
    assert_ok(journal_find(r, "other", &found, &step, why));
    assert_false(found);
    run_close(r);
}

static void test_tries_count_and_attempts_rise(void **state)
{
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f));

    fixture_intend(r, "act", 0, EFFECT_IDEMPOTENT, NULL);
    r = take_again(f, r);
    fixture_intend(r, "act", 0, EFFECT_IDEMPOTENT, NULL); /* after a crash: the same attempt */
    fixture_intend(r, "next", 0, EFFECT_NONE, NULL);
    r = take_again(f, r);
    expect_step(r, "act", 0, 2, STEP_STARTED, NULL);
    fixture_finish(r, "act", 0, STEP_ERROR, NULL);
    expect_step(r, "act", 0, 2, STEP_ERROR, NULL);
    fixture_intend(r, "act", 0, EFFECT_IDEMPOTENT, NULL); /* again under the same key */
    expect_step(r, "act", 0, 3, STEP_STARTED, NULL);
    fixture_finish(r, "act", 0, STEP_TIMEOUT, NULL);
    fixture_intend(r, "act", 1, EFFECT_IDEMPOTENT, NULL); /* after a known failure */
    fixture_finish(r, "act", 1, STEP_OK, "[1]");
    expect_step(r, "act", 1, 1, STEP_OK, "[1]");
    fixture_intend(r, "act", 1, EFFECT_IDEMPOTENT, NULL); /* what is done stays done */
    r = take_again(f, r);
    expect_step(r, "act", 1, 1, STEP_OK, "[1]");
    assert_int_equal(r->writer->next_seq, 3); /* act, next, act again: no gaps */
    assert_ok(store_check(f->store, &STR_INIT, why));
    run_close(r);
}

static void test_values_of_every_size(void **state)
{
    static const size_t sizes[] = {0, 1, 255, 256, 257, 511, 512, 513, 5000, 300000};
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f));
    char path[32];

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            char *text = malloc(sizes[i] + 1);
            struct json *v;
            struct step_record step;
            bool found;

            for (size_t k = 0; k < sizes[i]; k++)
                text[k] = (char)('a' + (k * k + i) % 26);
            text[sizes[i]] = '\0';
            v = jv_string(text);
            (void)snprintf(path, sizeof(path), "s%zu", i);
            if (round == 0) {
                journal_intend(r, &(struct step_intent){.path = path, .kind = "tool", .args = v});
                journal_finish(r, &(struct step_result){.path = path, .state = STEP_OK, .out = v});
                journal_message(r, "m", "user", v);
            } else {
                assert_ok(journal_find(r, path, &found, &step, why));
                assert_true(found && jv_equal(step.out, v));
                step_record_deinit(&step);
            }
            jv_unref(v);
            free(text);
        }
        r = take_again(f, r);
    }
    run_close(r);
}

static void test_messages_keep_their_order(void **state)
{
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f));
    struct json *list;

    assert_ok(journal_messages(r, "a", &list, why));
    assert_int_equal(jv_size(list), 0);
    jv_unref(list);
    for (int i = 0; i < 30; i++) {
        struct json *body = jv_int(i);

        journal_message(r, i % 3 ? "a" : "b", i % 2 ? "user" : "assistant", body);
        jv_unref(body);
        if (i % 7 == 0)
            journal_flush(r);
        if (i == 15)
            r = take_again(f, r);
    }
    assert_ok(journal_messages(r, "a", &list, why));
    assert_int_equal(jv_size(list), 20);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(jv_get_int(jv_at(list, i), -1), (int64_t)(i / 2 * 3 + i % 2 + 1));
    jv_unref(list);
    run_close(r);
}

static void test_finish_without_intent_fails_the_run(void **state)
{
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f)), *other = fixture_run(f->store);
    struct error err = ERROR_INIT;

    fixture_finish(r, "ghost", 0, STEP_OK, NULL);
    journal_flush(r);
    fixture_intend(r, "later", 0, EFFECT_NONE, NULL);
    fixture_intend(other, "mine", 0, EFFECT_NONE, NULL);
    assert_int_equal(journal_sync(r, &err), STATUS_FAILED);
    assert_non_null(strstr(err.message, "ghost"));
    assert_ok(journal_sync(other, why)); /* nobody else is hurt */
    assert_int_equal(journal_sync(r, &err), STATUS_FAILED);
    run_close(r);
    run_close(other);
    assert_ok(store_check(f->store, &STR_INIT, why));
}

static void test_no_memory_fails_the_transaction(void **state)
{
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f));
    struct error err = ERROR_INIT;
    bool found;
    struct step_record step;

    fixture_intend(r, "before", 0, EFFECT_NONE, NULL);
    assert_ok(journal_sync(r, why));
    mem_fail_after(1);
    fixture_intend(r, "lost", 0, EFFECT_NONE, NULL);
    mem_fail_after(0);
    fixture_intend(r, "after", 0, EFFECT_NONE, NULL);
    assert_int_equal(journal_sync(r, &err), STATUS_NO_MEMORY);
    r = take_again(f, r);
    assert_ok(journal_find(r, "before", &found, &step, why));
    assert_true(found);
    step_record_deinit(&step);
    assert_ok(journal_find(r, "after", &found, &step, why));
    assert_false(found); /* what comes after a loss is lost as well: no gap */
    run_close(r);
}

struct seen {
    int n;
    enum status last;
};

static void see(void *ctx, enum status status, const struct error *err)
{
    struct seen *s = ctx;

    (void)err;
    s->n++;
    s->last = status;
}

static void test_when_durable(void **state)
{
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f));
    struct seen seen = {0, STATUS_FAILED};

    journal_when_durable(r, see, &seen);
    assert_int_equal(seen.n, 1); /* nothing to wait for */
    fixture_intend(r, "a", 0, EFFECT_ONCE, NULL);
    journal_when_durable(r, see, &seen);
    assert_int_equal(seen.n, 1);
    assert_ok(journal_sync(r, why)); /* after it in order, so it has been answered too */
    store_drain_replies(store_reply_box(f->store));
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.last, STATUS_OK);
    fixture_intend(r, "b", 0, EFFECT_ONCE, NULL);
    journal_when_durable(r, see, &seen);
    run_close(r);
    fixture_close(f); /* delivers what was not drained */
    assert_int_equal(seen.n, 3);
}

static void test_stale_epoch_is_fenced(void **state)
{
    struct store_fixture *f = *state, second = *f;
    struct run *old = fixture_run(fixture_open(f)), *other = fixture_run(f->store), *new = NULL;
    struct error err = ERROR_INIT;

    second.store = NULL;
    fixture_open(&second);
    fixture_intend(old, "a", 0, EFFECT_NONE, NULL);
    assert_ok(journal_sync(old, why));
    assert_int_equal(run_take(second.store, run_uuid(old), &new, &err), STATUS_BUSY);
    /* The lock goes while the owner believes that it has it: a paused virtual machine. */
    close(old->writer->lock_fd);
    old->writer->lock_fd = -1;
    assert_ok(run_take(second.store, run_uuid(old), &new, why));
    fixture_intend(old, "b", 0, EFFECT_NONE, NULL);
    journal_flush(old);
    fixture_intend(other, "c", 0, EFFECT_NONE, NULL);
    assert_ok(journal_sync(other, why));
    assert_int_equal(journal_sync(old, &err), STATUS_BUSY);
    fixture_intend(new, "b", 0, EFFECT_NONE, NULL);
    expect_step(new, "b", 0, 1, STEP_STARTED, NULL);
    run_close(old);
    run_close(other);
    run_close(new);
    fixture_close(&second);
}

static void test_one_owner_at_a_time(void **state)
{
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f)), *again = NULL;
    struct error err = ERROR_INIT;
    char uuid[37];

    memcpy(uuid, run_uuid(r), sizeof(uuid));
    assert_int_equal(run_take(f->store, uuid, &again, &err), STATUS_BUSY);
    run_close(r);
    assert_ok(run_take(f->store, uuid, &again, why));
    run_close(again);
    assert_int_equal(run_take(f->store, "00000000-nothing", &again, &err), STATUS_NOT_FOUND);
}

static void test_waits_are_answered(void **state)
{
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f));
    struct json *prompt = fixture_json("{\"text\":\"go on?\"}"), *yes = fixture_json("true");
    struct json *answer = NULL;
    struct error err = ERROR_INIT;
    char uuid[37];

    memcpy(uuid, run_uuid(r), sizeof(uuid));
    assert_ok(journal_wait_answer(r, "ask", 0, &answer, why));
    assert_null(answer);
    journal_wait(r, "ask", 0, "human", prompt, 0);
    assert_ok(journal_sync(r, why));
    assert_ok(journal_wait_answer(r, "ask", 0, &answer, why));
    assert_null(answer);
    assert_int_equal(store_answer(f->store, uuid, "elsewhere", yes, &err), STATUS_NOT_FOUND);
    assert_ok(store_answer(f->store, uuid, "ask", yes, why));
    assert_int_equal(store_answer(f->store, uuid, "ask", yes, &err), STATUS_INVALID);
    r = take_again(f, r);
    journal_wait(r, "ask", 0, "human", prompt, 0); /* asked again after a restart */
    assert_ok(journal_sync(r, why));
    assert_ok(journal_wait_answer(r, "ask", 0, &answer, why));
    assert_true(jv_get_bool(answer, false));
    jv_unref(answer);
    jv_unref(prompt);
    jv_unref(yes);
    run_close(r);
    assert_ok(store_check(f->store, &STR_INIT, why));
}

static bool see_status(void *ctx, const struct run_row *row)
{
    (void)snprintf(ctx, 32, "%s%s", run_status_word(row->status), row->owned ? " owned" : "");
    return true;
}

static void expect_status(struct store_fixture *f, const char *uuid, const char *expected)
{
    struct store_reader *q;
    char text[32] = "";

    assert_ok(store_reader_open(f->store, &q, why));
    assert_ok(query_run(q, uuid, see_status, text, why));
    assert_string_equal(text, expected);
    store_reader_close(q);
}

static void test_cancelling(void **state)
{
    struct store_fixture *f = *state;
    struct run *r = fixture_run(fixture_open(f));
    struct error err = ERROR_INIT;
    char uuid[37];
    bool cancelled = true;

    memcpy(uuid, run_uuid(r), sizeof(uuid));
    assert_ok(run_poll_cancelled(r, &cancelled, why));
    assert_false(cancelled);
    assert_ok(store_cancel(f->store, uuid, why)); /* its owner lives: a mark */
    expect_status(f, uuid, "running owned");
    assert_ok(run_poll_cancelled(r, &cancelled, why));
    assert_true(cancelled);
    run_set_status(r, RUN_CANCELLED, NULL, "by request");
    run_close(r);
    expect_status(f, uuid, "cancelled");
    assert_int_equal(store_cancel(f->store, uuid, &err), STATUS_INVALID);
    r = fixture_run(f->store);
    memcpy(uuid, run_uuid(r), sizeof(uuid));
    run_close(r);
    expect_status(f, uuid, "interrupted");
    assert_ok(store_cancel(f->store, uuid, why)); /* nobody is there: it ends at once */
    expect_status(f, uuid, "cancelled");
    assert_ok(store_check(f->store, &STR_INIT, why));
}

static void test_names_and_keys(void **state)
{
    struct store_fixture *f = *state;
    struct run *a = fixture_run(fixture_open(f)), *b = fixture_run(f->store);
    struct sha256 x = journal_idem(a, "p", 0), y = journal_idem(b, "p", 0), z;
    char deep[1024];

    assert_string_equal(step_state_name(STEP_WAITING), "waiting");
    assert_int_equal(step_state_of(STATUS_BUDGET), STEP_BUDGET);
    assert_int_equal(step_state_of(STATUS_IO), STEP_ERROR);
    assert_memory_not_equal(&x, &y, sizeof(x)); /* the run enters the key of an effect */
    z = journal_idem(a, "p", 1);
    assert_memory_not_equal(&x, &z, sizeof(x));
    /* The sampler's call id knows no run; its value is part of the format. */
    assert_true(journal_call_id("plan/turn:0/model:0", 0) == 0x469281f6ff784153u);
    memset(deep, 'x', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    assert_true(journal_call_id(deep, 0) != journal_call_id(deep, 1));
    run_close(a);
    run_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_round_trip),
        STORE_TEST(test_tries_count_and_attempts_rise),
        STORE_TEST(test_values_of_every_size),
        STORE_TEST(test_messages_keep_their_order),
        STORE_TEST(test_finish_without_intent_fails_the_run),
        STORE_TEST(test_no_memory_fails_the_transaction),
        STORE_TEST(test_when_durable),
        STORE_TEST(test_stale_epoch_is_fenced),
        STORE_TEST(test_one_owner_at_a_time),
        STORE_TEST(test_waits_are_answered),
        STORE_TEST(test_cancelling),
        STORE_TEST(test_names_and_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
