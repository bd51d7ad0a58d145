/* test_courier_calls.c - what each call does on the grid, what is shown and what is not, and how an
 * error is carried on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/env_play.h"

#include <stdio.h>

#include "tools/environments/courier.h"

static const struct env_ops *courier(void)
{
    return env_find("courier");
}

static struct env *calm_new(int32_t horizon)
{
    return play_new(courier(), (struct env_params){.horizon = horizon, .task_seed = 3});
}

static void assert_cell(struct courier_cell cell, int x, int y)
{
    assert_int_equal(cell.x, x);
    assert_int_equal(cell.y, y);
}

static void say(struct env *e, const char *text, const char *answer)
{
    (void)play_say(courier(), e, text, answer);
}

/* A deed of this leg, which is answered with its weather. */
static void say_deed(struct env *e, const char *text)
{
    char ok[COURIER_TEXT];

    (void)courier_ok_text(courier_of(e)->rules, courier_of(e)->leg, ok);
    say(e, text, ok);
}

/* A reading says the leg from where the courier is. */
static void say_where(struct env *e, struct courier_cell shown)
{
    char leg[COURIER_TEXT];

    (void)courier_reading_text(courier_of(e)->rules, shown, courier_of(e)->leg, leg);
    say(e, "WHERE;", leg);
}

/* Pinned: a change of these draws would silently change every recorded figure. */
static void draws_are_pinned(void **state)
{
    struct env *e =
        play_new(courier(),
                 (struct env_params){.horizon = 4, .noise = 0.5, .task_seed = 7, .fault_seed = 8});
    struct str text = STR_INIT;

    (void)state;
    (void)play_expert(courier(), e, "check", &text);
    assert_string_equal(
        str_cstr(&text),
        "AT0000GOTO1512p1GUSTY|MOVEE4;>OK7MOVEE4;>OK7MOVEE4;>OK7MOVEE3;>OK7MOVES4;>OK7MOVES4;"
        ">OK7MOVES4;>OK7WHERE;>AT1315GOTO1512p1GUSTY|MOVEE2;>OK7MOVEN3;>OK7WHERE;"
        ">AT1510GOTO1512p1GUSTY|MOVES2;>OK7WHERE;>AT1512GOTO1512p1GUSTY|DROPp1;>OK7NEXT;"
        "AT1512GOTO0612p1CALM|MOVEW4;>OK0MOVEW4;>OK0MOVEW1;>OK0WHERE;"
        ">AT0612GOTO0612p1CALM|DROPp1;>OK0NEXT;AT0612GOTO0000p8CALM|MOVEW4;>OK0MOVEW2;"
        ">OK0MOVEN4;>OK0MOVEN4;>OK0MOVEN4;>OK0WHERE;>AT0000GOTO0000p8CALM|DROPp8;>OK0NEXT;"
        ">ERR|");
    str_deinit(&text);
    courier()->free(e);
}

static void moves_add_up_and_walls_clip(void **state)
{
    struct env *e = calm_new(10);
    struct courier *c = courier_of(e);

    (void)state;
    assert_cell(c->is, 0, 0);
    say_deed(e, "MOVEN1;");
    say_deed(e, "MOVEW4;");
    assert_cell(c->is, 0, 0);
    say_deed(e, "MOVEE4;");
    say_deed(e, "MOVES3;");
    assert_cell(c->is, 4, 3);
    say_deed(e, "MOVEW1;");
    say_deed(e, "MOVEN2;");
    assert_cell(c->is, 3, 1);
    say_where(e, (struct courier_cell){3, 1});
    say(e, "MOVES5;", ">ERR|");
    say(e, "MOVEX1;", ">ERR|");
    say(e, "MOVES0;", ">ERR|");
    say(e, "MOVE S1;", ">ERR|");
    assert_cell(c->is, 3, 1);
    assert_cell(c->at, 3, 1);
    courier()->free(e);
}

/* The leg's own parcel, and an earlier one that nobody has in hand. */
static void parcels_are_dropped_and_picked_up(void **state)
{
    struct env *e = calm_new(10);
    struct courier *c = courier_of(e);
    char drop[16], pick[16], other[16];

    (void)state;
    (void)snprintf(drop, sizeof(drop), "DROPp%d;", c->leg.parcel);
    (void)snprintf(pick, sizeof(pick), "PICKp%d;", c->leg.parcel);
    (void)snprintf(other, sizeof(other), "DROPp%d;", (c->leg.parcel + 1) % 10);
    say(e, other, ">ERR|"); /* none of that name has come up */
    say(e, pick, ">NO|");   /* on board */
    say_deed(e, drop);
    say(e, drop, ">ERR|"); /* it is down */
    assert_int_equal(c->down[0], 1);
    say_deed(e, "MOVEE1;");
    say(e, pick, ">NO|"); /* not here */
    say_deed(e, "MOVEW1;");
    say(e, pick, ">YES|");
    assert_int_equal(c->down[0], 0);
    assert_false(c->now.dropped);
    say_deed(e, drop);
    assert_true(c->now.dropped);
    courier()->free(e);
}

static void walk_to_target(struct env *e)
{
    struct courier *c = courier_of(e);

    while (!courier_same(c->at, c->leg.to)) {
        struct env_call move;
        struct env_effect fx;

        courier_next_move(c->at, c->leg.to, &move);
        jv_unref(courier()->call(e, &move, &fx));
        assert_true(fx.ok);
    }
}

static void drop_and_next(struct env *e)
{
    struct env_call call;
    struct env_effect fx;

    courier_make_parcel_call(COURIER_DROP, courier_of(e)->leg.parcel, &call);
    jv_unref(courier()->call(e, &call, &fx));
    courier_make_call(COURIER_NEXT, &call);
    jv_unref(courier()->call(e, &call, &fx));
}

static void a_parcel_taken_away_later_makes_it_wrong(void **state)
{
    struct env *e = calm_new(2);
    struct courier *c = courier_of(e);
    char pick[16];

    (void)state;
    (void)snprintf(pick, sizeof(pick), "PICKp%d;", c->leg.parcel);
    walk_to_target(e);
    drop_and_next(e);
    assert_true(courier()->step_right(e, 0));
    assert_int_equal(c->misplaced, 0);
    say(e, pick, ">YES|");
    assert_int_equal(c->misplaced, 1);
    walk_to_target(e);
    drop_and_next(e);
    assert_false(courier()->step_right(e, 1)); /* its own is there, but it took another */
    assert_true(courier()->step_right(e, 0));
    assert_false(play_verdict(courier(), e).success);
    courier()->free(e);
}

/* An error stays until a look, and the position in a leg is the one that the model believes in, not
 * the true one. */
static void an_error_is_carried_until_a_look(void **state)
{
    struct env *e = calm_new(4);
    struct courier *c = courier_of(e);
    struct str text = STR_INIT;
    char at[16];
    struct json *v;

    (void)state;
    walk_to_target(e);
    c->is = courier_neighbour(c->is, 0); /* as a fault would have it */
    drop_and_next(e);
    assert_false(courier()->step_right(e, 0));
    (void)snprintf(at, sizeof(at), "AT%02d%02d", c->at.x, c->at.y);
    courier()->observe_compact(e, &text);
    assert_memory_equal(str_cstr(&text), at, 6);
    assert_false(courier_same(c->is, c->at));
    v = courier()->observe(e);
    assert_int_equal(jv_get_int(jv_at(jv_get(v, "at"), 0), -1), c->at.x);
    assert_int_equal(jv_get_int(jv_at(jv_get(v, "at"), 1), -1), c->at.y);
    jv_unref(v);
    assert_true(c->base.carried);
    walk_to_target(e);
    drop_and_next(e);
    assert_false(courier()->step_right(e, 1)); /* without a fault or slip of its own */
    assert_int_equal(play_verdict(courier(), e).own_slips, 1); /* the first: no fault struck it */
    walk_to_target(e);
    say_where(e, c->is);
    assert_true(courier_same(c->is, c->at));
    walk_to_target(e);
    drop_and_next(e);
    assert_true(courier()->step_right(e, 2));
    assert_int_equal(play_verdict(courier(), e).mismatch_shown, 1);
    assert_int_equal(play_verdict(courier(), e).repaired, 1);
    courier()->free(e);
    str_deinit(&text);
}

/* Two worlds that differ in nothing but the truth say the same until someone looks. */
static void positions_do_not_leak(void **state)
{
    struct env_params p = {.horizon = 60, .noise = 0.5, .task_seed = 9, .fault_seed = 1};
    struct env *a = play_new(courier(), p), *b;
    struct str x = STR_INIT, y = STR_INIT;

    (void)state;
    p.fault_seed = 2;
    b = play_new(courier(), p);
    (void)play_expert(courier(), a, "plain", &x);
    (void)play_expert(courier(), b, "plain", &y);
    assert_string_equal(str_cstr(&x), str_cstr(&y));
    assert_true(play_verdict(courier(), a).faults != play_verdict(courier(), b).faults);
    courier()->free(a);
    courier()->free(b);
    str_deinit(&x);
    str_deinit(&y);
}

static void leaving_without_a_drop_is_a_slip(void **state)
{
    struct env *e = calm_new(2);

    (void)state;
    jv_unref(courier()->call(e, &(struct env_call){.tool = COURIER_NEXT}, &(struct env_effect){0}));
    walk_to_target(e);
    drop_and_next(e);
    assert_false(courier()->step_right(e, 0));
    assert_true(courier()->step_right(e, 1));
    assert_int_equal(play_verdict(courier(), e).own_slips, 1);
    assert_false(play_verdict(courier(), e).success);
    courier()->free(e);
}

/* Next, the fewest moves, drop; times 1.08 or 1.5, rounded down. */
static void the_budget_follows_the_task(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct env_params p = {.horizon = 100, .task_seed = seed};
        struct env *e = play_new(courier(), p);
        struct env *plain = play_new(env_find("courier_plain"), p);
        struct env_verdict v = play_expert(courier(), e, "plain", NULL);

        assert_true(v.success);
        assert_int_equal(e->budget, v.calls * 108 / 100);
        assert_int_equal(plain->budget, v.calls * 150 / 100);
        assert_between((double)v.calls / 100, 4.8, 6.2);
        courier()->free(e);
        env_find("courier_plain")->free(plain);
    }
}

static void without_a_cue_there_is_no_weather(void **state)
{
    const struct env_ops *plain = env_find("courier_plain");
    struct env *e = play_new(plain, (struct env_params){.horizon = 3, .task_seed = 3});
    struct str text = STR_INIT;
    struct json *v = plain->observe(e);

    (void)state;
    plain->observe_compact(e, &text);
    assert_int_equal(text.len, 17); /* AT0000GOTO0307p7| */
    assert_null(jv_get(v, "weather"));
    assert_non_null(jv_get(v, "drop"));
    jv_unref(v);
    str_deinit(&text);
    plain->free(e);
}

/* Looks are judged by what was shown against what was believed; a move away from where all was
 * well is a false alarm, the next move of the plan is not. */
static void looks_and_deeds_are_counted(void **state)
{
    struct env *e = calm_new(3);
    struct courier *c = courier_of(e);
    struct env_verdict v;

    (void)state;
    say_where(e, (struct courier_cell){0, 0});
    walk_to_target(e); /* match, then the plan */
    jv_unref(
        courier()->call(e, &(struct env_call){.tool = COURIER_WHERE}, &(struct env_effect){0}));
    say_deed(e, courier_at_wall(c->at, COURIER_EAST) ? "MOVEW1;" : "MOVEE1;");
    v = play_verdict(courier(), e);
    assert_int_equal(v.match_shown, 2);
    assert_int_equal(v.false_alarms, 1);
    assert_int_equal(v.mismatch_shown, 0);
    courier()->free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_are_pinned),
        cmocka_unit_test(moves_add_up_and_walls_clip),
        cmocka_unit_test(parcels_are_dropped_and_picked_up),
        cmocka_unit_test(a_parcel_taken_away_later_makes_it_wrong),
        cmocka_unit_test(an_error_is_carried_until_a_look),
        cmocka_unit_test(positions_do_not_leak),
        cmocka_unit_test(leaving_without_a_drop_is_a_slip),
        cmocka_unit_test(the_budget_follows_the_task),
        cmocka_unit_test(without_a_cue_there_is_no_weather),
        cmocka_unit_test(looks_and_deeds_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
