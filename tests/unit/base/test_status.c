/* test_status.c - struct error is filled, cut and mapped as status.h says.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "runtime/base/memory.h"
#include "runtime/base/status.h"
#include "tests/support/check.h"

static void set_fills_words_and_clears_the_rest(void **state)
{
    struct error err = ERROR_INIT;

    (void)state;
    error_at(&err, STATUS_INVALID, "a.yaml", 3, 7, "old");
    error_hint(&err, "old hint");
    assert_int_equal(error_set(&err, STATUS_BUSY, "%d is %s", 5, "taken"), STATUS_BUSY);
    assert_int_equal(err.status, STATUS_BUSY);
    assert_string_equal(err.message, "5 is taken");
    assert_string_equal(err.where, "");
    assert_string_equal(err.hint, "");
    error_clear(&err);
    assert_int_equal(err.status, STATUS_OK);
    assert_string_equal(err.message, "");
}

static void place_leaves_out_what_is_zero(void **state)
{
    static const struct {
        long line, column;
        const char *where;
    } cases[] = {{3, 7, "f:3:7"}, {3, 0, "f:3"}, {0, 0, "f"}, {0, 9, "f"}};
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        error_at(&err, STATUS_INVALID, "f", cases[i].line, cases[i].column, "x");
        assert_string_equal(err.where, cases[i].where);
    }
}

static void a_long_path_keeps_its_line(void **state)
{
    struct error err = ERROR_INIT;
    char path[400];

    (void)state;
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    error_at(&err, STATUS_INVALID, path, 12, 34, "x");
    assert_string_equal(err.where + strlen(err.where) - 6, ":12:34");
}

static void the_old_message_may_be_an_argument(void **state)
{
    struct error err = ERROR_INIT;

    (void)state;
    error_set(&err, STATUS_IO, "inner");
    error_set(&err, STATUS_FAILED, "outer: %s", err.message);
    assert_string_equal(err.message, "outer: inner");
    error_hint(&err, "see %s", err.message);
    assert_string_equal(err.hint, "see outer: inner");
}

static void notes_go_in_front_and_keep_the_place(void **state)
{
    struct error err = ERROR_INIT;

    (void)state;
    error_at(&err, STATUS_IO, "f", 1, 2, "no such thing");
    error_note(&err, "opening model %s", "x");
    assert_string_equal(err.message, "opening model x: no such thing");
    assert_string_equal(err.where, "f:1:2");
    assert_int_equal(err.status, STATUS_IO);
}

static void long_words_are_cut_between_characters(void **state)
{
    struct error err = ERROR_INIT;
    char text[2000];
    size_t n;

    (void)state;
    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa4", 3);
    /* The field's size is even, so that one of the two cuts falls into a character. */
    for (int odd = 0; odd < 2; odd++) {
        error_set(&err, STATUS_IO, "%s%s", odd ? "x" : "", text);
        n = strlen(err.message);
        assert_true(n >= sizeof(err.message) - 2 && n < sizeof(err.message));
        assert_int_equal((unsigned char)err.message[n - 1], 0xa4);
    }
    error_note(&err, "%s", text);
    assert_true(strlen(err.message) < sizeof(err.message));
}

static void a_character_cut_by_a_precision_leaves_valid_words(void **state)
{
    struct error err = ERROR_INIT;

    (void)state;
    error_set(&err, STATUS_INVALID, "no \"%.3s\"", "a\xc3\xa9\xc3\xa9");
    assert_string_equal(err.message, "no \"a\xc3\xa9\"");
    error_set(&err, STATUS_INVALID, "no \"%.2s\"", "a\xc3\xa9\xc3\xa9");
    assert_string_equal(err.message, "no \"a?\"");
    error_note(&err, "%.1s", "\xc3\xa9");
    assert_string_equal(err.message, "?: no \"a?\"");
}

static void bytes_that_cannot_be_printed_are_replaced(void **state)
{
    struct error err = ERROR_INIT;

    (void)state;
    error_at(&err, STATUS_INVALID, "a\xff\033.yaml", 3, 4, "b\033[2J\x7f \xc2\x9b \xc2\xa0\n\t^");
    error_hint(&err, "c\r\xff");
    assert_string_equal(err.where, "a??.yaml:3:4");
    assert_string_equal(err.message, "b?[2J? ?? \xc2\xa0\n\t^");
    assert_string_equal(err.hint, "c??");
    error_note(&err, "d\001");
    assert_string_equal(err.message, "d?: b?[2J? ?? \xc2\xa0\n\t^");
    error_errno(&err, ENOENT, "e\xfe");
    assert_string_equal(err.message, "e?: No such file or directory");
}

static void errno_is_mapped(void **state)
{
    static const struct {
        int errnum;
        enum status status;
    } cases[] = {{ENOSPC, STATUS_DISK_FULL}, {EDQUOT, STATUS_DISK_FULL}, {ENOENT, STATUS_NOT_FOUND},
                 {ENOMEM, STATUS_NO_MEMORY}, {EACCES, STATUS_IO},        {EPIPE, STATUS_IO}};
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(error_errno(&err, cases[i].errnum, "x"), cases[i].status);
    error_errno(&err, ENOENT, "opening %s", "f");
    assert_string_equal(err.message, "opening f: No such file or directory");
    error_errno(&err, 99999, "x");
    assert_string_equal(err.message, "x: error 99999");
}

static void nobody_may_want_the_words(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, STATUS_LIMIT, "x"), STATUS_LIMIT);
    assert_int_equal(error_at(NULL, STATUS_LIMIT, "f", 1, 1, "x"), STATUS_LIMIT);
    assert_int_equal(error_errno(NULL, ENOENT, "x"), STATUS_NOT_FOUND);
    error_note(NULL, "x");
    error_hint(NULL, "x");
    error_clear(NULL);
}

static void every_status_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < STATUS_N; a++) {
        assert_non_null(status_name((enum status)a));
        for (int b = 0; b < a; b++)
            assert_string_not_equal(status_name((enum status)a), status_name((enum status)b));
    }
    assert_string_equal(status_name(STATUS_OK), "ok");
    assert_string_equal(status_name(STATUS_NOT_FOUND), "not_found");
    assert_string_equal(status_name(STATUS_N), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_fills_words_and_clears_the_rest),
        cmocka_unit_test(place_leaves_out_what_is_zero),
        cmocka_unit_test(a_long_path_keeps_its_line),
        cmocka_unit_test(the_old_message_may_be_an_argument),
        cmocka_unit_test(notes_go_in_front_and_keep_the_place),
        cmocka_unit_test(long_words_are_cut_between_characters),
        cmocka_unit_test(a_character_cut_by_a_precision_leaves_valid_words),
        cmocka_unit_test(bytes_that_cannot_be_printed_are_replaced),
        cmocka_unit_test(errno_is_mapped),
        cmocka_unit_test(nobody_may_want_the_words),
        cmocka_unit_test(every_status_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
