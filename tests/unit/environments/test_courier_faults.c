/* test_courier_faults.c - faults come at their rates and do what they are called, and policies and
 * ablations meet the same ones.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/env_play.h"

#include "tools/environments/courier.h"

static void faults_come_at_their_rates(void **state)
{
    static const struct {
        const char *name;
        double noise, gusty, calm;
    } cases[] = {{"courier", -1, 0.05, 0.0002},
                 {"courier", 0.2, 0.2, 0.0008},
                 {"courier", 0, 0, 0},
                 {"courier_plain", -1, 0.01, 0.01}};
    const int32_t n = 100000;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct env_ops *ops = env_find(cases[i].name);

        for (int profile = ENV_STD; profile <= ENV_HARD; profile++) {
            struct env *e = play_new(ops, (struct env_params){.horizon = n,
                                                              .noise = cases[i].noise,
                                                              .profile = (enum env_profile)profile,
                                                              .fault_seed = 3});
            struct courier *c = courier_of(e);
            double rate = profile == ENV_HARD ? 0.01 : 0;

            for (int gusty = 0; gusty < 2; gusty++) {
                double p = gusty ? cases[i].gusty : cases[i].calm;
                int64_t count[6] = {0};

                c->leg.gusty = gusty;
                for (int32_t step = 0; step < n; step++) {
                    c->base.step = step;
                    count[courier_move_fault(c, 1).kind]++;
                }
                assert_rate(count[COURIER_SHORT], n, p / 3);
                assert_rate(count[COURIER_FAR], n, p / 3);
                assert_rate(count[COURIER_ASIDE], n, p / 3);
                assert_rate(count[COURIER_TRANSIENT], n, rate);
                assert_rate(count[COURIER_ERROR_BUT_DONE], n, rate);
            }
            ops->free(e);
        }
    }
}

static void a_fifth_of_the_legs_is_gusty_and_targets_cover_the_grid(void **state)
{
    const int32_t n = 100000;
    int64_t gusty = 0, moves = 0;
    int32_t hits[COURIER_CELLS] = {0};

    (void)state;
    for (int32_t i = 0; i < n; i++) {
        struct courier_leg leg = courier_leg_at(5, i);

        gusty += leg.gusty;
        moves += courier_leg_moves(5, i);
        hits[leg.to.y * COURIER_SIDE + leg.to.x]++;
        assert_in_range(leg.parcel, 0, 9);
    }
    assert_rate(gusty, n, 0.2);
    assert_between((double)moves / n, 3.40, 3.48);
    for (int32_t k = 0; k < COURIER_CELLS; k++)
        assert_rate(hits[k], n, 1.0 / COURIER_CELLS);
}

/* Every start, direction and length: one cell off, never where it was asked to be. */
static void a_fault_leads_one_cell_astray(void **state)
{
    (void)state;
    for (int32_t k = 0; k < COURIER_CELLS; k++) {
        struct courier_cell from = {(uint8_t)(k % COURIER_SIDE), (uint8_t)(k / COURIER_SIDE)};

        for (int32_t d = 0; d < COURIER_N_DIRS; d++) {
            for (int32_t n = 1; n <= COURIER_STRIDE; n++) {
                enum courier_dir dir = (enum courier_dir)d;
                struct courier_cell asked = courier_shift(from, dir, n);

                for (int32_t kind = COURIER_SHORT; kind <= COURIER_ASIDE; kind++) {
                    for (uint32_t bit = 0; bit < 2; bit++) {
                        struct courier_fault f = {(enum courier_fault_kind)kind, bit};
                        struct courier_cell end = courier_strayed(from, dir, n, f);

                        assert_int_equal(abs(end.x - asked.x) + abs(end.y - asked.y), 1);
                    }
                }
            }
        }
    }
}

static void faults_do_what_they_are_called(void **state)
{
    const struct courier_cell from = {5, 5};
    const struct {
        struct courier_fault f;
        int x, y;
    } cases[] = {{{COURIER_NO_FAULT, 0}, 8, 5},      {{COURIER_SHORT, 0}, 7, 5},
                 {{COURIER_FAR, 0}, 9, 5},           {{COURIER_ASIDE, 0}, 8, 4},
                 {{COURIER_ASIDE, 1}, 8, 6},         {{COURIER_TRANSIENT, 0}, 5, 5},
                 {{COURIER_ERROR_BUT_DONE, 0}, 8, 5}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct courier_cell end = courier_strayed(from, COURIER_EAST, 3, cases[i].f);

        assert_int_equal(end.x, cases[i].x);
        assert_int_equal(end.y, cases[i].y);
    }
}

static void readings_are_wrong_in_profile_hard_only(void **state)
{
    const int32_t n = 50000;

    (void)state;
    for (int profile = ENV_STD; profile <= ENV_HARD; profile++) {
        struct env *e =
            play_new(env_find("courier"),
                     (struct env_params){
                         .horizon = n, .profile = (enum env_profile)profile, .fault_seed = 4});
        struct courier *c = courier_of(e);
        int64_t wrong = 0;

        for (int32_t step = 0; step < n; step++) {
            bool struck;
            struct courier_cell shown;

            c->base.step = step;
            shown = courier_reading(c, &struck);
            assert_int_equal(struck, !courier_same(shown, c->is));
            wrong += struck;
        }
        assert_rate(wrong, n, profile == ENV_HARD ? 0.01 : 0);
        env_find("courier")->free(e);
    }
}

/* The faults of the first moves of every leg, under a policy and an ablation. */
static void note_faults(struct env_params p, const char *how, uint8_t *out)
{
    const struct env_ops *ops = env_find("courier_plain");
    struct env *e = play_new(ops, p);
    struct env_effect fx = {0};
    struct str text = STR_INIT;

    while (!fx.done) {
        struct courier *c = courier_of(e);
        struct env_call call;

        for (int32_t k = 0; k < 3; k++)
            out[3 * c->base.step + k] = (uint8_t)courier_move_fault(c, k).kind;
        ops->expert(e, how, &call);
        str_clear(&text);
        ops->call_compact(e, &call, &fx, &text);
    }
    str_deinit(&text);
    ops->free(e);
}

static void ablations_and_policies_meet_the_same_faults(void **state)
{
    uint8_t want[600] = {0}, got[600] = {0};
    struct env_params p = {.horizon = 200, .noise = 0.1, .task_seed = 70, .fault_seed = 71};

    (void)state;
    note_faults(p, "plain", want);
    for (int a = ENV_ABLATE_NONE; a <= ENV_ABLATE_ECHO; a++) {
        p.ablation = (enum env_ablation)a;
        note_faults(p, "plain", got);
        assert_memory_equal(got, want, sizeof(want));
        note_faults(p, "check", got);
        assert_memory_equal(got, want, sizeof(want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_come_at_their_rates),
        cmocka_unit_test(a_fifth_of_the_legs_is_gusty_and_targets_cover_the_grid),
        cmocka_unit_test(a_fault_leads_one_cell_astray),
        cmocka_unit_test(faults_do_what_they_are_called),
        cmocka_unit_test(readings_are_wrong_in_profile_hard_only),
        cmocka_unit_test(ablations_and_policies_meet_the_same_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
