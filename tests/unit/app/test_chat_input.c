/* test_chat_input.c - lines into messages, and the history of the line editor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/app/chat_history.h"
#include "runtime/app/chat_input.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "tests/support/temp_dir.h"

static bool always(void *ctx, int fd)
{
    int *n = ctx;

    (void)fd;
    return n == NULL || --*n >= 0;
}

/* What comes out of this text, one message a line; "!" for one that is dropped, "^" for one that is
 * too long. */
static void messages(const char *text, size_t n, int *n_waits, struct str *out)
{
    const struct chat_wait wait = {.until = always, .ctx = n_waits};
    struct chat_input *in;
    struct str message;
    int ends[2];
    enum chat_line got;

    assert_int_equal(pipe(ends), 0);
    in = chat_input_lines(ends[0], &wait);
    str_init(&message, CHAT_MESSAGE_MAX + 1);
    if (n > 0)
        assert_int_equal(write(ends[1], text, n), n);
    close(ends[1]);
    while ((got = chat_input_message(in, &message)) != CHAT_END) {
        str_puts(out, got == CHAT_DROPPED ? "!" : got == CHAT_TOO_LONG ? "^" : str_cstr(&message));
        str_putc(out, '|');
        if (got == CHAT_DROPPED)
            break;
    }
    chat_input_free(in);
    close(ends[0]);
    str_deinit(&message);
}

static void test_lines_are_messages(void **state)
{
    static const struct {
        const char *text, *messages;
    } cases[] = {
        {"", ""},
        {"one\ntwo\n", "one|two|"},
        {"one\ntwo", "one|two|"},
        {"\n  \none\n\n", "one|"}, /* empty ones are none */
        {"one\\\ntwo\\\n\nthree\n", "one\ntwo\n|three|"},
        {"\"\"\"\none\n\n  two\\\n\"\"\"\nthree\n", "one\n\n  two\\|three|"},
        {"\"\"\"\none\n", ""}, /* the input ends within the message */
        {"one\\", ""},
        {"say \"\"\"\n", "say \"\"\"|"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str out = STR_INIT;

        messages(cases[i].text, strlen(cases[i].text), NULL, &out);
        assert_string_equal(str_cstr(&out), cases[i].messages);
        str_deinit(&out);
    }
}

static void test_a_line_may_come_in_pieces(void **state)
{
    struct str out = STR_INIT, text = STR_INIT;

    (void)state;
    for (int i = 0; i < 5000; i++) /* more than one read, less than a pipe holds */
        str_puts(&text, "0123456789");
    str_puts(&text, "\nshort\n");
    messages(str_cstr(&text), text.len, NULL, &out);
    assert_int_equal(out.len, 50000 + 7);
    assert_string_equal(str_cstr(&out) + 50000, "|short|");
    str_deinit(&out);
    str_deinit(&text);
}

static void test_ctrl_c_drops_what_was_typed(void **state)
{
    struct str out = STR_INIT;
    int n_waits = 1; /* the second read is stopped */

    (void)state;
    messages("half", 4, &n_waits, &out);
    assert_string_equal(str_cstr(&out), "!|");
    str_deinit(&out);
}

/* A source of one line of n bytes. */
struct long_line {
    struct chat_input in;
    size_t n;
};

static enum chat_line read_long(struct chat_input *in, const char *prompt, struct str *out)
{
    struct long_line *l = (struct long_line *)in;

    (void)prompt;
    if (l->n == 0)
        return CHAT_END;
    for (; l->n > 0; l->n--)
        str_putc(out, 'x');
    return CHAT_LINE;
}

static void test_a_message_has_a_limit(void **state)
{
    static const struct chat_input_ops ops = {.read = read_long};
    struct str message;

    (void)state;
    str_init(&message, CHAT_MESSAGE_MAX + 1);
    for (size_t more = 0; more < 2; more++) {
        struct long_line l = {.in = {.ops = &ops}, .n = CHAT_MESSAGE_MAX + more};

        assert_int_equal(chat_input_message(&l.in, &message), more ? CHAT_TOO_LONG : CHAT_LINE);
        assert_int_equal(chat_input_message(&l.in, &message), CHAT_END);
    }
    str_deinit(&message);
}

/* ---- the history */

static void set_home(char folder[64])
{
    temp_dir(folder);
    setenv("XDG_STATE_HOME", folder, 1);
}

static void test_the_history_is_kept_for_its_owner(void **state)
{
    char folder[64], path[128];
    struct chat_history h, other;
    struct stat info;

    (void)state;
    set_home(folder);
    (void)snprintf(path, sizeof(path), "%s/troupe/chat_history", folder);
    assert_ok(chat_history_open(&h, seams_real(), why));
    assert_ok(chat_history_open(&other, seams_real(), why));
    assert_int_equal(h.n, 0);
    chat_history_add(&h, "one\nmore");
    chat_history_add(&other, "two"); /* at the same time */
    chat_history_add(&h, "caf\xc3\xa9");
    chat_history_close(&h);
    chat_history_close(&other);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(chmod(path, 0644), 0); /* it is closed again */
    assert_ok(chat_history_open(&h, seams_real(), why));
    assert_int_equal(h.n, 3);
    assert_string_equal(str_cstr(&h.text[0]), "one\nmore");
    assert_string_equal(str_cstr(&h.text[1]), "two");
    assert_string_equal(str_cstr(&h.text[2]), "caf\xc3\xa9");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    chat_history_close(&h);
    temp_dir_remove(folder);
}

static void test_lines_that_are_damaged_are_left_out(void **state)
{
    static const char text[] = "\"one\"\n\"tw\n{}\n\n\"three\"\n\"cut";
    char folder[64], path[128];
    struct chat_history h;

    (void)state;
    set_home(folder);
    (void)snprintf(path, sizeof(path), "%s/troupe", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/troupe/chat_history", folder);
    temp_put(path, text, sizeof(text) - 1);
    assert_ok(chat_history_open(&h, seams_real(), why));
    assert_int_equal(h.n, 2);
    assert_string_equal(str_cstr(&h.text[1]), "three");
    chat_history_close(&h);
    temp_dir_remove(folder);
}

static void test_a_long_history_is_cut(void **state)
{
    char folder[64];
    struct chat_history h;

    (void)state;
    set_home(folder);
    assert_ok(chat_history_open(&h, seams_real(), why));
    for (int i = 0; i <= 2 * CHAT_HISTORY_KEPT; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "message %d", i);
        chat_history_add(&h, text);
    }
    chat_history_close(&h);
    for (int again = 0; again < 2; again++) {
        assert_ok(chat_history_open(&h, seams_real(), why));
        assert_int_equal(h.n, CHAT_HISTORY_KEPT);
        assert_string_equal(str_cstr(&h.text[CHAT_HISTORY_KEPT - 1]), "message 2000");
        chat_history_close(&h);
    }
    temp_dir_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_messages),
        cmocka_unit_test(test_a_line_may_come_in_pieces),
        cmocka_unit_test(test_ctrl_c_drops_what_was_typed),
        cmocka_unit_test(test_a_message_has_a_limit),
        cmocka_unit_test(test_the_history_is_kept_for_its_owner),
        cmocka_unit_test(test_lines_that_are_damaged_are_left_out),
        cmocka_unit_test(test_a_long_history_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
