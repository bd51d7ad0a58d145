/* test_engine_device.c - the engine on a device: failures that show late, and ops that split
 * columns. That replies have the bits of the CPU is in test_engine_bits.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "tests/support/fake_device.h"
#include "tests/support/small_qwen3.h"
#include "tests/unit/engine/engine_fixture.h"

enum { N_PROMPT = 40, N_REPLY = 12 };

/* A cold reply to a prompt of its own, in a session that stays open. */
static struct model_session *reply(struct bed *b, uint64_t seed, struct ask *a)
{
    static _Thread_local int32_t prompt[N_PROMPT]; /* the call reads it until it ends */
    struct model_session *s = bed_session(b);

    random_ids(seed, N_PROMPT, prompt);
    ask_init(a, b, s, 0, prompt, N_PROMPT, N_REPLY);
    ask_run(a, b);
    return s;
}

static void on_cpu(struct engine_options o, uint64_t seed, struct ask *a)
{
    struct model_config c = *weights_config(o.weights);
    struct weights *w;
    struct bed b;

    assert_ok(weights_init(cpu_backend(CPU_ISA_PLAIN), arch_find(c.architecture), &c, 1, &w, why));
    o.weights = w;
    o.backend = weights_backend(w);
    bed_open(&b, &o);
    bed_end(&b, reply(&b, seed, a));
    bed_close(&b);
    weights_unref(w);
}

/* The nth call of an op fails: in the prompt's chunks that give no token, in its last, in the head,
 * in decoding. The call ends with the device's words; the session goes on as if it had not begun.
 */
static void a_late_failure_ends_the_call(void **state)
{
    static const struct {
        enum backend_op op;
        int64_t nth;
        int32_t n_ids; /* tokens before it */
    } cases[] = {
        {BACKEND_OP_ATTENTION, 1, 0}, {BACKEND_OP_KV_WRITE, 4, 0},  {BACKEND_OP_EMBED, 3, 0},
        {BACKEND_OP_LOGSUMEXP, 1, 0}, {BACKEND_OP_LOGSUMEXP, 5, 4}, {BACKEND_OP_ROPE, 30, 5},
    };
    struct weights *w = tiny_weights(fake_device(), 1);
    struct engine_options o = tiny_options(w);
    struct ask want;

    (void)state;
    o.prefill_chunk = 16; /* three passes of the prompt, of two layers each */
    on_cpu(o, 7, &want);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bed b;
        struct ask a, again;
        struct model_session *s;

        bed_open(&b, &o);
        fake_device_fail(cases[i].op, cases[i].nth);
        s = reply(&b, 7, &a);
        assert_int_equal(a.call.status, STATUS_FAILED);
        assert_int_equal(a.call.finish, FINISH_ERROR);
        assert_non_null(strstr(a.call.err.message, backend_op_name(cases[i].op)));
        assert_int_equal(a.call.n_ids, cases[i].n_ids);
        assert_memory_equal(a.ids, want.ids, (size_t)a.call.n_ids * sizeof(a.ids[0]));
        /* Nothing of the failed pass is reused, by this session or through the prefix tree. */
        ask_init(&again, &b, s, 0, a.call.delta, N_PROMPT, N_REPLY);
        ask_run(&again, &b);
        assert_same_reply(&again, &want);
        bed_end(&b, s);
        s = reply(&b, 7, &again);
        assert_same_reply(&again, &want);
        bed_end(&b, s);
        bed_close(&b);
    }
    weights_unref(w);
    assert_int_equal(fake_device_n_allocations(), 0);
}

/* A hidden size from which ops split columns over the pool; tokens are drawn by its threads. */
static void columns_over_a_pool(void **state)
{
    struct model_config c = small_qwen3(TINY_VOCAB);
    struct engine_options o;
    struct weights *w;
    struct ask want, got;
    struct bed b;

    (void)state;
    c.hidden_size = 512;
    c.n_layers = 1;
    c.initializer_range = 0.1;
    assert_ok(weights_init(fake_device(), arch_find(c.architecture), &c, 1, &w, why));
    o = tiny_options(w);
    o.n_threads = 2;
    on_cpu(o, 9, &want);
    bed_open(&b, &o);
    bed_end(&b, reply(&b, 9, &got));
    assert_same_reply(&got, &want);
    bed_close(&b);
    weights_unref(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_failure_ends_the_call),
        cmocka_unit_test(columns_over_a_pool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
