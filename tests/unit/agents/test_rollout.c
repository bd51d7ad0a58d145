/* test_rollout.c - a packed episode comes back as it went in, and hostile bytes are refused.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "agents/rollout.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/unit/agents/agent_fixture.h"

static const int32_t delta[] = {259, 'd', '+', '7', '|'};
static const int32_t said[] = {260, 'd', ';'};
static const int32_t more[] = {'>', '5', '9', '|', 319, 2000000000};
static const float logp[] = {-0.5f, -0.0f, -1e-30f};
static const float sampled[] = {-0.25f, -INFINITY, 0.0f};

static void pack(struct rollout_writer *w)
{
    struct rollout_head head = {.path = "row[1]/episode[17]",
                                .env = env_find("ledger"),
                                .params = {.horizon = 30,
                                           .noise = .01,
                                           .profile = ENV_HARD,
                                           .ablation = ENV_ABLATE_MUTE,
                                           .task_seed = UINT64_MAX,
                                           .fault_seed = 3},
                                .sample_seed = (uint64_t)1 << 63,
                                .call_base = rollout_call_base("row[1]/episode[17]", 0),
                                .sampling = {.temperature = .7f,
                                             .top_p = .9f,
                                             .min_p = .05f,
                                             .top_k = 40,
                                             .repetition_penalty = 1.1f},
                                .backend = "cpu-avx512"};
    struct token_record t = {.delta = delta,
                             .n_delta = 5,
                             .ids = said,
                             .n_ids = 3,
                             .logp = logp,
                             .finish = FINISH_STOP,
                             .policy_version = 4};
    struct env_call get = {.tool = 1, .arg = {{.is_text = true, .text = "d"}}};
    struct env_call set = {.tool = 2, .arg = {{.is_text = true, .text = "e"}, {.number = 66}}};
    struct env_call none = {.tool = -1};
    struct json *arguments = fixture_json("{\"q\":\"a\\\"b\"}");

    rollout_begin(w, &head);
    rollout_model(w, &t, true, NULL);
    rollout_env_call(w, &get, "", 0, ">59|", 4);
    t.prefix_len = 8;
    t.delta = more;
    t.n_delta = 6;
    t.logp_sampled = sampled;
    t.finish = FINISH_LENGTH;
    rollout_model(w, &t, false, NULL);
    rollout_env_call(w, &none, "GE\"\n", 4, ">ERR|", 5);
    rollout_env_call(w, &set, "", 0, ">OK|", 4);
    t.prefix_len = 0;
    t.n_ids = 0;
    t.n_delta = 0;
    t.logp_sampled = NULL;
    t.policy_version = 5;
    rollout_model(w, &t, true, "In words.");
    rollout_tool(w, "web/search", arguments, arguments);
    jv_unref(arguments);
}

static bool compare_step(void *ctx, const struct rollout_step *s)
{
    static const struct {
        const char *path, *name, *arguments, *result;
    } want[] = {
        {"row[1]/episode[17]/turn:0/model:0", NULL, NULL, NULL},
        {"row[1]/episode[17]/turn:0/tool:0:get", "get", "{\"key\":\"d\"}", "\">59|\""},
        {"row[1]/episode[17]/turn:1/model:0", NULL, NULL, NULL},
        {"row[1]/episode[17]/turn:1/tool:0:invalid", "invalid", "{\"text\":\"GE\\\"\\n\"}",
         "\">ERR|\""},
        {"row[1]/episode[17]/turn:1/tool:1:set", "set", "{\"key\":\"e\",\"value\":66}", "\">OK|\""},
        {"row[1]/episode[17]/turn:2/model:0", NULL, NULL, NULL},
        {"row[1]/episode[17]/turn:2/tool:0:web%2Fsearch", "web/search", "{\"q\":\"a\\\"b\"}",
         "{\"q\":\"a\\\"b\"}"},
    };
    int32_t *i = ctx;
    const struct token_record *t = &s->tokens;
    int32_t turn = *i < 2 ? 0 : *i < 5 ? 1 : 2;

    assert_in_range(*i, 0, 6);
    assert_string_equal(s->path, want[*i].path);
    assert_int_equal(s->is_tool, want[*i].name != NULL);
    if (s->is_tool) {
        assert_string_equal(s->name, want[*i].name);
        assert_string_equal(s->arguments, want[*i].arguments);
        assert_string_equal(s->result, want[*i].result);
        ++*i;
        return true;
    }
    assert_string_equal(t->backend, "cpu-avx512");
    assert_true(t->seed == (uint64_t)1 << 63);
    assert_true(t->call_id == rng_derive(journal_call_id("row[1]/episode[17]", 0), (uint64_t)turn));
    assert_true(t->temperature == .7f && t->top_p == .9f && t->min_p == .05f && t->top_k == 40 &&
                t->repetition_penalty == 1.1f);
    assert_int_equal(t->policy_version, turn == 2 ? 5 : 4);
    if (turn == 0) {
        assert_null(t->parent);
        assert_int_equal(t->prefix_len, 0);
        assert_int_equal(t->n_delta, 5);
        assert_memory_equal(t->delta, delta, sizeof(delta));
        assert_null(t->logp_sampled);
        assert_int_equal(t->finish, FINISH_STOP);
    } else if (turn == 1) {
        assert_string_equal(t->parent, "row[1]/episode[17]/turn:0/model:0");
        assert_int_equal(t->prefix_len, 8);
        assert_memory_equal(t->delta, more, sizeof(more));
        assert_memory_equal(t->logp_sampled, sampled, sizeof(sampled));
    } else {
        assert_null(t->parent);
        assert_string_equal(s->text, "In words.");
    }
    if (turn < 2) {
        assert_null(s->text);
        assert_int_equal(t->n_ids, 3);
        assert_memory_equal(t->ids, said, sizeof(said));
        assert_memory_equal(t->logp, logp, sizeof(logp));
    }
    ++*i;
    return true;
}

static void test_round_trip(void **state)
{
    struct rollout_writer w;
    int32_t i = 0;

    (void)state;
    rollout_writer_init(&w);
    pack(&w);
    assert_true(str_ok(&w.out));
    assert_ok(rollout_unpack(w.out.data, w.out.len, compare_step, &i, why));
    assert_int_equal(i, 7);
    pack(&w); /* a writer begins again where it began */
    i = 0;
    assert_ok(rollout_unpack(w.out.data, w.out.len, compare_step, &i, why));
    assert_int_equal(i, 7);
    rollout_writer_deinit(&w);
}

static bool stop_at_second(void *ctx, const struct rollout_step *s)
{
    int32_t *n = ctx;

    (void)s;
    return ++*n < 2;
}

static void test_reader_may_stop(void **state)
{
    struct rollout_writer w;
    int32_t n = 0;

    (void)state;
    rollout_writer_init(&w);
    pack(&w);
    assert_ok(rollout_unpack(w.out.data, w.out.len, stop_at_second, &n, why));
    assert_int_equal(n, 2);
    rollout_writer_deinit(&w);
}

static bool touch(void *ctx, const struct rollout_step *s)
{
    uint64_t *sum = ctx;

    *sum += strlen(s->path);
    if (s->is_tool)
        *sum += strlen(s->name) + strlen(s->arguments) + strlen(s->result);
    for (int32_t i = 0; i < s->tokens.n_delta; i++)
        *sum += (uint64_t)s->tokens.delta[i];
    for (int32_t i = 0; i < s->tokens.n_ids; i++)
        *sum += (uint64_t)s->tokens.ids[i] + (s->tokens.logp[i] < 0);
    return true;
}

/* Every cut and every flipped byte either reads as something or is refused; under the sanitizers
 * that is what this test shows. Each copy is exactly as long as what it holds. */
static void test_hostile_bytes(void **state)
{
    struct rollout_writer w;
    struct error err = ERROR_INIT;
    uint64_t sum = 0;
    int32_t n_refused = 0;

    (void)state;
    rollout_writer_init(&w);
    pack(&w);
    for (size_t n = 0; n <= w.out.len; n++) {
        char *copy = xmalloc(n ? n : 1);

        memcpy(copy, w.out.data, n);
        n_refused += rollout_unpack(copy, n, touch, &sum, &err) == STATUS_CORRUPT;
        free(copy);
    }
    assert_in_range(n_refused, (int)w.out.len - 7, (int)w.out.len);
    for (uint32_t k = 0; k < 20000; k++) {
        struct rng_block b = rng_philox(11, k, 0, 0, 0);
        char *copy = xmalloc(w.out.len);

        memcpy(copy, w.out.data, w.out.len);
        for (int i = 0; i < 1 + (int)(k % 3); i++)
            copy[rng_below(b.word[i], (uint32_t)w.out.len)] = (char)(b.word[3] >> 8 * i);
        (void)!rollout_unpack(copy, w.out.len, touch, &sum, &err);
        free(copy);
    }
    assert_int_equal(rollout_unpack("\x01\x01\x01x\x06nobody", 12, touch, &sum, &err),
                     STATUS_CORRUPT);
    rollout_writer_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_reader_may_stop),
        cmocka_unit_test(test_hostile_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
