/* test_calc.c - the calculator: values, exactness, and errors that name the column.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "runtime/base/rng.h"
#include "tests/support/check.h"
#include "tools/calc.h"

static void integers_are_exact(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {
        {"0", 0},
        {" 1 + 2 * 3 ", 7},
        {"(1 + 2) * 3", 9},
        {"2^3^2", 512},
        {"2**10", 1024},
        {"-2^2", -4},
        {"2^-0", 1},
        {"10 - 4 - 3", 3},
        {"12 / 4 / 3", 1},
        {"7 // 2", 3},
        {"-7 // 2", -4},
        {"7 // -2", -4},
        {"-7 % 3", 2},
        {"7 % -3", -2},
        {"--5", 5},
        {"+-+5", -5},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775807 - 1", INT64_MIN},
        {"abs(-5)", 5},
        {"max(1, 7, 3)", 7},
        {"min(4, -2)", -2},
        {"gcd(48, 36)", 12},
        {"gcd(-9, 0)", 9},
        {"pow(3, 4)", 81},
        {"floor(2.7)", 2},
        {"ceil(2.1)", 3},
        {"round(2.5)", 3},
        {"round(-2.5)", -3},
        {"trunc(-2.7)", -2},
        {"floor(9223372036854775807)", INT64_MAX},
        {"((((((((((7))))))))))", 7},
        {"(59+7)%100", 66},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = ERROR_INIT;
        struct calc_number v;

        if (calc_evaluate(cases[i].text, strlen(cases[i].text), &v, &err))
            fail_msg("%s: %s", cases[i].text, err.message);
        if (!v.is_integer || v.integer != cases[i].value)
            fail_msg("%s is %lld", cases[i].text, (long long)v.integer);
    }
}

static void the_rest_are_doubles(void **state)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"1/3", 1.0 / 3},
        {"2.5 * 2", 5},
        {"1.5e3", 1500},
        {"2E-2", 0.02},
        {".5 + 5.", 5.5},
        {"2^0.5", 1.4142135623730951},
        {"2^-2", 0.25},
        {"sqrt(16)", 4},
        {"cbrt(-27)", -3},
        {"ln(e)", 1},
        {"log2(8)", 3},
        {"log10(0.001)", -3},
        {"exp(0)", 1},
        {"sin(0) + cos(0)", 1},
        {"4 * atan(1)", M_PI},
        {"pi", M_PI},
        {"7.5 % 2", 1.5},
        {"-7.5 % 2", 0.5},
        {"-7.5 // 2", -4},
        {"9223372036854775807 + 1", 0x1p63},
        {"9223372036854775807 * 9223372036854775807", 0x1p126},
        {"9223372036854775808", 0x1p63},
        {"10^30", 1e30},
        {"(-9223372036854775807 - 1) / -1", 0x1p63},
        {"abs(-9223372036854775807 - 1)", 0x1p63},
        {"round(3.14159, 2)", 3.14},
        {"max(1, 2.5)", 2.5},
        {"floor(1e300)", 1e300},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = ERROR_INIT;
        struct calc_number v;

        if (calc_evaluate(cases[i].text, strlen(cases[i].text), &v, &err))
            fail_msg("%s: %s", cases[i].text, err.message);
        if (v.is_integer || fabs(v.real - cases[i].value) > 1e-12 * fabs(cases[i].value))
            fail_msg("%s is %.17g", cases[i].text, v.real);
    }
}

static void errors_name_the_place(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "column 1: expected a number, a name or \"(\", got the end"},
        {"1 +", "column 4: expected a number, a name or \"(\", got the end"},
        {"1 * * 2", "column 5: expected a number, a name or \"(\", got \"*\""},
        {"(1 + 2", "column 7: expected \")\", got the end"},
        {"1 + 2)", "column 6: expected an operator or the end, got \")\""},
        {"2 3", "column 3: expected an operator or the end, got \"3\""},
        {"1,000", "column 2: expected an operator or the end, got \",\""},
        {"1 / 0", "column 3: division by zero"},
        {"1 // 0.0", "column 3: division by zero"},
        {"5 % (3 - 3)", "column 3: division by zero"},
        {"0 ^ -1", "column 3: zero cannot be raised to a negative power"},
        {"(-8) ^ 0.5", "column 6: a negative number cannot be raised to a fraction"},
        {"sqr(4)", "column 1: unknown name \"sqr\"; did you mean \"sqrt\"?"},
        {"import", "column 1: unknown name \"import\""},
        {"1 + frobnicate(3)", "column 5: unknown name \"frobnicate\""},
        {"sqrt 4", "column 6: expected \"(\" after the name of a function, got \"4\""},
        {"sqrt()", "column 1: expected an argument"},
        {"sqrt(1, 2)", "column 1: expected only one argument"},
        {"pow(2)", "column 1: expected two arguments"},
        {"sqrt(-1)", "column 1: expected 0 or a number above 0"},
        {"ln(0)", "column 1: expected a number above 0"},
        {"asin(2)", "column 1: expected a number from -1 to 1"},
        {"gcd(1.5, 2)", "column 1: gcd takes integers"},
        {"round(1.5, 99)", "column 1: round takes 0 to 15 decimals"},
        {"exp(1000)", "column 1: the result is too large"},
        {"10^400", "column 3: the result is too large"},
        {"1e999", "column 1: the number is out of range"},
        {".", "column 1: expected a digit before or after the point"},
        {"max(1 2)", "column 7: expected \",\" or \")\", got \"2\""},
        {"1 + \xc3\xa9", "column 5: expected a number, a name or \"(\", got byte 0xc3"},
        {"$5", "column 1: expected a number, a name or \"(\", got \"$\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = ERROR_INIT;
        struct calc_number v;

        assert_int_equal(calc_evaluate(cases[i].text, strlen(cases[i].text), &v, &err),
                         STATUS_INVALID);
        assert_string_equal(err.message, cases[i].message);
    }
}

static void limits_hold(void **state)
{
    struct error err = ERROR_INIT;
    struct calc_number v;
    char text[5000];
    static const char opening[] = "(-^*";

    (void)state;
    memset(text, '1', sizeof(text));
    assert_int_equal(calc_evaluate(text, 4097, &v, &err), STATUS_LIMIT);
    for (size_t i = 0; i < 4; i++) {
        memset(text, opening[i], 4096);
        assert_int_not_equal(calc_evaluate(text, 4096, &v, &err), STATUS_OK);
    }
    for (size_t i = 0; i < 4096; i += 2)
        memcpy(text + i, "2^", 2);
    assert_int_equal(calc_evaluate(text, 4095, &v, &err), STATUS_LIMIT);
    assert_int_equal(calc_evaluate("1\0+1", 4, &v, &err), STATUS_INVALID);
}

static void rubbish_ends(void **state)
{
    static const char alphabet[] = "0123456789.eE+-*/%^(), sqrtminpaxlog";

    (void)state;
    for (uint32_t i = 0; i < 30000; i++) {
        size_t n = rng_philox(7, i, 0, 0, 0).word[0] % 24;
        char *text = malloc(n ? n : 1);
        struct error err = ERROR_INIT;
        struct calc_number v;

        assert_non_null(text);
        for (uint32_t j = 0; j < n; j++)
            text[j] = alphabet[rng_philox(7, i, j, 1, 0).word[0] % (sizeof(alphabet) - 1)];
        if (calc_evaluate(text, n, &v, &err) == STATUS_OK)
            assert_true(v.is_integer || isfinite(v.real));
        else
            assert_true(err.message[0] != '\0');
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_exact),    cmocka_unit_test(the_rest_are_doubles),
        cmocka_unit_test(errors_name_the_place), cmocka_unit_test(limits_hold),
        cmocka_unit_test(rubbish_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
