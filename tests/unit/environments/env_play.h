/* env_play.h - small helpers that the tests of environments share: episodes made, driven, scored.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_UNIT_ENVIRONMENTS_ENV_PLAY_H
#define TROUPE_TESTS_UNIT_ENVIRONMENTS_ENV_PLAY_H

#include <math.h>

#include "runtime/base/rng.h"
#include "tests/support/check.h"
#include "tools/environments/environment.h"

static inline struct env *play_new(const struct env_ops *ops, struct env_params p)
{
    struct env *e = NULL;

    assert_ok(ops->create(&p, &e, why));
    return e;
}

/* Says one call in compact text and compares the answer. */
static inline struct env_effect play_say(const struct env_ops *ops, struct env *e, const char *text,
                                         const char *answer)
{
    struct env_call call;
    struct env_effect fx;
    struct str out = STR_INIT;

    ops->parse_compact(e, text, strlen(text), &call);
    ops->call_compact(e, &call, &fx, &out);
    assert_string_equal(str_cstr(&out), answer);
    str_deinit(&out);
    return fx;
}

static inline struct env_verdict play_verdict(const struct env_ops *ops, const struct env *e)
{
    struct env_verdict v;

    ops->verify(e, &v);
    return v;
}

/* Lets the scripted expert play to the end. The transcript, if wanted, grows. */
static inline struct env_verdict play_expert(const struct env_ops *ops, struct env *e,
                                             const char *how, struct str *transcript)
{
    struct env_effect fx = {0};
    struct env_call call;
    struct str out = STR_INIT;

    if (transcript)
        ops->observe_compact(e, transcript);
    while (!fx.done) {
        ops->expert(e, how, &call);
        str_clear(&out);
        ops->call_compact(e, &call, &fx, &out);
        if (!transcript)
            continue;
        ops->render_call(&call, transcript);
        str_append(transcript, str_cstr(&out), out.len);
    }
    str_deinit(&out);
    return play_verdict(ops, e);
}

/* The sums of many verdicts. */
struct play_score {
    int64_t episodes, successes, steps, capped, over_budget;
#define COUNTER(name) int64_t name;
#include "tools/environments/counters.def"
#undef COUNTER
    double ceiling; /* the mean over the tasks */
};

static inline void play_add(struct play_score *s, const struct env_verdict *v)
{
    s->episodes++;
    s->successes += v->success;
    s->steps += v->steps;
#define COUNTER(name) s->name += v->name;
#include "tools/environments/counters.def"
#undef COUNTER
    s->capped += v->capped;
    s->over_budget += v->over_budget;
}

/* Episodes on the seeds from `seed` on. */
static inline struct play_score play_many(const struct env_ops *ops, struct env_params p,
                                          const char *how, uint64_t seed, int32_t episodes)
{
    struct play_score s = {0};

    for (int32_t i = 0; i < episodes; i++) {
        struct env_verdict v;
        struct env *e;

        p.task_seed = seed + (uint64_t)i;
        p.fault_seed = rng_derive(p.task_seed, 1);
        e = play_new(ops, p);
        v = play_expert(ops, e, how, NULL);
        play_add(&s, &v);
        s.ceiling += ops->ceiling(&p) / episodes;
        ops->free(e);
    }
    return s;
}

static inline double play_share(int64_t hits, int64_t n)
{
    return (double)hits / (double)(n > 0 ? n : 1);
}

/* Wilson's interval at z standard deviations; z = 3.3 leaves one wrong alarm in a thousand. */
static inline void assert_wilson(int64_t hits, int64_t n, double p)
{
    const double z = 3.3;
    double f = (double)hits / (double)n, m = (double)n;
    double mid = (f + z * z / (2 * m)) / (1 + z * z / m);
    double half = z / (1 + z * z / m) * sqrt(f * (1 - f) / m + z * z / (4 * m * m));

    if (p < mid - half || p > mid + half)
        fail_msg("%lld of %lld: %.4f .. %.4f does not hold %.4f", (long long)hits, (long long)n,
                 mid - half, mid + half, p);
}

/* Within five standard deviations of n * p. */
static inline void assert_rate(int64_t hits, int64_t n, double p)
{
    double sd = sqrt((double)n * p * (1 - p));

    if (fabs((double)hits - (double)n * p) > 5 * sd + 1)
        fail_msg("%lld hits in %lld draws at %g", (long long)hits, (long long)n, p);
}

static inline void assert_between(double value, double low, double high)
{
    if (!(value >= low && value <= high))
        fail_msg("%.4f is not in %.4f .. %.4f", value, low, high);
}

#endif
