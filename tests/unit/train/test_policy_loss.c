/* test_policy_loss.c - objectives: the numbers of the references, and slopes by finite differences.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "models/train/policy_loss.h"
#include "tests/support/check.h"

#define NEAR(a, b, eps)                                                                            \
    do {                                                                                           \
        if (!(fabs((double)(a) - (double)(b)) <= (eps)))                                           \
            fail_msg("%s:%d: %.9f is not %.9f", __FILE__, __LINE__, (double)(a), (double)(b));     \
    } while (0)

static const float lp[3] = {-1.69315f, -1, -.59453f}, old[3] = {-1, -1, -1}, adv[3] = {1, -1, 2};
static const float gen[3] = {-.5f, -1.5f, -.8f};

static double mean_loss(struct policy_options o, const struct policy_sequence *s)
{
    double d[8];
    struct policy_stats stats = {0};

    policy_sequence_loss(&o, s, d, &stats);
    return stats.loss / s->n;
}

static struct policy_options with(enum policy_objective objective, double low, double high)
{
    return (struct policy_options){.objective = objective, .clip_low = low, .clip_high = high};
}

static void objectives_give_their_references_numbers(void **state)
{
    struct policy_sequence s = {.n = 3, .lp = lp, .old = old, .advantage = adv};
    const float l2[3] = {-.5f, -1, -1.5f};
    struct policy_sequence on = {.n = 3, .lp = l2, .old = l2, .advantage = adv};

    (void)state;
    NEAR(mean_loss(with(POLICY_PPO, .2, .2), &s), -.6333, 1e-4);
    NEAR(mean_loss(with(POLICY_PPO, .2, .28), &s), -.686666, 1e-5);
    NEAR(mean_loss(with(POLICY_PPO, .2, .2), &on), -.6667, 1e-4); /* rho = 1: on policy */
    NEAR(mean_loss(with(POLICY_REINFORCE, 0, 0), &on), .8333, 1e-4);
    NEAR(mean_loss(with(POLICY_CISPO, .2, .2), &s), .593797, 1e-5);
    NEAR(mean_loss(with(POLICY_CISPO_TRL, 0, 5), &s), .543390, 1e-5);
    NEAR(mean_loss(with(POLICY_GSPO, .2, .2), &s), -.6057, 1e-4);
}

static void dual_clip_bounds_the_loss_of_bad_tokens(void **state)
{
    const float a[3] = {1, -1, -4}, o[3] = {-1, -1, -3},
                l[3] = {-1.69314718f, -1, -.69741491f}; /* rho .5, 1, 10 */
    struct policy_sequence s = {.n = 3, .lp = l, .old = o, .advantage = a};
    struct policy_options options = with(POLICY_PPO, .2, .2);

    (void)state;
    options.dual_clip = 3;
    NEAR(mean_loss(options, &s), 4.1667, 1e-4);
}

static void gspo_batches_are_means_of_sequences(void **state)
{
    const float old2[3] = {-2, -2, -2};
    struct policy_sequence one = {.n = 3, .lp = lp, .old = old, .advantage = adv},
                           two = {.n = 3, .lp = lp, .old = old2, .advantage = adv};
    struct policy_options o = with(POLICY_GSPO, .2, .2);

    (void)state;
    NEAR((mean_loss(o, &one) + mean_loss(o, &two)) / 2, -.4912, 1e-4);
}

static void importance_corrects_a_foreign_sampler(void **state)
{
    struct policy_sequence s = {.n = 3, .lp = lp, .old = old, .gen = gen, .advantage = adv};
    struct policy_options o = with(POLICY_PPO, .2, .2);

    (void)state;
    o.importance_max = 100;
    NEAR(mean_loss(o, &s), -.206499, 1e-5);
    o.objective = POLICY_GSPO;
    NEAR(mean_loss(o, &s), -.4959, 1e-4);
    s.gen = old; /* the same policy: weights of exactly 1 */
    o.objective = POLICY_PPO;
    NEAR(mean_loss(o, &s), -.6333, 1e-4);
}

static void kl_estimates_and_their_slopes(void **state)
{
    static const struct {
        enum policy_kl kl;
        float lp, ref;
        double value, slope;
    } cases[] = {
        {POLICY_KL_K1, -1, 0, -1, 1},
        {POLICY_KL_K1, -1, -15, 14, 1},
        {POLICY_KL_K2, -1, 0, .5, -1},
        {POLICY_KL_K2, -1, -15, 98, 14},
        {POLICY_KL_K3, -1, 0, .718282, -1.718282},
        {POLICY_KL_K3, -1, -15, 13, 1},
        {POLICY_KL_K3, 0, -1, .367879, .632121},
        {POLICY_KL_K3_NEMO, -1, 0, .718282, -1},
        {POLICY_KL_K3_NEMO, 0, -1, .367879, 1},
    };
    const float zero = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct policy_sequence s = {.n = 1,
                                    .lp = &cases[i].lp,
                                    .old = &cases[i].lp,
                                    .ref = &cases[i].ref,
                                    .advantage = &zero};
        struct policy_options o = with(POLICY_PPO, .2, .2);
        struct policy_stats stats = {0};
        double d;
        o.kl = cases[i].kl;
        o.kl_beta = 1;
        policy_sequence_loss(&o, &s, &d, &stats);
        NEAR(stats.kl, cases[i].value, 1e-5);
        NEAR(d, cases[i].slope, 1e-5);
    }
}

/* d loss / d lp by central differences, in double through float inputs that are exact halves. */
static void slopes_are_derivatives(void **state)
{
    const float h = 1.0f / 1024;
    const float ref[3] = {-1.5f, -.75f, -1.25f};

    (void)state;
    for (int objective = 0; objective < POLICY_N; objective++)
        for (int kl = POLICY_KL_NONE; kl <= POLICY_KL_K3; kl++)
            for (int t = 0; t < 3; t++) {
                float l[3] = {-1.0625f, -1.125f, -.9375f};
                struct policy_sequence s = {
                    .n = 3, .lp = l, .old = old, .gen = gen, .ref = ref, .advantage = adv};
                struct policy_options o = with((enum policy_objective)objective, .2, 1.28);
                struct policy_stats up = {0}, down = {0}, at = {0};
                double d[3], ignored[3];
                o.kl = (enum policy_kl)kl;
                o.kl_beta = .3;
                o.importance_max = 1.4;
                if (objective == POLICY_CISPO || objective == POLICY_CISPO_TRL)
                    continue; /* their weight is a constant on purpose: below */
                policy_sequence_loss(&o, &s, d, &at);
                l[t] += h;
                policy_sequence_loss(&o, &s, ignored, &up);
                l[t] -= 2 * h;
                policy_sequence_loss(&o, &s, ignored, &down);
                NEAR(d[t], (up.loss - down.loss) / (2 * (double)h), 2e-4);
            }
}

static void cispo_keeps_its_weight_out_of_the_slope(void **state)
{
    struct policy_sequence s = {.n = 3, .lp = lp, .old = old, .advantage = adv};
    struct policy_options o = with(POLICY_CISPO, .2, .2);
    struct policy_stats stats = {0};
    double d[3];

    (void)state;
    policy_sequence_loss(&o, &s, d, &stats);
    NEAR(d[0], -.8, 1e-5);
    NEAR(d[1], 1, 1e-5);
    NEAR(d[2], -2.4, 1e-5);
    assert_int_equal(stats.n_clipped_low, 1);
    assert_int_equal(stats.n_clipped_high, 1);
    NEAR(stats.abs_lp_gap_max, .69315, 1e-4);
}

static void aggregation_is_a_weight(void **state)
{
    struct policy_options o = with(POLICY_PPO, .2, .2);

    (void)state;
    NEAR(policy_weight(&o, 5, 100, 4), .01, 1e-12);
    o.aggregation = POLICY_SEQUENCE;
    NEAR(policy_weight(&o, 5, 100, 4), .05, 1e-12);
    o.aggregation = POLICY_CONSTANT;
    o.max_completion = 50;
    NEAR(policy_weight(&o, 5, 100, 4), .005, 1e-12);
}

static void long_replies_are_shaped(void **state)
{
    (void)state;
    NEAR(policy_overlong_trl(80, 100, 20), 0, 0);
    NEAR(policy_overlong_trl(90, 100, 20), -.5, 1e-12);
    NEAR(policy_overlong_trl(100, 100, 20), -1, 1e-12);
    NEAR(policy_overlong_trl(101, 100, 20), -1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objectives_give_their_references_numbers),
        cmocka_unit_test(dual_clip_bounds_the_loss_of_bad_tokens),
        cmocka_unit_test(gspo_batches_are_means_of_sequences),
        cmocka_unit_test(importance_corrects_a_foreign_sampler),
        cmocka_unit_test(kl_estimates_and_their_slopes),
        cmocka_unit_test(slopes_are_derivatives),
        cmocka_unit_test(cispo_keeps_its_weight_out_of_the_slope),
        cmocka_unit_test(aggregation_is_a_weight),
        cmocka_unit_test(long_replies_are_shaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
