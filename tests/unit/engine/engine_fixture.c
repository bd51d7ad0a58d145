/* engine_fixture.c - see engine_fixture.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/engine/engine_fixture.h"

#include <string.h>

#include "runtime/base/rng.h"
#include "tests/support/small_qwen3.h"

struct model_config tiny_config(void)
{
    struct model_config c = small_qwen3(TINY_VOCAB);

    c.initializer_range = 0.5; /* logits that differ clearly */
    return c;
}

struct weights *tiny_weights(const struct backend *b, uint64_t seed)
{
    struct model_config c = tiny_config();
    struct weights *w;

    assert_ok(weights_init(b, arch_find(c.architecture), &c, seed, &w, why));
    return w;
}

struct engine_options tiny_options(struct weights *w)
{
    struct engine_options o = ENGINE_OPTIONS_DEFAULT;

    o.weights = w;
    o.backend = weights_backend(w);
    o.n_threads = 1;
    o.context = TINY_CONTEXT;
    o.max_sessions = 64;
    return o;
}

void bed_open(struct bed *b, const struct engine_options *o)
{
    assert_ok(engine_open(o, &b->engine, why));
    b->model = engine_model(b->engine);
    b->box = mailbox_new(NULL, NULL);
}

void bed_close(struct bed *b)
{
    engine_close(b->engine);
    mailbox_free(b->box);
}

struct model_session *bed_session(struct bed *b)
{
    struct model_session *s;

    assert_ok(b->model->ops->session_open(b->model, NULL, &s, why));
    return s;
}

struct model_session *bed_fork(struct bed *b, struct model_session *from)
{
    struct model_session *s;

    assert_ok(b->model->ops->session_fork(b->model, from, &s, why));
    return s;
}

void bed_end(struct bed *b, struct model_session *s)
{
    b->model->ops->session_close(b->model, s);
}

struct engine_stats bed_stats(struct bed *b)
{
    struct engine_stats s;

    engine_stats(b->engine, &s);
    return s;
}

void ask_init(struct ask *a, struct bed *b, struct model_session *s, int32_t keep,
              const int32_t *delta, int32_t n_delta, int32_t max_tokens)
{
    memset(a, 0, sizeof(*a));
    a->call.reply = b->box;
    a->call.session = s;
    a->call.keep = keep;
    a->call.delta = delta;
    a->call.n_delta = n_delta;
    a->call.seed = 11;
    a->call.call_id = 0x1234567890abcdefu;
    a->call.sampling = SAMPLING_DEFAULT;
    a->call.max_tokens = max_tokens;
    a->call.ids = a->ids;
    a->call.logp = a->logp;
    a->call.logp_sampled = a->logp_sampled;
}

void ask_start(struct ask *a, struct bed *b)
{
    b->model->ops->start(b->model, &a->call);
}

void bed_wait(struct bed *b, int n_answers)
{
    while (n_answers > 0) {
        struct mail *m = mailbox_wait(b->box, 20000);

        assert_non_null(m);
        for (; m; m = m->next)
            n_answers--;
    }
}

void ask_run(struct ask *a, struct bed *b)
{
    ask_start(a, b);
    bed_wait(b, 1);
}

void random_ids(uint64_t seed, int32_t n, int32_t *out)
{
    for (int32_t i = 0; i < n; i++)
        out[i] = (int32_t)rng_below(rng_philox(seed, (uint32_t)i, 1, 2, 3).word[0], TINY_VOCAB);
}

void assert_same_reply(const struct ask *a, const struct ask *b)
{
    size_t n = (size_t)a->call.n_ids;

    if (a->call.status)
        fail_msg("%s", a->call.err.message);
    if (b->call.status)
        fail_msg("%s", b->call.err.message);
    assert_int_equal(a->call.n_ids, b->call.n_ids);
    assert_int_equal(a->call.finish, b->call.finish);
    assert_memory_equal(a->ids, b->ids, n * sizeof(a->ids[0]));
    assert_memory_equal(a->logp, b->logp, n * sizeof(a->logp[0]));
    assert_memory_equal(a->logp_sampled, b->logp_sampled, n * sizeof(a->logp_sampled[0]));
}
