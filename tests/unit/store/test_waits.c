/* test_waits.c - questions: when they take an answer, when they close, and who finds them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/store/store_fixture.h"

#include "runtime/base/mailbox.h"
#include "runtime/base/memory.h"

/* A clock that the test sets. */
struct hands {
    int64_t ms;
    struct seams seams;
};

static int64_t now(void *ctx)
{
    return ((struct hands *)ctx)->ms;
}

static struct run *run_with_clock(struct store_fixture *f, struct hands *h)
{
    *h = (struct hands){.ms = 1000, .seams = *seams_real()};
    h->seams.clock.wall_ms = now;
    h->seams.clock.ctx = h;
    return fixture_run(fixture_open_with(
        f, (struct store_options){.durability = STORE_NORMAL, .seams = &h->seams}));
}

static void ask(struct run *r, const char *path, int32_t attempt, const char *prompt,
                int64_t deadline)
{
    struct json *p = fixture_json(prompt);

    journal_intend(r, &(struct step_intent){.path = path, .attempt = attempt, .kind = "human"});
    journal_wait(r, path, attempt, "human", p, deadline);
    fixture_finish(r, path, attempt, STEP_WAITING, NULL);
    assert_ok(journal_sync(r, why));
    jv_unref(p);
}

#define YES_OR_NO "{\"text\":\"go?\",\"options\":[\"yes\",\"no\"],\"default\":\"no\"}"

/* NULL words: it is taken. */
static void answer(struct store_fixture *f, const char *uuid, const char *path, const char *words)
{
    struct json *yes = jv_string("yes");
    struct error err = ERROR_INIT;
    enum status st = store_answer(f->store, uuid, path, yes, &err);

    jv_unref(yes);
    if (!words) {
        assert_int_equal(st, STATUS_OK);
        return;
    }
    assert_true(st == STATUS_INVALID || st == STATUS_NOT_FOUND);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
}

static void expect_answer(struct run *r, const char *path, const char *expected)
{
    struct json *got = NULL;

    assert_ok(journal_wait_answer(r, path, 0, &got, why));
    assert_string_equal(got ? jv_get_string(got, "?") : "none", expected);
    jv_unref(got);
}

static void test_a_deadline_is_a_deadline(void **state)
{
    struct store_fixture *f = *state;
    struct hands h;
    struct run *r = run_with_clock(f, &h);

    ask(r, "a", 0, YES_OR_NO, 5000);
    ask(r, "b", 0, "{\"text\":\"go?\"}", 5000);
    ask(r, "c", 0, YES_OR_NO, 5000);
    h.ms = 5000; /* the last moment counts */
    answer(f, run_uuid(r), "c", NULL);
    h.ms = 5001;
    answer(f, run_uuid(r), "a",
           "ended at 1970-01-01 00:00:05+00:00; the default `no` will be taken");
    answer(f, run_uuid(r), "b", "ended at 1970-01-01 00:00:05+00:00; nobody answered");
    answer(f, run_uuid(r), "c", "already answered");
    expect_answer(r, "a", "none");
    expect_answer(r, "c", "yes");
    fixture_finish(r, "a", 0, STEP_OK, "\"no\"");
    assert_ok(journal_sync(r, why));
    answer(f, run_uuid(r), "a", "the default `no` was taken");
    run_close(r);
    assert_ok(store_check(f->store, &STR_INIT, why));
}

/* At the deadline the owner and an answer meet in one order: either it counts, or it is refused. */
static void test_expiring(void **state)
{
    struct store_fixture *f = *state;
    struct hands h;
    struct run *r = run_with_clock(f, &h);

    ask(r, "a", 0, YES_OR_NO, 5000);
    ask(r, "b", 0, YES_OR_NO, 5000);
    answer(f, run_uuid(r), "a", NULL);
    h.ms = 5002;
    journal_wait_expire(r, "a", 0);
    journal_wait_expire(r, "b", 0);
    journal_wait_expire(r, "never", 0);
    assert_ok(journal_sync(r, why));
    expect_answer(r, "a", "yes");
    expect_answer(r, "b", "none");
    answer(f, run_uuid(r), "b", "the default `no` was taken");
    run_close(r);
}

struct open_list {
    char text[512];
};

static bool list_open(void *ctx, const struct wait_row *w)
{
    struct open_list *l = ctx;
    size_t n = strlen(l->text);

    assert_true(w->is_open);
    (void)snprintf(l->text + n, sizeof(l->text) - n, "%s:%s@%d:%s:%lld ", w->run_name, w->path,
                   w->attempt, jv_get_string(jv_get(w->prompt, "text"), ""),
                   (long long)w->deadline_ms);
    return true;
}

static void expect_open(struct store_fixture *f, const char *expected)
{
    struct open_list l = {.text = ""};
    struct store_reader *q;

    assert_ok(store_reader_open(f->store, &q, why));
    assert_ok(query_open_waits(q, list_open, &l, why));
    assert_string_equal(l.text, expected);
    store_reader_close(q);
}

static void test_a_wait_closes_with_its_step(void **state)
{
    static const enum step_state ends[] = {STEP_OK,     STEP_ERROR,     STEP_TIMEOUT,
                                           STEP_BUDGET, STEP_CANCELLED, STEP_REJECTED};
    struct store_fixture *f = *state;
    struct hands h;
    struct run *r = run_with_clock(f, &h);

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        char path[16], open[64], words[64];

        (void)snprintf(path, sizeof(path), "s%zu", i);
        (void)snprintf(open, sizeof(open), "ledger:%s@0:go?:0 ", path);
        (void)snprintf(words, sizeof(words), "the step has ended (%s)", step_state_name(ends[i]));
        ask(r, path, 0, YES_OR_NO, 0);
        expect_open(f, open);
        fixture_finish(r, path, 0, ends[i], NULL);
        assert_ok(journal_sync(r, why));
        expect_open(f, "");
        answer(f, run_uuid(r), path, words);
    }
    run_close(r);
    assert_ok(store_check(f->store, &STR_INIT, why));
}

static void test_what_is_below_closes_too(void **state)
{
    struct store_fixture *f = *state;
    struct hands h;
    struct run *r = run_with_clock(f, &h);

    fixture_intend(r, "m", 0, EFFECT_NONE, NULL);
    ask(r, "m[0]/ask", 0, "{\"text\":\"1\"}", 0);
    ask(r, "mm/ask", 0, "{\"text\":\"2\"}", 7777);
    ask(r, "m@1/ask", 0, "{\"text\":\"3\"}", 0);
    ask(r, "m@1/turn:0/tool:0:pay", 0, "{\"text\":\"4\"}", 0);
    expect_open(f, "ledger:m@1/ask@0:3:0 ledger:m@1/turn:0/tool:0:pay@0:4:0 ledger:m[0]/ask@0:1:0"
                   " ledger:mm/ask@0:2:7777 ");
    fixture_finish(r, "m", 0, STEP_TIMEOUT, NULL); /* the first attempt alone */
    assert_ok(journal_sync(r, why));
    expect_open(f,
                "ledger:m@1/ask@0:3:0 ledger:m@1/turn:0/tool:0:pay@0:4:0 ledger:mm/ask@0:2:7777 ");
    answer(f, run_uuid(r), "m[0]/ask", "the step has ended (timeout)");
    fixture_intend(r, "m", 1, EFFECT_NONE, NULL);
    fixture_finish(r, "m", 1, STEP_ERROR, NULL);
    assert_ok(journal_sync(r, why));
    expect_open(f, "ledger:mm/ask@0:2:7777 ");
    run_set_status(r, RUN_ERROR, NULL, "it went wrong");
    run_close(r);
    expect_open(f, "");
    assert_ok(store_check(f->store, &STR_INIT, why));
}

/* The same attempt may ask twice: the first answer is not the second's. */
static void test_asking_again(void **state)
{
    struct store_fixture *f = *state;
    struct hands h;
    struct run *r = run_with_clock(f, &h);

    ask(r, "a", 0, YES_OR_NO, 0);
    answer(f, run_uuid(r), "a", NULL);
    ask(r, "a", 0, YES_OR_NO, 0); /* after a restart: the same question */
    expect_answer(r, "a", "yes");
    journal_wait_close(r, "a", 0);
    ask(r, "a", 0, YES_OR_NO, 0);
    expect_answer(r, "a", "none");
    answer(f, run_uuid(r), "a", NULL);
    expect_answer(r, "a", "yes");
    run_close(r);
    assert_ok(store_check(f->store, &STR_INIT, why));
}

static void test_end_states_are_final(void **state)
{
    static const enum run_status ends[] = {RUN_OK,     RUN_ERROR,     RUN_TIMEOUT,
                                           RUN_BUDGET, RUN_CANCELLED, RUN_REJECTED};
    struct store_fixture *f = *state;
    struct hands h;
    struct error err = ERROR_INIT;
    char uuid[37];

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct run *r = run_with_clock(f, &h), *again = NULL;
        bool repairable = run_status_is_repairable(ends[i]);

        memcpy(uuid, run_uuid(r), sizeof(uuid));
        ask(r, "a", 0, YES_OR_NO, 0);
        run_set_status(r, ends[i], NULL, "so it ended");
        assert_ok(journal_sync(r, why));
        fixture_intend(r, "b", 0, EFFECT_NONE, NULL); /* its owner writes nothing more either */
        assert_int_equal(journal_sync(r, &err), STATUS_INVALID);
        run_close(r);
        assert_int_equal(run_take(f->store, uuid, &again, &err), STATUS_INVALID);
        assert_non_null(strstr(err.message, run_status_word(ends[i])));
        assert_int_equal(store_cancel(f->store, uuid, &err), STATUS_INVALID);
        answer(f, uuid, "a", "has ended");
        answer(f, uuid, "b", "has ended");
        assert_int_equal(run_reopen(f->store, uuid, &again, &err),
                         repairable ? STATUS_OK : STATUS_INVALID);
        if (repairable) {
            fixture_intend(again, "b", 0, EFFECT_NONE, NULL);
            assert_ok(journal_sync(again, why));
            assert_int_equal(run_reopen(f->store, uuid, &r, &err), STATUS_BUSY);
            run_close(again);
            assert_int_equal(run_reopen(f->store, uuid, &r, &err), STATUS_INVALID);
            assert_ok(run_take(f->store, uuid, &r, why));
            run_close(r);
        }
        assert_ok(store_check(f->store, &STR_INIT, why));
        fixture_close(f);
    }
}

static void test_cancelled_while_nobody_holds_it(void **state)
{
    struct store_fixture *f = *state;
    struct hands h;
    struct run *r = run_with_clock(f, &h);
    struct error err = ERROR_INIT;
    char uuid[37];

    memcpy(uuid, run_uuid(r), sizeof(uuid));
    ask(r, "a", 0, YES_OR_NO, 0);
    run_set_status(r, RUN_WAITING, NULL, NULL);
    run_close(r);
    assert_ok(store_cancel(f->store, uuid, why));
    expect_open(f, "");
    answer(f, uuid, "a", "has ended");
    assert_int_equal(run_take(f->store, uuid, &r, &err), STATUS_INVALID);
    assert_ok(store_check(f->store, &STR_INIT, why));
}

static void test_news_are_noticed(void **state)
{
    struct store_fixture *f = *state;
    struct hands h;
    struct run *r = run_with_clock(f, &h);
    struct store_reader *q;
    bool changed = false;

    assert_ok(store_reader_open(f->store, &q, why));
    assert_ok(query_has_changed(q, &changed, why));
    assert_true(changed);
    for (int i = 0; i < 3; i++) {
        assert_ok(query_has_changed(q, &changed, why));
        assert_false(changed);
    }
    ask(r, "a", 0, YES_OR_NO, 0);
    assert_ok(query_has_changed(q, &changed, why));
    assert_true(changed);
    assert_ok(query_has_changed(q, &changed, why));
    assert_false(changed);
    answer(f, run_uuid(r), "a", NULL);
    assert_ok(query_has_changed(q, &changed, why));
    assert_true(changed);
    store_reader_close(q);
    run_close(r);
}

static void test_records_of_a_run(void **state)
{
    struct store_fixture *f = *state;
    struct run_spec spec = {.kind = "run", .name = "x", .root = "here"};
    struct error err = ERROR_INIT;
    struct json *spent = fixture_json("{\"tokens\":7}");
    struct run *r = NULL;
    char uuid[37];

    fixture_open(f);
    assert_int_equal(run_create(f->store, &spec, &r, &err), STATUS_INVALID);
    spec.root = "/a/root";
    spec.source = "/a/b.yaml";
    assert_ok(run_create(f->store, &spec, &r, why));
    assert_int_equal(run_prompt_format(r), RUN_PROMPT_FORMAT);
    run_set_budget(r, spent);
    memcpy(uuid, run_uuid(r), sizeof(uuid));
    run_close(r);
    assert_ok(run_take(f->store, uuid, &r, why));
    assert_string_equal(run_root(r), "/a/root");
    assert_string_equal(run_source(r), "/a/b.yaml");
    assert_int_equal(run_prompt_format(r), RUN_PROMPT_FORMAT);
    assert_int_equal(jv_get_int(jv_get(run_budget(r), "tokens"), 0), 7);
    run_close(r);
    spec.prompt_format = 1; /* a copy of an older run */
    assert_ok(run_create(f->store, &spec, &r, why));
    assert_int_equal(run_prompt_format(r), 1);
    run_close(r);
    jv_unref(spent);
}

struct made {
    struct run *run;
    enum status status;
    int n;
};

static void on_made(void *ctx, struct run *r, enum status status, const struct error *err)
{
    struct made *m = ctx;

    assert_int_equal(status, err ? err->status : STATUS_OK);
    m->run = r;
    m->status = status;
    m->n++;
}

static void drain_until_made(struct store_fixture *f, const struct made *m)
{
    while (m->n == 0) {
        store_take_replies(mailbox_wait(store_reply_box(f->store), -1));
    }
}

static void test_a_run_is_created_without_waiting(void **state)
{
    struct store_fixture *f = *state;
    struct run_spec spec = {.kind = "run", .name = "x", .seed = 3};
    struct made m = {.n = 0}, bad = {.n = 0};

    fixture_open(f);
    run_create_later(f->store, &spec, on_made, &m);
    assert_int_equal(m.n, 0);
    drain_until_made(f, &m);
    assert_non_null(m.run);
    fixture_intend(m.run, "a", 0, EFFECT_NONE, NULL);
    run_close(m.run);
    spec.source = "not/absolute";
    run_create_later(f->store, &spec, on_made, &bad);
    drain_until_made(f, &bad);
    assert_null(bad.run);
    assert_int_equal(bad.status, STATUS_INVALID);
    assert_ok(store_check(f->store, &STR_INIT, why));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        STORE_TEST(test_a_deadline_is_a_deadline),
        STORE_TEST(test_expiring),
        STORE_TEST(test_a_wait_closes_with_its_step),
        STORE_TEST(test_what_is_below_closes_too),
        STORE_TEST(test_asking_again),
        STORE_TEST(test_end_states_are_final),
        STORE_TEST(test_cancelled_while_nobody_holds_it),
        STORE_TEST(test_news_are_noticed),
        STORE_TEST(test_records_of_a_run),
        STORE_TEST(test_a_run_is_created_without_waiting),
    };

    setenv("TZ", "UTC0", 1); /* a deadline is shown in local time */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
