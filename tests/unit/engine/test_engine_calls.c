/* Calls that are invalid, cancelled, streamed, too many, or with other weights.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/engine/engine_fixture.h"

static int setup(void **state)
{
    *state = tiny_weights(cpu_backend(cpu_isa_best()), 1);
    return 0;
}

static int teardown(void **state)
{
    weights_unref(*state);
    return 0;
}

static int64_t page_bytes(void)
{
    struct model_config c = tiny_config();

    return (int64_t)2 * c.n_layers * c.n_kv_heads * c.head_dim * KV_PAGE_TOKENS * 4;
}

/* A feature of the interface that the engine lacks is an error that names it; it is not ignored. */
static void what_the_engine_cannot_do_is_refused_by_name(void **state)
{
    static const int32_t prompt[] = {1, 2, 3};
    const struct model_session_options adapter = {.adapter = "clerk"};
    struct engine_options o = tiny_options(*state);
    struct json *schema = jv_object();
    struct error err = ERROR_INIT;
    struct model_session *s;
    struct ask a;
    struct bed b;

    bed_open(&b, &o);
    assert_int_equal(b.model->ops->session_open(b.model, &adapter, &s, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "adapters (\"clerk\")"));
    s = bed_session(&b);
    for (int i = 0; i < 2; i++) {
        ask_init(&a, &b, s, 0, prompt, 3, 4);
        a.call.response_schema = i == 0 ? schema : NULL;
        a.call.tool_choice = i == 1 ? "required" : NULL;
        ask_run(&a, &b);
        assert_int_equal(a.call.status, STATUS_UNSUPPORTED);
        assert_true(a.call.not_retryable);
        assert_non_null(strstr(a.call.err.message, i == 0 ? "response_schema" : "tool_choice"));
    }
    ask_init(&a, &b, s, 0, prompt, 3, 4);
    ask_run(&a, &b);
    assert_int_equal(a.call.status, STATUS_OK);
    assert_int_equal(a.call.usage.prompt, 3);
    assert_int_equal(a.call.usage.completion, a.call.n_ids);
    assert_false(a.call.usage.estimated);
    jv_unref(schema);
    bed_end(&b, s);
    bed_close(&b);
}

static void bad_arguments_answer_what_is_wrong(void **state)
{
    static const int32_t good[] = {1, 2, 3};
    static const int32_t high[] = {1, TINY_VOCAB};
    static const int32_t negative[] = {-1};
    static int32_t longer[TINY_CONTEXT + 1];
    const struct {
        int32_t keep, n_delta, max_tokens;
        const int32_t *delta;
        float top_p;
        enum status status;
        const char *word;
    } cases[] = {
        {0, 2, 4, high, 1, STATUS_INVALID, "token 1 of the prompt is 67"},
        {0, 1, 4, negative, 1, STATUS_INVALID, "token 0 of the prompt is -1"},
        {0, 0, 4, NULL, 1, STATUS_INVALID, "empty"},
        {0, -1, 4, good, 1, STATUS_INVALID, "n_delta"},
        {0, 2, 4, NULL, 1, STATUS_INVALID, "n_delta"},
        {8, 3, 4, good, 1, STATUS_INVALID, "keep is 8, but the session has 7"},
        {-1, 3, 4, good, 1, STATUS_INVALID, "keep"},
        {0, 3, 0, good, 1, STATUS_INVALID, "max_tokens"},
        {0, 3, 4, good, 0, STATUS_INVALID, "top_p"},
        {0, TINY_CONTEXT, 4, longer, 1, STATUS_LIMIT, "context"},
        {3, INT32_MAX, 4, longer, 1, STATUS_LIMIT, "context"},
    };
    struct engine_options o = tiny_options(*state);
    struct model_session *s;
    struct ask a;
    struct bed b;

    bed_open(&b, &o);
    s = bed_session(&b);
    ask_init(&a, &b, s, 0, good, 3, 4);
    ask_run(&a, &b);
    assert_int_equal(a.call.status, STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ask_init(&a, &b, s, cases[i].keep, cases[i].delta, cases[i].n_delta, cases[i].max_tokens);
        a.call.sampling.top_p = cases[i].top_p;
        ask_run(&a, &b);
        assert_int_equal(a.call.status, cases[i].status);
        assert_int_equal(a.call.finish, FINISH_ERROR);
        if (!strstr(a.call.err.message, cases[i].word))
            fail_msg("\"%s\" lacks \"%s\"", a.call.err.message, cases[i].word);
    }
    ask_init(&a, &b, s, 7, good, 3, 4); /* failed calls changed nothing */
    a.call.logp = NULL;
    ask_run(&a, &b);
    assert_int_equal(a.call.status, STATUS_INVALID);
    ask_init(&a, &b, s, 7, good, 3, 4);
    ask_run(&a, &b);
    assert_int_equal(a.call.status, STATUS_OK);
    bed_end(&b, s);
    bed_close(&b);
}

static void a_reply_ends_where_it_should(void **state)
{
    int32_t ids[TINY_CONTEXT];
    struct engine_options o = tiny_options(*state);
    struct model_session *s;
    struct ask all, a;
    int32_t stop[1];
    struct bed b;

    random_ids(1, TINY_CONTEXT, ids);
    bed_open(&b, &o);
    s = bed_session(&b);
    ask_init(&all, &b, s, 0, ids, 20, 30);
    ask_run(&all, &b);
    assert_int_equal(all.call.finish, FINISH_LENGTH);
    assert_int_equal(all.call.n_ids, 30);
    stop[0] = all.ids[10];
    ask_init(&a, &b, s, 0, ids, 20, 30);
    a.call.stop_id = stop;
    a.call.n_stop_id = 1;
    ask_run(&a, &b);
    assert_int_equal(a.call.finish, FINISH_STOP);
    assert_true(a.call.n_ids <= 11);
    assert_int_equal(a.ids[a.call.n_ids - 1], stop[0]);
    ask_init(&a, &b, s, 0, ids, TINY_CONTEXT - 3, 30);
    ask_run(&a, &b);
    assert_int_equal(a.call.finish, FINISH_LENGTH); /* the context is full */
    assert_int_equal(a.call.n_ids, 3);
    bed_end(&b, s);
    bed_close(&b);
}

static void out_of_pages_is_an_error_of_that_call(void **state)
{
    static int32_t ids[TINY_CONTEXT];
    struct engine_options o = tiny_options(*state);
    struct model_session *s, *t;
    struct ask a, grows, small;
    struct bed b;

    o.kv_bytes = 5 * page_bytes();
    bed_open(&b, &o);
    s = bed_session(&b);
    t = bed_session(&b);
    ask_init(&a, &b, s, 0, ids, 81, 4); /* six pages */
    ask_run(&a, &b);
    assert_int_equal(a.call.status, STATUS_LIMIT);
    assert_non_null(strstr(a.call.err.message, "out of KV pages"));
    ask_init(&grows, &b, s, 0, ids, 70, 60); /* fits, then grows out */
    ask_init(&small, &b, t, 0, ids, 30, 20);
    ask_start(&grows, &b);
    ask_start(&small, &b);
    bed_wait(&b, 2);
    assert_int_equal(grows.call.status, STATUS_LIMIT);
    assert_int_equal(grows.call.n_ids, 80 - 70 + 1); /* what was drawn stays */
    assert_int_equal(small.call.status, STATUS_OK);
    ask_init(&a, &b, s, 0, ids, 40, 20); /* and the session continues */
    ask_run(&a, &b);
    assert_int_equal(a.call.status, STATUS_OK);
    bed_end(&b, s);
    bed_end(&b, t);
    bed_close(&b);
}

/* More sessions with positions than the pages hold: the idle ones lose their pages, and recompute
 * them. */
static void idle_sessions_give_up_pages(void **state)
{
    enum { N = 12 };
    struct engine_options o = tiny_options(*state);
    struct model_session *s[N];
    struct ask first[N], second[N];
    static int32_t ids[N][60];
    struct bed b;

    for (int cached = 0; cached < 2; cached++) {
        o.kv_bytes = 10 * page_bytes();
        o.no_prefix_cache = !cached;
        bed_open(&b, &o);
        for (int i = 0; i < N; i++) {
            random_ids((uint64_t)i + 50, 60, ids[i]);
            s[i] = bed_session(&b);
            ask_init(&first[i], &b, s[i], 0, ids[i], 60, 10);
            ask_run(&first[i], &b);
            assert_int_equal(first[i].call.status, STATUS_OK);
        }
        for (int i = 0; i < N; i++) {
            ask_init(&second[i], &b, s[i], 60, NULL, 0, 10); /* the same reply again */
            ask_start(&second[i], &b);
        }
        bed_wait(&b, N);
        for (int i = 0; i < N; i++) {
            assert_same_reply(&first[i], &second[i]);
            bed_end(&b, s[i]);
        }
        bed_close(&b);
    }
}

struct streamed {
    struct ask ask; /* first: the callback's call is inside */
    struct bed *bed;
    int32_t n, cancel_at;
    bool faults_blocked;
    int32_t ids[REPLY_MAX];
    float logp[REPLY_MAX];
};

static void on_token(struct model_call *c, int32_t id, float logp)
{
    struct streamed *s = (struct streamed *)(void *)c;
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    s->faults_blocked |= sigismember(&mask, SIGSEGV) || sigismember(&mask, SIGBUS);
    s->ids[s->n] = id;
    s->logp[s->n] = logp;
    s->n++;
}

static void streaming_gives_every_token_in_order(void **state)
{
    int32_t ids[20];
    struct engine_options o = tiny_options(*state);
    struct streamed st = {0};
    struct model_session *s;
    struct bed b;

    random_ids(1, 20, ids);
    bed_open(&b, &o);
    s = bed_session(&b);
    ask_init(&st.ask, &b, s, 0, ids, 20, 50);
    st.ask.call.on_token = on_token;
    ask_run(&st.ask, &b);
    assert_int_equal(st.n, 50);
    assert_false(st.faults_blocked); /* a host's crash handler runs on the engine's thread too */
    assert_memory_equal(st.ids, st.ask.ids, 50 * sizeof(int32_t));
    assert_memory_equal(st.logp, st.ask.logp, 50 * sizeof(float));
    assert_true(st.ask.call.first_us <= st.ask.call.done_us);
    assert_true(st.ask.call.queued_us <= st.ask.call.first_us);
    bed_end(&b, s);
    bed_close(&b);
}

static void cancel_in_flight_still_answers(void **state)
{
    enum { N = 8 };
    static int32_t ids[200];
    struct engine_options o = tiny_options(*state);
    struct model_session *s[N];
    struct ask *a = xcalloc(N, sizeof(*a));
    struct bed b;
    int n_cancelled = 0;

    o.max_batch_rows = 4; /* some run, some wait */
    o.prefill_chunk = 2;
    bed_open(&b, &o);
    for (int i = 0; i < N; i++)
        s[i] = bed_session(&b);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < N; i++) {
            ask_init(&a[i], &b, s[i], 0, ids, 150, REPLY_MAX);
            ask_start(&a[i], &b);
        }
        usleep((useconds_t)(round * 30));
        for (int i = 0; i < N; i += 2)
            b.model->ops->cancel(b.model, &a[i].call);
        bed_wait(&b, N);
        for (int i = 0; i < N; i++) {
            if (i % 2 == 1)
                assert_int_equal(a[i].call.finish, FINISH_LENGTH);
            else if (a[i].call.finish == FINISH_CANCELLED) {
                assert_int_equal(a[i].call.status, STATUS_CANCELLED);
                n_cancelled++;
            }
        }
    }
    assert_true(n_cancelled > 0); /* on a busy machine some end first, but never all */
    for (int i = 0; i < N; i++)
        bed_end(&b, s[i]);
    bed_close(&b);
    free(a);
}

/* Slow enough that the calls cannot all end before the test acts, however busy the machine. */
static void slow_token(struct model_call *c, int32_t id, float logp)
{
    (void)c;
    (void)id;
    (void)logp;
    usleep(20000);
}

static void one_call_a_session(void **state)
{
    static int32_t ids[200];
    struct engine_options o = tiny_options(*state);
    struct error err = ERROR_INIT;
    struct model_session *s, *f;
    struct ask a, second;
    struct bed b;

    bed_open(&b, &o);
    s = bed_session(&b);
    ask_init(&a, &b, s, 0, ids, 150, REPLY_MAX);
    a.call.on_token = slow_token;
    ask_init(&second, &b, s, 0, ids, 1, 1);
    ask_start(&a, &b);
    ask_start(&second, &b);
    assert_int_equal(second.call.status, STATUS_BUSY); /* refused at once */
    assert_int_equal(b.model->ops->session_fork(b.model, s, &f, &err), STATUS_BUSY);
    bed_wait(&b, 2);
    assert_int_equal(a.call.finish, FINISH_LENGTH);
    bed_end(&b, s);
    bed_close(&b);
}

static void sessions_have_a_limit(void **state)
{
    struct engine_options o = tiny_options(*state);
    struct error err = ERROR_INIT;
    struct model_session *s[2], *more;
    struct bed b;

    o.max_sessions = 2;
    bed_open(&b, &o);
    s[0] = bed_session(&b);
    s[1] = bed_session(&b);
    assert_int_equal(b.model->ops->session_open(b.model, NULL, &more, &err), STATUS_LIMIT);
    bed_end(&b, s[0]);
    while (b.model->ops->session_open(b.model, NULL, &more,
                                      &err)) /* the engine's thread frees it soon */
        usleep(100);
    bed_end(&b, more);
    bed_close(&b); /* s[1] is freed with the engine */
}

static void closing_answers_what_is_outstanding(void **state)
{
    enum { N = 6 };
    static int32_t ids[200];
    struct engine_options o = tiny_options(*state);
    struct ask *a = xcalloc(N, sizeof(*a));
    struct bed b;

    o.max_batch_rows = 2;
    o.prefill_chunk = 1;
    bed_open(&b, &o);
    for (int i = 0; i < N; i++) {
        ask_init(&a[i], &b, bed_session(&b), 0, ids, 200, 50);
        a[i].call.on_token = slow_token;
        ask_start(&a[i], &b);
    }
    engine_close(b.engine);
    bed_wait(&b, N);
    for (int i = 0; i < N; i++)
        assert_true(a[i].call.finish != FINISH_NONE);
    assert_int_equal(a[N - 1].call.finish, FINISH_CANCELLED);
    mailbox_free(b.box);
    free(a);
}

/* A higher priority gets the only place; the preempted call loses nothing. */
static void priorities(void **state)
{
    static int32_t ids[100];
    struct engine_options o = tiny_options(*state);
    struct model_session *s, *t;
    struct ask low, high, want;
    struct bed b;

    o.max_batch_rows = 1;
    o.prefill_chunk = 1;
    bed_open(&b, &o);
    s = bed_session(&b);
    t = bed_session(&b);
    random_ids(3, 100, ids);
    ask_init(&want, &b, s, 0, ids, 100, REPLY_MAX);
    ask_run(&want, &b);
    ask_init(&low, &b, s, 0, ids, 100, REPLY_MAX);
    ask_init(&high, &b, t, 0, ids, 50, 20);
    high.call.priority = 1;
    ask_start(&low, &b);
    ask_start(&high, &b);
    bed_wait(&b, 2);
    assert_same_reply(&low, &want);
    assert_true(high.call.done_us < low.call.done_us);
    bed_end(&b, s);
    bed_end(&b, t);
    bed_close(&b);
}

static void new_weights_kill_old_keys(void **state)
{
    struct weights *w2 = tiny_weights(weights_backend(*state), 2);
    struct engine_options o = tiny_options(*state);
    struct engine_options o2 = tiny_options(w2);
    int32_t ids[70];
    struct model_session *s, *t, *fresh;
    struct ask old, cold, a, c;
    struct bed b, b2;

    random_ids(9, 70, ids);
    bed_open(&b2, &o2);
    fresh = bed_session(&b2);
    ask_init(&cold, &b2, fresh, 0, ids, 70, 20);
    ask_run(&cold, &b2);
    bed_end(&b2, fresh);
    bed_close(&b2);

    bed_open(&b, &o);
    s = bed_session(&b);
    ask_init(&old, &b, s, 0, ids, 70, 20);
    ask_run(&old, &b);
    engine_publish(b.engine, w2);
    assert_int_equal(bed_stats(&b).sessions, 1);
    t = bed_session(&b);
    ask_init(&a, &b, t, 0, ids, 70, 20);  /* the tree must not serve it */
    ask_init(&c, &b, s, 70, NULL, 0, 20); /* nor the session's own pages */
    ask_start(&a, &b);
    ask_start(&c, &b);
    bed_wait(&b, 2);
    assert_same_reply(&a, &cold);
    assert_same_reply(&c, &cold);
    assert_int_equal(a.call.usage.cached, 0); /* c may find pages that a computed just now */
    bed_end(&b, s);
    bed_end(&b, t);
    bed_close(&b);
    weights_unref(w2);
}

/* Calls in flight keep the version that they began with, whatever is published meanwhile. */
static void a_call_pins_its_version(void **state)
{
    enum { N = 10 };
    struct weights *w[2] = {*state, tiny_weights(weights_backend(*state), 2)};
    struct engine_options o = tiny_options(w[0]);
    int32_t ids[70];
    struct model_session *s[N];
    struct ask *a = xcalloc(N + 2, sizeof(*a)), *want = a + N;
    struct bed b;

    random_ids(9, 70, ids);
    o.n_threads = 2;
    bed_open(&b, &o);
    for (int i = 0; i < N; i++)
        s[i] = bed_session(&b);
    for (int v = 0; v < 2; v++) {
        engine_publish(b.engine, w[v]);
        ask_init(&want[v], &b, s[0], 0, ids, 70, REPLY_MAX);
        ask_run(&want[v], &b);
    }
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < N; i++) {
            engine_publish(b.engine, w[i % 2]); /* some calls of both are in flight */
            ask_init(&a[i], &b, s[i], 0, ids, 70, REPLY_MAX);
            ask_start(&a[i], &b);
        }
        bed_wait(&b, N);
        for (int i = 0; i < N; i++)
            assert_same_reply(&a[i], &want[i % 2]);
    }
    for (int i = 0; i < N; i++)
        bed_end(&b, s[i]);
    bed_close(&b);
    weights_unref(w[1]);
    free(a);
}

struct exclusive {
    struct engine *engine;
    struct weights *next;
    int calls;
    bool has_pool;
};

static void exclusive_fn(void *ctx, struct lane lane)
{
    struct exclusive *x = ctx;

    x->calls++;
    x->has_pool = pool_n_threads(lane.pool) == 2;
    engine_publish(x->engine, x->next); /* a trainer's update ends like this */
}

static void exclusive_runs_between_batches(void **state)
{
    struct engine_options o = tiny_options(*state);
    struct exclusive x = {.next = tiny_weights(weights_backend(*state), 2)};
    static int32_t ids[100];
    struct model_session *s;
    struct weights *now;
    struct ask a;
    struct bed b;

    o.n_threads = 2;
    bed_open(&b, &o);
    x.engine = b.engine;
    s = bed_session(&b);
    ask_init(&a, &b, s, 0, ids, 100, REPLY_MAX);
    ask_start(&a, &b);
    engine_run_exclusive(b.engine, exclusive_fn, &x);
    assert_int_equal(x.calls, 1);
    assert_true(x.has_pool);
    bed_wait(&b, 1);
    assert_int_equal(a.call.status, STATUS_OK);
    now = engine_weights(b.engine);
    assert_ptr_equal(now, x.next);
    weights_unref(now);
    weights_unref(x.next);
    bed_end(&b, s);
    bed_close(&b);
}

/* A model too large to shard by rows splits columns over the pool: the same bits on one thread. */
static void large_models_split_columns(void **state)
{
    struct model_config c = tiny_config();
    struct ask *a = xcalloc(8, sizeof(*a));
    int32_t ids[40];
    struct weights *w;

    (void)state;
    c.hidden_size = 512;
    c.n_layers = 1;
    random_ids(4, 40, ids);
    assert_ok(weights_init(cpu_backend(cpu_isa_best()), arch_find(c.architecture), &c, 1, &w, why));
    for (int32_t threads = 1; threads <= 2; threads++) {
        struct engine_options o = tiny_options(w);
        struct model_session *s[4];
        struct bed b;

        o.n_threads = threads;
        bed_open(&b, &o);
        for (int i = 0; i < 4; i++) {
            struct ask *x = &a[(threads - 1) * 4 + i];

            s[i] = bed_session(&b);
            ask_init(x, &b, s[i], 0, ids, 10 * (i + 1), 12);
            ask_start(x, &b);
        }
        bed_wait(&b, 4);
        for (int i = 0; i < 4; i++) {
            assert_same_reply(&a[i], &a[(threads - 1) * 4 + i]);
            bed_end(&b, s[i]);
        }
        bed_close(&b);
    }
    weights_unref(w);
    free(a);
}

static void broken_weights_are_an_error(void **state)
{
    int64_t n = weights_n_params(*state);
    float *flat = mem_alloc((size_t)n, sizeof(*flat));
    static int32_t ids[5];
    struct model_session *s;
    struct weights *broken;
    struct engine_options o;
    struct ask a;
    struct bed b;

    weights_to_flat(*state, flat);
    for (int64_t i = 0; i < n; i++)
        flat[i] = flat[i] / 0.0f; /* infinities and NaNs */
    assert_ok(weights_from_flat(*state, flat, 7, &broken, why));
    free(flat);
    o = tiny_options(broken);
    bed_open(&b, &o);
    s = bed_session(&b);
    ask_init(&a, &b, s, 0, ids, 5, 5);
    ask_run(&a, &b);
    assert_int_equal(a.call.status, STATUS_FAILED);
    assert_int_equal(a.call.finish, FINISH_ERROR);
    assert_int_equal(a.call.policy_version, 7);
    bed_end(&b, s);
    bed_close(&b);
    weights_unref(broken);
}

static void what_does_not_fit_is_refused_before_weights_are_read(void **state)
{
    static const char config[] =
        "{\"architectures\": [\"Qwen3ForCausalLM\"], \"model_type\": \"qwen3\","
        " \"hidden_size\": 8192, \"intermediate_size\": 65536, \"num_hidden_layers\": 512,"
        " \"num_attention_heads\": 64, \"num_key_value_heads\": 8, \"head_dim\": 128,"
        " \"vocab_size\": 151936, \"max_position_embeddings\": 40960, \"rms_norm_eps\": 1e-6,"
        " \"rope_theta\": 1000000, \"tie_word_embeddings\": false, \"hidden_act\": \"silu\","
        " \"torch_dtype\": \"bfloat16\"}";
    char dir[64];
    struct engine_options o = ENGINE_OPTIONS_DEFAULT;
    struct engine_plan plan;
    struct error err = ERROR_INIT;
    struct engine *e;

    (void)state;
    temp_dir(dir);
    temp_dir_put(dir, "config.json", config, sizeof(config) - 1);
    o.model = dir; /* there are no weights */
    o.backend = cpu_backend(cpu_isa_best());
    assert_int_equal(engine_open(&o, &e, &err), STATUS_NO_MEMORY);
    assert_non_null(strstr(err.message, "weights"));
    assert_int_equal(engine_plan(&o, &plan, &err), STATUS_NO_MEMORY);
    assert_true(plan.weights_bytes > (int64_t)1 << 40);
    o.memory_bytes = (int64_t)1 << 44; /* enough memory: now the missing weights are the error */
    o.kv_bytes = 64 << 20;
    assert_int_equal(engine_open(&o, &e, &err), STATUS_NOT_FOUND);
    o.model = "/nonexistent/model";
    assert_int_equal(engine_open(&o, &e, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nonexistent/model"));
    o.model = "embedded";
    assert_int_equal(engine_open(&o, &e, &err), STATUS_NOT_FOUND);
    temp_dir_remove(dir);
}

/* The backend, but no allocation above `most` bytes succeeds. */
static int64_t most;
static void *bounded_alloc(void *ctx, size_t bytes)
{
    return (int64_t)bytes > most ? NULL : cpu_backend(cpu_isa_best())->alloc(ctx, bytes);
}

static void pages_that_nobody_asked_for_give_way(void **state)
{
    struct backend bounded = *cpu_backend(cpu_isa_best());
    struct weights *w = tiny_weights(&bounded, 3);
    struct engine_options o = tiny_options(w);
    struct error err = ERROR_INIT;
    struct engine *e = NULL;
    struct engine_stats stats;
    int32_t one = TINY_CONTEXT / KV_PAGE_TOKENS;

    (void)state;
    o.backend = &bounded;
    bounded.alloc = bounded_alloc;
    o.context = TINY_CONTEXT;
    o.kv_bytes = 0;
    o.memory_bytes = (int64_t)1 << 34;
    /* An allocation fails: the number of pages is halved until it succeeds. */
    most = 1 << 18;
    assert_int_equal(engine_open(&o, &e, &err), STATUS_OK);
    engine_stats(e, &stats);
    assert_true(stats.pages_total >= one);
    engine_close(e);
    o.kv_bytes = 64 << 20; /* a requested size succeeds or is an error */
    assert_int_equal(engine_open(&o, &e, &err), STATUS_NO_MEMORY);
    o.kv_bytes = 0;
    most = 64; /* not one context */
    assert_int_equal(engine_open(&o, &e, &err), STATUS_NO_MEMORY);
    assert_non_null(strstr(err.message, "KV pages"));
    weights_unref(w);
}

static void a_type_of_kv_that_the_backend_lacks(void **state)
{
    struct weights *w = tiny_weights(cpu_backend(CPU_ISA_PLAIN), 3);
    struct engine_options o = tiny_options(w);
    struct error err = ERROR_INIT;
    struct engine *e = NULL;

    (void)state;
    o.kv_dtype = DTYPE_Q2_K;
    assert_int_equal(engine_open(&o, &e, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "backend cpu-plain has no KV cache of type q2_k"));
    weights_unref(w);
}

static void the_plan_leaves_room_for_the_rest(void **state)
{
    struct weights *w = tiny_weights(cpu_backend(cpu_isa_best()), 3);
    struct engine_options o = tiny_options(w);
    struct engine_plan full, p;
    struct error err = ERROR_INIT;
    int32_t one = TINY_CONTEXT / KV_PAGE_TOKENS;
    int64_t rest, page;

    (void)state;
    o.memory_bytes = (int64_t)1 << 34;
    assert_int_equal(engine_plan(&o, &full, &err), STATUS_OK);
    assert_int_equal(full.n_pages, 64 * one); /* of all sessions */
    page = full.kv_bytes / full.n_pages;
    rest = full.total_bytes - full.kv_bytes;
    /* A quarter of free memory would be enough for all; the rest after the other buffers is not. */
    o.max_sessions = 1 << 20;
    o.memory_bytes = full.total_bytes;
    assert_int_equal(engine_plan(&o, &p, &err), STATUS_NO_MEMORY); /* sessions alone need more */
    o.max_sessions = 64;
    o.memory_bytes = rest + 2 * one * page;
    assert_int_equal(engine_plan(&o, &p, &err), STATUS_OK);
    assert_true(p.total_bytes <= o.memory_bytes);
    assert_true(p.n_pages >= one && p.n_pages < full.n_pages);
    o.memory_bytes = p.total_bytes - p.kv_bytes + one * page;
    assert_int_equal(engine_plan(&o, &p, &err), STATUS_OK);
    assert_true(p.n_pages >= one);
    o.memory_bytes = (p.total_bytes - p.kv_bytes) / 2;
    assert_int_equal(engine_plan(&o, &p, &err), STATUS_NO_MEMORY);
    assert_int_equal(p.n_pages, one);
    assert_non_null(strstr(err.message, "KV pages for a context of 256"));
    weights_unref(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_arguments_answer_what_is_wrong),
        cmocka_unit_test(what_the_engine_cannot_do_is_refused_by_name),
        cmocka_unit_test(a_reply_ends_where_it_should),
        cmocka_unit_test(out_of_pages_is_an_error_of_that_call),
        cmocka_unit_test(idle_sessions_give_up_pages),
        cmocka_unit_test(streaming_gives_every_token_in_order),
        cmocka_unit_test(cancel_in_flight_still_answers),
        cmocka_unit_test(one_call_a_session),
        cmocka_unit_test(sessions_have_a_limit),
        cmocka_unit_test(closing_answers_what_is_outstanding),
        cmocka_unit_test(priorities),
        cmocka_unit_test(new_weights_kill_old_keys),
        cmocka_unit_test(a_call_pins_its_version),
        cmocka_unit_test(exclusive_runs_between_batches),
        cmocka_unit_test(large_models_split_columns),
        cmocka_unit_test(broken_weights_are_an_error),
        cmocka_unit_test(pages_that_nobody_asked_for_give_way),
        cmocka_unit_test(a_type_of_kv_that_the_backend_lacks),
        cmocka_unit_test(the_plan_leaves_room_for_the_rest),
        cmocka_unit_test(what_does_not_fit_is_refused_before_weights_are_read),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
