/* test_ledger_codec.c - both codecs say the same: every call has one text, and rubbish has none.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/ledger_play.h"

#include <stdio.h>
#include <time.h>

static bool same_call(const struct env_call *a, const struct env_call *b)
{
    if (a->tool != b->tool)
        return false;
    for (int i = 0; i < ENV_MAX_ARGS; i++) {
        if (a->arg[i].is_text != b->arg[i].is_text || a->arg[i].number != b->arg[i].number ||
            strcmp(a->arg[i].text, b->arg[i].text) != 0)
            return false;
    }
    return true;
}

static void assert_round_trips(const struct env_call *c)
{
    const struct env_ops *ops = ledger();
    struct str text = STR_INIT;
    struct env_call back;
    struct json *args;

    ops->render_call(c, &text);
    ops->parse_compact(NULL, str_cstr(&text), text.len, &back);
    assert_true(same_call(c, &back));
    assert_int_equal(text.data[text.len - 1], ops->compact_stop[0]);
    str_deinit(&text);

    args = env_call_arguments(ops, c);
    assert_ok(env_call_from_json(ops, ops->tools[c->tool].name, args, &back, why));
    assert_true(same_call(c, &back));
    jv_unref(args);
}

static void every_call_round_trips(void **state)
{
    (void)state;
    for (int32_t tool = 0; tool < ledger()->n_tools; tool++) {
        int32_t n_args = ledger()->tools[tool].n_args;

        for (int key = 0; key < (n_args > 0 ? 8 : 1); key++) {
            for (int value = 0; value < (n_args > 1 ? 100 : 1); value++) {
                struct env_call c = {.tool = tool};

                if (n_args > 0) {
                    c.arg[0].is_text = true;
                    c.arg[0].text[0] = (char)('a' + key);
                }
                if (n_args > 1)
                    c.arg[1].number = value;
                assert_round_trips(&c);
            }
        }
    }
}

static void texts_are_as_documented(void **state)
{
    static const struct {
        const char *text;
        int32_t tool;
    } cases[] = {
        {"NEXT;", 0},     {"GETd;", 1},       {"SETd66;", 2},   {"SETa07;", 2},  {"UNDO;", 3},
        {"CHECKh00;", 4}, {"", -1},           {";", -1},        {"NEXT", -1},    {"NEXT;;", -1},
        {"NEXT ;", -1},   {"next;", -1},      {"GET;", -1},     {"GETi;", -1},   {"GETd", -1},
        {"GETd;x", -1},   {"SETd6;", -1},     {"SETd066;", -1}, {"SETd 6;", -1}, {"SETd-1;", -1},
        {"SET66d;", -1},  {"UNDOa;", -1},     {" GETd;", -1},   {"CHECKd;", -1}, {"ERR;", -1},
        {"GETD;", -1},    {"SETd6\x80;", -1},
    };
    struct env_call c;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ledger()->parse_compact(NULL, cases[i].text, strlen(cases[i].text), &c);
        if (c.tool != cases[i].tool)
            fail_msg("\"%s\" is read as tool %d", cases[i].text, c.tool);
    }
    ledger()->parse_compact(NULL, "NEXT;\0", 6, &c);
    assert_int_equal(c.tool, -1);
}

/* Random bytes, and random splices of real words. What is read must be written the same way. */
static void rubbish_is_refused_or_exact(void **state)
{
    static const char *const bits[] = {"NEXT", "GET", "SET", "UNDO", "CHECK", "a", "h", "i",  "0",
                                       "9",    "42",  ";",   "|",    ">",     " ", "-", "ORD"};
    const size_t n_bits = sizeof(bits) / sizeof(bits[0]);
    struct str text = STR_INIT, back = STR_INIT;
    size_t n_read = 0;

    (void)state;
    for (uint32_t i = 0; i < 200000; i++) {
        struct rng_block b = rng_philox(99, i, 0, 0, 0);
        struct env_call c;
        char *exact;

        str_clear(&text);
        for (uint32_t j = 0; j < b.word[0] % 6; j++) {
            struct rng_block d = rng_philox(99, i, j, 1, 0);

            if (b.word[1] & 1)
                str_puts(&text, bits[d.word[0] % n_bits]);
            else
                str_putc(&text, (char)d.word[0]);
        }
        /* A block of exactly this size, so that the sanitizer sees a read beyond it. */
        exact = malloc(text.len ? text.len : 1);
        assert_non_null(exact);
        memcpy(exact, str_cstr(&text), text.len);
        ledger()->parse_compact(NULL, exact, text.len, &c);
        free(exact);
        if (c.tool < 0)
            continue;
        n_read++;
        str_clear(&back);
        ledger()->render_call(&c, &back);
        assert_int_equal(back.len, text.len);
        assert_memory_equal(back.data, text.data, text.len);
    }
    assert_true(n_read > 20); /* the splices do meet real calls */
    str_deinit(&text);
    str_deinit(&back);
}

static void unread_calls_cost_but_do_nothing(void **state)
{
    static const struct env_call bad[] = {
        {.tool = -1},
        {.tool = 5},
        {.tool = 1},
        {.tool = 1, .arg = {{.is_text = true, .text = "i"}}},
        {.tool = 1, .arg = {{.is_text = true, .text = "ab"}}},
        {.tool = 2, .arg = {{.is_text = true, .text = "a"}, {.number = 100}}},
        {.tool = 2, .arg = {{.is_text = true, .text = "a"}, {.number = -1}}},
        {.tool = 2, .arg = {{.is_text = true, .text = "a"}, {.is_text = true, .text = "5"}}},
    };
    struct env *e = play_new(ledger(), (struct env_params){.horizon = 1});
    struct env_effect fx;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct json *reply = ledger()->call(e, &bad[i], &fx);

        assert_non_null(jv_get(reply, "error"));
        assert_false(fx.ok);
        jv_unref(reply);
    }
    assert_int_equal(play_verdict(ledger(), e).calls, 8);
    ledger()->free(e);
}

/* The verdict's words and the truth never stand in what a model sees. */
static void nothing_leaks_into_observations(void **state)
{
    static const char *const secret[] = {"success", "fault", "right", "verdict", "slip",
                                         "risk",    "want",  "noise", "seed",    "horizon"};
    struct env *a, *b;
    struct str json_text = STR_INIT, compact = STR_INIT;
    struct env_params p = {.horizon = 40, .noise = 0.3, .profile = ENV_HARD, .task_seed = 5};
    struct env_effect fx = {0}, gx;
    struct env_call call;

    (void)state;
    a = play_new(ledger(), p);
    b = play_new(ledger(), p);
    while (!fx.done) {
        struct json *reply;

        ledger()->expert(a, "check", &call);
        reply = ledger()->call(a, &call, &fx);
        jv_write(reply, 0, &json_text);
        ledger()->call_compact(b, &call, &gx, &compact);
        assert_int_equal(fx.done, gx.done);
        assert_int_equal(fx.step_boundary, gx.step_boundary);
        /* The two say as much as each other: an error is an error in both. */
        assert_int_equal(
            jv_get(reply, "error") != NULL,
            compact.len >= 5 && memcmp(compact.data + compact.len - 5, ">ERR|", 5) == 0);
        jv_unref(reply);
    }
    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
        assert_null(strstr(str_cstr(&json_text), secret[i]));
    assert_int_equal(strspn(str_cstr(&compact), "ORDabcdefgh+-0123456789|>KEN"), compact.len);
    str_deinit(&json_text);
    str_deinit(&compact);
    ledger()->free(a);
    ledger()->free(b);
}

/* Reported, and held to a bound that only a blunder passes (sanitizers are on). */
static void calls_are_cheap(void **state)
{
    struct env *e = play_new(ledger(), (struct env_params){.horizon = 100000, .noise = 0.01});
    struct timespec from, to;
    struct str out = STR_INIT;
    struct env_effect fx = {0};
    struct env_call call;
    double ns;
    const int n = 200000;

    (void)state;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    for (int i = 0; i < n && !fx.done; i++) {
        char text[16];
        size_t len;

        ledger()->expert(e, "check", &call);
        str_clear(&out);
        ledger()->render_call(&call, &out);
        len = out.len;
        memcpy(text, out.data, len);
        ledger()->parse_compact(e, text, len, &call);
        str_clear(&out);
        ledger()->call_compact(e, &call, &fx, &out);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    ns = ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / n;
    print_message("expert, render, parse and call: %.0f ns\n", ns);
    assert_true(ns < 20000);
    str_deinit(&out);
    ledger()->free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_round_trips),
        cmocka_unit_test(texts_are_as_documented),
        cmocka_unit_test(rubbish_is_refused_or_exact),
        cmocka_unit_test(unread_calls_cost_but_do_nothing),
        cmocka_unit_test(nothing_leaks_into_observations),
        cmocka_unit_test(calls_are_cheap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
