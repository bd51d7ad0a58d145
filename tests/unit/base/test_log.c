/* test_log.c - lines to a pipe stay plain; lines of JSON are documents; a terminal gets one live
 * line, erased in time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/base/str.h"
#include "runtime/base/time_text.h"
#include "tests/support/check.h"

#define ERASE "\r\033[K"

/* What has arrived, as a string; out holds it until the next call. */
static const char *drain(int fd, struct str *out)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char bytes[4096];
    ssize_t n;

    str_clear(out);
    while (poll(&p, 1, 100) > 0 && (n = read(fd, bytes, sizeof(bytes))) > 0)
        str_append(out, bytes, (size_t)n);
    return str_cstr(out);
}

/* A pseudo-terminal of 20 columns that passes bytes as they are. */
static void open_terminal(int *outside, int *inside)
{
    struct winsize size = {.ws_row = 5, .ws_col = 20};
    struct termios raw;

    *outside = posix_openpt(O_RDWR | O_NOCTTY);
    if (*outside < 0) {
        print_message("no pseudo-terminals here (is /dev/pts mounted?): not tested\n");
        skip();
    }
    assert_int_equal(grantpt(*outside), 0);
    assert_int_equal(unlockpt(*outside), 0);
    *inside = open(ptsname(*outside), O_RDWR | O_NOCTTY);
    assert_true(*inside >= 0);
    assert_int_equal(tcgetattr(*inside, &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(*inside, TCSANOW, &raw), 0);
    assert_int_equal(ioctl(*inside, TIOCSWINSZ, &size), 0);
}

static void levels_are_named_and_filtered(void **state)
{
    struct str out = STR_INIT;
    struct log *l;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    l = log_new(ends[1], LOG_INFO, true);
    log_write(l, LOG_ERROR, "e %d", 1);
    log_write(l, LOG_WARN, "w");
    log_write(l, LOG_INFO, "i");
    log_write(l, LOG_DEBUG, "d");
    assert_string_equal(drain(ends[0], &out), "error: e 1\nwarning: w\ni\n");
    log_free(l);
    l = log_new(ends[1], LOG_DEBUG, true);
    log_write(l, LOG_DEBUG, "d");
    assert_string_equal(drain(ends[0], &out), "debug: d\n");
    log_free(l);
    log_free(NULL);
    log_write(NULL, LOG_ERROR, "nobody listens");
    close(ends[0]);
    close(ends[1]);
    str_deinit(&out);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
    struct str out = STR_INIT;
    struct log *l;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    l = log_new(ends[1], LOG_INFO, true);
    log_write(l, LOG_INFO, "a\033[2Jb\rc\x7f\td\n  ^ \xc2\x9b \xc3\xa4 \xff");
    assert_string_equal(drain(ends[0], &out), "a?[2Jb?c? d\n  ^ ? \xc3\xa4 \xef\xbf\xbd\n");
    log_text(l, LOG_INFO, NULL, "a\033[2J\xe2\x82z\n\xff", 10);
    assert_string_equal(drain(ends[0], &out), "a?[2J\xef\xbf\xbdz\n\xef\xbf\xbd");
    log_text(NULL, LOG_INFO, NULL, "nobody listens", 14);
    log_free(l);
    close(ends[0]);
    close(ends[1]);
    str_deinit(&out);
}

static void progress_in_a_pipe_is_rare_and_plain(void **state)
{
    struct str out = STR_INIT;
    struct log *l;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    l = log_new(ends[1], LOG_INFO, true);
    for (int i = 0; i < 100; i++)
        log_progress(l, "%d of 100", i);
    log_write(l, LOG_INFO, "line");
    log_progress_end(l);
    log_free(l);
    assert_string_equal(drain(ends[0], &out), "0 of 100\nline\n");
    l = log_new(ends[1], LOG_INFO, true);
    log_progress_begin(l);
    log_progress(l, "too soon to say something");
    log_progress_end(l);
    log_progress(l, "other work");
    log_free(l);
    assert_string_equal(drain(ends[0], &out), "other work\n");
    l = log_new(ends[1], LOG_INFO, false);
    log_progress(l, "quiet");
    log_free(l);
    assert_string_equal(drain(ends[0], &out), "");
    close(ends[0]);
    close(ends[1]);
    str_deinit(&out);
}

static void a_terminal_gets_one_live_line(void **state)
{
    struct str out = STR_INIT;
    int outside, inside;
    struct log *l;

    (void)state;
    setenv("TERM", "xterm", 1);
    open_terminal(&outside, &inside);
    l = log_new(inside, LOG_INFO, true);
    log_progress_begin(l);
    log_progress(l, "1 of 2");
    assert_string_equal(drain(outside, &out), ERASE "1 of 2");
    log_progress(l, "2 of 2");
    log_write(l, LOG_WARN, "slow");
    assert_string_equal(drain(outside, &out),
                        ERASE "2 of 2" ERASE "warning: slow\n" ERASE "2 of 2");
    log_progress_end(l);
    log_write(l, LOG_INFO, "done");
    assert_string_equal(drain(outside, &out), ERASE "done\n");
    log_progress(l, "%s",
                 "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2 and much more\n");
    assert_string_equal(drain(outside, &out), ERASE
                        "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2 and much");
    for (int i = 0; i < 1000; i++)
        log_progress(l, "%d", i);
    assert_true(strlen(drain(outside, &out)) < 1000); /* few of them were drawn */
    log_free(l);
    close(inside);
    close(outside);
    str_deinit(&out);
}

static void a_dumb_terminal_gets_plain_lines(void **state)
{
    struct str out = STR_INIT;
    int outside, inside;
    struct log *l;

    (void)state;
    setenv("TERM", "dumb", 1);
    open_terminal(&outside, &inside);
    l = log_new(inside, LOG_INFO, true);
    log_progress(l, "1 of 2");
    log_progress(l, "2 of 2");
    assert_string_equal(drain(outside, &out), "1 of 2\n");
    log_free(l);
    close(inside);
    close(outside);
    str_deinit(&out);
}

static void *write_lines(void *arg)
{
    for (int i = 0; i < 200; i++) {
        log_write(arg, LOG_INFO, "0123456789");
        log_progress(arg, "%d", i);
    }
    return NULL;
}

static void lines_of_two_threads_do_not_mix(void **state)
{
    char path[] = "/tmp/test_log_XXXXXX";
    int fd = mkstemp(path);
    struct log *l = log_new(fd, LOG_INFO, true);
    pthread_t other;
    char line[16];
    int n = 0;
    FILE *f;

    (void)state;
    assert_int_equal(pthread_create(&other, NULL, write_lines, l), 0);
    write_lines(l);
    pthread_join(other, NULL);
    log_free(l);
    f = fdopen(fd, "r");
    rewind(f);
    while (fgets(line, sizeof(line), f)) {
        if (strcmp(line, "0123456789\n") == 0)
            n++;
        else
            assert_true(strlen(line) <= 4 && line[strlen(line) - 1] == '\n');
    }
    assert_int_equal(n, 400);
    fclose(f);
    unlink(path);
}

/* ---- JSON */

/* The next line that has come, which must be one document with a time of milliseconds. */
static struct json *next_document(int fd, struct str *out)
{
    struct error err = ERROR_INIT;
    struct json *doc = NULL;
    const char *line = drain(fd, out), *time;
    int64_t ms;

    assert_int_equal(line[out->len - 1], '\n');
    assert_ptr_equal(strchr(line, '\n'), line + out->len - 1);
    for (size_t i = 0; i + 1 < out->len; i++)
        assert_true((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
    assert_int_equal(jv_parse(line, out->len, "line", &doc, &err), STATUS_OK);
    time = jv_get_string(jv_get(doc, "time"), "");
    assert_int_equal(strlen(time), strlen("2026-03-01T08:00:00.123Z"));
    assert_true(time_from_rfc3339(time, &ms));
    return doc;
}

static void a_line_of_json_is_one_document(void **state)
{
    const struct log_field field[] = {{.name = "run", .text = "u\"\x1b\xc2\x9b\xff"},
                                      {.name = "status", .number = -7}};
    struct str out = STR_INIT;
    struct json *doc;
    struct log *l;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    l = log_new(ends[1], LOG_INFO, true);
    log_set_format(l, LOG_JSON);
    assert_true(log_shows(l, LOG_INFO));
    assert_false(log_shows(l, LOG_DEBUG));
    assert_false(log_shows(NULL, LOG_ERROR));
    log_write(l, LOG_DEBUG, "not shown");
    log_write_fields(l, LOG_WARN, field, 2, "a %s", "\033[2J\\\n\xc2\x9b\xc3\xa4");
    doc = next_document(ends[0], &out);
    assert_null(strstr(str_cstr(&out), "\xc2\x9b"));
    assert_non_null(strstr(str_cstr(&out), "\\u009b"));
    assert_string_equal(jv_get_string(jv_get(doc, "level"), ""), "warning");
    assert_string_equal(jv_get_string(jv_get(doc, "message"), ""), "a \033[2J\\\n\xc2\x9b\xc3\xa4");
    assert_string_equal(jv_get_string(jv_get(doc, "run"), ""), "u\"\x1b\xc2\x9b\xef\xbf\xbd");
    assert_int_equal(jv_get_int(jv_get(doc, "status"), 0), -7);
    jv_unref(doc);
    log_write_run(l, LOG_INFO, "u", "a/b", "at %d", 1);
    doc = next_document(ends[0], &out);
    assert_string_equal(jv_get_string(jv_get(doc, "run"), ""), "u");
    assert_string_equal(jv_get_string(jv_get(doc, "path"), ""), "a/b");
    jv_unref(doc);
    log_text(l, LOG_ERROR, NULL, "troupe: no\n  hint\n", 18);
    doc = next_document(ends[0], &out);
    assert_string_equal(jv_get_string(jv_get(doc, "level"), ""), "error");
    assert_string_equal(jv_get_string(jv_get(doc, "message"), ""), "troupe: no\n  hint");
    jv_unref(doc);
    log_progress(l, "1 of 2\n");
    doc = next_document(ends[0], &out);
    assert_string_equal(jv_get_string(jv_get(doc, "level"), ""), "info");
    jv_unref(doc);
    log_free(l);
    close(ends[0]);
    close(ends[1]);
    str_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_named_and_filtered),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(a_line_of_json_is_one_document),
        cmocka_unit_test(progress_in_a_pipe_is_rare_and_plain),
        cmocka_unit_test(a_terminal_gets_one_live_line),
        cmocka_unit_test(a_dumb_terminal_gets_plain_lines),
        cmocka_unit_test(lines_of_two_threads_do_not_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
