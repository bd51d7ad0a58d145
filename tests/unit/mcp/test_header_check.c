/* test_header_check.c - header fields that repeat a value of the body.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/rpc/header_text.h"
#include "mcp/server/header_check.h"
#include "tests/support/check.h"

static const struct {
    const char *field, *decoded; /* NULL: refused */
} decoded[] = {
    {"", ""},
    {"plain", "plain"},
    {"a b\tc", "a b\tc"},
    {"caf\xc3\xa9", NULL},
    {"\x7f", NULL},
    {"=?base64?"
     "?=",
     ""},
    {"=?base64?Y2Fmw6k=?=", "caf\xc3\xa9"},
    {"=?base64?SGVsbG8=?=", "Hello"},
    {"=?base64?SGVsbG8?=", NULL},
    {"=?base64?SGVsbG8==?=", NULL},
    {"=?base64?SGVsbG9=?=", NULL}, /* bits that belong to no byte */
    {"=?base64?SGVs!!!bG8=?=", NULL},
    {"=?base64?SG=sbG8=?=", NULL},
    {"=?base64?====?=", NULL},
    {"=?base64?SGVs bG8=?=", NULL},
    {"=?base64?SGVsbG8=", "=?base64?SGVsbG8="},
    {"SGVsbG8=?=", "SGVsbG8=?="},
    {"=?BASE64?SGVsbG8=?=", "=?BASE64?SGVsbG8=?="},
    {"=?base64?=", "=?base64?="},
};

static const struct {
    const char *field, *value;
    bool same;
} compared[] = {
    {"a", "\"a\"", true},
    {"a", "\"A\"", false},
    {"\xc3\xa9", "\"\xc3\xa9\"", false},
    {"=?base64?w6k=?=", "\"\\u00e9\"", true},
    {"=?base64?AA==?=", "\"\"", false},
    {"=?base64?PT9iYXNlNjQ/eD89?=", "\"=?base64?x?=\"", true},
    {"42", "42", true},
    {"42.0", "42", true},
    {"4.2e1", "42", true},
    {"042", "42", true},
    {"43", "42", false},
    {"", "42", false},
    {"x", "42", false},
    {"9007199254740993", "9007199254740993", true},
    {"9007199254740992", "9007199254740993", false},
    {"-1", "-1", true},
    {"=?base64?NDI=?=", "42", true},
    {"true", "true", true},
    {"TRUE", "true", false},
    {"false", "false", true},
    {"null", "null", false},
    {"{}", "{}", false},
    {"[]", "[]", false},
};

static void fields_are_decoded_strictly(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(decoded); i++) {
        struct str out = STR_INIT;
        bool ok = header_text_read(decoded[i].field, &out);

        if (ok != (decoded[i].decoded != NULL) ||
            (ok && strcmp(str_cstr(&out), decoded[i].decoded) != 0))
            fail_msg("%s: %d %s", decoded[i].field, ok, str_cstr(&out));
        str_deinit(&out);
    }
}

static void values_are_compared_by_their_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(compared); i++) {
        struct json_view v = json_view_of(compared[i].value, strlen(compared[i].value));

        if (header_check_is(compared[i].field, v) != compared[i].same)
            fail_msg("%s, %s", compared[i].field, compared[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_decoded_strictly),
        cmocka_unit_test(values_are_compared_by_their_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
