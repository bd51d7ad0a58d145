/* Many calls on one server: the limit, the queue, the circuit, and cancelling at every stage.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/remote/remote_bench.h"

static int setup(void **state)
{
    struct remote_bench *b = xcalloc(1, sizeof(*b));

    remote_bench_init(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    remote_bench_deinit(*state);
    free(*state);
    return 0;
}

static struct remote_counts *counts(struct remote_bench *b)
{
    return remote_server_counts(b->servers->first);
}

struct watch {
    struct remote_bench *bench;
    int32_t most;
};

static void look(void *ctx)
{
    struct watch *w = ctx;
    struct remote_counts *c = counts(w->bench);

    if (c->active > w->most)
        w->most = c->active;
}

static void at_most_so_many_at_a_time_in_order(void **state)
{
    struct remote_bench *b = *state;
    struct watch w = {.bench = b};
    struct remote_ask a[64];
    struct loop_timer *t;

    b->spec.max_concurrent = 3;
    remote_bench_open(b);
    http_memory_reply(b->memory,
                      &(struct http_memory_reply){.body = SSE_HI, .times = -1, .head_ms = 3});
    t = loop_timer_every(b->loop, 1, look, &w);
    for (size_t i = 0; i < ARRAY_LEN(a); i++) {
        ask_begin(b, &a[i]);
        a[i].call.priority = i >= 60; /* the last four go first, after those that are under way */
        ask_start(&a[i]);
    }
    ask_wait(b);
    loop_timer_free(t);
    assert_int_equal(w.most, 3);
    assert_int_equal(counts(b)->active, 0);
    assert_int_equal(counts(b)->waiting, 0);
    assert_int_equal(counts(b)->sent, 64);
    for (size_t i = 0; i < ARRAY_LEN(a); i++) {
        assert_int_equal(a[i].call.status, STATUS_OK);
        assert_string_equal(a[i].call.text, "hi");
        if (i > 3 && i < 60)
            assert_true(a[i].order > a[63].order);
        if (i > 6 && i < 60)
            assert_true(a[i].order > a[i - 4].order); /* within those that went together */
        ask_end(&a[i]);
    }
}

static void two_models_of_one_server_share_the_least_limit(void **state)
{
    struct remote_bench *b = *state;
    struct watch w = {.bench = b};
    struct model *second = NULL;
    struct remote_ask a[8];
    struct loop_timer *t;
    struct error err = ERROR_INIT;

    b->spec.max_concurrent = 5;
    remote_bench_open(b);
    b->spec.max_concurrent = 2;
    assert_int_equal(remote_model_open(b->servers, "weak", &b->spec, &second, &err), STATUS_OK);
    http_memory_reply(b->memory,
                      &(struct http_memory_reply){.body = SSE_HI, .times = -1, .head_ms = 5});
    t = loop_timer_every(b->loop, 1, look, &w);
    for (size_t i = 0; i < ARRAY_LEN(a); i++) {
        ask_begin(b, &a[i]);
        ask_start(&a[i]);
    }
    ask_wait(b);
    loop_timer_free(t);
    assert_int_equal(w.most, 2);
    for (size_t i = 0; i < ARRAY_LEN(a); i++)
        ask_end(&a[i]);
    second->ops->close(second);
}

static void a_server_that_fails_is_left_alone_for_a_while(void **state)
{
    struct remote_bench *b = *state;
    struct remote_ask a;

    b->spec.max_tries = 1;
    remote_bench_open(b);
    http_memory_reply(b->memory, &(struct http_memory_reply){.code = 500, .times = 5});
    http_memory_reply(b->memory, &(struct http_memory_reply){.body = SSE_HI, .times = -1});
    for (int i = 0; i < CIRCUIT_FAILURES; i++) {
        ask(b, &a);
        assert_int_equal(a.call.status, STATUS_FAILED);
        ask_end(&a);
    }
    ask(b, &a);
    assert_int_equal(a.call.status, STATUS_BUSY);
    assert_in_range(a.call.retry_after_ms, 1, CIRCUIT_MS);
    assert_false(a.call.not_retryable);
    assert_int_equal(http_memory_n_requests(b->memory), CIRCUIT_FAILURES);
    ask_end(&a);
    bench_pass(b, CIRCUIT_MS + 50);
    ask(b, &a); /* one tries, and it works again */
    assert_int_equal(a.call.status, STATUS_OK);
    ask_end(&a);
    ask(b, &a);
    assert_int_equal(a.call.status, STATUS_OK);
    ask_end(&a);
}

static void answers_of_a_server_that_refuses_do_not_open_the_circuit(void **state)
{
    struct remote_bench *b = *state;

    b->spec.max_tries = 1;
    remote_bench_open(b);
    http_memory_reply(b->memory, &(struct http_memory_reply){.code = 429, .times = -1});
    for (int i = 0; i < 2 * CIRCUIT_FAILURES; i++) {
        struct remote_ask a;

        ask(b, &a);
        assert_int_equal(a.call.status, STATUS_BUSY);
        assert_non_null(strstr(a.call.err.message, "429"));
        ask_end(&a);
    }
}

static void expect_cancelled(struct remote_bench *b, struct remote_ask *a)
{
    b->model->ops->cancel(b->model, &a->call);
    b->model->ops->cancel(b->model, &a->call); /* again: nothing more */
    ask_wait(b);
    assert_int_equal(a->call.status, STATUS_CANCELLED);
    assert_int_equal(a->call.finish, FINISH_CANCELLED);
    assert_true(a->call.cancelled);
    assert_null(a->call.text);
    assert_int_equal(counts(b)->active, 0);
    assert_int_equal(counts(b)->waiting, 0);
    ask_end(a);
}

static void cancelling_works_at_every_stage(void **state)
{
    struct remote_bench *b = *state;
    struct remote_ask a, first;

    b->spec.max_concurrent = 1;
    remote_bench_open(b);
    /* before the loop has seen it */
    ask_begin(b, &a);
    ask_start(&a);
    expect_cancelled(b, &a);
    assert_int_equal(http_memory_n_requests(b->memory), 0);
    /* connecting, waiting for the head, in the body, lingering */
    for (int i = 0; i < 4; i++) {
        static const struct http_memory_reply at[] = {
            {.fault = HTTP_MEMORY_HANG},
            {.fault = HTTP_MEMORY_NO_ANSWER},
            {.body = SSE_HI, .fault = HTTP_MEMORY_STALL, .at = 60},
            {.body = SSE_HI "x", .fault = HTTP_MEMORY_STALL, .at = sizeof(SSE_HI) - 1},
        };

        http_memory_reply(b->memory, &at[i]);
        ask_begin(b, &a);
        ask_start(&a);
        bench_pass(b, 30);
        assert_false(a.answered);
        expect_cancelled(b, &a);
    }
    /* between two tries */
    http_memory_reply(b->memory, &(struct http_memory_reply){.code = 500});
    ask_begin(b, &a);
    ask_start(&a);
    bench_pass(b, 30);
    assert_int_equal(counts(b)->active, 0);
    expect_cancelled(b, &a);
    /* in the queue */
    http_memory_reply(b->memory, &(struct http_memory_reply){.body = SSE_HI, .head_ms = 60});
    ask_begin(b, &first);
    ask_start(&first);
    ask_begin(b, &a);
    ask_start(&a);
    bench_pass(b, 20);
    assert_int_equal(counts(b)->waiting, 1);
    expect_cancelled(b, &a);
    assert_int_equal(first.call.status, STATUS_OK);
    ask_end(&first);
    /* after the answer: nothing happens, and the next call of the session is not touched */
    http_memory_reply(b->memory, &(struct http_memory_reply){.body = SSE_HI, .times = 2});
    ask(b, &a);
    b->model->ops->cancel(b->model, &a.call);
    model_call_clear_text(&a.call);
    a.answered = false;
    b->n_open++;
    loop_box_hold(b->box, 1);
    b->model->ops->start(b->model, &a.call);
    ask_wait(b);
    assert_int_equal(a.call.status, STATUS_OK);
    ask_end(&a);
}

static void cancel_in_text(struct remote_ask *a)
{
    a->bench->model->ops->cancel(a->bench->model, &a->call);
}

static void cancelling_while_text_arrives_is_safe(void **state)
{
    struct remote_bench *b = *state;
    struct remote_ask a;

    remote_bench_open(b);
    http_memory_reply(
        b->memory, &(struct http_memory_reply){.body = SSE_HI, .piece_bytes = 20, .piece_ms = 1});
    ask_begin(b, &a);
    a.on_news = cancel_in_text;
    ask_start(&a);
    ask_wait(b);
    assert_int_equal(a.call.status, STATUS_CANCELLED);
    ask_end(&a);
}

static void closing_a_model_answers_its_calls(void **state)
{
    struct remote_bench *b = *state;
    struct remote_ask a[4];

    b->spec.max_concurrent = 2;
    remote_bench_open(b);
    http_memory_reply(b->memory,
                      &(struct http_memory_reply){.fault = HTTP_MEMORY_NO_ANSWER, .times = -1});
    for (int i = 0; i < 4; i++) {
        ask_begin(b, &a[i]);
        ask_start(&a[i]);
        if (i == 2)
            bench_pass(b, 20); /* two are sent, one waits; the last was never seen */
    }
    b->model->ops->close(b->model);
    ask_wait(b);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(a[i].call.status, STATUS_CANCELLED);
        free(a[i].call.session); /* the model is gone */
        a[i].call.session = NULL;
        ask_end(&a[i]);
    }
    b->model = NULL;
}

/* Pieces, waits, drops and cuts by seed: each call ends, with the right text or an error. */
static void calls_end_under_faults_by_seed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct remote_bench b;
        struct remote_ask a[16];
        int ok = 0;

        remote_bench_init(&b);
        b.spec.max_concurrent = 4;
        b.spec.max_tries = 2;
        remote_bench_open(&b);
        http_memory_reply(b.memory, &(struct http_memory_reply){.body = SSE_HI, .times = -1});
        http_memory_chaos(b.memory, &(struct http_memory_chaos){.seed = seed,
                                                                .split_bytes = 40,
                                                                .wait_ms = 1,
                                                                .refuse_percent = 10,
                                                                .drop_percent = 10,
                                                                .cut_percent = 20});
        for (int i = 0; i < 16; i++) {
            ask_begin(&b, &a[i]);
            a[i].call.call_id = (uint64_t)i;
            if (i % 2)
                a[i].call.on_text = NULL;
            ask_start(&a[i]);
        }
        ask_wait(&b);
        for (int i = 0; i < 16; i++) {
            ok += a[i].call.status == STATUS_OK;
            if (a[i].call.status == STATUS_OK)
                assert_string_equal(a[i].call.text, "hi");
            else
                assert_true(a[i].call.status == STATUS_IO || a[i].call.status == STATUS_BUSY);
            if (a[i].call.status == STATUS_OK && a[i].call.on_text)
                assert_string_equal(str_cstr(&a[i].news), "hi");
            ask_end(&a[i]);
        }
        assert_true(ok > 0);
        remote_bench_deinit(&b);
    }
}

/* ---- from another thread, with a mailbox of its own */

struct other {
    struct model *model;
    struct json *messages;
    int32_t n_ok, n_cancelled;
    atomic_bool ended;
};

static void call_often(struct other *o)
{
    struct mailbox *box = mailbox_new(NULL, NULL);
    struct model_session *s = NULL;

    if (o->model->ops->session_open(o->model, NULL, &s, NULL))
        return;
    for (int i = 0; i < 200; i++) {
        struct model_call c = {.reply = box,
                               .session = s,
                               .messages = o->messages,
                               .max_tokens = 10,
                               .sampling = SAMPLING_DEFAULT};

        o->model->ops->start(o->model, &c);
        if (i % 3 == 1)
            o->model->ops->cancel(o->model, &c);
        if (!mailbox_wait(box, 20000))
            return;
        if (i % 3 == 2)
            o->model->ops->cancel(o->model, &c); /* too late */
        o->n_ok += c.status == STATUS_OK;
        o->n_cancelled += c.status == STATUS_CANCELLED;
        model_call_clear_text(&c);
    }
    o->model->ops->session_close(o->model, s);
    mailbox_free(box);
}

static void *other_main(void *arg)
{
    struct other *o = arg;

    call_often(o);
    atomic_store(&o->ended, true);
    return NULL;
}

struct joining {
    struct remote_bench *bench;
    pthread_t thread[2];
    struct other other[2];
};

static void look_for_end(void *ctx)
{
    struct joining *j = ctx;

    if (atomic_load(&j->other[0].ended) && atomic_load(&j->other[1].ended))
        loop_stop(j->bench->loop);
}

static void calls_come_from_any_thread(void **state)
{
    struct remote_bench *b = *state;
    struct joining j = {.bench = b};
    struct loop_timer *t;

    remote_bench_open(b);
    http_memory_reply(b->memory, &(struct http_memory_reply){.body = SSE_HI, .times = -1});
    for (int i = 0; i < 2; i++) {
        j.other[i].model = b->model;
        j.other[i].messages = jv_deep_copy(b->messages);
        assert_int_equal(pthread_create(&j.thread[i], NULL, other_main, &j.other[i]), 0);
    }
    t = loop_timer_every(b->loop, 5, look_for_end, &j);
    loop_run(b->loop);
    loop_timer_free(t);
    for (int i = 0; i < 2; i++) {
        pthread_join(j.thread[i], NULL);
        assert_int_equal(j.other[i].n_ok + j.other[i].n_cancelled, 200);
        assert_true(j.other[i].n_ok >= 133);
        jv_unref(j.other[i].messages);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(at_most_so_many_at_a_time_in_order),
        T(two_models_of_one_server_share_the_least_limit),
        T(a_server_that_fails_is_left_alone_for_a_while),
        T(answers_of_a_server_that_refuses_do_not_open_the_circuit),
        T(cancelling_works_at_every_stage),
        T(cancelling_while_text_arrives_is_safe),
        T(closing_a_model_answers_its_calls),
        cmocka_unit_test(calls_end_under_faults_by_seed),
        T(calls_come_from_any_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
