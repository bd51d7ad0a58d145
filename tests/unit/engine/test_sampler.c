/* The sampler against a slow one in double, and its draws against their distribution.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "kernels/cpu/cpu_backend.h"
#include "models/engine/sampler.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/support/check.h"

#define MAX_VOCAB 5000

static const struct backend *backend(void)
{
    return cpu_backend(cpu_isa_best());
}

static struct sampler *sampler_of(int32_t vocab)
{
    struct sampler *s;

    assert_ok(sampler_new(backend(), vocab, &s, why));
    return s;
}

static float lse_of(const float *logits, int32_t n, float inv_t)
{
    struct lane lane = {0};
    float lse;

    backend()->logsumexp(&lane, logits, n, 1, n, &inv_t, &lse);
    return lse;
}

static struct sample pick(struct sampler *s, const struct sampling *how, const float *logits,
                          int32_t n, const int32_t *history, int32_t n_history, uint64_t call_id)
{
    struct sample_row row = {.how = how,
                             .logits = logits,
                             .lse = lse_of(logits, n, sampling_inv_temperature(how)),
                             .history = history,
                             .n_history = n_history,
                             .seed = 99,
                             .call_id = call_id,
                             .position = 5};
    struct sample out;

    assert_true(sampler_pick(s, &row, &out));
    return out;
}

/* Roughly normal logits with some ties. */
static void random_logits(uint64_t seed, int32_t n, float *out)
{
    for (int32_t i = 0; i < n; i++) {
        struct rng_block r = rng_philox(seed, (uint32_t)i, 0, 0, 0);
        float x = rng_unit_float(r.word[0]) + rng_unit_float(r.word[1]) +
                  rng_unit_float(r.word[2]) - 1.5f;

        out[i] = floorf(x * 64) / 8;
    }
}

/* ---- the slow one */

struct slow {
    double p[MAX_VOCAB]; /* after processors; 0: cannot be drawn */
    double full[MAX_VOCAB];
};
static double sort_key[MAX_VOCAB];

static int by_key(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    if (sort_key[x] != sort_key[y])
        return sort_key[x] > sort_key[y] ? -1 : 1;
    return x < y ? -1 : 1;
}

static void normalise(double *p, int32_t n)
{
    double sum = 0;

    for (int32_t i = 0; i < n; i++)
        sum += p[i];
    for (int32_t i = 0; i < n; i++)
        p[i] /= sum;
}

static void softmax(const double *x, int32_t n, double t, double *p)
{
    double max = -INFINITY;

    for (int32_t i = 0; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (int32_t i = 0; i < n; i++)
        p[i] = exp((x[i] - max) / t);
    normalise(p, n);
}

static void slow_sampler(const struct sampling *how, const float *logits, int32_t n,
                         const int32_t *history, int32_t n_history, struct slow *out)
{
    static double x[MAX_VOCAB];
    static bool seen[MAX_VOCAB];
    static int32_t order[MAX_VOCAB];
    double t = how->temperature == 0 ? 1 : (double)how->temperature;
    double sum = 0, total = 0;
    int32_t kept = n;

    for (int32_t i = 0; i < n; i++) {
        x[i] = (double)logits[i];
        seen[i] = false;
        order[i] = i;
    }
    softmax(x, n, t, out->full);
    for (int32_t i = 0; i < how->n_bias; i++)
        x[how->bias_id[i]] += (double)how->bias[i];
    for (int32_t i = 0; i < n_history; i++)
        if (!seen[history[i]]) {
            double *v = &x[history[i]];

            seen[history[i]] = true;
            *v = *v < 0 ? *v * (double)how->repetition_penalty
                        : *v / (double)how->repetition_penalty;
        }
    softmax(x, n, t, out->p);
    memcpy(sort_key, x, sizeof(x));
    qsort(order, (size_t)n, sizeof(order[0]), by_key);
    if (how->top_k > 0 && how->top_k < kept)
        kept = how->top_k;
    for (int32_t i = 0; i < kept; i++)
        total += out->p[order[i]];
    for (int32_t i = 0; i < kept && how->top_p < 1; i++) {
        sum += out->p[order[i]];
        if (sum >= (double)how->top_p * total)
            kept = i + 1;
    }
    for (int32_t i = kept - 1; i > 0; i--)
        if (out->p[order[i]] < (double)how->min_p * out->p[order[0]])
            kept = i;
    for (int32_t i = kept; i < n; i++)
        out->p[order[i]] = 0;
    normalise(out->p, n);
}

/* ---- tests */

static const int32_t ban_id[] = {3, 7};
static const float ban[] = {-INFINITY, 2.5f};

static const struct {
    const char *name;
    int32_t vocab, n_history;
    struct sampling how;
} table[] = {
    {"plain", 320, 0, {1, 1, 0, 0, 1, 0, NULL, NULL}},
    {"one token", 1, 0, {1, 1, 0, 0, 1, 0, NULL, NULL}},
    {"below a block", 63, 0, {0.8f, 1, 0, 0, 1, 0, NULL, NULL}},
    {"a block", 64, 0, {0.8f, 1, 0, 0, 1, 0, NULL, NULL}},
    {"above a block", 65, 0, {1.7f, 1, 0, 0, 1, 0, NULL, NULL}},
    {"top-k 1", 65, 0, {1, 1, 0, 1, 1, 0, NULL, NULL}},
    {"top-k among ties", 320, 0, {1, 1, 0, 9, 1, 0, NULL, NULL}},
    {"top-k of all", 65, 0, {1, 1, 0, 65, 1, 0, NULL, NULL}},
    {"top-p", 320, 0, {1, 0.71f, 0, 0, 1, 0, NULL, NULL}},
    {"top-p of a large row", 5000, 0, {0.7f, 0.93f, 0, 0, 1, 0, NULL, NULL}},
    {"min-p", 320, 0, {1, 1, 0.051f, 0, 1, 0, NULL, NULL}},
    {"top-k and top-p", 320, 0, {1, 0.63f, 0, 20, 1, 0, NULL, NULL}},
    {"all three", 320, 0, {1.2f, 0.93f, 0.23f, 50, 1, 0, NULL, NULL}},
    {"penalty", 65, 40, {1, 1, 0, 0, 1.5f, 0, NULL, NULL}},
    {"penalty below 1", 65, 40, {1, 1, 0, 0, 0.6f, 0, NULL, NULL}},
    {"bias and ban", 65, 0, {1, 1, 0, 0, 1, 2, ban_id, ban}},
    {"everything", 320, 100, {0.9f, 0.87f, 0.03f, 40, 1.3f, 2, ban_id, ban}},
};

static void draws_follow_the_distribution(void **state)
{
    static float logits[MAX_VOCAB];
    static struct slow slow;
    static int32_t count[MAX_VOCAB];
    enum { DRAWS = 6000 };

    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(table); c++) {
        const struct sampling *how = &table[c].how;
        int32_t n = table[c].vocab;
        struct sampler *s = sampler_of(n);
        int32_t history[128];
        double chi = 0, rest = 0;
        int32_t cells = 0, n_rest = 0;

        random_logits(c, n, logits);
        for (int32_t i = 0; i < table[c].n_history; i++)
            history[i] = (i * i) % n; /* with repeats */
        slow_sampler(how, logits, n, history, table[c].n_history, &slow);
        memset(count, 0, sizeof(count));
        for (int32_t d = 0; d < DRAWS; d++) {
            struct sample x =
                pick(s, how, logits, n, history, table[c].n_history, (uint64_t)d << 31);

            if (slow.p[x.id] <= 0)
                fail_msg("%s: drew %d, which is cut", table[c].name, x.id);
            assert_true(fabs((double)x.logp - log(slow.full[x.id])) < 2e-5);
            if (fabs((double)x.logp_sampled - log(slow.p[x.id])) > 2e-5)
                fail_msg("%s: token %d: logp_sampled %g, want %g", table[c].name, x.id,
                         (double)x.logp_sampled, log(slow.p[x.id]));
            count[x.id]++;
        }
        for (int32_t i = 0; i < n; i++) {
            double want = slow.p[i] * DRAWS;

            if (want >= 8) {
                chi += (count[i] - want) * (count[i] - want) / want;
                cells++;
            } else {
                rest += want;
                n_rest += count[i];
            }
        }
        if (rest >= 8) {
            chi += (n_rest - rest) * (n_rest - rest) / rest;
            cells++;
        }
        /* Mean k - 1, variance 2 (k - 1); five deviations. The draws are fixed, so is the sum. */
        if (chi > cells - 1 + 5 * sqrt(2.0 * cells))
            fail_msg("%s: chi-square %g with %d cells", table[c].name, chi, cells);
        sampler_free(s);
    }
}

static void processed_is_said_only_where_it_is_so(void **state)
{
    static const struct {
        struct sampling how;
        bool processed;
    } cases[] = {
        {{1, 1, 0, 0, 1, 0, NULL, NULL}, false},    {{0, 1, 0, 0, 1, 0, NULL, NULL}, false},
        {{0.5f, 1, 0, 0, 1, 0, NULL, NULL}, false}, {{1, 1, 0, 8, 1, 0, NULL, NULL}, false},
        {{0, 0.1f, 0, 1, 1, 0, NULL, NULL}, false}, {{1, 1, 0, 7, 1, 0, NULL, NULL}, true},
        {{1, 0.5f, 0, 0, 1, 0, NULL, NULL}, true},  {{0, 1, 0, 0, 1.2f, 0, NULL, NULL}, true},
        {{1, 1, 0, 0, 1, 1, ban_id, ban}, true},    {{1, 1, 1e-9f, 0, 1, 0, NULL, NULL}, false},
    };
    float logits[8] = {0, 1, 2, 3, -1, -2, 1, 0};
    int32_t history[2] = {1, 1};
    struct sampler *s = sampler_of(8);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sample x = pick(s, &cases[i].how, logits, 8, history, 2, i);

        assert_int_equal(x.processed, cases[i].processed);
        if (!x.processed)
            assert_memory_equal(&x.logp, &x.logp_sampled, sizeof(x.logp));
    }
    sampler_free(s);
}

static void greedy_takes_the_lowest_id_of_a_tie(void **state)
{
    static float logits[MAX_VOCAB];
    struct sampling how = SAMPLING_DEFAULT;

    (void)state;
    how.temperature = 0;
    for (int32_t n = 2; n < 140; n++) {
        struct sampler *s = sampler_of(n);

        for (int32_t at = 0; at < n; at++) {
            for (int32_t i = 0; i < n; i++)
                logits[i] = i >= at ? 4.0f : 3.0f;
            assert_int_equal(pick(s, &how, logits, n, NULL, 0, 1).id, at);
        }
        sampler_free(s);
    }
}

static void nothing_to_draw_is_said(void **state)
{
    float logits[4] = {0, 1, 2, 3};
    int32_t ids[4] = {0, 1, 2, 3};
    float minus[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
    struct sampling how = SAMPLING_DEFAULT;
    struct sampler *s = sampler_of(4);
    struct sample_row row = {.how = &how, .logits = logits, .lse = NAN};
    struct sample out;

    (void)state;
    assert_false(sampler_pick(s, &row, &out));
    row.lse = lse_of(logits, 4, 1);
    how.n_bias = 4;
    how.bias_id = ids;
    how.bias = minus;
    assert_false(sampler_pick(s, &row, &out));
    how.n_bias = 3;
    assert_true(sampler_pick(s, &row, &out));
    assert_int_equal(out.id, 3);
    sampler_free(s);
}

static void the_same_draws_on_every_instruction_set(void **state)
{
    static float logits[320];

    (void)state;
    random_logits(5, 320, logits);
    for (size_t c = 0; c < ARRAY_LEN(table); c++)
        for (uint64_t d = 0; d < 50; d++) {
            struct sample first = {0};

            for (int isa = 0; isa <= (int)cpu_isa_best(); isa++) {
                const struct backend *b = cpu_backend((enum cpu_isa)isa);
                float inv_t = sampling_inv_temperature(&table[c].how);
                struct sample_row row = {.how = &table[c].how,
                                         .logits = logits,
                                         .lse = lse_of(logits, 320, inv_t),
                                         .seed = 1,
                                         .call_id = d};
                struct sample x;
                struct sampler *s;

                memset(&x, 0, sizeof(x));
                assert_ok(sampler_new(b, 320, &s, why));
                assert_true(sampler_pick(s, &row, &x));
                if (isa == 0)
                    first = x;
                assert_int_equal(x.id, first.id);
                assert_memory_equal(&x.logp, &first.logp, sizeof(float));
                assert_memory_equal(&x.logp_sampled, &first.logp_sampled, sizeof(float));
                sampler_free(s);
            }
        }
}

static void bad_parameters_are_named(void **state)
{
    static const int32_t far[] = {67};
    static const float nan_bias[] = {NAN};
    static const struct {
        struct sampling how;
        const char *word;
    } cases[] = {
        {{-1, 1, 0, 0, 1, 0, NULL, NULL}, "temperature"},
        {{NAN, 1, 0, 0, 1, 0, NULL, NULL}, "temperature"},
        {{1e-9f, 1, 0, 0, 1, 0, NULL, NULL}, "temperature"},
        {{1, 0, 0, 0, 1, 0, NULL, NULL}, "top_p"},
        {{1, 1.5f, 0, 0, 1, 0, NULL, NULL}, "top_p"},
        {{1, 1, -0.1f, 0, 1, 0, NULL, NULL}, "min_p"},
        {{1, 1, 0, -2, 1, 0, NULL, NULL}, "top_k"},
        {{1, 1, 0, 0, 0, 0, NULL, NULL}, "repetition_penalty"},
        {{1, 1, 0, 0, 1, 65, far, ban}, "biases"},
        {{1, 1, 0, 0, 1, 1, far, ban}, "token 67"},
        {{1, 1, 0, 0, 1, 1, ban_id, nan_bias}, "bias of token 3"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;

        assert_int_equal(sampling_check(&cases[i].how, 67, &err), STATUS_INVALID);
        assert_non_null(strstr(err.message, cases[i].word));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_follow_the_distribution),
        cmocka_unit_test(processed_is_said_only_where_it_is_so),
        cmocka_unit_test(greedy_takes_the_lowest_id_of_a_tie),
        cmocka_unit_test(nothing_to_draw_is_said),
        cmocka_unit_test(the_same_draws_on_every_instruction_set),
        cmocka_unit_test(bad_parameters_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
