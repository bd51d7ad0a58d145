/* test_ledger_calls.c - what each call does, order by order, and what the verdict says of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/ledger_play.h"

#include <stdio.h>

/* The current order as seen in the compact text. */
struct seen_order {
    char key;
    int delta;
};

static struct seen_order read_order(struct env *e)
{
    struct str s = STR_INIT;
    struct seen_order o = {0};

    ledger()->observe_compact(e, &s);
    assert_int_equal(s.len, 7);
    assert_memory_equal(s.data, "ORD", 3);
    o.key = s.data[3];
    o.delta = s.data[5] - '0';
    if (s.data[4] == '-')
        o.delta = -o.delta;
    str_deinit(&s);
    return o;
}

static struct json *call(struct env *e, const char *tool, const char *arguments,
                         struct env_effect *fx)
{
    struct json *args = NULL;
    struct env_call c;
    struct json *result;

    assert_ok(jv_parse(arguments, strlen(arguments), "arguments", &args, why));
    assert_ok(env_call_from_json(ledger(), tool, args, &c, why));
    result = ledger()->call(e, &c, fx);
    jv_unref(args);
    return result;
}

static void assert_reply(struct env *e, const char *tool, const char *arguments, const char *want)
{
    struct env_effect fx;
    struct json *result = call(e, tool, arguments, &fx);
    char *text = jv_dump(result);

    assert_string_equal(text, want);
    free(text);
    jv_unref(result);
}

static int get(struct env *e, char key)
{
    char args[32];
    struct env_effect fx;
    struct json *result;
    int value;

    (void)snprintf(args, sizeof(args), "{\"key\":\"%c\"}", key);
    result = call(e, "get", args, &fx);
    assert_true(fx.ok);
    value = (int)jv_get_int(jv_get(result, "value"), -1);
    jv_unref(result);
    assert_in_range(value, 0, 99);
    return value;
}

static void do_right(struct env *e)
{
    struct seen_order o = read_order(e);
    char text[32];

    (void)snprintf(text, sizeof(text), "SET%c%02d;", o.key, (get(e, o.key) + o.delta + 100) % 100);
    (void)play_say(ledger(), e, text, ">OK|");
}

static const struct env_params calm = {.horizon = 3, .noise = 0, .task_seed = 11, .fault_seed = 12};

static void a_whole_episode_in_json(void **state)
{
    struct env *e = play_new(ledger(), calm);
    struct env_effect fx = {0};
    struct env_verdict v;

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct seen_order o = read_order(e);
        int value = get(e, o.key);
        int after = (value + o.delta + 100) % 100;
        char args[64], want[64];
        struct json *next;

        (void)snprintf(args, sizeof(args), "{\"key\":\"%c\",\"value\":%d}", o.key, after);
        assert_reply(e, "set", args, "{\"ok\":true}");
        assert_int_equal(get(e, o.key), after);
        (void)snprintf(args, sizeof(args), "{\"key\":\"%c\",\"expected\":%d}", o.key, after);
        (void)snprintf(want, sizeof(want), "{\"match\":true,\"actual\":%d}", after);
        assert_reply(e, "check", args, want);
        (void)snprintf(args, sizeof(args), "{\"key\":\"%c\",\"expected\":%d}", o.key, value);
        (void)snprintf(want, sizeof(want), "{\"match\":false,\"actual\":%d}", after);
        assert_reply(e, "check", args, want);
        next = call(e, "next", "{}", &fx);
        assert_int_equal(fx.step_boundary, i < 2);
        assert_int_equal(fx.done, i == 2);
        assert_non_null(jv_get(next, i < 2 ? "order" : "done"));
        jv_unref(next);
        assert_int_equal(ledger()->steps_done(e), i + 1);
        assert_true(ledger()->step_right(e, i));
    }
    v = play_verdict(ledger(), e);
    assert_true(v.success);
    assert_int_equal(v.steps, 3);
    assert_int_equal(v.steps_right, 3);
    assert_int_equal(v.calls, 18);
    /* Each order's last look was a check of the wrong value: shown, and left alone. */
    assert_int_equal(v.mismatch_shown, 3);
    assert_int_equal(v.repaired, 0);
    assert_int_equal(v.at_risk, 0);
    (void)play_say(ledger(), e, "NEXT;", ">ERR|");
    assert_int_equal(play_verdict(ledger(), e).calls, 18);
    ledger()->free(e);
}

static void undo_restores_the_start_of_the_order(void **state)
{
    struct env *e = play_new(ledger(), calm);
    int before[8];

    (void)state;
    do_right(e);
    (void)get(e, 'a');
    ledger()->free(e);
    e = play_new(ledger(), calm);
    for (int k = 0; k < 8; k++)
        before[k] = get(e, (char)('a' + k));
    (void)play_say(ledger(), e, "SETa01;", ">OK|");
    ledger()->free(e);
    e = play_new(ledger(), calm);
    (void)play_say(ledger(), e, "SETa01;", ">OK|");
    (void)play_say(ledger(), e, "SETb02;", ">OK|");
    (void)play_say(ledger(), e, "UNDO;", ">OK|");
    for (int k = 0; k < 6; k++)
        assert_int_equal(get(e, (char)('a' + k)), before[k]);
    assert_true(play_verdict(ledger(), e).calls == 9);
    ledger()->free(e);
}

static void a_slip_counts_and_its_damage_stays(void **state)
{
    struct env *e = play_new(ledger(), calm);
    struct seen_order o = read_order(e);
    struct env_verdict v;
    char text[16];

    (void)state;
    (void)snprintf(text, sizeof(text), "SET%c%02d;", o.key, (get(e, o.key) + o.delta + 101) % 100);
    (void)play_say(ledger(), e, text, ">OK|");
    for (int i = 0; i < 2; i++) {
        struct env_call next = {.tool = 0};
        struct env_effect fx;
        struct str out = STR_INIT;

        ledger()->call_compact(e, &next, &fx, &out);
        assert_true(fx.step_boundary);
        str_deinit(&out);
        do_right(e);
    }
    (void)play_say(ledger(), e, "NEXT;", ">DONE|");
    v = play_verdict(ledger(), e);
    assert_false(v.success);
    assert_int_equal(v.steps_right, 2);
    assert_int_equal(v.own_slips, 1);
    assert_int_equal(v.at_risk, 1);
    assert_int_equal(v.recovered, 0);
    assert_int_equal(v.faults, 0);
    assert_false(ledger()->step_right(e, 0));
    assert_true(ledger()->step_right(e, 1));
    assert_false(ledger()->step_right(e, 3));
    assert_false(ledger()->step_right(e, -1));
    ledger()->free(e);
}

static void a_slip_repaired_is_recovered(void **state)
{
    struct env *e =
        play_new(ledger(), (struct env_params){.horizon = 1, .noise = 0, .task_seed = 3});
    struct seen_order o = read_order(e);
    struct env_verdict v;
    char other[16];

    (void)state;
    (void)snprintf(other, sizeof(other), "SET%c50;", o.key == 'a' ? 'b' : 'a');
    (void)play_say(ledger(), e, other, ">OK|");
    (void)play_say(ledger(), e, "UNDO;", ">OK|");
    do_right(e);
    (void)play_say(ledger(), e, "NEXT;", ">DONE|");
    v = play_verdict(ledger(), e);
    assert_true(v.success);
    assert_int_equal(v.at_risk, 1);
    assert_int_equal(v.recovered, 1);
    assert_int_equal(v.own_slips, 0);
    ledger()->free(e);
}

static void looks_and_repairs_are_told_apart(void **state)
{
    struct env *e = play_new(ledger(), calm);
    struct seen_order o = read_order(e);
    char set[16], look[16], answer[16];
    struct env_verdict v;

    (void)state;
    (void)snprintf(set, sizeof(set), "SET%c07;", o.key);
    (void)snprintf(look, sizeof(look), "GET%c;", o.key);
    (void)play_say(ledger(), e, set, ">OK|");
    (void)play_say(ledger(), e, look, ">07|");
    (void)play_say(ledger(), e, "UNDO;", ">OK|"); /* a repair after a match: a false alarm */
    v = play_verdict(ledger(), e);
    assert_int_equal(v.match_shown, 1);
    assert_int_equal(v.false_alarms, 1);
    (void)play_say(ledger(), e, set, ">OK|");
    (void)play_say(ledger(), e, look, ">07|");
    (void)play_say(ledger(), e, look, ">07|"); /* two looks in a row are one */
    (void)snprintf(look, sizeof(look), "CHECK%c08;", o.key);
    (void)snprintf(answer, sizeof(answer), ">NO07|");
    (void)play_say(ledger(), e, look, answer);
    (void)play_say(ledger(), e, set, ">OK|");
    v = play_verdict(ledger(), e);
    assert_int_equal(v.match_shown, 1);
    assert_int_equal(v.mismatch_shown, 1);
    assert_int_equal(v.repaired, 1);
    assert_int_equal(v.false_alarms, 1);
    ledger()->free(e);
}

static void the_eleventh_call_of_an_order_fails_the_episode(void **state)
{
    struct env *e = play_new(ledger(), calm);
    struct env_verdict v;
    struct env_effect fx;

    (void)state;
    for (int i = 0; i < 5; i++) {
        (void)play_say(ledger(), e, "UNDO;", ">OK|");
        fx = play_say(ledger(), e, "rubbish;", ">ERR|");
        assert_false(fx.ok);
        assert_false(fx.done);
    }
    fx = play_say(ledger(), e, "NEXT;", ">ERR|");
    assert_true(fx.done);
    v = play_verdict(ledger(), e);
    assert_true(v.capped);
    assert_false(v.success);
    assert_int_equal(v.steps, 1);
    assert_int_equal(v.steps_right, 0);
    assert_int_equal(v.calls, 11);
    (void)play_say(ledger(), e, "NEXT;", ">ERR|");
    assert_int_equal(play_verdict(ledger(), e).calls, 11);
    ledger()->free(e);

    e = play_new(ledger(), (struct env_params){.horizon = 1, .noise = 0});
    for (int i = 0; i < 7; i++)
        (void)play_say(ledger(), e, "UNDO;", ">OK|");
    do_right(e);
    (void)play_say(ledger(), e, "NEXT;", ">DONE|"); /* the tenth */
    assert_true(play_verdict(ledger(), e).success);
    ledger()->free(e);
}

static void parameters_have_ranges(void **state)
{
    static const struct env_params bad[] = {
        {.horizon = 0},
        {.horizon = 100001},
        {.horizon = 1, .noise = 0.91},
        {.horizon = 1, .noise = __builtin_nan("")},
        {.horizon = 1, .profile = (enum env_profile)2},
        {.horizon = 1, .ablation = ENV_ABLATIONS},
    };
    struct env *e = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err = ERROR_INIT;

        assert_int_equal(ledger()->create(&bad[i], &e, &err), STATUS_INVALID);
        assert_true(strstr(err.message, "ledger") != NULL);
        assert_null(e);
    }
    assert_true(ledger()->ceiling(&(struct env_params){.horizon = 100, .noise = -1}) > 0.3660);
    assert_true(ledger()->ceiling(&(struct env_params){.horizon = 100, .noise = -1}) < 0.3661);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_episode_in_json),
        cmocka_unit_test(undo_restores_the_start_of_the_order),
        cmocka_unit_test(a_slip_counts_and_its_damage_stays),
        cmocka_unit_test(a_slip_repaired_is_recovered),
        cmocka_unit_test(looks_and_repairs_are_told_apart),
        cmocka_unit_test(the_eleventh_call_of_an_order_fails_the_episode),
        cmocka_unit_test(parameters_have_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
