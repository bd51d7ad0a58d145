/* The bits of a reply depend on its own history alone: not on the batch, the threads, the
 * instruction set, or on how its keys came to be there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "models/engine/kv_cache.h"
#include "runtime/base/memory.h"
#include "tests/support/fake_device.h"
#include "tests/support/quantised_weights.h"
#include "tests/unit/engine/engine_fixture.h"

/* Prompts around the page, and each way of sampling. */
static const struct {
    int32_t n_prompt, n_reply;
    float temperature, top_p, min_p, penalty;
    int32_t top_k;
} cases[] = {
    {1, 20, 0, 1, 0, 1, 0},        {15, 20, 1, 1, 0, 1, 0},    {16, 20, 1, 1, 0, 1, 0},
    {17, 33, 0.7f, 1, 0, 1, 0},    {31, 5, 1, 1, 0, 1, 5},     {32, 40, 1, 0.9f, 0, 1, 0},
    {33, 17, 1, 1, 0.1f, 1, 0},    {48, 64, 1, 1, 0, 1.3f, 0}, {64, 30, 0, 1, 0, 1.3f, 0},
    {65, 20, 1.5f, 0.8f, 0, 1, 9}, {100, 50, 1, 1, 0, 1, 0},   {180, 64, 0.5f, 1, 0, 1, 0},
};
#define N_CASES ((int)ARRAY_LEN(cases))

/* The type of the weights that the tests run with, one group of tests after another. */
static enum dtype held;
/* And of keys and values; DTYPE_N: the default. */
static enum dtype kept = DTYPE_N;

static struct weights *held_weights(const struct backend *b)
{
    struct model_config c =
        dtype_is_plain(held) ? tiny_config() : quantisable_config(held, TINY_VOCAB);
    struct weights *w;

    if (held == DTYPE_F32)
        return tiny_weights(b, 1);
    c.initializer_range = dtype_info(held)->block == 256 ? 0.1 : 0.2;
    assert_ok(weights_init(cpu_backend(CPU_ISA_PLAIN), arch_find(c.architecture), &c, 1, &w, why));
    return quantised_weights(w, held, b);
}

/* Of quantised types every second case: the tests take as long as the types are many. */
static int stride(void)
{
    return dtype_is_plain(held) ? 1 : 2;
}

static struct engine_options held_options(struct weights *w)
{
    struct engine_options o = tiny_options(w);

    o.kv_dtype = kept;
    return o;
}

struct prompts {
    int32_t ids[N_CASES][TINY_CONTEXT];
    struct ask want[N_CASES]; /* alone, cold, one thread, plain C, no prefix cache */
    const struct backend *b;  /* what the tests of the group run on */
};

static void ask_case(struct ask *a, struct bed *b, struct model_session *s, const struct prompts *p,
                     int i, int32_t keep)
{
    ask_init(a, b, s, keep, p->ids[i] + keep, cases[i].n_prompt - keep, cases[i].n_reply);
    a->call.sampling.temperature = cases[i].temperature;
    a->call.sampling.top_p = cases[i].top_p;
    a->call.sampling.min_p = cases[i].min_p;
    a->call.sampling.repetition_penalty = cases[i].penalty;
    a->call.sampling.top_k = cases[i].top_k;
    a->call.call_id += (uint64_t)i;
}

static int setup(void **state, const struct backend *on)
{
    struct prompts *p = xcalloc(1, sizeof(*p));
    struct weights *w = held_weights(cpu_backend(CPU_ISA_PLAIN));
    struct engine_options o = held_options(w);

    o.no_prefix_cache = true;
    for (int i = stride() - 1; i < N_CASES; i += stride()) {
        struct bed b;
        struct model_session *s;

        random_ids((uint64_t)i / 2, cases[i].n_prompt, p->ids[i]); /* pairs begin alike */
        bed_open(&b, &o);
        s = bed_session(&b);
        ask_case(&p->want[i], &b, s, p, i, 0);
        ask_run(&p->want[i], &b);
        assert_int_equal(p->want[i].call.status, STATUS_OK);
        assert_int_equal(p->want[i].call.n_ids, cases[i].n_reply);
        bed_end(&b, s);
        bed_close(&b);
    }
    weights_unref(w);
    p->b = on;
    *state = p;
    return 0;
}

static int setup_cpu(void **state)
{
    return setup(state, cpu_backend(cpu_isa_best()));
}

/* A device whose memory the host cannot touch: the seam of kernels/backend.h holds. */
static int setup_device(void **state)
{
    return setup(state, fake_device());
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static int teardown_device(void **state)
{
    assert_true(fake_device_n_ops() > 0);
    assert_int_equal(fake_device_n_allocations(), 0);
    return teardown(state);
}

/* All cases at once, each in a session of its own. */
static void run_batch(struct bed *b, const struct prompts *p)
{
    struct ask *a = xcalloc(N_CASES, sizeof(*a));
    struct model_session *s[N_CASES];

    for (int i = stride() - 1; i < N_CASES; i += stride()) {
        s[i] = bed_session(b);
        ask_case(&a[i], b, s[i], p, i, 0);
        ask_start(&a[i], b);
    }
    bed_wait(b, N_CASES / stride());
    for (int i = stride() - 1; i < N_CASES; i += stride()) {
        assert_same_reply(&a[i], &p->want[i]);
        bed_end(b, s[i]);
    }
    free(a);
}

static void batch_threads_and_instruction_sets(void **state)
{
    const struct prompts *p = *state;

    for (int isa = p->b->host_memory ? 0 : (int)cpu_isa_best(); isa <= (int)cpu_isa_best(); isa++)
        for (int32_t threads = 1; threads <= 3; threads++) {
            if (isa == CPU_ISA_PLAIN && !dtype_is_plain(held))
                continue; /* slow with sanitizers: only the replies that the others must give */
            struct weights *w =
                held_weights(p->b->host_memory ? cpu_backend((enum cpu_isa)isa) : p->b);
            struct engine_options o = held_options(w);
            struct bed b;

            o.n_threads = threads;
            o.group_rows = threads == 3 ? 3 : 0;
            bed_open(&b, &o);
            run_batch(&b, p); /* cold */
            run_batch(&b, p); /* from the prefix tree */
            assert_true(bed_stats(&b).prefix_hit_tokens > 0);
            bed_close(&b);
            weights_unref(w);
        }
}

static void chunked_prefill(void **state)
{
    const struct prompts *p = *state;
    static const int32_t chunk[] = {1, 3, 16, 50};
    struct weights *w = held_weights(p->b);

    for (size_t i = 0; i < ARRAY_LEN(chunk); i++) {
        struct engine_options o = held_options(w);
        struct bed b;

        o.prefill_chunk = chunk[i];
        o.max_batch_rows = 16;
        o.no_prefix_cache = true;
        bed_open(&b, &o);
        run_batch(&b, p);
        bed_close(&b);
    }
    weights_unref(w);
}

static void preempted_and_computed_again(void **state)
{
    const struct prompts *p = *state;
    struct weights *w = held_weights(p->b);
    int64_t page = kv_page_bytes(weights_backend(w), weights_config(w),
                                 kept == DTYPE_N ? weights_kv_dtype(w) : kept);

    for (int cached = 0; cached < 2; cached++)
        for (int32_t threads = 1; threads <= 2; threads++) {
            struct engine_options o = held_options(w);
            struct bed b;

            o.kv_bytes = (stride() == 1 ? 20 : 17) * page; /* the longest alone takes 16 */
            o.n_threads = threads;
            o.no_prefix_cache = !cached;
            bed_open(&b, &o);
            run_batch(&b, p);
            assert_true(bed_stats(&b).preemptions > 0);
            bed_close(&b);
        }
    weights_unref(w);
}

static void prefix_hit_counts_and_agrees(void **state)
{
    const struct prompts *p = *state;
    struct weights *w = held_weights(p->b);
    struct engine_options o = held_options(w);
    int last = N_CASES - 1;
    struct bed b;
    struct ask a;

    bed_open(&b, &o);
    for (int round = 0; round < 2; round++) {
        struct model_session *s = bed_session(&b);

        ask_case(&a, &b, s, p, last, 0);
        ask_run(&a, &b);
        assert_same_reply(&a, &p->want[last]);
        /* All full pages but the one with the last id. */
        assert_int_equal(
            a.call.usage.cached,
            round == 0 ? 0 : (cases[last].n_prompt - 1) / KV_PAGE_TOKENS * KV_PAGE_TOKENS);
        bed_end(&b, s);
    }
    bed_close(&b);
    weights_unref(w);
}

/* The session's positions are a longer prompt's beginning; a fork goes on from them. */
static void forks_and_turns(void **state)
{
    const struct prompts *p = *state;
    struct weights *w = held_weights(p->b);

    for (int cached = 0; cached < 2; cached++)
        for (int i = stride() - 1; i < N_CASES; i += stride()) {
            struct engine_options o = held_options(w);
            int32_t half = cases[i].n_prompt / 2;
            struct model_session *s, *f, *g;
            struct ask warm, a, again, other;
            struct bed b;

            if (half == 0)
                continue;
            o.no_prefix_cache = !cached;
            bed_open(&b, &o);
            s = bed_session(&b);
            ask_init(&warm, &b, s, 0, p->ids[i], half, 9);
            ask_run(&warm, &b);
            f = bed_fork(&b, s);
            g = bed_fork(&b, f);
            ask_case(&a, &b, f, p, i, half);
            ask_case(&again, &b, s, p, i, half);
            ask_init(&other, &b, g, half + 9, p->ids[i], 3, 30);
            ask_start(&other, &b); /* writes on in the page that all three share */
            ask_start(&a, &b);
            ask_start(&again, &b);
            bed_wait(&b, 3);
            assert_same_reply(&a, &p->want[i]);
            assert_same_reply(&again, &p->want[i]);
            assert_int_equal(other.call.n_ids, 30);
            bed_end(&b, s);
            bed_end(&b, f);
            bed_end(&b, g);
            bed_close(&b);
        }
    weights_unref(w);
}

/* Feeding a reply's ids back as a prompt gives the rest of the reply. */
static void token_in_token_out(void **state)
{
    const struct prompts *p = *state;
    struct weights *w = held_weights(p->b);
    struct engine_options o = held_options(w);
    struct bed b;

    bed_open(&b, &o);
    for (int i = stride() - 1; i < N_CASES; i += stride()) {
        struct model_session *s = bed_session(&b);
        int32_t first = cases[i].n_reply / 3 + 1;
        int32_t rest = cases[i].n_reply - first;
        struct ask a, more;

        ask_case(&a, &b, s, p, i, 0);
        a.call.max_tokens = first;
        ask_run(&a, &b);
        /* No new ids: only the last id is computed again. */
        ask_case(&more, &b, s, p, i, 0);
        more.call.keep = cases[i].n_prompt + first;
        more.call.n_delta = 0;
        more.call.max_tokens = rest;
        ask_run(&more, &b);
        assert_int_equal(more.call.status, STATUS_OK);
        assert_memory_equal(more.ids, p->want[i].ids + first, (size_t)rest * sizeof(int32_t));
        assert_memory_equal(more.logp, p->want[i].logp + first, (size_t)rest * sizeof(float));
        bed_end(&b, s);
    }
    bed_close(&b);
    weights_unref(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_threads_and_instruction_sets),
        cmocka_unit_test(chunked_prefill),
        cmocka_unit_test(preempted_and_computed_again),
        cmocka_unit_test(prefix_hit_counts_and_agrees),
        cmocka_unit_test(forks_and_turns),
        cmocka_unit_test(token_in_token_out),
    };

    int failed = 0;

    held = DTYPE_F32;
    failed += cmocka_run_group_tests_name("f32", tests, setup_cpu, teardown);
    held = DTYPE_BF16;
    failed += cmocka_run_group_tests_name("bf16", tests, setup_cpu, teardown);
    for (int t = 0; quantised_types[t] != DTYPE_N; t++) {
        held = quantised_types[t];
        failed += cmocka_run_group_tests_name(dtype_name(held), tests, setup_cpu, teardown);
    }
    held = DTYPE_F32;
    kept = DTYPE_Q8_0;
    failed += cmocka_run_group_tests_name("f32, keys and values in q8", tests, setup_cpu, teardown);
    kept = DTYPE_N;
    failed += cmocka_run_group_tests_name("f32, device", tests, setup_device, teardown_device);
    held = DTYPE_Q8_0;
    failed += cmocka_run_group_tests_name("q8_0, device", tests, setup_device, teardown_device);
    return failed;
}
