/* test_chat_call_engine.c - chat completions on the embedded model in the engine.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_backend.h"
#include "models/engine/engine.h"
#include "runtime/base/unicode.h"
#include "tests/unit/agents/chat_bench.h"

static struct engine *open_engine(bool cache)
{
    struct engine_options o = ENGINE_OPTIONS_DEFAULT;
    struct engine *e;

    o.model = "embedded";
    o.embedded = embedded_file_at;
    o.backend = cpu_backend(cpu_isa_best());
    o.n_threads = 1;
    o.no_prefix_cache = !cache;
    assert_ok(engine_open(&o, &e, why));
    return e;
}

static void engine_bench(struct chat_bench *b, struct engine *e)
{
    chat_bench_init(b, HELLO, NULL);
    b->t.spec.model = engine_model(e);
    b->t.spec.max_tokens = 60;
}

static void the_engine_streams_what_it_says(void **state)
{
    struct engine *e = open_engine(true);
    struct str first = STR_INIT;
    int32_t n_prompt;
    struct chat_bench b;

    (void)state;
    engine_bench(&b, e);
    talk_run(&b.t, true);
    assert_int_equal(b.t.r.status, STATUS_OK);
    assert_int_equal(b.t.r.usage.completion, b.t.r.n_ids);
    assert_int_equal(b.t.r.finish == FINISH_LENGTH, b.t.r.n_ids == 60);
    assert_false(b.t.r.usage.estimated);
    n_prompt = b.t.r.usage.prompt;
    assert_true(n_prompt > (int32_t)strlen("hello"));
    str_puts(&first, b.t.r.content);
    talk_end(&b.t);
    talk_run(&b.t, false); /* the same call says the same, streamed or not */
    assert_string_equal(b.t.r.content, str_cstr(&first));
    assert_int_equal(b.t.r.usage.prompt, n_prompt);
    talk_end(&b.t);
    b.t.spec.call_id++;
    talk_run(&b.t, false);
    assert_string_not_equal(b.t.r.content, str_cstr(&first));
    talk_end(&b.t);
    str_deinit(&first);
    chat_bench_deinit(&b);
    engine_close(e);
}

/* Any part of what it says, as a stop text: it ends there, wherever tokens begin. */
static void the_engine_stops_at_any_text(void **state)
{
    struct engine *e = open_engine(true);
    struct chat_bench b;
    char *whole;

    (void)state;
    engine_bench(&b, e);
    b.t.spec.messages = NULL;
    b.t.spec.prompt = "one";
    b.t.spec.prompt_bytes = 3;
    b.t.spec.max_tokens = 24;
    talk_run(&b.t, false);
    assert_int_equal(b.t.r.status, STATUS_OK);
    whole = xstrdup(b.t.r.content);
    talk_end(&b.t);
    assert_true(strlen(whole) > 8);
    for (size_t from = 0; from + 3 <= strlen(whole); from++) {
        char *stop = xstrndup(whole + from, 3);
        const char *const stops[] = {stop};

        if (utf8_valid_prefix(stop, 3) == 3) {
            size_t want = (size_t)(strstr(whole, stop) - whole);

            b.t.spec.stop = stops;
            b.t.spec.n_stop = 1;
            talk_run(&b.t, true);
            assert_int_equal(b.t.r.finish, FINISH_STOP);
            assert_int_equal(strlen(b.t.r.content), want);
            assert_memory_equal(b.t.r.content, whole, want);
            talk_end(&b.t);
        }
        free(stop);
    }
    free(whole);
    chat_bench_deinit(&b);
    engine_close(e);
}

static void wait_for_free_pages(struct engine *e)
{
    struct engine_stats s;

    for (int i = 0; i < 20000; i++) {
        engine_stats(e, &s);
        if (s.sessions == 0 && s.running == 0 && s.pages_free == s.pages_total)
            return;
        usleep(500);
    }
    fail_msg("%d of %d pages are free, %d sessions", s.pages_free, s.pages_total, s.sessions);
}

static void cancelling_frees_the_pages(void **state)
{
    struct engine *e = open_engine(false);
    struct chat_bench b;

    (void)state;
    engine_bench(&b, e);
    b.t.spec.max_tokens = 0;
    b.t.cancel_at = 2;
    talk_run(&b.t, true);
    assert_int_equal(b.t.r.status, STATUS_CANCELLED);
    wait_for_free_pages(e);
    talk_end(&b.t);
    b.t.cancel_at = 0;
    b.t.spec.max_tokens = 5;
    talk_run(&b.t, true);
    assert_int_equal(b.t.r.status, STATUS_OK);
    wait_for_free_pages(e);
    talk_end(&b.t);
    chat_bench_deinit(&b);
    engine_close(e);
}

/* Several at once on a loop, as a server runs them; each is freed in on_done. */
struct party {
    struct loop *loop;
    struct talk t[8];
    int32_t n_left;
};

static void on_guest_done(void *ctx, struct chat_call *c)
{
    struct talk *t = ctx;
    const struct chat_result *r = chat_call_result(c);

    t->over = true;
    t->r.status = r->status;
    assert_string_equal(str_cstr(&t->content), r->content);
    chat_call_free(c);
    t->call = NULL;
}

static void many_calls_on_a_loop(void **state)
{
    struct engine *e = open_engine(true);
    struct agent_host_options o = {.seams = seams_real()};
    struct party p = {.n_left = 0};
    struct chat_bench b;

    (void)state;
    engine_bench(&b, e);
    assert_ok(loop_new(seams_real(), &p.loop, why));
    o.loop = p.loop;
    agent_host_free(b.t.host);
    assert_ok(agent_host_new(&o, &b.t.host, why));
    for (int i = 0; i < 8; i++) {
        p.t[i] = b.t;
        p.t[i].spec.call_id = (uint64_t)i;
        p.t[i].spec.deadline_ms = i == 7 ? 1 : seams_wall_ms(seams_real()) + 600000;
        p.t[i].content = p.t[i].reasoning = STR_INIT;
        p.t[i].spec.ctx = &p.t[i];
        p.t[i].spec.on_piece = talk_on_piece;
        p.t[i].spec.on_done = i == 7 ? talk_on_done : on_guest_done;
        assert_ok(chat_call_start(b.t.host, &p.t[i].spec, &p.t[i].call, why));
    }
    loop_run(p.loop); /* until nothing is expected any more */
    for (int i = 0; i < 8; i++) {
        assert_true(p.t[i].over);
        assert_int_equal(p.t[i].r.status, i == 7 ? STATUS_TIMEOUT : STATUS_OK);
        talk_end(&p.t[i]);
    }
    chat_bench_deinit(&b);
    loop_free(p.loop);
    engine_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_engine_streams_what_it_says),
        cmocka_unit_test(the_engine_stops_at_any_text),
        cmocka_unit_test(cancelling_frees_the_pages),
        cmocka_unit_test(many_calls_on_a_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
