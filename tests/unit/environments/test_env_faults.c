/* test_env_faults.c - kinds of faults chosen by name: only they strike, at the whole rate, at the
 * same moments; the ceiling holds; copies keep the choice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/env_play.h"

#include "tools/environments/courier.h"
#include "tools/environments/itinerary.h"
#include "tools/environments/ledger.h"

static uint32_t faults_of(const struct env_ops *ops, const char *words)
{
    uint32_t faults = 99;

    assert_ok(env_faults_of(ops, words, &faults, why));
    return faults;
}

static void words_are_bits_and_back(void **state)
{
    (void)state;
    for (int32_t k = 0; env_at(k); k++) {
        const struct env_ops *ops = env_at(k);
        struct str all = STR_INIT, text = STR_INIT;

        assert_in_range(ops->n_faults, 2, 16);
        assert_int_equal(faults_of(ops, "all"), 0);
        for (int32_t i = 0; i < ops->n_faults; i++) {
            assert_int_equal(faults_of(ops, ops->faults[i]), 1U << i);
            str_clear(&text);
            env_faults_text(ops, 1U << i, &text);
            assert_string_equal(str_cstr(&text), ops->faults[i]);
            str_printf(&all, "%s%s", i ? "," : "", ops->faults[i]);
        }
        assert_int_equal(faults_of(ops, str_cstr(&all)), 0); /* all by name are all */
        str_clear(&text);
        env_faults_text(ops, 0, &text);
        assert_string_equal(str_cstr(&text), "all");
        str_deinit(&all);
        str_deinit(&text);
    }
    assert_int_equal(faults_of(env_find("ledger"), "target,lost"), 5);
}

static void unknown_kinds_are_told_the_known_ones(void **state)
{
    static const char *const bad[] = {"short", "lost,", "", ",lost", "lost,all", "Lost"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err = ERROR_INIT;
        uint32_t faults = 99;

        assert_int_equal(env_faults_of(env_find("ledger"), bad[i], &faults, &err), STATUS_USAGE);
        assert_non_null(strstr(err.message, "lost,value,target"));
        assert_int_equal(faults, 99);
    }
    for (int32_t k = 0; env_at(k); k++) {
        struct env_params p = {.horizon = 3, .faults = 1U << env_at(k)->n_faults};
        struct error err = ERROR_INIT;
        struct env *e = NULL;

        assert_int_equal(env_at(k)->create(&p, &e, &err), STATUS_INVALID);
        assert_memory_equal(err.message, env_at(k)->name, strlen(env_at(k)->name));
    }
}

/* What the first try of a step meets. */
static int ledger_kind(struct env_params p, int32_t step)
{
    struct ledger l = {.base = {.params = p, .step = step},
                       .rules = &ledger_rules_plain,
                       .order = {.risky = true}};

    return (int)ledger_write_fault(&l, 0).kind;
}

static int courier_kind(struct env_params p, int32_t step)
{
    struct courier c = {
        .base = {.params = p, .step = step}, .rules = &courier_rules_plain, .leg = {.gusty = true}};

    return (int)courier_move_fault(&c, 0).kind;
}

static int itinerary_kind(struct env_params p, int32_t step)
{
    struct itinerary t = {.base = {.params = p, .step = step}};

    return (int)itinerary_book_fault(&t, 0).kind;
}

/* A kind that is left strikes wherever any of those that share its rate did; others never. */
static void one_kind_alone_has_the_whole_rate(int (*kind_at)(struct env_params p, int32_t step),
                                              int32_t n_kinds)
{
    const int32_t n = 30000;

    for (uint32_t faults = 1; faults < 1U << n_kinds; faults++) {
        struct env_params p = {.noise = .1, .fault_seed = 11}, chosen = p;
        int64_t seen[8] = {0};
        int32_t n_chosen = 0;

        chosen.faults = faults;
        for (int32_t i = 0; i < n_kinds; i++)
            n_chosen += (int32_t)(faults >> i & 1);
        for (int32_t step = 0; step < n; step++) {
            int all = kind_at(p, step), some = kind_at(chosen, step);

            assert_int_equal(all >= 1 && all <= n_kinds, some >= 1 && some <= n_kinds);
            seen[some]++;
        }
        for (int32_t i = 0; i < n_kinds; i++)
            assert_rate(seen[1 + i], n, faults >> i & 1 ? .1 / n_chosen : 0);
    }
}

static void kinds_share_the_rate(void **state)
{
    (void)state;
    one_kind_alone_has_the_whole_rate(ledger_kind, LEDGER_N_FAULTS);
    one_kind_alone_has_the_whole_rate(courier_kind, COURIER_N_FAULTS);
}

/* Time-outs have their own rates: chosen or not, they do not change the others'. */
static void time_outs_come_or_stay_away(void **state)
{
    const int32_t n = 60000;

    (void)state;
    for (uint32_t faults = 1; faults < 16; faults++) {
        struct env_params p = {.noise = .04, .fault_seed = 3, .faults = faults};
        int64_t seen[8] = {0};
        double silent = (faults & 3) == 3 ? .02 : .04;

        for (int32_t step = 0; step < n; step++)
            seen[itinerary_kind(p, step)]++;
        assert_rate(seen[ITINERARY_ABSENT], n, faults & 1 ? silent : 0);
        assert_rate(seen[ITINERARY_WRONG_DAY], n, faults & 2 ? silent : 0);
        assert_rate(seen[ITINERARY_TIMEOUT_DONE], n, faults & 4 ? ITINERARY_MAX_TIMEOUT : 0);
        assert_rate(seen[ITINERARY_TIMEOUT_LOST], n, faults & 8 ? ITINERARY_MAX_TIMEOUT : 0);
    }
}

/* A policy that never looks lies on the ceiling, whichever kind strikes. */
static void the_ceiling_holds_for_each_kind(void **state)
{
    (void)state;
    for (int32_t k = 0; env_at(k); k++) {
        const struct env_ops *ops = env_at(k);
        struct env_params p = {.horizon = 12, .noise = 4 * ops->default_noise};

        if (p.noise > .1)
            p.noise = .1;
        for (int32_t i = 0; i < ops->n_faults; i++) {
            struct play_score s;

            p.faults = 1U << i;
            s = play_many(ops, p, "plain", ENV_SEED_VALIDATION, 1500);
            /* One sort of time-out alone can be known for what it is: no look is needed. */
            if (strcmp(ops->faults[i], "timeout") == 0)
                assert_true(fabs(s.ceiling - 1) < 1e-9);
            else if (strcmp(ops->faults[i], "late") == 0)
                assert_true(fabs(s.ceiling - 1) < 1e-9 && s.successes == s.episodes);
            else
                assert_wilson(s.successes, s.episodes, s.ceiling);
        }
    }
    for (uint32_t faults = 0; faults < 8; faults++) {
        struct env_params p = {.horizon = 50, .noise = .01, .faults = faults};

        assert_between(env_find("ledger")->ceiling(&p), pow(.99, 50) - 1e-12, pow(.99, 50) + 1e-12);
    }
}

/* The pair in "on the same paired faults": what strikes depends on no ablation. */
static void no_ablation_changes_what_strikes(void **state)
{
    int (*const kind_at[])(struct env_params p, int32_t step) = {ledger_kind, courier_kind,
                                                                 itinerary_kind};

    (void)state;
    for (size_t k = 0; k < sizeof(kind_at) / sizeof(kind_at[0]); k++) {
        int64_t n_struck = 0;

        for (int32_t step = 0; step < 3000; step++) {
            struct env_params p = {.noise = .1, .profile = ENV_HARD, .fault_seed = 5};
            int without = kind_at[k](p, step);

            n_struck += without != 0;
            for (int a = 0; a < ENV_ABLATIONS; a++) {
                p.ablation = (enum env_ablation)a;
                assert_int_equal(kind_at[k](p, step), without);
            }
        }
        assert_true(n_struck > 200);
    }
}

/* A policy that looks repairs faults that it was never shown. */
static void a_policy_that_looks_rises_above_it(void **state)
{
    struct env_params p = {.horizon = 50, .noise = .05};

    (void)state;
    for (uint32_t faults = 1; faults < 8; faults++) {
        struct play_score s;

        p.faults = faults;
        s = play_many(env_find("ledger"), p, "check", ENV_SEED_VALIDATION, 100);
        assert_true(s.successes >= 95);
        assert_true(s.faults > 100);
    }
}

static void copies_keep_the_choice(void **state)
{
    (void)state;
    for (int32_t k = 0; env_at(k); k++) {
        const struct env_ops *ops = env_at(k);
        struct env_params p = {
            .horizon = 20, .noise = .4, .profile = ENV_HARD, .faults = 2, .fault_seed = 8};
        struct env *e = play_new(ops, p), *copy = NULL;
        struct str bytes = STR_INIT, one = STR_INIT, other = STR_INIT, text = STR_INIT;
        struct env_effect fx;
        struct env_call call;

        for (int i = 0; i < 5; i++) {
            ops->expert(e, "check", &call);
            ops->call_compact(e, &call, &fx, &text);
        }
        ops->snapshot(e, &bytes);
        assert_ok(ops->restore(bytes.data, bytes.len, &copy, why));
        assert_int_equal(copy->params.faults, 2);
        assert_int_equal(copy->params.profile, ENV_HARD);
        (void)play_expert(ops, e, "check", &one);
        (void)play_expert(ops, copy, "check", &other);
        assert_string_equal(str_cstr(&one), str_cstr(&other));
        ops->free(e);
        ops->free(copy);
        str_deinit(&bytes);
        str_deinit(&one);
        str_deinit(&other);
        str_deinit(&text);
    }
}

/* Only undo is masked: on the same faults, better than without any correction, worse than with all
 * of it where a fault hits another account. */
static void undo_masked_lies_between(void **state)
{
    struct env_params p = {.horizon = 60, .noise = .03};
    int64_t n[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        static const enum env_ablation how[] = {ENV_ABLATE_NONE, ENV_ABLATE_UNDO, ENV_ABLATE_MASK};
        struct play_score s;

        p.ablation = how[i];
        s = play_many(env_find("ledger"), p, "check", ENV_SEED_VALIDATION, 300);
        n[i] = s.successes;
    }
    assert_true(n[0] > n[1] && n[1] >= n[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_bits_and_back),
        cmocka_unit_test(unknown_kinds_are_told_the_known_ones),
        cmocka_unit_test(kinds_share_the_rate),
        cmocka_unit_test(time_outs_come_or_stay_away),
        cmocka_unit_test(the_ceiling_holds_for_each_kind),
        cmocka_unit_test(no_ablation_changes_what_strikes),
        cmocka_unit_test(a_policy_that_looks_rises_above_it),
        cmocka_unit_test(copies_keep_the_choice),
        cmocka_unit_test(undo_masked_lies_between),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
